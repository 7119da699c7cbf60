// SPDX-License-Identifier: Apache-2.0
// SB_PLL40_PAD: stand-in for the PLL of iCE40, to simulate (Lattice FPGA-TN-02052). A simulation
// counts cycles of the clock that is made, so that its input stands for its output; it locks after
// some cycles.
module SB_PLL40_PAD #(
    // Ratios and settings are those of nextpnr's and the board's.
    /* verilator lint_off UNUSEDPARAM */
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter logic [3:0] DIVR = 4'd0,
    parameter logic [6:0] DIVF = 7'd0,
    parameter logic [2:0] DIVQ = 3'd0,
    parameter logic [2:0] FILTER_RANGE = 3'd0
    /* verilator lint_on UNUSEDPARAM */
) (
    input  logic PACKAGEPIN,
    output logic PLLOUTGLOBAL,
    output logic LOCK,
    input  logic RESETB,
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic BYPASS
    /* verilator lint_on UNUSEDSIGNAL */
);
  localparam int unsigned LockCycles = 32;

  logic [5:0] cycles_q;
  initial begin
    cycles_q = '0;  // nothing else resets them at power-up
    LOCK = 1'b0;
  end

  assign PLLOUTGLOBAL = PACKAGEPIN;

  always_ff @(posedge PACKAGEPIN) begin
    if (!RESETB) cycles_q <= '0;
    else if (cycles_q != 6'(LockCycles)) cycles_q <= cycles_q + 1'b1;
    LOCK <= cycles_q == 6'(LockCycles);
  end
endmodule
