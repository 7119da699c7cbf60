// SPDX-License-Identifier: Apache-2.0
// hwbnn_reduction: the firings of a unit that reduces Taps vectors of Folds words to one vector, word
// after word, tap after tap. Every firing pops a word; those of the last tap reserve one.
// Timing: hwbnn/units/reduction.py.
module hwbnn_reduction #(
    parameter int unsigned Taps        = 4,
    parameter int unsigned Folds       = 1,
    localparam int unsigned Depth       = Taps * Folds,
    localparam int unsigned FoldBits    = Folds > 1 ? $clog2(Folds) : 1,
    localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   in_valid_i,
    input  logic                   out_room_i,
    output logic                   fire_o,
    output logic                   first_o,   // the first tap
    output logic                   last_o,    // the last tap
    output logic [   FoldBits-1:0] fold_o,    // word of its vector
    output logic [AddressBits-1:0] address_o  // tap * Folds + word
);
  logic ends;  // the last word of the last tap
  assign fire_o = in_valid_i && (out_room_i || !last_o);

  if (Depth == 1) begin : gen_still
    assign address_o = '0;
    assign ends = 1'b1;
  end else begin : gen_address
    logic [AddressBits-1:0] address_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) address_q <= '0;
      else if (fire_o) address_q <= ends ? '0 : address_q + 1'b1;
    end
    assign address_o = address_q;
    assign ends = address_q == AddressBits'(Depth - 1);
  end

  if (Folds == 1) begin : gen_one_fold
    assign fold_o = '0;
  end else if (Folds == (1 << FoldBits)) begin : gen_low_bits
    assign fold_o = address_o[FoldBits-1:0];
  end else begin : gen_fold
    logic [FoldBits-1:0] fold_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fold_q <= '0;
      else if (fire_o) fold_q <= fold_q == FoldBits'(Folds - 1) ? '0 : fold_q + 1'b1;
    end
    assign fold_o = fold_q;
  end

  if (Taps == 1) begin : gen_one_tap
    logic unused;
    assign unused = &{clk_i, rst_ni, ends};
    assign first_o = 1'b1;
    assign last_o = 1'b1;
  end else begin : gen_taps
    logic first_q, last_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || (fire_o && ends)) begin
        first_q <= 1'b1;
        last_q <= 1'b0;
      end else if (fire_o) begin
        if (address_o == AddressBits'(Folds - 1)) first_q <= 1'b0;
        if (address_o == AddressBits'(Depth - Folds - 1)) last_q <= 1'b1;
      end
    end
    assign first_o = first_q;
    assign last_o = last_q;
  end
endmodule
