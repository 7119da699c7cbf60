// SPDX-License-Identifier: Apache-2.0
// Core for tests: a result is a hash of its frame, or with Early of its first beat (model:
// axi_driver.py). It takes and offers a beat in a cycle with chance pace / 256; 255 is always.
module bench_core #(
    parameter int unsigned InBits   = 8,
    parameter int unsigned InBeats  = 1,
    parameter int unsigned OutBits  = 8,
    parameter int unsigned OutBeats = 1,
    parameter int unsigned Fifos    = 2,
    parameter bit          Early    = 0
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic [         7:0] in_pace_i,
    input  logic [         7:0] out_pace_i,
    input  logic                in_valid_i,
    output logic                in_ready_o,
    input  logic [  InBits-1:0] in_data_i,
    output logic                out_valid_o,
    input  logic                out_ready_i,
    output logic [ OutBits-1:0] out_data_o,
    output logic [16*Fifos-1:0] high_water_o
);
  localparam int unsigned Frames = 4;  // hashed and not yet given

  logic [31:0] noise_q = 32'h1234_5678, hash_q, hash;
  logic [31:0] hashes[Frames];
  logic [2:0] held_q;
  logic [1:0] head_q, tail_q;
  int unsigned in_beat_q, out_beat_q;
  logic ready_q, take, last_in, frame_in, give, frame_out;

  assign take = in_valid_i && in_ready_o;
  assign in_ready_o = ready_q && held_q < 3'(Frames);
  assign last_in = in_beat_q == InBeats - 1;
  assign frame_in = take && (Early ? in_beat_q == 0 : last_in);
  assign give = held_q != 0 && (!out_valid_o || out_ready_i) &&
      (out_pace_i == 8'hFF || noise_q[15:8] < out_pace_i);
  assign frame_out = give && out_beat_q == OutBeats - 1;

  localparam int unsigned Words = (InBits + 31) / 32;
  logic [32*Words-1:0] beat;
  assign beat = (32 * Words)'(in_data_i);
  always_comb begin
    hash = in_beat_q == 0 ? 32'd1 : hash_q;
    for (int i = 0; i < Words; i++) hash = (hash ^ beat[32*i+:32]) * 32'h9E37_79B1 + 32'd7;
  end

  localparam int unsigned OutWords = (OutBits + 31) / 32;
  logic [32*OutWords-1:0] result;
  always_comb begin
    for (int i = 0; i < OutWords; i++) begin
      result[32*i+:32] = (hashes[head_q] ^ out_beat_q * OutWords + i) * 32'h85EB_CA6B;
    end
  end

  for (genvar i = 0; i < Fifos; i++) begin : gen_high_water
    assign high_water_o[16*i+:16] = 16'(1000 + i);
  end

  always_ff @(posedge clk_i) begin
    noise_q <= noise_q * 32'd1664525 + 32'd1013904223;
    ready_q <= in_pace_i == 8'hFF || noise_q[31:24] < in_pace_i;
    if (!rst_ni) begin
      in_beat_q <= 0;
      out_beat_q <= 0;
      held_q <= 0;
      head_q <= 0;
      tail_q <= 0;
      out_valid_o <= 1'b0;
    end else begin
      if (take) begin
        hash_q <= hash;
        in_beat_q <= last_in ? 0 : in_beat_q + 1;
      end
      if (frame_in) begin
        hashes[tail_q] <= hash;
        tail_q <= tail_q + 1'b1;
      end
      held_q <= held_q + 3'(frame_in) - 3'(frame_out);
      out_valid_o <= give || (out_valid_o && !out_ready_i);
      if (give) begin
        out_data_o <= OutBits'(result);
        out_beat_q <= frame_out ? 0 : out_beat_q + 1;
        if (frame_out) head_q <= head_q + 1'b1;
      end
    end
  end
endmodule
