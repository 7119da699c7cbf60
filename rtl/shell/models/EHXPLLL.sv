// SPDX-License-Identifier: Apache-2.0
// EHXPLLL: stand-in for the PLL of ECP5, to simulate (Lattice FPGA-TN-02200). A simulation counts
// cycles of the clock that is made, so that its input stands for its output; it locks after some
// cycles.
module EHXPLLL #(
    // Ratios and settings are those of nextpnr's and the board's.
    /* verilator lint_off UNUSEDPARAM */
    parameter int CLKI_DIV = 1,
    parameter int CLKFB_DIV = 1,
    parameter int CLKOP_DIV = 8,
    parameter int CLKOP_CPHASE = 0,
    parameter FEEDBK_PATH = "CLKOP",
    parameter CLKOP_ENABLE = "ENABLED",
    parameter CLKOS_ENABLE = "DISABLED",
    parameter CLKOS2_ENABLE = "DISABLED",
    parameter CLKOS3_ENABLE = "DISABLED",
    parameter OUTDIVIDER_MUXA = "DIVA",
    parameter PLLRST_ENA = "DISABLED",
    parameter INTFB_WAKE = "DISABLED",
    parameter STDBY_ENABLE = "DISABLED",
    parameter DPHASE_SOURCE = "DISABLED"
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic CLKI,
    output logic CLKOP,
    output logic LOCK,

    // No matter in a simulation
    /* verilator lint_off UNUSEDSIGNAL */
    input logic CLKFB,
    input logic RST,
    input logic STDBY,
    input logic PHASESEL0,
    input logic PHASESEL1,
    input logic PHASEDIR,
    input logic PHASESTEP,
    input logic PHASELOADREG,
    input logic PLLWAKESYNC,
    input logic ENCLKOP
    /* verilator lint_on UNUSEDSIGNAL */
);
  localparam int unsigned LockCycles = 32;

  logic [5:0] cycles_q;
  initial begin
    cycles_q = '0;  // nothing else resets them at power-up
    LOCK = 1'b0;
  end

  assign CLKOP = CLKI;

  always_ff @(posedge CLKI) begin
    if (cycles_q != 6'(LockCycles)) cycles_q <= cycles_q + 1'b1;
    LOCK <= cycles_q == 6'(LockCycles);
  end
endmodule
