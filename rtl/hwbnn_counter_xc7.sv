// SPDX-License-Identifier: Apache-2.0
// hwbnn_counter_xc7: number of ones of 7 bits in two LUTs and half a CARRY4 (UG474). Combinational.
// Bits 0 to 4 hold 2 * h + parity; the second LUT adds h in {0, 1, 2} to the carry of the first.
module hwbnn_counter_xc7 (
    input  logic [6:0] bits_i,
    output logic       one_o,
    output logic       two_o,
    output logic       four_o
);
  logic parity, h_one, h_two;
  logic [3:0] sum, carry;

  LUT6 #(.INIT(64'h6996966996696996)) i_parity (  // exclusive or of all six
      .I0(bits_i[0]), .I1(bits_i[1]), .I2(bits_i[2]), .I3(bits_i[3]), .I4(bits_i[4]),
      .I5(bits_i[5]), .O(parity));
  LUT6_2 #(.INIT(64'h177E7EE8_E8808000)) i_half (  // O6: h = 1 (2 or 3 ones), O5: h = 2
      .I0(bits_i[0]), .I1(bits_i[1]), .I2(bits_i[2]), .I3(bits_i[3]), .I4(bits_i[4]),
      .I5(1'b1), .O6(h_one), .O5(h_two));
  CARRY4 i_carry (
      .CI(1'b0), .CYINIT(bits_i[6]), .DI({2'b00, h_two, bits_i[5]}), .S({2'b00, h_one, parity}),
      .O(sum), .CO(carry));

  assign one_o = sum[0];
  assign two_o = sum[1];
  assign four_o = carry[1];
  logic unused;
  assign unused = &{sum[3:2], carry[3:2], carry[0]};
endmodule
