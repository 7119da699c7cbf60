// SPDX-License-Identifier: Apache-2.0
// What the xc7 primitives that the library names compute (UG953), for simulation in tests.
// verilator lint_off DECLFILENAME
// verilator lint_off UNUSEDSIGNAL
module LUT6 #(
    parameter logic [63:0] INIT = 0
) (
    output logic O,
    input  logic I0, I1, I2, I3, I4, I5
);
  assign O = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule

module LUT6_2 #(
    parameter logic [63:0] INIT = 0
) (
    output logic O6,
    output logic O5,
    input  logic I0, I1, I2, I3, I4, I5
);
  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
endmodule

module CARRY4 (
    output logic [3:0] CO,
    output logic [3:0] O,
    input  logic       CI,
    input  logic       CYINIT,
    input  logic [3:0] DI,
    input  logic [3:0] S
);
  logic c0, c1, c2, c3, c4;
  assign c0 = CI | CYINIT;
  assign c1 = S[0] ? c0 : DI[0];
  assign c2 = S[1] ? c1 : DI[1];
  assign c3 = S[2] ? c2 : DI[2];
  assign c4 = S[3] ? c3 : DI[3];
  assign CO = {c4, c3, c2, c1};
  assign O = S ^ {c3, c2, c1, c0};
endmodule
