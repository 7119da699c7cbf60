// SPDX-License-Identifier: Apache-2.0
// hwbnn_max_pool: the greatest, or least, of Taps vectors, lane by lane. Every firing reads, those of
// the last tap write. Lanes without a channel carry code 0 in and out.
// Timing and flags: hwbnn/units/max_pool.py.
module hwbnn_max_pool #(
    parameter int unsigned Pe       = 1,
    parameter int unsigned Channels = 1,
    parameter int unsigned Taps     = 4,
    parameter int unsigned InBits   = 1,
    parameter int unsigned InKind   = 0,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned Minimum  = 0,  // the least: 0 of no channel, 1 of all, 2 of those flagged
    parameter              MinimumFile = "minimum"  // + ".hex"
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 in_valid_i,
    output logic                 in_pop_o,
    input  logic [Pe*InBits-1:0] in_data_i,
    input  logic                 out_room_i,
    output logic                 out_reserve_o,
    output logic                 out_push_o,
    output logic [Pe*InBits-1:0] out_data_o
);
  localparam int unsigned Folds = (Channels + Pe - 1) / Pe;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned AddressBits = Taps * Folds > 1 ? $clog2(Taps * Folds) : 1;
  localparam logic [InBits-1:0] Turn = InBits'(InKind == 2) << (InBits - 1);  // in order, unsigned

  logic fire, first, last;
  logic [FoldBits-1:0] fold;
  logic [AddressBits-1:0] address;
  hwbnn_reduction #(.Taps(Taps), .Folds(Folds)) i_reduction (
      .clk_i, .rst_ni, .in_valid_i, .out_room_i, .fire_o(fire), .first_o(first), .last_o(last),
      .fold_o(fold), .address_o(address));
  logic unused;
  assign unused = &address;
  assign in_pop_o = fire;
  assign out_reserve_o = fire && last;
  hwbnn_delay #(.Cycles(1)) i_push (
      .clk_i, .rst_ni, .data_i(out_reserve_o), .data_o(out_push_o));

  logic [Pe-1:0] least;
  if (Minimum == 2) begin : gen_flags
    logic [Pe-1:0] flags[Folds];
    initial $readmemh({MinimumFile, ".hex"}, flags);
    assign least = flags[fold];
  end else begin : gen_uniform
    assign least = {Pe{Minimum == 1}};
  end

  logic [Pe*InBits-1:0] held, result;
  always_comb begin
    logic [InBits-1:0] code, best;
    logic greater;
    // verilator unroll_disable
    for (int unsigned p = 0; p < Pe; p++) begin
      code = in_data_i[p*InBits+:InBits];
      best = held[p*InBits+:InBits];
      // One bit: no comparator. Of equals either may be taken.
      if (InBits == 1) greater = code[0] != Turn[0] && best[0] == Turn[0];
      else greater = (code ^ Turn) > (best ^ Turn);
      result[p*InBits+:InBits] = first || greater != least[p] ? code : best;
    end
  end

  hwbnn_held #(.Width(Pe * InBits), .Folds(Folds)) i_held (
      .clk_i, .write_i(fire), .fold_i(fold), .word_i(result), .word_o(held));

  if (Folds == 1) begin : gen_held
    assign out_data_o = held;
  end else begin : gen_result
    logic [Pe*InBits-1:0] result_q;
    always_ff @(posedge clk_i) result_q <= result;
    assign out_data_o = result_q;
  end
endmodule
