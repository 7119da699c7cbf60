// SPDX-License-Identifier: Apache-2.0
// BUFG: stand-in for the clock buffer of AMD's devices, to simulate (AMD UG953).
module BUFG (
    input  logic I,
    output logic O
);
  assign O = I;
endmodule
