// SPDX-License-Identifier: Apache-2.0
// hwbnn_gearbox: frames of InBeats words to frames of OutBeats words, low bit first, first word
// lowest. Bits of the last word that the output frame has no place for are dropped, places without
// a bit are zero; neither may be a whole word.
//
// Each side moves a word a cycle, the side with more words (or both) without a pause, from frame to
// frame too. A word leaves the cycle after the last bit of it came, at the earliest. out_valid_o
// and out_data_o are registers; in_ready_o depends on out_ready_i, but not on in_valid_i.
module hwbnn_gearbox #(
    parameter int unsigned InBits   = 8,
    parameter int unsigned InBeats  = 3,
    parameter int unsigned OutBits  = 24,
    parameter int unsigned OutBeats = 1
) (
    input  logic               clk_i,
    input  logic               rst_ni,
    input  logic               in_valid_i,
    output logic               in_ready_o,
    input  logic [ InBits-1:0] in_data_i,
    output logic               out_valid_o,
    input  logic               out_ready_i,
    output logic [OutBits-1:0] out_data_o
);
  function automatic int unsigned gcd(int unsigned a, int unsigned b);
    int unsigned x, y, z;
    x = a;
    y = b;
    for (int unsigned i = 0; i < 64; i++) begin
      if (y != 0) begin
        z = x % y;
        x = y;
        y = z;
      end
    end
    gcd = x;
  endfunction

  // All counts are in units of the greatest common divisor of the widths.
  localparam int unsigned Bits = gcd(InBits, OutBits);
  localparam int unsigned In = InBits / Bits;
  localparam int unsigned Out = OutBits / Bits;

  // The last word of a frame brings what the output frame still wants: less than In units, or more,
  // for zeros up to the next whole output word count as units.
  localparam int unsigned Last = OutBeats * Out - (InBeats - 1) * In;
  localparam bit Pads = Last > In;

  // A word is taken onto at most Limit units: less than an output word; but if zeros can make two
  // output words of a last word, the next frame must not wait for the second of them.
  localparam int unsigned Words = (Out - 1 + In + Out - 1) / Out;  // output words begun, at most
  localparam int unsigned Limit = Pads && In < Out && Words > 1 ? Out : Out - 1;
  localparam int unsigned Room = Pads ? Words * Out : Out - 1 + In;
  localparam int unsigned CountBits = $clog2(Room + 1);

  if (InBits < 1 || OutBits < 1 || InBeats < 1 || OutBeats < 1) begin : gen_refuse_zero
    $error("hwbnn_gearbox: InBits, InBeats, OutBits and OutBeats must be at least 1");
  end else if (InBeats * In >= OutBeats * Out + In || OutBeats * Out >= InBeats * In + Out)
  begin : gen_refuse_frame
    $error("hwbnn_gearbox: the frames of both sides must differ by less than a word of the longer");
  end

  logic [CountBits-1:0] count_q, rest;  // units held, and of them those that stay
  logic valid_q, take, pop, last;
  logic [Room*Bits-1:0] held_q, rest_data;

  assign out_valid_o = valid_q;
  assign out_data_o = held_q[OutBits-1:0];
  assign pop = valid_q && out_ready_i;
  assign rest = pop ? count_q - CountBits'(Out) : count_q;
  assign in_ready_o = {1'b0, rest} <= (CountBits + 1)'(Limit);
  assign take = in_valid_i && in_ready_o;

  logic [CountBits-1:0] count_d;
  assign count_d = rest + (take ? (last ? CountBits'(Last) : CountBits'(In)) : '0);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count_q <= '0;
      valid_q <= 1'b0;
    end else begin
      count_q <= count_d;
      valid_q <= {1'b0, count_d} >= (CountBits + 1)'(Out);
    end
  end

  if (Last == In || InBeats == 1) begin : gen_alike
    assign last = 1'b1;
  end else begin : gen_beats
    localparam int unsigned BeatBits = $clog2(InBeats);
    logic [BeatBits-1:0] beat_q;
    assign last = beat_q == BeatBits'(InBeats - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (take) beat_q <= last ? '0 : beat_q + 1'b1;
    end
  end

  // What the output frame has no place for must not be in the way of the next frame.
  logic [InBits-1:0] word;
  if (Last < In) begin : gen_drop
    assign word[Last*Bits-1:0] = in_data_i[Last*Bits-1:0];
    assign word[InBits-1:Last*Bits] = last ? '0 : in_data_i[InBits-1:Last*Bits];
  end else begin : gen_all
    assign word = in_data_i;
  end

  if (Room > Out) begin : gen_more
    assign rest_data = pop ? {{OutBits{1'b0}}, held_q[Room*Bits-1:OutBits]} : held_q;
  end else begin : gen_one
    assign rest_data = pop ? '0 : held_q;
  end

  if (Limit == 0) begin : gen_load
    // A word comes when nothing is left.
    always_ff @(posedge clk_i) begin
      if (take) held_q <= (Room * Bits)'(word);
      else if (pop) held_q <= rest_data;
    end
  end else begin : gen_add
    // The places above those held are zero, from the reset on: a word is added by OR.
    logic [Room*Bits-1:0] placed;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) held_q <= '0;
      else if (take || pop) held_q <= rest_data | placed;
    end

    if (In == 1) begin : gen_place
      for (genvar i = 0; i < Room; i++) begin : gen_unit
        logic here;
        assign here = take && rest == CountBits'(i);
        assign placed[i*Bits+:Bits] = here ? word : '0;
      end
    end else begin : gen_shift
      localparam int unsigned Stages = $clog2(Limit + 1);
      logic [(Stages+1)*Room*Bits-1:0] shifted;
      assign shifted[0+:Room*Bits] = take ? (Room * Bits)'(word) : '0;
      for (genvar i = 0; i < Stages; i++) begin : gen_stage
        logic [Room*Bits-1:0] below;
        assign below = shifted[i*Room*Bits+:Room*Bits];
        assign shifted[(i+1)*Room*Bits+:Room*Bits] = rest[i] ? below << ((1 << i) * Bits) : below;
      end
      assign placed = shifted[Stages*Room*Bits+:Room*Bits];
    end
  end
endmodule
