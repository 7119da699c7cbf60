// SPDX-License-Identifier: Apache-2.0
// hwbnn_thresholds: a staircase that stands alone. Every firing reads and writes a beat. A
// descending channel searches the complement of its input. A class of vectors has its own tables.
// Timing and tables: hwbnn/units/thresholds.py.
module hwbnn_thresholds #(
    parameter int unsigned Pe            = 1,
    parameter int unsigned Elements      = 1,
    parameter int unsigned Shared        = 0,  // one channel's table serves all
    parameter int unsigned InBits        = 8,
    parameter int unsigned InKind        = 1,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned OutBits       = 1,
    parameter int unsigned CountBits     = 1,
    parameter int unsigned ThresholdBits = 9,
    parameter int unsigned SearchCycles  = 1,
    parameter int          Base          = 0,
    parameter int unsigned Classes       = 1,
    parameter int unsigned BorderRows    = 1,
    parameter int unsigned BorderColumns = 1,
    parameter              ThresholdsFile    = "thresholds",     // + 3-digit step + ".hex"
    parameter              DescendingFile    = "descending",     // + ".hex"
    parameter              BorderRowsFile    = "border_rows",    // + ".hex"
    parameter              BorderColumnsFile = "border_columns"  // + ".hex"
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
  localparam int unsigned TableFolds = Shared != 0 ? 1 : Classes * Folds;
  localparam int unsigned TableLanes = Shared != 0 ? 1 : Pe;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned TableFoldBits = TableFolds > 1 ? $clog2(TableFolds) : 1;
  localparam int unsigned XBits = InBits + 1;  // signed, whatever the kind

  logic fire;
  assign fire = in_valid_i && out_room_i;
  assign in_pop_o = fire;
  assign out_reserve_o = fire;
  hwbnn_delay #(.Cycles(1 + CountBits * SearchCycles)) i_push (
      .clk_i, .rst_ni, .data_i(fire), .data_o(out_push_o));

  // ---- fold of the firing, and of the operand register ---------------------------------------------

  logic [FoldBits-1:0] fold_q, fold;
  if (Folds == 1) begin : gen_one_fold
    assign fold_q = '0;
    assign fold = '0;
  end else begin : gen_folds
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fold_q <= '0;
      else if (fire) fold_q <= fold_q == FoldBits'(Folds - 1) ? '0 : fold_q + 1'b1;
    end
    hwbnn_delay #(.Width(FoldBits), .Cycles(1), .Clear(0)) i_fold (
        .clk_i, .rst_ni, .data_i(fold_q), .data_o(fold));
  end

  logic [TableFoldBits-1:0] table_fold_q, table_fold;
  if (Classes > 1) begin : gen_border
    logic [TableFoldBits-1:0] next;
    logic unused;
    assign unused = &{fold, next};
    hwbnn_border #(
        .Folds(Folds), .Rows(BorderRows), .Columns(BorderColumns), .IndexBits(TableFoldBits),
        .BorderRowsFile(BorderRowsFile), .BorderColumnsFile(BorderColumnsFile)
    ) i_border (.clk_i, .rst_ni, .step_i(fire), .index_o(table_fold_q), .next_o(next));
    hwbnn_delay #(.Width(TableFoldBits), .Cycles(1), .Clear(0)) i_table_fold (
        .clk_i, .rst_ni, .data_i(table_fold_q), .data_o(table_fold));
  end else if (TableFolds == Folds) begin : gen_own_table
    assign table_fold_q = fold_q;
    assign table_fold = fold;
  end else begin : gen_shared_table
    logic unused;
    assign unused = &fold;
    assign table_fold_q = '0;
    assign table_fold = '0;
  end

  // ---- operand register ------------------------------------------------------------------------------

  logic [TableLanes-1:0] descending[TableFolds];
  initial $readmemh({DescendingFile, ".hex"}, descending);

  logic [TableLanes-1:0] flags;
  logic [Pe*XBits-1:0] x_q;
  assign flags = descending[table_fold_q];
  for (genvar p = 0; p < Pe; p++) begin : gen_operand
    logic [InBits-1:0] code;
    logic [XBits-1:0] value;
    assign code = in_data_i[p*InBits+:InBits];
    assign value = InKind == 0 ? {~code, 1'b1} : {InKind == 2 && code[InBits-1], code};
    always_ff @(posedge clk_i) begin
      x_q[p*XBits+:XBits] <= value ^ {XBits{flags[Shared != 0 ? 0 : p]}};
    end
  end

  // ---- search, code ------------------------------------------------------------------------------------

  logic [Pe*CountBits-1:0] counts;
  logic [Pe*OutBits-1:0] codes;
  hwbnn_search #(
      .Lanes(Pe), .Shared(Shared != 0), .Folds(TableFolds), .XBits(XBits), .Signed(1),
      .CountBits(CountBits), .ThresholdBits(ThresholdBits), .StepCycles(SearchCycles),
      .ThresholdsFile(ThresholdsFile)
  ) i_search (.clk_i, .fold_i(table_fold), .x_i(x_q), .count_o(counts));

  for (genvar p = 0; p < Pe; p++) begin : gen_code
    assign codes[p*OutBits+:OutBits] = OutBits'(Base) + OutBits'(counts[p*CountBits+:CountBits]);
  end

  // Lanes of the last fold without an element carry code 0.
  if (Tail == Pe || (Shared == 0 && Base == 0)) begin : gen_whole
    assign out_data_o = codes;
  end else begin : gen_tail
    logic last_fold;
    hwbnn_delay #(.Cycles(CountBits * SearchCycles), .Clear(0)) i_last_fold (
        .clk_i, .rst_ni, .data_i(fold == FoldBits'(Folds - 1)), .data_o(last_fold));
    assign out_data_o[Tail*OutBits-1:0] = codes[Tail*OutBits-1:0];
    assign out_data_o[Pe*OutBits-1:Tail*OutBits] =
        last_fold ? '0 : codes[Pe*OutBits-1:Tail*OutBits];
  end
endmodule
