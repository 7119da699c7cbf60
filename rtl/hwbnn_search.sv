// SPDX-License-Identifier: Apache-2.0
// hwbnn_search: count of thresholds reached, by binary search, one bit of the count a step, most
// significant first; every lane searches its own tables. A word a cycle, never stalls.
// count_o belongs to x_i and fold_i CountBits * StepCycles cycles earlier.
// Timing and tables: hwbnn/units/search.py.
module hwbnn_search #(
    parameter int unsigned Lanes         = 1,
    parameter bit          Shared        = 0,  // one table lane serves all lanes
    parameter int unsigned Folds         = 1,
    parameter int unsigned XBits         = 4,
    parameter bit          Signed        = 0,  // x and thresholds are two's complement
    parameter int unsigned CountBits     = 1,
    parameter int unsigned ThresholdBits = 4,
    parameter int unsigned StepCycles    = 1,  // 2: tables are read into a register first
    parameter              ThresholdsFile = "thresholds",  // + 3-digit step + ".hex"
    localparam int unsigned FoldBits     = Folds > 1 ? $clog2(Folds) : 1
) (
    input  logic                       clk_i,
    input  logic [      FoldBits-1:0]  fold_i,
    input  logic [   Lanes*XBits-1:0]  x_i,
    output logic [Lanes*CountBits-1:0] count_o
);
  localparam int unsigned Width = (XBits > ThresholdBits ? XBits : ThresholdBits) + 1;
  localparam int unsigned TableLanes = Shared ? 1 : Lanes;

  for (genvar s = 0; s < CountBits; s++) begin : gen_step
    localparam int unsigned Depth = Folds << s;
    localparam int unsigned AddressBits = Folds > 1 ? FoldBits + s : s > 0 ? s : 1;
    // Three decimal digits: the number of the step.
    localparam logic [23:0] Digits = {8'(48 + s / 100), 8'(48 + s / 10 % 10), 8'(48 + s % 10)};

    logic [FoldBits-1:0] fold;
    logic [Lanes*XBits-1:0] x;
    logic [Lanes*(s+1)-1:0] prefix_q;  // s + 1 bits of the count, a lane after the other

    if (s == 0) begin : gen_first
      assign fold = fold_i;
      assign x = x_i;
    end else begin : gen_next
      logic [FoldBits-1:0] fold_q;
      logic [Lanes*XBits-1:0] x_q;
      always_ff @(posedge clk_i) begin
        fold_q <= gen_step[s-1].fold_late;
        x_q <= gen_step[s-1].x_late;
      end
      assign fold = fold_q;
      assign x = x_q;
    end

    // What the comparison sees: one cycle later where the tables are registered.
    // verilator lint_off UNUSEDSIGNAL
    logic [FoldBits-1:0] fold_late;  // not used by the last step
    // verilator lint_on UNUSEDSIGNAL
    logic [Lanes*XBits-1:0] x_late;
    if (StepCycles == 1) begin : gen_now
      assign fold_late = fold;
      assign x_late = x;
    end else begin : gen_late
      always_ff @(posedge clk_i) begin
        fold_late <= fold;
        x_late <= x;
      end
    end

    for (genvar l = 0; l < Lanes; l++) begin : gen_lane
      localparam int unsigned Column = Shared ? 0 : l;
      logic [AddressBits-1:0] address;
      logic [ThresholdBits-1:0] threshold;
      logic [Width-1:0] x_wide, threshold_wide, difference;

      if (s == 0) begin : gen_root
        assign address = fold;
      end else begin : gen_branch
        assign address = AddressBits'({fold, gen_step[s-1].prefix_q[l*s+:s]});
      end

      if (StepCycles == 1) begin : gen_distributed
        logic [TableLanes*ThresholdBits-1:0] table_words[Depth];
        initial $readmemh({ThresholdsFile, Digits, ".hex"}, table_words);
        assign threshold = table_words[address][Column*ThresholdBits+:ThresholdBits];
      end else begin : gen_block
        (* rom_style = "block", ram_style = "block" *)
        logic [TableLanes*ThresholdBits-1:0] table_words[Depth];
        initial $readmemh({ThresholdsFile, Digits, ".hex"}, table_words);
        always_ff @(posedge clk_i) begin
          threshold <= table_words[address][Column*ThresholdBits+:ThresholdBits];
        end
      end

      if (Signed) begin : gen_signed
        assign x_wide = Width'($signed(x_late[l*XBits+:XBits]));
        assign threshold_wide = Width'($signed(threshold));
      end else begin : gen_unsigned
        assign x_wide = Width'(x_late[l*XBits+:XBits]);
        assign threshold_wide = Width'(threshold);
      end
      assign difference = x_wide - threshold_wide;

      logic reached;
      assign reached = !difference[Width-1];
      if (s == 0) begin : gen_top
        always_ff @(posedge clk_i) prefix_q[l] <= reached;
      end else begin : gen_lower
        logic [s-1:0] prefix;
        if (StepCycles == 1) begin : gen_direct
          assign prefix = gen_step[s-1].prefix_q[l*s+:s];
        end else begin : gen_wait
          always_ff @(posedge clk_i) prefix <= gen_step[s-1].prefix_q[l*s+:s];
        end
        always_ff @(posedge clk_i) prefix_q[l*(s+1)+:s+1] <= {prefix, reached};
      end
    end
  end

  assign count_o = gen_step[CountBits-1].prefix_q;
endmodule
