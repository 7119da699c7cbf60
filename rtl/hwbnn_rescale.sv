// SPDX-License-Identifier: Apache-2.0
// hwbnn_rescale: a staircase of even steps: multiply, add, shift, clamp. Every firing reads and
// writes a beat. Timing and memories: hwbnn/units/rescale.py.
module hwbnn_rescale #(
    parameter int unsigned Pe             = 1,
    parameter int unsigned Elements       = 1,
    parameter int unsigned Shared         = 0,  // one multiplier and offset serve all elements
    parameter int unsigned InBits         = 8,
    parameter int unsigned InKind         = 1,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned OutBits        = 8,
    parameter int unsigned MultiplierBits = 8,
    parameter int unsigned SumBits        = 20,
    parameter int unsigned Shift          = 4,
    parameter int unsigned Levels         = 255,
    parameter int unsigned Even           = 0,  // a multiple of 2 ** Shift gives an even code
    parameter int          Base           = 0,
    parameter int unsigned BlockMultipliers = 0,
    parameter int unsigned BlockOffsets     = 0,
    parameter int unsigned Structure      = 0,
    parameter              MultipliersFile = "multipliers",  // + ".hex"
    parameter              OffsetsFile     = "offsets"       // + ".hex"
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
  localparam int unsigned WordFolds = Shared != 0 ? 1 : Folds;
  localparam int unsigned WordFoldBits = WordFolds > 1 ? $clog2(WordFolds) : 1;
  localparam int unsigned WordLanes = Shared != 0 ? 1 : Pe;
  localparam int unsigned XBits = InBits + 1;  // signed, whatever the kind
  localparam int unsigned QuotientBits = SumBits - Shift;
  localparam logic [QuotientBits-1:0] Most = QuotientBits'(Levels);
  localparam logic OddBase = Base[0];

  logic fire;
  assign fire = in_valid_i && out_room_i;
  assign in_pop_o = fire;
  assign out_reserve_o = fire;
  hwbnn_delay #(.Cycles(3)) i_push (.clk_i, .rst_ni, .data_i(fire), .data_o(out_push_o));

  // ---- fold of the firing, and its words ------------------------------------------------------------

  logic [FoldBits-1:0] fold_q;
  if (Folds == 1) begin : gen_one_fold
    assign fold_q = '0;
  end else begin : gen_folds
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fold_q <= '0;
      else if (fire) fold_q <= fold_q == FoldBits'(Folds - 1) ? '0 : fold_q + 1'b1;
    end
  end

  logic [WordLanes*MultiplierBits-1:0] multipliers;
  logic [WordLanes*SumBits-1:0] offsets;
  hwbnn_rom #(
      .Width(WordLanes * MultiplierBits), .Depth(WordFolds), .Block(BlockMultipliers),
      .WordsFile(MultipliersFile)
  ) i_multipliers (.clk_i, .address_i(WordFoldBits'(fold_q)), .word_o(multipliers));
  hwbnn_rom #(
      .Width(WordLanes * SumBits), .Depth(WordFolds), .Block(BlockOffsets), .WordsFile(OffsetsFile)
  ) i_offsets (.clk_i, .address_i(WordFoldBits'(fold_q)), .word_o(offsets));

  // ---- lanes ----------------------------------------------------------------------------------------

  logic [Pe*OutBits-1:0] codes;
  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    localparam int unsigned Word = Shared != 0 ? 0 : p;
    logic [InBits-1:0] code;
    logic [XBits-1:0] x_q;
    logic [SumBits-1:0] sum;
    logic [QuotientBits-1:0] quotient, rounded;
    logic whole;

    assign code = in_data_i[p*InBits+:InBits];
    always_ff @(posedge clk_i) begin
      x_q <= InKind == 0 ? {~code, 1'b1} : {InKind == 2 && code[InBits-1], code};
    end

    hwbnn_multiply_add #(
        .XBits(XBits), .YBits(MultiplierBits), .SumBits(SumBits),
        .Structure(Shared != 0 ? 0 : Structure)  // constants are a few adders
    ) i_sum (
        .clk_i, .x_i(x_q), .y_i(multipliers[Word*MultiplierBits+:MultiplierBits]),
        .z_i(offsets[Word*SumBits+:SumBits]), .sum_o(sum)
    );

    if (Shift == 0) begin : gen_whole
      assign whole = 1'b1;
    end else begin : gen_part
      assign whole = sum[Shift-1:0] == '0;
    end
    assign quotient = sum[SumBits-1:Shift];
    if (Even == 0) begin : gen_down
      logic unused;
      assign unused = whole;
      assign rounded = quotient;
    end else if (OddBase) begin : gen_odd
      assign rounded = quotient - QuotientBits'(whole && !quotient[0]);
    end else begin : gen_even  // an odd one less one: only its last bit changes
      assign rounded = {quotient[QuotientBits-1:1], quotient[0] && !whole};
    end

    logic below, above;
    assign below = rounded[QuotientBits-1];
    assign above = $signed(rounded) > $signed(Most);
    assign codes[p*OutBits+:OutBits] =
        OutBits'(Base) + (below ? '0 : above ? OutBits'(Levels) : OutBits'(rounded));
  end

  // Lanes of the last fold without an element carry code 0.
  if (Tail == Pe || (Shared == 0 && Base == 0)) begin : gen_full
    assign out_data_o = codes;
  end else begin : gen_tail
    logic last_fold;
    hwbnn_delay #(.Cycles(3), .Clear(0)) i_last_fold (
        .clk_i, .rst_ni, .data_i(fold_q == FoldBits'(Folds - 1)), .data_o(last_fold));
    assign out_data_o[Tail*OutBits-1:0] = codes[Tail*OutBits-1:0];
    assign out_data_o[Pe*OutBits-1:Tail*OutBits] =
        last_fold ? '0 : codes[Pe*OutBits-1:Tail*OutBits];
  end
endmodule
