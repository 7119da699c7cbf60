// SPDX-License-Identifier: Apache-2.0
// hwbnn_rom: word_o is word address_i, one cycle later. One word is a constant. In block RAM, Rows
// (a power of two) less than Depth puts words Rows apart side by side in one row of the memory, so
// that the blocks' width is used, and chooses behind them: hwbnn/units/weights.py.
module hwbnn_rom #(
    parameter int unsigned Width     = 1,
    parameter int unsigned Depth     = 1,
    parameter int unsigned Block     = 0,  // in block RAM
    parameter int unsigned Rows      = Depth,
    parameter              WordsFile = "words",  // + ".hex"
    localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                   clk_i,
    input  logic [AddressBits-1:0] address_i,
    output logic [      Width-1:0] word_o
);
  localparam int unsigned Banks = (Depth + Rows - 1) / Rows;

  if (Depth == 1) begin : gen_constant
    logic unused;
    logic [Width-1:0] words[Depth];
    initial $readmemh({WordsFile, ".hex"}, words);
    assign unused = &{clk_i, address_i};
    assign word_o = words[0];
  end else if (Block == 0) begin : gen_distributed
    // Yosys reads the first attribute: no RAM, so that it needs no techmap (hwbnn/tools/yosys.py).
    (* ram_block = "logic", rom_style = "distributed" *) logic [Width-1:0] words[Depth];
    initial $readmemh({WordsFile, ".hex"}, words);
    always_ff @(posedge clk_i) word_o <= words[address_i];
  end else if (Banks == 1) begin : gen_block
    (* rom_style = "block", ram_style = "block" *) logic [Width-1:0] words[Depth];
    initial $readmemh({WordsFile, ".hex"}, words);
    always_ff @(posedge clk_i) word_o <= words[address_i];
  end else begin : gen_banks
    localparam int unsigned RowBits = $clog2(Rows);
    localparam int unsigned BankBits = $clog2(Banks);
    (* rom_style = "block", ram_style = "block" *) logic [Banks*Width-1:0] rows[Rows];
    initial $readmemh({WordsFile, ".hex"}, rows);

    logic [Banks*Width-1:0] row_q;
    logic [BankBits-1:0] bank_q;
    always_ff @(posedge clk_i) begin
      row_q <= rows[address_i[RowBits-1:0]];
      bank_q <= address_i[AddressBits-1:RowBits];
    end
    for (genvar i = 0; i < Width; i++) begin : gen_bit
      logic [(1<<BankBits)-1:0] choices;
      for (genvar b = 0; b < (1 << BankBits); b++) begin : gen_bank
        assign choices[b] = b < Banks ? row_q[b%Banks*Width+i] : 1'b0;
      end
      assign word_o[i] = choices[bank_q];
    end
  end
endmodule
