// SPDX-License-Identifier: Apache-2.0
// hwbnn_partial_sum: so_far_o is what the sum of fold_i has come to, start_i in its first tap; with
// valid_i the sum becomes sum_i.
module hwbnn_partial_sum #(
    parameter int unsigned Width    = 1,
    parameter int unsigned Folds    = 1,
    parameter bit          Steady   = 0,  // start_i is a constant
    localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                valid_i,
    input  logic                first_i,
    input  logic                last_i,
    input  logic [FoldBits-1:0] fold_i,
    input  logic [   Width-1:0] start_i,
    input  logic [   Width-1:0] sum_i,
    output logic [   Width-1:0] so_far_o
);
  logic write;
  logic [Width-1:0] word, held;

  if (Folds == 1 && Steady) begin : gen_steady
    // Behind the last tap the register goes back to the start: the adder needs no multiplexer.
    logic unused;
    assign unused = first_i;
    assign write = valid_i || !rst_ni;
    assign word = last_i || !rst_ni ? start_i : sum_i;
    assign so_far_o = held;
  end else begin : gen_select
    logic unused;
    assign unused = &{rst_ni, last_i};
    assign write = valid_i;
    assign word = sum_i;
    assign so_far_o = first_i ? start_i : held;
  end

  hwbnn_held #(.Width(Width), .Folds(Folds)) i_held (
      .clk_i, .write_i(write), .fold_i, .word_i(word), .word_o(held));
endmodule
