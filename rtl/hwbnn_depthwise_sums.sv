// SPDX-License-Identifier: Apache-2.0
// hwbnn_depthwise_sums: a product a lane, added to the lane's partial sum. Products of many bits
// (Mode 2) are registered: x_i and weights_i belong to so_far_i and sums_o one cycle later.
module hwbnn_depthwise_sums #(
    parameter int unsigned Mode       = 0,  // 0 XNOR, 1 add or subtract, 2 multiply
    parameter int unsigned Pe         = 1,
    parameter int unsigned InBits     = 1,
    parameter int unsigned InKind     = 0,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned WeightBits = 1,
    parameter int unsigned WeightKind = 0,
    parameter int unsigned AccBits    = 5
) (
    input  logic                     clk_i,
    input  logic [   Pe*InBits-1:0]  x_i,
    input  logic [Pe*WeightBits-1:0] weights_i,
    input  logic [   Pe*AccBits-1:0] so_far_i,
    output logic [   Pe*AccBits-1:0] sums_o
);
  if (Mode == 0) begin : gen_xnor
    logic unused;
    assign unused = clk_i;
    always_comb begin
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        sums_o[p*AccBits+:AccBits] =
            so_far_i[p*AccBits+:AccBits] + AccBits'(x_i[p] == weights_i[p]);
      end
    end
  end else if (Mode == 1) begin : gen_add
    logic unused;
    assign unused = clk_i;
    always_comb begin
      logic [InBits-1:0] code;
      logic [AccBits-1:0] value;
      // verilator lint_off UNUSEDSIGNAL
      logic [AccBits:0] sum;  // -x is ~x + 1: the one comes in below
      // verilator lint_on UNUSEDSIGNAL
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        code = x_i[p*InBits+:InBits];
        value = AccBits'({{AccBits{InKind == 2 && code[InBits-1]}}, code});
        sum = {so_far_i[p*AccBits+:AccBits], 1'b1} +
            {value ^ {AccBits{!weights_i[p]}}, !weights_i[p]};
        sums_o[p*AccBits+:AccBits] = sum[AccBits:1];
      end
    end
  end else begin : gen_multiply
    localparam int unsigned Exact = InBits + WeightBits + 1;
    localparam int unsigned TermBits = Exact < AccBits ? Exact : AccBits;
    logic [Pe*TermBits-1:0] terms, terms_q;
    always_comb begin
      logic [InBits-1:0] code;
      logic [WeightBits-1:0] weight;
      logic signed [InBits:0] value;
      logic signed [WeightBits:0] factor;
      // verilator lint_off UNUSEDSIGNAL
      logic signed [Exact-1:0] product;
      // verilator lint_on UNUSEDSIGNAL
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        code = x_i[p*InBits+:InBits];
        weight = weights_i[p*WeightBits+:WeightBits];
        value = InKind == 0 ? (InBits + 1)'({~code, 1'b1}) :
            {InKind == 2 && code[InBits-1], code};
        factor = {WeightKind == 2 && weight[WeightBits-1], weight};
        product = value * factor;
        terms[p*TermBits+:TermBits] = product[TermBits-1:0];
      end
    end
    always_ff @(posedge clk_i) terms_q <= terms;
    always_comb begin
      // verilator unroll_disable
      for (int unsigned p = 0; p < Pe; p++) begin
        sums_o[p*AccBits+:AccBits] = so_far_i[p*AccBits+:AccBits] +
            AccBits'($signed(terms_q[p*TermBits+:TermBits]));
      end
    end
  end
endmodule
