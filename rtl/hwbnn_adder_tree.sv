// SPDX-License-Identifier: Apache-2.0
// hwbnn_adder_tree: sum of Terms two's complement numbers, Stages cycles later; never stalls.
// The registers are spread over the levels of the tree; those beyond the levels follow at the end.
module hwbnn_adder_tree #(
    parameter int unsigned Terms    = 4,
    parameter int unsigned TermBits = 4,
    parameter int unsigned Stages   = 0,
    localparam int unsigned Levels  = $clog2(Terms),
    localparam int unsigned SumBits = TermBits + Levels
) (
    input  logic                      clk_i,
    input  logic [Terms*TermBits-1:0] terms_i,
    output logic [       SumBits-1:0] sum_o
);
  localparam int unsigned InTree = Stages < Levels ? Stages : Levels;

  if (Stages == 0) begin : gen_unused
    logic unused;
    assign unused = clk_i;
  end

  for (genvar v = 0; v <= Levels; v++) begin : gen_level
    localparam int unsigned Count = (Terms + (1 << v) - 1) >> v;
    localparam int unsigned Bits = TermBits + v;
    logic [Count*Bits-1:0] sums, out;

    if (v == 0) begin : gen_leaves
      assign sums = terms_i;
    end else begin : gen_adders
      localparam int unsigned Below = (Terms + (1 << (v - 1)) - 1) >> (v - 1);
      for (genvar i = 0; i < Count; i++) begin : gen_sum
        logic [Bits-1:0] left, right;
        assign left = Bits'($signed(gen_level[v-1].out[2*i*(Bits-1)+:Bits-1]));
        if (2 * i + 1 < Below) begin : gen_pair
          assign right = Bits'($signed(gen_level[v-1].out[(2*i+1)*(Bits-1)+:Bits-1]));
        end else begin : gen_single
          assign right = '0;
        end
        assign sums[i*Bits+:Bits] = left + right;
      end
    end

    // Register i of InTree follows level ceil(i * Levels / InTree).
    if (v > 0 && (v * InTree) / Levels != ((v - 1) * InTree) / Levels) begin : gen_register
      always_ff @(posedge clk_i) out <= sums;
    end else begin : gen_wire
      assign out = sums;
    end
  end

  hwbnn_delay #(.Width(SumBits), .Cycles(Stages - InTree), .Clear(0)) i_delay (
      .clk_i, .rst_ni(1'b1), .data_i(gen_level[Levels].out), .data_o(sum_o));
endmodule
