// SPDX-License-Identifier: Apache-2.0
// hwbnn_products: products_o[p][i] = weights_i[p][i] * x_i[i] of Pe lanes, three cycles later, in DSPs
// that multiply for Dsp lanes each; those of an odd last lane for it alone.
module hwbnn_products #(
    parameter int unsigned Pe          = 2,
    parameter int unsigned Simd        = 1,
    parameter int unsigned Dsp         = 2,  // products a DSP, 1 or 2
    parameter int unsigned WeightBits  = 8,
    parameter int unsigned WeightKind  = 2,  // 1 unsigned, 2 signed
    parameter int unsigned XBits       = 9,  // two's complement
    parameter int unsigned ProductBits = 16,  // two's complement; holds every product
    parameter int unsigned Structure   = 0
) (
    input  logic                           clk_i,
    input  logic [ Pe*Simd*WeightBits-1:0] weights_i,
    input  logic [         Simd*XBits-1:0] x_i,
    output logic [Pe*Simd*ProductBits-1:0] products_o
);
  for (genvar p = 0; p < Pe; p += Dsp) begin : gen_together
    localparam int unsigned Lanes = p + Dsp <= Pe ? Dsp : Pe - p;
    for (genvar i = 0; i < Simd; i++) begin : gen_term
      logic [Lanes*WeightBits-1:0] weights;
      logic [Lanes*ProductBits-1:0] products;
      for (genvar l = 0; l < Lanes; l++) begin : gen_lane
        localparam int unsigned Term = (p + l) * Simd + i;
        assign weights[l*WeightBits+:WeightBits] = weights_i[Term*WeightBits+:WeightBits];
        assign products_o[Term*ProductBits+:ProductBits] = products[l*ProductBits+:ProductBits];
      end
      hwbnn_multiply #(
          .Lanes(Lanes), .WeightBits(WeightBits), .WeightKind(WeightKind), .XBits(XBits),
          .ProductBits(ProductBits), .Structure(Structure)
      ) i_multiply (
          .clk_i, .weights_i(weights), .x_i(x_i[i*XBits+:XBits]), .products_o(products));
    end
  end
endmodule
