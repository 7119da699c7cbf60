// SPDX-License-Identifier: Apache-2.0
// hwbnn_ultra_rom: word_o is word address_i, one cycle later, out of UltraRAM. No bitstream fills
// that: on a chip hwbnn_load writes it, column by column of 72 bits, through load_i = {a write
// enable a column, address, column}. LoadBits 1, in simulation: the words are in a file.
module hwbnn_ultra_rom #(
    parameter int unsigned Width     = 1,
    parameter int unsigned Depth     = 1,
    parameter int unsigned LoadBits  = 1,
    parameter              WordsFile = "words",  // + ".hex"
    localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                   clk_i,
    input  logic [AddressBits-1:0] address_i,
    input  logic [   LoadBits-1:0] load_i,
    output logic [      Width-1:0] word_o
);
  localparam int unsigned Columns = (Width + 71) / 72;

  if (LoadBits != 1 && LoadBits != Columns + AddressBits + 72) begin : gen_refuse
    $error("hwbnn_ultra_rom: LoadBits must be 1, or bits of columns, address and a column");
  end

  if (LoadBits == 1) begin : gen_file
    logic unused;
    assign unused = load_i[0];
    logic [Width-1:0] words[Depth];
    initial $readmemh({WordsFile, ".hex"}, words);
    always_ff @(posedge clk_i) word_o <= words[address_i];
  end else begin : gen_loaded
    logic unused;
    logic [71:0] column;
    logic [AddressBits-1:0] row;
    logic [Columns-1:0] writes;
    assign {writes, row, column} = load_i;
    assign unused = &column;
    for (genvar i = 0; i < Columns; i++) begin : gen_column
      localparam int unsigned Bits = i == Columns - 1 ? Width - 72 * i : 72;
      (* ram_style = "ultra", no_rw_check *) logic [Bits-1:0] words[Depth];
      logic [Bits-1:0] word_q;
      always_ff @(posedge clk_i) begin
        if (writes[i]) words[row] <= column[Bits-1:0];
        word_q <= words[address_i];
      end
      assign word_o[72*i+:Bits] = word_q;
    end
  end
endmodule
