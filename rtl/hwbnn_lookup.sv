// SPDX-License-Identifier: Apache-2.0
// hwbnn_lookup: a table per element. Every firing reads and writes a beat; the table's registered
// read is the only stage. Timing and tables: hwbnn/units/lookup.py.
module hwbnn_lookup #(
    parameter int unsigned Pe         = 1,
    parameter int unsigned Elements   = 1,
    parameter int unsigned Shared     = 0,  // one table serves all elements
    parameter int unsigned InBits     = 8,
    parameter int unsigned OutBits    = 1,
    parameter int unsigned BlockTable = 0,
    parameter              TableFile  = "table"  // + 3-digit lane + ".hex"
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic                  in_valid_i,
    output logic                  in_pop_o,
    input  logic [Pe*InBits-1:0]  in_data_i,
    input  logic                  out_room_i,
    output logic                  out_reserve_o,
    output logic                  out_push_o,
    output logic [Pe*OutBits-1:0] out_data_o
);
  localparam int unsigned Folds = (Elements + Pe - 1) / Pe;
  localparam int unsigned Tail = Elements - (Folds - 1) * Pe;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned AddressBits = InBits + (Shared != 0 || Folds == 1 ? 0 : FoldBits);
  localparam int unsigned Depth = (Shared != 0 ? 1 : Folds) << InBits;

  logic fire;
  logic [FoldBits-1:0] fold_q;
  assign fire = in_valid_i && out_room_i;
  assign in_pop_o = fire;
  assign out_reserve_o = fire;
  hwbnn_delay #(.Cycles(1)) i_push (.clk_i, .rst_ni, .data_i(fire), .data_o(out_push_o));

  if (Folds == 1) begin : gen_one_fold
    assign fold_q = '0;
  end else begin : gen_folds
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fold_q <= '0;
      else if (fire) fold_q <= fold_q == FoldBits'(Folds - 1) ? '0 : fold_q + 1'b1;
    end
  end

  logic [Pe*OutBits-1:0] codes_q;
  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    localparam int unsigned File = Shared != 0 ? 0 : p;
    // Three decimal digits: the number of the lane.
    localparam logic [23:0] Digits = {
      8'(48 + File / 100), 8'(48 + File / 10 % 10), 8'(48 + File % 10)
    };
    logic [AddressBits-1:0] address;
    assign address = AddressBits'({fold_q, in_data_i[p*InBits+:InBits]});
    if (BlockTable != 0) begin : gen_block
      (* rom_style = "block", ram_style = "block" *) logic [OutBits-1:0] words[Depth];
      initial $readmemh({TableFile, Digits, ".hex"}, words);
      always_ff @(posedge clk_i) codes_q[p*OutBits+:OutBits] <= words[address];
    end else begin : gen_distributed
      (* logic_block *) logic [OutBits-1:0] words[Depth];  // Yosys: no RAM
      initial $readmemh({TableFile, Digits, ".hex"}, words);
      always_ff @(posedge clk_i) codes_q[p*OutBits+:OutBits] <= words[address];
    end
  end

  // Lanes of the last fold without an element carry code 0.
  if (Tail == Pe || Shared == 0) begin : gen_whole
    assign out_data_o = codes_q;
  end else begin : gen_tail
    logic last_q;
    always_ff @(posedge clk_i) last_q <= fold_q == FoldBits'(Folds - 1);
    assign out_data_o[Tail*OutBits-1:0] = codes_q[Tail*OutBits-1:0];
    assign out_data_o[Pe*OutBits-1:Tail*OutBits] =
        last_q ? '0 : codes_q[Pe*OutBits-1:Tail*OutBits];
  end
endmodule
