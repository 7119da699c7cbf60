// SPDX-License-Identifier: Apache-2.0
// hwbnn_multiply_add: sum_o = x_i * y_i + z_i of signed numbers, two cycles later. On xc7 one
// DSP48E1 with registers behind the product, beside it and behind the sum (UG479).
module hwbnn_multiply_add #(
    parameter int unsigned XBits     = 8,  // on xc7 x or y has at most 18 bits, the other 25
    parameter int unsigned YBits     = 8,
    parameter int unsigned SumBits   = 18,  // more than those; at most 48 on xc7; holds every sum
    parameter int unsigned Structure = 0
) (
    input  logic               clk_i,
    input  logic [  XBits-1:0] x_i,
    input  logic [  YBits-1:0] y_i,
    input  logic [SumBits-1:0] z_i,
    output logic [SumBits-1:0] sum_o
);
  if (Structure == 1) begin : gen_dsp
    localparam int unsigned LongBits = XBits > 18 ? XBits : YBits;
    localparam int unsigned ShortBits = XBits > 18 ? YBits : XBits;
    if (LongBits > 25 || ShortBits > 18 || SumBits > 48) begin : gen_refuse
      $error("hwbnn_multiply_add: a DSP48E1 has 25 x 18 + 48 bits");
    end
    logic [LongBits-1:0] long_factor;
    logic [ShortBits-1:0] short_factor;
    if (XBits > 18) begin : gen_long_x
      assign long_factor = x_i;
      assign short_factor = y_i;
    end else begin : gen_long_y
      assign long_factor = y_i;
      assign short_factor = x_i;
    end
    logic [29:0] a;
    logic [17:0] b;
    logic [47:0] c, p;
    logic unused;
    assign a = {{(30 - LongBits) {long_factor[LongBits-1]}}, long_factor};
    assign b = {{(19 - ShortBits) {short_factor[ShortBits-1]}}, short_factor[ShortBits-2:0]};
    assign c = {{(49 - SumBits) {z_i[SumBits-1]}}, z_i[SumBits-2:0]};
    assign sum_o = p[SumBits-1:0];
    assign unused = &{p};
    DSP48E1 #(
        .A_INPUT("DIRECT"), .B_INPUT("DIRECT"), .USE_DPORT("FALSE"), .USE_MULT("MULTIPLY"),
        .USE_SIMD("ONE48"), .AREG(0), .ACASCREG(0), .BREG(0), .BCASCREG(0), .CREG(1), .DREG(0),
        .ADREG(0), .MREG(1), .PREG(1), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0),
        .INMODEREG(0), .OPMODEREG(0)
    ) i_dsp (
        .CLK(clk_i),
        .A(a),
        .B(b),
        .C(c),
        .D(25'd0),
        .P(p),
        .OPMODE(7'b0110101),  // product and C
        .ALUMODE(4'b0000),
        .INMODE(5'b00000),
        .CARRYIN(1'b0),
        .CARRYINSEL(3'b000),
        .CEA1(1'b0), .CEA2(1'b0), .CEB1(1'b0), .CEB2(1'b0), .CEC(1'b1), .CED(1'b0), .CEAD(1'b0),
        .CEM(1'b1), .CEP(1'b1), .CEALUMODE(1'b0), .CECARRYIN(1'b0), .CECTRL(1'b0), .CEINMODE(1'b0),
        .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0), .RSTM(1'b0), .RSTP(1'b0),
        .RSTALUMODE(1'b0), .RSTALLCARRYIN(1'b0), .RSTCTRL(1'b0), .RSTINMODE(1'b0),
        .ACIN(30'd0), .BCIN(18'd0), .PCIN(48'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0)
    );
  end else begin : gen_behavioural
    logic signed [SumBits-1:0] x, y, product_q, addend_q, sum_q;
    assign x = {{(SumBits - XBits) {x_i[XBits-1]}}, x_i};
    assign y = {{(SumBits - YBits) {y_i[YBits-1]}}, y_i};
    assign sum_o = sum_q;
    always_ff @(posedge clk_i) begin
      product_q <= x * y;
      addend_q <= z_i;
      sum_q <= product_q + addend_q;
    end
  end
endmodule
