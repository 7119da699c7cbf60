// SPDX-License-Identifier: Apache-2.0
// hwbnn_full_adder: plain_i plus two bits, each x_i XNOR w_i (Pairs) or x_i alone; combinational. One
// LUT6_2 in either case.
module hwbnn_full_adder #(
    parameter bit Pairs = 1
) (
    input  logic       plain_i,
    input  logic [1:0] x_i,
    input  logic [1:0] w_i,
    output logic       sum_o,
    output logic       carry_o
);
  // O6 (upper half): exclusive or of the three; O5: their majority.
  localparam logic [63:0] Init = Pairs ? 64'h96696996_EB8282EB : 64'h96969696_E8E8E8E8;
  if (Pairs) begin : gen_pairs
    LUT6_2 #(.INIT(Init)) i_lut (
        .I0(plain_i), .I1(x_i[0]), .I2(w_i[0]), .I3(x_i[1]), .I4(w_i[1]), .I5(1'b1),
        .O6(sum_o), .O5(carry_o));
  end else begin : gen_plain
    logic unused;
    assign unused = &w_i;
    LUT6_2 #(.INIT(Init)) i_lut (
        .I0(plain_i), .I1(x_i[0]), .I2(x_i[1]), .I3(1'b1), .I4(1'b1), .I5(1'b1),
        .O6(sum_o), .O5(carry_o));
  end
endmodule
