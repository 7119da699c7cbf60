// SPDX-License-Identifier: Apache-2.0
// What the ECP5 primitive that the library names computes (INJECT1 NO), for simulation in
// tests; after Yosys, lattice/ccu2c_sim.vh.
// verilator lint_off DECLFILENAME
module CCU2C #(
    parameter logic [15:0] INIT0     = 0,
    parameter logic [15:0] INIT1     = 0,
    parameter              INJECT1_0 = "YES",
    parameter              INJECT1_1 = "YES"
) (
    input  logic CIN,
    input  logic A0, B0, C0, D0,
    input  logic A1, B1, C1, D1,
    output logic S0, S1,
    output logic COUT
);
  logic lut0, lut1, carry;
  assign lut0 = INIT0[{D0, C0, B0, A0}];
  assign lut1 = INIT1[{D1, C1, B1, A1}];
  assign S0 = lut0 ^ CIN;
  assign S1 = lut1 ^ carry;
  assign carry = lut0 ? CIN : INIT0[{2'b00, B0, A0}];
  assign COUT = lut1 ? carry : INIT1[{2'b00, B1, A1}];
  if (INJECT1_0 != "NO" || INJECT1_1 != "NO") begin : gen_wrong
    $error("INJECT1 must be NO");
  end
endmodule
