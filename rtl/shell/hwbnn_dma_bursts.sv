// SPDX-License-Identifier: Apache-2.0
// hwbnn_dma_bursts: cuts a batch, frames_i frames of FrameWords words one behind the other, into
// AXI bursts. They end at multiples of 16 words: none is longer, and none crosses 4 KB.
//
// The next burst is address_o and words_o while valid_o; take_i takes it. busy_o until the last one
// is taken; stop_i forgets those that are left.
module hwbnn_dma_bursts #(
    parameter int unsigned AddressBits = 32,
    parameter int unsigned WordBytes   = 8,
    parameter int unsigned FrameWords  = 1
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   start_i,
    input  logic [AddressBits-1:0] address_i,  // a multiple of WordBytes
    input  logic [           31:0] frames_i,
    input  logic                   stop_i,
    output logic                   busy_o,
    output logic                   valid_o,
    output logic [AddressBits-1:0] address_o,
    output logic [            4:0] words_o,
    input  logic                   take_i
);
  localparam int unsigned Log = $clog2(WordBytes);
  localparam int unsigned Ahead = 32;
  localparam int unsigned LeftBits = $clog2(Ahead + FrameWords);

  // No product of frames and words: the words of a frame go to left_q, which bursts are cut from, a
  // frame a cycle, so that a burst is ready when it is its turn, also if a frame is one word.
  logic [31:0] frames_q, begun_frames_q;  // of the batch; gone to left_q
  logic [LeftBits-1:0] left_q;
  logic [AddressBits-Log-5:0] block_q;  // of 16 words
  logic [3:0] word_q;
  logic begun_q, all, more;
  logic [4:0] room, words;

  assign all = begun_frames_q == frames_q;
  assign more = !all && left_q < LeftBits'(Ahead);
  assign room = 5'd16 - {1'b0, word_q};
  assign words = left_q < LeftBits'(room) ? left_q[4:0] : room;

  assign busy_o = !all || left_q != '0;
  // A first burst that is short must have the next one close behind it.
  assign valid_o = all ? left_q != '0 :
      left_q >= (begun_q ? LeftBits'(room) : LeftBits'(Ahead));
  assign address_o = {block_q, word_q, Log'(0)};
  assign words_o = words;

  logic unused;
  assign unused = &address_i[Log-1:0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni || stop_i) begin
      frames_q <= '0;
      begun_frames_q <= '0;
      left_q <= '0;
    end else if (start_i) begin
      frames_q <= frames_i;
      begun_frames_q <= '0;
      left_q <= '0;
    end else begin
      begun_frames_q <= begun_frames_q + 32'(more);
      left_q <= left_q - (take_i ? LeftBits'(words) : '0) + (more ? LeftBits'(FrameWords) : '0);
    end
    if (start_i) begin
      {block_q, word_q} <= address_i[AddressBits-1:Log];
      begun_q <= 1'b0;
    end else if (take_i) begin  // all but the last end at a block's end
      block_q <= block_q + 1'b1;
      word_q <= '0;
      begun_q <= 1'b1;
    end
  end
endmodule
