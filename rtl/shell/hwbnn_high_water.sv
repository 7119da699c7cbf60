// SPDX-License-Identifier: Apache-2.0
// hwbnn_high_water: the most slots of a FIFO in use in a cycle since reset, from a word's
// reservation to its pop, both included: `high_water` of the timing engine's trace.
module hwbnn_high_water #(
    parameter int unsigned Depth = 2
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        reserve_i,
    input  logic        pop_i,
    output logic [15:0] most_o
);
  localparam int unsigned Bits = $clog2(Depth + 2);

  logic [Bits-1:0] held_q, used, most_q;  // reserved and not popped before this cycle

  assign used = held_q + Bits'(reserve_i);
  assign most_o = 16'(most_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      held_q <= '0;
      most_q <= '0;
    end else begin
      held_q <= used - Bits'(pop_i);
      if (used > most_q) most_q <= used;
    end
  end
endmodule
