// SPDX-License-Identifier: Apache-2.0
// hwbnn_count_ecp5: number of ones of x_i XOR w_i as a number and a bit, a_o + b_o, Stages cycles
// later; never stalls. The registers are spread over the levels. Without Extra, b_o is 0.
// Timing: stages in hwbnn/units/mvu.py.
//
// Three inputs make a number of two bits; two numbers and one more input make one of a bit more.
// 4 n - 1 inputs so need n - 1 such adders and fill all their carries; the 4 n-th is b_o.
module hwbnn_count_ecp5 #(
    parameter int unsigned Inputs = 8,
    parameter int unsigned Width  = 4,  // of a_o, wide enough for the sum
    parameter int unsigned Stages = 0,
    parameter bit          Extra  = 1
) (
    input  logic              clk_i,
    input  logic [Inputs-1:0] x_i,
    input  logic [Inputs-1:0] w_i,
    output logic [ Width-1:0] a_o,
    output logic              b_o
);
  localparam int unsigned Leaves = (Inputs + (Extra ? 3 : 4)) / 4;
  localparam int unsigned Levels = $clog2(Leaves) + 1;
  localparam int unsigned InTree = Stages < Levels ? Stages : Levels;

  // Level v makes numbers of v + 2 bits; an odd one is passed on.
  function automatic int unsigned numbers(int unsigned v);  // behind level v
    numbers = (Leaves + (1 << v) - 1) >> v;
  endfunction
  function automatic int unsigned pool(int unsigned v);  // inputs not used before level v
    pool = 4 * Leaves;
    for (int unsigned i = 0; i < v; i++) pool = pool - (i == 0 ? 3 * Leaves : numbers(i - 1) / 2);
  endfunction
  // The levels and the accumulator behind make Levels + 1 steps for InTree registers.
  function automatic logic registered(int unsigned v);  // behind level v
    registered = (v + 1) * (InTree + 1) / (Levels + 1) != v * (InTree + 1) / (Levels + 1);
  endfunction

  for (genvar v = 0; v < Levels; v++) begin : gen_level
    localparam int unsigned Chains = v == 0 ? Leaves : numbers(v - 1) / 2;
    localparam int unsigned Bits = v + 1;
    localparam int unsigned Pool = pool(v);
    localparam int unsigned Left = pool(v + 1);
    localparam int unsigned Total = numbers(v) * (v + 2);
    localparam bit Joined = v == 0 ? 1'b0 : !registered(v - 1);
    logic [2*Chains*Bits-1:0] a, b;
    logic [Pool-1:0] x, w;
    logic [Total-1:0] sums;
    logic [Total+2*Left-1:0] data_out;

    if (v == 0) begin : gen_leaves
      assign x = Pool'(x_i);
      assign w = Pool'(w_i);
      assign a = {w[Chains+:Chains], x[Chains+:Chains]};
      assign b = {w[2*Chains+:Chains], x[2*Chains+:Chains]};
    end else begin : gen_numbers
      localparam int unsigned Before = numbers(v - 1);
      logic [Before*Bits-1:0] terms;
      assign {w, x, terms} = gen_level[v-1].data_out;
      assign a = {{Chains * Bits{1'b0}}, terms[Chains*Bits-1:0]};
      assign b = {{Chains * Bits{1'b0}}, terms[2*Chains*Bits-1:Chains*Bits]};
      if (Before % 2 != 0) begin : gen_odd
        assign sums[Total-1-:Bits+1] = {1'b0, terms[Before*Bits-1-:Bits]};
      end
    end

    logic [Total+2*Left-1:0] data;
    assign data = {w[Pool-1-:Left], x[Pool-1-:Left], sums};

    logic carry_in, carry;
    if (Joined) begin : gen_joined
      assign carry_in = gen_level[v-1].carry;
    end else begin : gen_apart
      assign carry_in = 1'b0;
    end
    hwbnn_ripple_ecp5 #(.Chains(Chains), .Bits(Bits), .Joined(Joined)) i_add (
        .a_i(a), .b_i(b), .c_i({w[Chains-1:0], x[Chains-1:0]}), .carry_i(carry_in),
        .next_i({data[Total+Left], data[Total]}), .carry_o(carry),
        .sum_o(sums[Chains*(Bits+1)-1:0]));
    logic unused;
    assign unused = carry;

    if (registered(v)) begin : gen_register
      always_ff @(posedge clk_i) data_out <= data;
    end else begin : gen_wire
      assign data_out = data;
    end
  end

  logic [Levels:0] a;
  logic x, w;
  assign {w, x, a} = gen_level[Levels-1].data_out;
  hwbnn_delay #(.Width(Width + 1), .Cycles(Stages - InTree), .Clear(0)) i_delay (
      .clk_i, .rst_ni(1'b1), .data_i({x ^ w, Width'(a)}), .data_o({b_o, a_o}));
  logic unused;
  assign unused = &{1'b0, a};
endmodule
