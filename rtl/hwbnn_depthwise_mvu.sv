// SPDX-License-Identifier: Apache-2.0
// hwbnn_depthwise_mvu: one filter a channel: a lane's products, tap after tap, are added to the
// partial sum of its fold; then a staircase or the sum itself. Every firing reads, those of the last
// tap write. One threshold costs no search: the sum begins at minus the threshold, and its sign is
// the answer. Timing, memories and padding: hwbnn/units/depthwise_mvu.py.
module hwbnn_depthwise_mvu #(
    parameter int unsigned Mode          = 0,  // 0 XNOR, 1 add or subtract, 2 multiply
    parameter int unsigned Pe            = 1,
    parameter int unsigned Channels      = 1,
    parameter int unsigned Taps          = 9,
    parameter int unsigned InBits        = 1,
    parameter int unsigned InKind        = 0,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned WeightBits    = 1,
    parameter int unsigned WeightKind    = 0,
    parameter int unsigned AccBits       = 5,
    parameter int unsigned OutBits       = 1,
    parameter int unsigned CountBits     = 1,  // 0: no staircase
    parameter int unsigned ThresholdBits = 1,
    parameter int unsigned SearchCycles  = 1,
    parameter int          Base          = 0,
    parameter int unsigned BlockWeights  = 0,
    parameter int unsigned WeightRows    = 1,  // of the block RAM (hwbnn_rom)
    parameter int unsigned BlockStarts   = 0,
    parameter int unsigned BorderClasses = 1,  // sets of thresholds
    parameter int unsigned BorderRows    = 1,
    parameter int unsigned BorderColumns = 1,
    parameter              WeightsFile       = "weights",        // + ".hex"
    parameter              StartsFile        = "starts",         // + ".hex"
    parameter              ThresholdsFile    = "thresholds",     // + 3-digit step + ".hex"
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
  localparam bit Fused = CountBits == 1;
  localparam bit Searched = CountBits > 1;
  localparam int unsigned Folds = (Channels + Pe - 1) / Pe;
  localparam int unsigned Tail = Channels - (Folds - 1) * Pe;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned Depth = Taps * Folds;
  localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned TableFolds = BorderClasses * Folds;
  localparam int unsigned IndexBits = TableFolds > 1 ? $clog2(TableFolds) : 1;
  localparam int unsigned Stages = Mode == 2 ? 1 : 0;  // a register behind the multiplier
  localparam int unsigned SearchLatency = Searched ? CountBits * SearchCycles : 0;

  // ---- firing, operands ------------------------------------------------------------------------

  logic fire, first, last;
  logic [FoldBits-1:0] fold;
  logic [AddressBits-1:0] address;
  hwbnn_reduction #(.Taps(Taps), .Folds(Folds)) i_reduction (
      .clk_i, .rst_ni, .in_valid_i, .out_room_i, .fire_o(fire), .first_o(first), .last_o(last),
      .fold_o(fold), .address_o(address));
  assign in_pop_o = fire;
  assign out_reserve_o = fire && last;
  hwbnn_delay #(.Cycles(2 + Stages + SearchLatency)) i_push (
      .clk_i, .rst_ni, .data_i(out_reserve_o), .data_o(out_push_o));

  logic [Pe*InBits-1:0] x_q;
  logic [Pe*WeightBits-1:0] weights;
  always_ff @(posedge clk_i) x_q <= in_data_i;
  hwbnn_rom #(
      .Width(Pe * WeightBits), .Depth(Depth), .Block(BlockWeights), .Rows(WeightRows),
      .WordsFile(WeightsFile)
  ) i_weights (.clk_i, .address_i(address), .word_o(weights));

  // ---- 1 + Stages cycles after the firing: partial sums ------------------------------------------

  logic sum_valid, sum_first, sum_last;
  logic [FoldBits-1:0] sum_fold;
  hwbnn_delay #(.Cycles(1 + Stages)) i_sum_valid (
      .clk_i, .rst_ni, .data_i(fire), .data_o(sum_valid));
  hwbnn_delay #(.Width(2 + FoldBits), .Cycles(1 + Stages), .Clear(0)) i_sum_control (
      .clk_i, .rst_ni, .data_i({first, last, fold}), .data_o({sum_first, sum_last, sum_fold}));

  // Word of the staircase's tables: of the firing if the sum begins there, else of the sum.
  // verilator lint_off UNUSEDSIGNAL
  logic [IndexBits-1:0] index;  // not used without a staircase
  // verilator lint_on UNUSEDSIGNAL
  if (BorderClasses > 1) begin : gen_border
    logic unused;
    logic [IndexBits-1:0] next;
    assign unused = &next;
    hwbnn_border #(
        .Folds(Folds), .Rows(BorderRows), .Columns(BorderColumns), .IndexBits(IndexBits),
        .BorderRowsFile(BorderRowsFile), .BorderColumnsFile(BorderColumnsFile)
    ) i_border (
        .clk_i, .rst_ni, .step_i(Fused ? fire && first : sum_valid && sum_last),
        .index_o(index), .next_o(next));
  end else begin : gen_no_border
    assign index = Fused ? fold : sum_fold;
  end

  logic [Pe*AccBits-1:0] start, so_far, sums, sums_q;
  if (Fused) begin : gen_start
    logic [IndexBits-1:0] start_index;
    hwbnn_delay #(.Width(IndexBits), .Cycles(Stages), .Clear(0)) i_start_index (
        .clk_i, .rst_ni, .data_i(index), .data_o(start_index));
    hwbnn_rom #(
        .Width(Pe * AccBits), .Depth(TableFolds), .Block(BlockStarts), .WordsFile(StartsFile)
    ) i_starts (.clk_i, .address_i(start_index), .word_o(start));
  end else begin : gen_constant
    // The sum of bipolar products is 2 * ones - Taps = 2 * (ones - half) + odd.
    localparam logic [AccBits-1:0] Half = AccBits'(0 - (Taps + 1) / 2);
    assign start = {Pe{Mode == 0 && CountBits == 0 ? Half : '0}};
  end

  hwbnn_partial_sum #(
      .Width(Pe * AccBits), .Folds(Folds), .Steady(!Fused || TableFolds == 1)
  ) i_partial_sum (
      .clk_i, .rst_ni, .valid_i(sum_valid), .first_i(sum_first), .last_i(sum_last),
      .fold_i(sum_fold), .start_i(start), .sum_i(sums), .so_far_o(so_far));

  hwbnn_depthwise_sums #(
      .Mode(Mode), .Pe(Pe), .InBits(InBits), .InKind(InKind), .WeightBits(WeightBits),
      .WeightKind(WeightKind), .AccBits(AccBits)
  ) i_sums (.clk_i, .x_i(x_q), .weights_i(weights), .so_far_i(so_far), .sums_o(sums));
  always_ff @(posedge clk_i) sums_q <= sums;

  // ---- staircase -----------------------------------------------------------------------------------

  logic [Pe*OutBits-1:0] codes;
  if (Searched) begin : gen_search
    logic [IndexBits-1:0] search_index;
    logic [Pe*CountBits-1:0] counts;
    hwbnn_delay #(.Width(IndexBits), .Cycles(1), .Clear(0)) i_search_index (
        .clk_i, .rst_ni, .data_i(index), .data_o(search_index));
    hwbnn_search #(
        .Lanes(Pe), .Folds(TableFolds), .XBits(AccBits), .Signed(Mode != 0), .CountBits(CountBits),
        .ThresholdBits(ThresholdBits), .StepCycles(SearchCycles), .ThresholdsFile(ThresholdsFile)
    ) i_search (.clk_i, .fold_i(search_index), .x_i(sums_q), .count_o(counts));
    always_comb begin
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        codes[p*OutBits+:OutBits] = OutBits'(Base) + OutBits'(counts[p*CountBits+:CountBits]);
      end
    end
  end else begin : gen_direct
    always_comb begin
      logic [AccBits-1:0] sum;
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        sum = sums_q[p*AccBits+:AccBits];
        if (Fused) codes[p*OutBits+:OutBits] = OutBits'(Base) + OutBits'(!sum[AccBits-1]);
        else if (Mode == 0) codes[p*OutBits+:OutBits] = OutBits'({sum, 1'(Taps % 2)});
        else codes[p*OutBits+:OutBits] = OutBits'(sum);
      end
    end
  end

  // ---- lanes of the last fold without a channel carry code 0 ---------------------------------------

  if (Tail == Pe || (CountBits > 0 ? Base == 0 : Mode != 0)) begin : gen_whole
    assign out_data_o = codes;
  end else begin : gen_tail
    logic last_fold;
    hwbnn_delay #(.Cycles(1 + SearchLatency), .Clear(0)) i_last_fold (
        .clk_i, .rst_ni, .data_i(sum_fold == FoldBits'(Folds - 1)), .data_o(last_fold));
    assign out_data_o[Tail*OutBits-1:0] = codes[Tail*OutBits-1:0];
    assign out_data_o[Pe*OutBits-1:Tail*OutBits] =
        last_fold ? '0 : codes[Pe*OutBits-1:Tail*OutBits];
  end
endmodule
