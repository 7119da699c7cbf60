// SPDX-License-Identifier: Apache-2.0
// hwbnn_held: a partial result per fold: word_o is the word last written to fold_i. It is read and
// written in one cycle, so that the next firing may read what this one wrote.
module hwbnn_held #(
    parameter int unsigned Width    = 1,
    parameter int unsigned Folds    = 1,
    localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1
) (
    input  logic                clk_i,
    input  logic                write_i,
    input  logic [FoldBits-1:0] fold_i,
    input  logic [   Width-1:0] word_i,
    output logic [   Width-1:0] word_o
);
  if (Folds == 1) begin : gen_register
    logic unused;
    logic [Width-1:0] word_q;
    assign unused = &fold_i;
    always_ff @(posedge clk_i) if (write_i) word_q <= word_i;
    assign word_o = word_q;
  end else begin : gen_ram
    (* ram_style = "distributed" *) logic [Width-1:0] words[Folds];
    always_ff @(posedge clk_i) if (write_i) words[fold_i] <= word_i;
    assign word_o = words[fold_i];
  end
endmodule
