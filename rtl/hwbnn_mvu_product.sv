// SPDX-License-Identifier: Apache-2.0
// hwbnn_mvu_product: the front of hwbnn_mvu: its firing rule, replay buffer, weights and, 1 + Stages
// cycles after the firing (3 more with DSPs), the products' sum of every lane as two rows,
// rows_a_o + rows_b_o.
// Timing: hwbnn/units/mvu.py.
module hwbnn_mvu_product #(
    parameter int unsigned Mode         = 0,
    parameter int unsigned Pe           = 1,
    parameter int unsigned Simd         = 1,
    parameter int unsigned NeuronFolds  = 1,
    parameter int unsigned SynapseFolds = 1,
    parameter int unsigned Groups       = 1,
    parameter int unsigned InBits       = 1,
    parameter int unsigned InKind       = 0,
    parameter int unsigned WeightBits   = 1,
    parameter int unsigned WeightKind   = 0,
    parameter int unsigned Width        = 2,
    parameter int unsigned Stages       = 0,
    parameter int unsigned Dsp          = 0,  // products a DSP, 0 to 2; 0: in LUTs
    parameter int unsigned ProductBits  = 1,  // of a DSP
    parameter int unsigned BlockWeights = 0,  // 1: in block RAM, 2: in UltraRAM
    parameter bit          StreamWeights = 0,
    parameter int unsigned WeightRows   = 1,
    parameter int unsigned LoadBits     = 1,
    parameter int unsigned Structure    = 0,
    parameter              WeightsFile  = "weights"
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [StreamWeights:0] in_valid_i,
    output logic [StreamWeights:0] in_pop_o,
    input  logic [Simd*InBits+(StreamWeights?Pe*Simd*WeightBits:0)-1:0] in_data_i,
    input  logic [LoadBits-1:0]    load_i,
    input  logic                   out_room_i,
    output logic                   fire_o,
    output logic                   last_o,
    output logic [Pe*Width-1:0]    rows_a_o,
    output logic [Pe*Width-1:0]    rows_b_o
);
  localparam int unsigned GroupDepth = NeuronFolds * SynapseFolds;
  localparam int unsigned Depth = Groups * GroupDepth;
  localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned BeatBits = SynapseFolds > 1 ? $clog2(SynapseFolds) : 1;
  localparam int unsigned WeightWidth = Pe * Simd * WeightBits;

  // ---- firing: address_q counts firings, beat_q those of a sum --------------------------------------

  logic [AddressBits-1:0] address_q;
  logic [BeatBits-1:0] beat_q;
  logic reads, word_valid;
  logic [Simd*InBits-1:0] in_data;
  assign in_data = in_data_i[Simd*InBits-1:0];

  assign fire_o = (in_valid_i[0] || !reads) && word_valid && (out_room_i || !last_o);
  assign in_pop_o[0] = fire_o && reads;
  assign last_o = SynapseFolds == 1 || beat_q == BeatBits'(SynapseFolds - 1);

  if (Depth == 1) begin : gen_still
    logic unused;
    assign unused = rst_ni;
    assign address_q = '0;
  end else begin : gen_address
    always_ff @(posedge clk_i) begin
      if (!rst_ni) address_q <= '0;
      else if (fire_o) begin
        address_q <= address_q == AddressBits'(Depth - 1) ? '0 : address_q + 1'b1;
      end
    end
  end

  if (SynapseFolds == 1) begin : gen_one_beat
    assign beat_q = '0;
  end else if (SynapseFolds == (1 << BeatBits)) begin : gen_low_bits
    assign beat_q = address_q[BeatBits-1:0];
  end else begin : gen_beat
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (fire_o) beat_q <= last_o ? '0 : beat_q + 1'b1;
    end
  end

  // ---- operand: from the input in neuron fold 0, which also fills the replay buffer ----------------

  logic [Simd*InBits-1:0] x;

  if (NeuronFolds == 1) begin : gen_no_replay
    assign reads = 1'b1;
    assign x = in_data;
  end else begin : gen_replay
    logic reads_q, group_last;
    logic [Simd*InBits-1:0] replayed;
    localparam int unsigned GroupBits = $clog2(GroupDepth);
    if (Groups == 1 || GroupDepth == (1 << GroupBits)) begin : gen_group_bits
      assign group_last = address_q[GroupBits-1:0] == GroupBits'(GroupDepth - 1);
    end else begin : gen_group
      logic [GroupBits-1:0] firing_q;
      assign group_last = firing_q == GroupBits'(GroupDepth - 1);
      always_ff @(posedge clk_i) begin
        if (!rst_ni) firing_q <= '0;
        else if (fire_o) firing_q <= group_last ? '0 : firing_q + 1'b1;
      end
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) reads_q <= 1'b1;
      else if (fire_o && last_o) reads_q <= group_last;
    end
    assign reads = reads_q;
    if (SynapseFolds == 1) begin : gen_word
      logic [Simd*InBits-1:0] word_q;
      always_ff @(posedge clk_i) if (in_pop_o[0]) word_q <= in_data;
      assign replayed = word_q;
    end else begin : gen_ram
      (* ram_style = "distributed" *) logic [Simd*InBits-1:0] words[SynapseFolds];
      always_ff @(posedge clk_i) if (in_pop_o[0]) words[beat_q] <= in_data;
      assign replayed = words[beat_q];
    end
    assign x = reads_q ? in_data : replayed;
  end

  // ---- weights -------------------------------------------------------------------------------------

  logic [WeightWidth-1:0] w_q;
  logic [(StreamWeights?WeightWidth:1)-1:0] streamed;
  if (StreamWeights) begin : gen_stream  // a word with every firing
    assign word_valid = in_valid_i[StreamWeights];
    assign in_pop_o[StreamWeights] = fire_o;
    assign streamed = in_data_i[Simd*InBits+:WeightWidth];
  end else begin : gen_memory
    assign word_valid = 1'b1;
    assign streamed = 1'b0;
  end
  hwbnn_mvu_weights #(
      .Width(WeightWidth), .Depth(Depth), .Block(BlockWeights), .Stream(StreamWeights),
      .Rows(WeightRows), .LoadBits(LoadBits), .WordsFile(WeightsFile)
  ) i_weights (.clk_i, .address_i(address_q), .stream_i(streamed), .load_i, .word_o(w_q));

  // ---- operand registers, products, sums -----------------------------------------------------------

  logic [Simd*InBits-1:0] x_q;
  if (Structure == 2 && Mode == 0) begin : gen_inverted  // what hwbnn_popcount wants
    logic [Simd*InBits-1:0] not_x_q;
    always_ff @(posedge clk_i) not_x_q <= ~x;
    assign x_q = ~not_x_q;
  end else begin : gen_as_is
    always_ff @(posedge clk_i) x_q <= x;
  end

  if (Mode == 0) begin : gen_xnor
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      hwbnn_popcount #(
          .Inputs(Simd), .Width(Width), .Stages(Stages), .Structure(Structure),
          .Leaves(Depth == 1 && !StreamWeights && BlockWeights != 2 ? 2 : 0)
      ) i_popcount (
          .clk_i, .x_i(x_q), .w_i(w_q[p*Simd+:Simd]),
          .a_o(rows_a_o[p*Width+:Width]), .b_o(rows_b_o[p*Width+:Width]));
    end
  end else if (Structure == 0) begin : gen_behavioural
    // The same sums as a loop: simulators want no scope a term.
    function automatic logic [Width-1:0] product(
        input logic [InBits-1:0] code, input logic [WeightBits-1:0] weight);
      logic [Width-1:0] value, factor;
      value = InKind == 0 ? {{Width - 1{!code[0]}}, 1'b1} :
          Width'({{Width{InKind == 2 && code[InBits-1]}}, code});
      factor = Width'({{Width{WeightKind == 2 && weight[WeightBits-1]}}, weight});
      product = Mode == 2 ? value * factor : weight[0] ? value : -value;
    endfunction

    logic [Pe*Width-1:0] sums;
    always_comb begin
      logic [Width-1:0] sum;
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        sum = '0;
        // verilator unroll_disable
        for (int unsigned i = 0; i < Simd; i++) begin
          sum += product(x_q[i*InBits+:InBits], w_q[(p*Simd+i)*WeightBits+:WeightBits]);
        end
        sums[p*Width+:Width] = sum;
      end
    end
    localparam int unsigned Cycles = Stages + (Dsp != 0 ? 3 : 0);
    hwbnn_delay #(.Width(Pe * Width), .Cycles(Cycles), .Clear(0)) i_delay (
        .clk_i, .rst_ni(1'b1), .data_i(sums), .data_o(rows_a_o));
    assign rows_b_o = '0;
  end else begin : gen_sum
    localparam int unsigned XBits = InBits + 1;  // signed, whatever the kind
    localparam int unsigned TermBits = Mode == 1 ? XBits :
        Dsp != 0 ? ProductBits : XBits + WeightBits;
    localparam int unsigned SumBits = TermBits + $clog2(Simd);

    logic [Simd*XBits-1:0] x_signed;
    for (genvar i = 0; i < Simd; i++) begin : gen_input
      logic [InBits-1:0] code;
      assign code = x_q[i*InBits+:InBits];
      assign x_signed[i*XBits+:XBits] = InKind == 0 ? {~code, 1'b1} :
          {InKind == 2 && code[InBits-1], code};
    end

    if (Mode == 1) begin : gen_common
      // sum of +-x = 2 * (sum of x where the weight is +1) - (sum of x); the latter for all lanes.
      logic [SumBits-1:0] all;
      logic [Width-1:0] less;
      hwbnn_adder_tree #(.Terms(Simd), .TermBits(XBits), .Stages(Stages)) i_all (
          .clk_i, .terms_i(x_signed), .sum_o(all));
      assign less = '0 - Width'($signed(all));  // Yosys reads -Width'(x) as (-Width)'(x)
      assign rows_b_o = {Pe{less}};
    end else begin : gen_no_common
      assign rows_b_o = '0;
    end

    logic [Pe*Simd*TermBits-1:0] products;
    if (Dsp == 0) begin : gen_luts
      logic unused;
      assign unused = &products;
      assign products = '0;
    end else begin : gen_dsps
      hwbnn_products #(
          .Pe(Pe), .Simd(Simd), .Dsp(Dsp), .WeightBits(WeightBits), .WeightKind(WeightKind),
          .XBits(XBits), .ProductBits(TermBits), .Structure(Structure)
      ) i_products (.clk_i, .weights_i(w_q), .x_i(x_signed), .products_o(products));
    end

    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      logic [Simd*TermBits-1:0] terms;
      logic [SumBits-1:0] sum;
      for (genvar i = 0; i < Simd; i++) begin : gen_term
        logic [XBits-1:0] value;
        logic [WeightBits-1:0] weight;
        assign value = x_signed[i*XBits+:XBits];
        assign weight = w_q[(p*Simd+i)*WeightBits+:WeightBits];
        if (Mode == 1) begin : gen_add
          assign terms[i*TermBits+:TermBits] = weight[0] ? value : '0;
        end else if (Dsp != 0) begin : gen_product
          logic unused;
          assign unused = &{value, weight};
          assign terms[i*TermBits+:TermBits] = products[(p*Simd+i)*TermBits+:TermBits];
        end else begin : gen_multiply
          logic [TermBits-1:0] left, right;
          assign left = TermBits'($signed(value));
          assign right = {{XBits{WeightKind == 2 && weight[WeightBits-1]}}, weight};
          assign terms[i*TermBits+:TermBits] = left * right;
        end
      end
      hwbnn_adder_tree #(.Terms(Simd), .TermBits(TermBits), .Stages(Stages)) i_tree (
          .clk_i, .terms_i(terms), .sum_o(sum));
      assign rows_a_o[p*Width+:Width] = Mode == 1 ?
          Width'($signed({sum, 1'b0})) : Width'($signed(sum));
    end
  end
endmodule
