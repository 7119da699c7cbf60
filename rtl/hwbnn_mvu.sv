// SPDX-License-Identifier: Apache-2.0
// hwbnn_mvu: Pe x Simd matrix-vector product, then a staircase or the sum itself. A firing is one
// (neuron fold, synapse fold) of a group: it reads in neuron fold 0 (later folds replay the group's
// inputs) and writes at the last synapse fold. One threshold costs no search: the sum begins at
// minus the threshold, and its sign is the answer. Timing, memories and padding: hwbnn/units/mvu.py.
module hwbnn_mvu #(
    parameter int unsigned Mode          = 0,  // 0 XNOR-popcount, 1 add or subtract, 2 multiply
    parameter int unsigned Pe            = 1,
    parameter int unsigned Simd          = 1,
    parameter int unsigned NeuronFolds   = 1,
    parameter int unsigned SynapseFolds  = 1,
    parameter int unsigned Neurons       = 1,
    parameter int unsigned Synapses      = 1,
    parameter int unsigned InBits        = 1,
    parameter int unsigned InKind        = 0,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned WeightBits    = 1,
    parameter int unsigned WeightKind    = 0,
    parameter int unsigned AccBits       = 1,
    parameter int unsigned OutBits       = 1,
    parameter int unsigned CountBits     = 1,  // 0: no staircase
    parameter int unsigned ThresholdBits = 1,
    parameter int unsigned SearchCycles  = 1,
    parameter int          Base          = 0,
    parameter int unsigned Stages        = 0,
    parameter int unsigned Dsp           = 0,  // products a DSP, 0 to 2; 0: in LUTs
    parameter int unsigned ProductBits   = 1,  // of a DSP
    parameter int unsigned BlockWeights  = 0,  // 1: in block RAM, 2: in UltraRAM
    parameter bit          StreamWeights = 0,  // through input port 1, a word with every firing
    parameter int unsigned WeightRows    = 1,  // of the block RAM (hwbnn_rom)
    parameter int unsigned LoadBits      = 1,  // of what writes the UltraRAM (hwbnn_ultra_rom)
    parameter int unsigned Groups        = 1,
    parameter int unsigned BorderClasses = 1,  // sets of thresholds
    parameter int unsigned BorderRows    = 1,
    parameter int unsigned BorderColumns = 1,
    parameter int unsigned Structure     = 0,  // of the popcount
    parameter              WeightsFile       = "weights",        // + ".hex"
    parameter              ThresholdsFile    = "thresholds",     // + 3-digit step + ".hex"
    parameter              BorderRowsFile    = "border_rows",    // + ".hex"
    parameter              BorderColumnsFile = "border_columns"  // + ".hex"
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [StreamWeights:0] in_valid_i,
    output logic [StreamWeights:0] in_pop_o,
    input  logic [Simd*InBits+(StreamWeights?Pe*Simd*WeightBits:0)-1:0] in_data_i,
    input  logic [LoadBits-1:0]    load_i,
    input  logic                   out_room_i,
    output logic                   out_reserve_o,
    output logic                   out_push_o,
    output logic [Pe*OutBits-1:0]  out_data_o
);
  localparam bit Fused = CountBits == 1;
  localparam int unsigned VectorFolds = Groups * NeuronFolds;
  localparam int unsigned TableFolds = BorderClasses * VectorFolds;
  localparam int unsigned FoldBits = TableFolds > 1 ? $clog2(TableFolds) : 1;
  localparam int unsigned Widest = AccBits > ThresholdBits ? AccBits : ThresholdBits;
  localparam int unsigned Width = Fused ? Widest + 1 : AccBits;
  localparam bit Negated = Structure == 2 && Mode == 0;  // the accumulator's carry is a synapse's
  localparam bit Early = Negated && SearchCycles == 1 && SynapseFolds > 1;  // a register for starts
  localparam int unsigned SumCycles = 1 + Stages + (Dsp != 0 ? 3 : 0);
  localparam int unsigned SearchLatency = CountBits > 1 ? CountBits * SearchCycles : 0;

  // ---- firing, operands ------------------------------------------------------------------------

  logic fire, last;
  logic [Pe*Width-1:0] rows_a, rows_b;

  hwbnn_mvu_product #(
      .Mode(Mode), .Pe(Pe), .Simd(Simd), .NeuronFolds(NeuronFolds), .SynapseFolds(SynapseFolds),
      .Groups(Groups), .InBits(InBits), .InKind(InKind), .WeightBits(WeightBits),
      .WeightKind(WeightKind), .Width(Width), .Stages(Stages), .Dsp(Dsp),
      .ProductBits(ProductBits), .BlockWeights(BlockWeights), .StreamWeights(StreamWeights),
      .WeightRows(WeightRows), .LoadBits(LoadBits), .Structure(Structure), .WeightsFile(WeightsFile)
  ) i_product (
      .clk_i, .rst_ni, .in_valid_i, .in_pop_o, .in_data_i, .load_i, .out_room_i,
      .fire_o(fire), .last_o(last), .rows_a_o(rows_a), .rows_b_o(rows_b));

  assign out_reserve_o = fire && last;

  // ---- accumulation: SumCycles after the firing --------------------------------------------------

  logic sum_valid, sum_last, sum_first;
  // verilator lint_off UNUSEDSIGNAL
  logic first_d;  // used by Early only
  logic [FoldBits-1:0] fold_d;  // used by Early and thresholds in block RAM only
  // verilator lint_on UNUSEDSIGNAL
  logic [FoldBits-1:0] fold_q;

  hwbnn_delay #(.Cycles(SumCycles)) i_sum_valid (
      .clk_i, .rst_ni, .data_i(fire), .data_o(sum_valid));

  if (SynapseFolds == 1) begin : gen_single
    assign sum_last = 1'b1;
    assign sum_first = 1'b1;
    assign first_d = 1'b1;
  end else begin : gen_beats
    logic first_q;
    hwbnn_delay #(.Cycles(SumCycles), .Clear(0)) i_sum_last (
        .clk_i, .rst_ni, .data_i(last), .data_o(sum_last));
    assign first_d = !rst_ni || (sum_valid ? sum_last : first_q);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) first_q <= 1'b1;
      else if (sum_valid) first_q <= sum_last;
    end
    assign sum_first = first_q;
  end

  if (TableFolds == 1) begin : gen_one_fold
    logic unused;
    assign unused = &fold_q;
    assign fold_q = '0;
    assign fold_d = '0;
  end else if (BorderClasses > 1) begin : gen_border
    hwbnn_border #(
        .Folds(VectorFolds), .Rows(BorderRows), .Columns(BorderColumns), .IndexBits(FoldBits),
        .BorderRowsFile(BorderRowsFile), .BorderColumnsFile(BorderColumnsFile)
    ) i_border (
        .clk_i, .rst_ni, .step_i(sum_valid && sum_last), .index_o(fold_q), .next_o(fold_d));
  end else begin : gen_folds
    always_comb begin
      fold_d = fold_q;
      if (!rst_ni) fold_d = '0;
      else if (sum_valid && sum_last) begin
        fold_d = fold_q == FoldBits'(TableFolds - 1) ? '0 : fold_q + 1'b1;
      end
    end
    always_ff @(posedge clk_i) fold_q <= fold_d;
  end

  logic [Pe*Width-1:0] start, sums;

  if (Fused) begin : gen_start_threshold
    logic [Pe*ThresholdBits-1:0] thresholds;
    if (SearchCycles == 1) begin : gen_distributed
      logic [Pe*ThresholdBits-1:0] table_words[TableFolds];
      initial $readmemh({ThresholdsFile, "000", ".hex"}, table_words);
      assign thresholds = table_words[Early ? fold_d : fold_q];
    end else begin : gen_block
      (* rom_style = "block", ram_style = "block" *)
      logic [Pe*ThresholdBits-1:0] table_words[TableFolds];
      initial $readmemh({ThresholdsFile, "000", ".hex"}, table_words);
      always_ff @(posedge clk_i) thresholds <= table_words[fold_d];
    end
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      logic [ThresholdBits-1:0] threshold;
      logic sign;
      logic [Width-1:0] wide;
      assign threshold = thresholds[p*ThresholdBits+:ThresholdBits];
      assign sign = Mode == 0 ? 1'b0 : threshold[ThresholdBits-1];
      assign wide = {{Width - ThresholdBits{sign}}, threshold};
      if (Negated) begin : gen_negative
        // The carry is a synapse's: minus the threshold, in logic, which goes into the table.
        logic [Width-1:0] negative;
        assign negative[0] = wide[0];
        for (genvar i = 1; i < Width; i++) begin : gen_bit
          assign negative[i] = wide[i] ^ (|wide[i-1:0]);
        end
        if (Early) begin : gen_register
          logic [Width-1:0] start_q;
          always_ff @(posedge clk_i) begin
            if (!first_d) start_q <= '0;  // the flip-flop's reset: no LUT
            else start_q <= negative;
          end
          assign start[p*Width+:Width] = start_q;
        end else begin : gen_now
          assign start[p*Width+:Width] = sum_first ? negative : '0;
        end
      end else begin : gen_complement
        assign start[p*Width+:Width] = sum_first ? ~wide : '0;
      end
    end
  end else begin : gen_start_constant
    // The sum of bipolar products is 2 * popcount - Synapses = 2 * (popcount - half) + odd.
    localparam logic [Width-1:0] Half = Mode == 0 && CountBits == 0 ?
        Width'(0 - (Synapses + 1) / 2) : '0;
    assign start = {Pe{sum_first ? Half : {Width{1'b0}}}};
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_accumulate
    hwbnn_accumulate #(
        .Width(Width), .Single(SynapseFolds == 1), .Structure(Mode == 0 ? Structure : 0)
    ) i_accumulate (
        .clk_i, .rst_ni, .valid_i(sum_valid), .last_i(sum_last), .a_i(rows_a[p*Width+:Width]),
        .b_i(rows_b[p*Width+:Width]), .start_i(start[p*Width+:Width]),
        .carry_i(Fused && !Negated && sum_first), .result_o(sums[p*Width+:Width]));
  end

  hwbnn_delay #(.Cycles(1 + SearchLatency)) i_push (
      .clk_i, .rst_ni, .data_i(sum_valid && sum_last), .data_o(out_push_o));

  // ---- staircase ---------------------------------------------------------------------------------

  logic [Pe*OutBits-1:0] codes;

  if (CountBits > 1) begin : gen_search
    logic [FoldBits-1:0] fold;
    logic [Pe*CountBits-1:0] counts;
    hwbnn_delay #(.Width(FoldBits), .Cycles(1), .Clear(0)) i_fold (
        .clk_i, .rst_ni, .data_i(fold_q), .data_o(fold));
    hwbnn_search #(
        .Lanes(Pe), .Folds(TableFolds), .XBits(Width), .Signed(Mode != 0), .CountBits(CountBits),
        .ThresholdBits(ThresholdBits), .StepCycles(SearchCycles), .ThresholdsFile(ThresholdsFile)
    ) i_search (.clk_i, .fold_i(fold), .x_i(sums), .count_o(counts));
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      assign codes[p*OutBits+:OutBits] = OutBits'(Base) + OutBits'(counts[p*CountBits+:CountBits]);
    end
  end else begin : gen_direct
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      logic [Width-1:0] value;
      assign value = sums[p*Width+:Width];
      if (Fused) begin : gen_sign
        logic unused;
        assign unused = &value;
        assign codes[p*OutBits+:OutBits] = OutBits'(Base) + OutBits'(!value[Width-1]);
      end else if (Mode == 0) begin : gen_popcount
        localparam logic Odd = 1'(Synapses % 2);
        assign codes[p*OutBits+:OutBits] = OutBits'($signed({value, Odd}));
      end else begin : gen_sum
        assign codes[p*OutBits+:OutBits] = OutBits'($signed(value));
      end
    end
  end

  // ---- lanes of the last fold without a neuron carry code 0 ----------------------------------------

  localparam int unsigned Tail = Neurons - (NeuronFolds - 1) * Pe;
  if (Tail == Pe || (Fused && Base == 0)) begin : gen_whole
    assign out_data_o = codes;
  end else begin : gen_tail
    logic group_last, last_fold;
    if (TableFolds == NeuronFolds) begin : gen_last
      assign group_last = fold_q == FoldBits'(NeuronFolds - 1);
    end else if (NeuronFolds == 1) begin : gen_always
      assign group_last = 1'b1;
    end else begin : gen_count
      localparam int unsigned Bits = $clog2(NeuronFolds);
      logic [Bits-1:0] neuron_q;
      assign group_last = neuron_q == Bits'(NeuronFolds - 1);
      always_ff @(posedge clk_i) begin
        if (!rst_ni) neuron_q <= '0;
        else if (sum_valid && sum_last) neuron_q <= group_last ? '0 : neuron_q + 1'b1;
      end
    end
    hwbnn_delay #(.Cycles(1 + SearchLatency), .Clear(0)) i_last_fold (
        .clk_i, .rst_ni, .data_i(group_last), .data_o(last_fold));
    assign out_data_o[Tail*OutBits-1:0] = codes[Tail*OutBits-1:0];
    assign out_data_o[Pe*OutBits-1:Tail*OutBits] =
        last_fold ? '0 : codes[Pe*OutBits-1:Tail*OutBits];
  end
endmodule
