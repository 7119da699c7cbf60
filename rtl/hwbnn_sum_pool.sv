// SPDX-License-Identifier: Apache-2.0
// hwbnn_sum_pool: the sum of Taps vectors, lane by lane, times the factor of the window's class. Every
// firing reads, those of the last tap write. A bipolar sum is 2 * ones - Taps = 2 * (ones - half) +
// odd. Lanes without a channel carry code 0 in and out. Timing: hwbnn/units/sum_pool.py.
module hwbnn_sum_pool #(
    parameter int unsigned Pe       = 1,
    parameter int unsigned Channels = 1,
    parameter int unsigned Taps     = 4,
    parameter int unsigned InBits   = 1,
    parameter int unsigned InKind   = 0,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned OutBits  = 4,
    parameter int unsigned Classes    = 1,  // of windows, by their factor
    parameter int unsigned FactorBits = 1,
    parameter int unsigned FactorOnes = 1,  // most ones of a factor
    parameter logic [FactorBits*Classes-1:0] Factors = {Classes{FactorBits'(1)}},
    parameter int unsigned BorderRows    = 1,
    parameter int unsigned BorderColumns = 1,
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
  localparam int unsigned Folds = (Channels + Pe - 1) / Pe;
  localparam int unsigned Tail = Channels - (Folds - 1) * Pe;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned AddressBits = Taps * Folds > 1 ? $clog2(Taps * Folds) : 1;
  localparam int unsigned Width = InKind == 0 ? OutBits - 1 : OutBits;
  localparam logic [Width-1:0] Start = InKind == 0 ? Width'(0 - (Taps + 1) / 2) : '0;

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

  logic [Pe*Width-1:0] so_far, sums, sums_q;
  hwbnn_partial_sum #(.Width(Pe * Width), .Folds(Folds), .Steady(1)) i_partial_sum (
      .clk_i, .rst_ni, .valid_i(fire), .first_i(first), .last_i(last), .fold_i(fold),
      .start_i({Pe{Start}}), .sum_i(sums), .so_far_o(so_far));

  always_comb begin
    logic [InBits-1:0] code;
    logic sign;
    // verilator unroll_disable
    for (int unsigned p = 0; p < Pe; p++) begin
      code = in_data_i[p*InBits+:InBits];
      sign = InKind == 2 && code[InBits-1];
      sums[p*Width+:Width] = so_far[p*Width+:Width] + Width'({{Width{sign}}, code});
    end
  end
  always_ff @(posedge clk_i) sums_q <= sums;

  logic [Pe*OutBits-1:0] totals;
  if (InKind == 0) begin : gen_bipolar
    logic keep;  // the fold has a channel in every lane
    if (Tail == Pe) begin : gen_whole
      assign keep = 1'b1;
    end else begin : gen_tail
      hwbnn_delay #(.Cycles(1), .Clear(0)) i_keep (
          .clk_i, .rst_ni, .data_i(fold != FoldBits'(Folds - 1)), .data_o(keep));
    end
    always_comb begin
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        totals[p*OutBits+:OutBits] = p < Tail || keep ?
            {sums_q[p*Width+:Width], 1'(Taps % 2)} : '0;
      end
    end
  end else begin : gen_sum
    assign totals = sums_q;
  end

  if (Classes == 1) begin : gen_plain
    assign out_data_o = totals;
  end else begin : gen_factor
    localparam int unsigned IndexBits = $clog2(Classes);
    logic leave;  // the window's last sum leaves
    logic [IndexBits-1:0] index, next;
    hwbnn_delay #(.Cycles(1)) i_leave (
        .clk_i, .rst_ni, .data_i(out_reserve_o && fold == FoldBits'(Folds - 1)), .data_o(leave));
    hwbnn_border #(
        .Folds(1), .Rows(BorderRows), .Columns(BorderColumns), .IndexBits(IndexBits),
        .BorderRowsFile(BorderRowsFile), .BorderColumnsFile(BorderColumnsFile)
    ) i_border (.clk_i, .rst_ni, .step_i(leave), .index_o(index), .next_o(next));
    logic unused_next;
    assign unused_next = &next;

    // One term for each one of the factor, the least first: only terms are added.
    logic [FactorOnes*FactorBits-1:0] ones;
    always_comb begin
      logic [FactorBits-1:0] left;
      left = Factors[FactorBits*index+:FactorBits];
      for (int unsigned one = 0; one < FactorOnes; one++) begin
        ones[one*FactorBits+:FactorBits] = left & (~left + 1'b1);
        left &= left - 1'b1;
      end
    end
    always_comb begin
      logic [OutBits-1:0] total, term;
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        total = '0;
        for (int unsigned one = 0; one < FactorOnes; one++) begin
          term = '0;
          for (int unsigned b = 0; b < FactorBits; b++) begin
            if (ones[one*FactorBits+b]) term |= totals[p*OutBits+:OutBits] << b;
          end
          total += term;
        end
        out_data_o[p*OutBits+:OutBits] = total;
      end
    end
  end
endmodule
