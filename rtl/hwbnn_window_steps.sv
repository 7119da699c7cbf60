// SPDX-License-Identifier: Apache-2.0
// hwbnn_window_steps: walks the words that windows emit: line of windows, window, group, kernel
// column, beat of it, fold. Says how far in the buffer the next word is from the present one, and
// how many words leave with a window's last. Steps and moves: hwbnn/units/sliding_window.py.
module hwbnn_window_steps #(
    parameter int unsigned Bits          = 2,
    parameter int unsigned Depth         = 2,  // of the buffer's memory
    parameter int unsigned GroupFolds    = 1,
    parameter int unsigned ColumnBeats   = 1,  // its taps, or one
    parameter int unsigned KernelColumns = 1,
    parameter int unsigned Groups        = 1,
    parameter int unsigned Lines         = 1,
    parameter int unsigned Windows       = 1,  // of a line
    parameter int          TapStep       = 1,
    parameter int          ColumnStep    = 1,
    parameter int          GroupStep     = 1,
    parameter int          WindowStep    = 1,
    parameter int          LineStep      = 1,
    parameter int          FrameStep     = 1,
    parameter int unsigned WindowMove    = 1,
    parameter int unsigned LineMove      = 1,
    parameter int unsigned FrameMove     = 1
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            fire_i,
    output logic [Bits-1:0] back_o,   // minus the step
    output logic [Bits-1:0] turn_o,   // the step modulo Depth
    output logic            leave_o,  // the window's last word
    output logic            line_o,   // the last of a line of windows
    output logic            frame_o,  // the last of a frame
    output logic [Bits-1:0] move_o    // words that leave with it
);
  // Two assignments: in a concatenation Yosys gives a choice between casts 32 bits.
  function automatic logic [2*Bits-1:0] both(int step);
    both[2*Bits-1:Bits] = Bits'(0 - step);
    both[Bits-1:0] = Bits'(step < 0 ? Depth + step : step);
  endfunction

  // ---- loops, the innermost first --------------------------------------------------------------

  localparam int unsigned Loops = 6;
  localparam logic [32*Loops-1:0] Counts = {
    Lines, Windows, Groups, KernelColumns, ColumnBeats, GroupFolds
  };

  logic [Loops-1:0] last;
  logic [Loops:0] steps;
  assign steps[0] = fire_i;
  for (genvar i = 0; i < Loops; i++) begin : gen_loop
    localparam int unsigned Count = Counts[32*i+:32];
    logic unused;
    logic [(Count > 1 ? $clog2(Count) : 1)-1:0] index;
    assign unused = &index;
    hwbnn_modulo #(.Count(Count)) i_count (
        .clk_i, .rst_ni, .step_i(steps[i]), .last_o(last[i]), .index_o(index));
    assign steps[i+1] = steps[i] && last[i];
  end

  // ---- steps and moves -------------------------------------------------------------------------

  assign leave_o = &last[3:0];
  assign line_o = &last[4:0];
  assign frame_o = &last;

  always_comb begin
    if (!last[0]) {back_o, turn_o} = both(1);
    else if (!last[1]) {back_o, turn_o} = both(TapStep);
    else if (!last[2]) {back_o, turn_o} = both(ColumnStep);
    else if (!last[3]) {back_o, turn_o} = both(GroupStep);
    else if (!last[4]) {back_o, turn_o} = both(WindowStep);
    else if (!last[5]) {back_o, turn_o} = both(LineStep);
    else {back_o, turn_o} = both(FrameStep);

    if (!last[4]) move_o = Bits'(WindowMove);
    else if (!last[5]) move_o = Bits'(LineMove);
    else move_o = Bits'(FrameMove);
  end

  logic unused;
  assign unused = steps[Loops];
endmodule
