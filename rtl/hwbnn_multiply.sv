// SPDX-License-Identifier: Apache-2.0
// hwbnn_multiply: products_o[l] = weights_i[l] * x_i of one or two weights, three cycles later; on xc7
// one DSP48E1 (UG479) with registers behind the pre-adder, the product and the sum. Two weights a, b
// are one factor: (a * 2^S + b) * x + 2^(S-1) = a*x * 2^S + (b*x + 2^(S-1)) of S = ProductBits, and the
// last term is in [0, 2^S). Which types fit: hwbnn/units/dsp.py.
module hwbnn_multiply #(
    parameter int unsigned Lanes       = 2,  // weights, 1 or 2
    parameter int unsigned WeightBits  = 8,
    parameter int unsigned WeightKind  = 2,  // 1 unsigned, 2 signed
    parameter int unsigned XBits       = 9,  // two's complement
    parameter int unsigned ProductBits = 16,  // two's complement; holds every product
    parameter int unsigned Structure   = 0
) (
    input  logic                         clk_i,
    input  logic [ Lanes*WeightBits-1:0] weights_i,
    input  logic [            XBits-1:0] x_i,
    output logic [Lanes*ProductBits-1:0] products_o
);
  if (Structure == 1) begin : gen_dsp
    localparam int unsigned LeastBits = WeightBits + (WeightKind == 2 ? 0 : 1);
    localparam int unsigned FactorBits = Lanes == 2 ? WeightBits + ProductBits + 1 : LeastBits;
    if (Lanes > 2 || FactorBits > 25 || XBits > 18) begin : gen_refuse
      $error("hwbnn_multiply: a DSP48E1 has 25 x 18 bits");
    end
    logic [WeightBits-1:0] low;
    logic [29:0] a;
    logic [24:0] d;
    logic [17:0] b;
    logic [47:0] c, p;
    logic unused;
    assign low = weights_i[WeightBits-1:0];
    assign d = 25'($signed({WeightKind == 2 && low[WeightBits-1], low}));
    assign b = 18'($signed(x_i));
    assign unused = &{p};
    if (Lanes == 2) begin : gen_pair
      localparam logic [ProductBits-1:0] Half = {1'b1, {ProductBits - 1{1'b0}}};
      logic [WeightBits-1:0] high;
      assign high = weights_i[2*WeightBits-1:WeightBits];
      assign a = 30'($signed({WeightKind == 2 && high[WeightBits-1], high, {ProductBits{1'b0}}}));
      assign c = 48'(Half);
      assign products_o = p[2*ProductBits-1:0] ^ {{ProductBits{1'b0}}, Half};
    end else begin : gen_alone
      assign a = '0;
      assign c = '0;
      assign products_o = p[ProductBits-1:0];
    end
    DSP48E1 #(
        .A_INPUT("DIRECT"), .B_INPUT("DIRECT"), .USE_DPORT("TRUE"), .USE_MULT("MULTIPLY"),
        .USE_SIMD("ONE48"), .AREG(0), .ACASCREG(0), .BREG(1), .BCASCREG(1), .CREG(0), .DREG(0),
        .ADREG(1), .MREG(1), .PREG(1), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0),
        .INMODEREG(0), .OPMODEREG(0)
    ) i_dsp (
        .CLK(clk_i),
        .A(a),
        .B(b),
        .C(c),
        .D(d),
        .P(p),
        .OPMODE(7'b0110101),  // product and C
        .ALUMODE(4'b0000),
        .INMODE(5'b00100),  // (D + A) * B
        .CARRYIN(1'b0),
        .CARRYINSEL(3'b000),
        .CEA1(1'b0), .CEA2(1'b0), .CEB1(1'b0), .CEB2(1'b1), .CEC(1'b0), .CED(1'b0), .CEAD(1'b1),
        .CEM(1'b1), .CEP(1'b1), .CEALUMODE(1'b0), .CECARRYIN(1'b0), .CECTRL(1'b0), .CEINMODE(1'b0),
        .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0), .RSTM(1'b0), .RSTP(1'b0),
        .RSTALUMODE(1'b0), .RSTALLCARRYIN(1'b0), .RSTCTRL(1'b0), .RSTINMODE(1'b0),
        .ACIN(30'd0), .BCIN(18'd0), .PCIN(48'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0)
    );
  end else begin : gen_behavioural
    logic [Lanes*ProductBits-1:0] products;
    for (genvar l = 0; l < Lanes; l++) begin : gen_lane
      logic [WeightBits-1:0] weight;
      logic [ProductBits-1:0] left, right;
      assign weight = weights_i[l*WeightBits+:WeightBits];
      assign left = ProductBits'($signed(x_i));
      assign right = ProductBits'({{ProductBits{WeightKind == 2 && weight[WeightBits-1]}}, weight});
      assign products[l*ProductBits+:ProductBits] = left * right;
    end
    hwbnn_delay #(.Width(Lanes * ProductBits), .Cycles(3), .Clear(0)) i_delay (
        .clk_i, .rst_ni(1'b1), .data_i(products), .data_o(products_o));
  end
endmodule
