// SPDX-License-Identifier: Apache-2.0
// hwbnn_border: number of the word of thresholds of every sum of an image. A position has Folds
// sums, in order; those of a class begin at the sum of a word of each table, by row and by column.
// index_o belongs to the sum that leaves with step_i, next_o is what it will be in the next cycle.
// Tables: hwbnn/units/border.py.
module hwbnn_border #(
    parameter int unsigned Folds     = 1,
    parameter int unsigned Rows      = 1,
    parameter int unsigned Columns   = 1,
    parameter int unsigned IndexBits = 1,
    parameter              BorderRowsFile    = "border_rows",    // + ".hex"
    parameter              BorderColumnsFile = "border_columns"  // + ".hex"
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 step_i,
    output logic [IndexBits-1:0] index_o,
    output logic [IndexBits-1:0] next_o
);
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned RowBits = Rows > 1 ? $clog2(Rows) : 1;
  localparam int unsigned ColumnBits = Columns > 1 ? $clog2(Columns) : 1;

  logic leave;  // the position's last sum leaves

  if (Folds == 1) begin : gen_one_fold
    assign leave = step_i;
  end else begin : gen_folds
    logic [FoldBits-1:0] fold_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fold_q <= '0;
      else if (step_i) fold_q <= leave ? '0 : fold_q + 1'b1;
    end
    assign leave = step_i && fold_q == FoldBits'(Folds - 1);
  end

  // ---- row and column of the position that comes next: after reset, the second -----------------

  localparam logic [ColumnBits-1:0] SecondColumn = ColumnBits'(Columns > 1);
  localparam logic [RowBits-1:0] SecondRow = RowBits'(Columns == 1 && Rows > 1);

  logic [RowBits-1:0] row_q;
  logic [ColumnBits-1:0] column_q;
  logic row_last, column_last;
  assign row_last = row_q == RowBits'(Rows - 1);
  assign column_last = column_q == ColumnBits'(Columns - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q <= SecondRow;
      column_q <= SecondColumn;
    end else if (leave) begin
      column_q <= column_last ? '0 : column_q + 1'b1;
      if (column_last) row_q <= row_last ? '0 : row_q + 1'b1;
    end
  end

  logic [IndexBits-1:0] row_words[Rows];
  logic [IndexBits-1:0] column_words[Columns];
  initial $readmemh({BorderRowsFile, ".hex"}, row_words);
  initial $readmemh({BorderColumnsFile, ".hex"}, column_words);

  // ---- number of the word ------------------------------------------------------------------------

  logic [IndexBits-1:0] index_q;
  always_comb begin
    next_o = index_q;
    if (!rst_ni) next_o = '0;  // the first position is of class 0
    else if (leave) next_o = row_words[row_q] + column_words[column_q];
    else if (step_i) next_o = index_q + 1'b1;
  end
  always_ff @(posedge clk_i) index_q <= next_o;
  assign index_o = index_q;
endmodule
