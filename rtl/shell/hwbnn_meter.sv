// SPDX-License-Identifier: Apache-2.0
// hwbnn_meter: what the core's borders did since the reset or clear_i (decision 8).
//
// cycles_o: from the first input beat to the latest output beat, both included. in_stall_o: cycles
// between the first and the latest input beat with room and no beat. out_stall_o: cycles before the
// latest output beat in which a beat was offered and not taken. frames_o: whole frames that left.
// A handshake shows in all four at once, three cycles after it; one in the cycle of clear_i, or
// before, does not.
module hwbnn_meter #(
    parameter int unsigned OutBeats = 1
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        clear_i,
    input  logic        in_valid_i,
    input  logic        in_ready_i,
    input  logic        out_valid_i,
    input  logic        out_ready_i,
    output logic [63:0] cycles_o,
    output logic [31:0] in_stall_o,
    output logic [31:0] out_stall_o,
    output logic [31:0] frames_o
);
  localparam int unsigned BeatBits = OutBeats > 1 ? $clog2(OutBeats) : 1;

  if (OutBeats < 1) begin : gen_refuse
    $error("hwbnn_meter: OutBeats must be at least 1");
  end

  logic clear, last;
  logic in_beat_q, in_wait_q, out_beat_q, out_wait_q;  // in the cycle before
  logic in_late_q, out_late_q;  // beats in the cycle before that
  logic begun_q, begun, carry_q;
  logic [31:0] low_q, high_q, high;  // number of the cycle, 1 with the first input beat
  logic [31:0] in_waits_q, out_waits_q;
  logic [BeatBits-1:0] beat_q;

  assign clear = !rst_ni || clear_i;
  assign begun = begun_q || in_beat_q;
  assign high = high_q + 32'(carry_q);  // a cycle behind low_q: no carry runs through 64 bits
  assign last = beat_q == BeatBits'(OutBeats - 1);

  always_ff @(posedge clk_i) begin
    if (clear) begin
      {in_beat_q, in_wait_q, out_beat_q, out_wait_q, in_late_q, out_late_q} <= '0;
      {begun_q, carry_q} <= '0;
      low_q <= '0;
      high_q <= '0;
      in_waits_q <= '0;
      out_waits_q <= '0;
      beat_q <= '0;
      cycles_o <= '0;
      in_stall_o <= '0;
      out_stall_o <= '0;
      frames_o <= '0;
    end else begin
      in_beat_q <= in_valid_i && in_ready_i;
      in_wait_q <= !in_valid_i && in_ready_i;
      out_beat_q <= out_valid_i && out_ready_i;
      out_wait_q <= out_valid_i && !out_ready_i;

      begun_q <= begun;
      {carry_q, low_q} <= {1'b0, low_q} + 33'(begun);
      if (begun_q && in_wait_q) in_waits_q <= in_waits_q + 1'b1;
      if (out_wait_q) out_waits_q <= out_waits_q + 1'b1;
      in_late_q <= in_beat_q;
      out_late_q <= out_beat_q;

      high_q <= high;
      if (in_late_q) in_stall_o <= in_waits_q;
      if (out_late_q) begin
        cycles_o <= {high, low_q};
        out_stall_o <= out_waits_q;
        beat_q <= last ? '0 : beat_q + 1'b1;
        if (last) frames_o <= frames_o + 1'b1;
      end
    end
  end
endmodule
