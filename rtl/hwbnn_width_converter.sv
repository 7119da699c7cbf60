// SPDX-License-Identifier: Apache-2.0
// hwbnn_width_converter: the same elements, InLanes to OutLanes a beat, any ratio. A firing reads if
// fewer elements are held than the output beat needs and writes if, with those, there are enough.
// The data go straight through. Timing: hwbnn/units/width_converter.py.
module hwbnn_width_converter #(
    parameter int unsigned ElementBits = 1,
    parameter int unsigned Elements    = 12,
    parameter int unsigned InLanes     = 4,
    parameter int unsigned OutLanes    = 6
) (
    input  logic                            clk_i,
    input  logic                            rst_ni,
    input  logic                            in_valid_i,
    output logic                            in_pop_o,
    input  logic [ InLanes*ElementBits-1:0] in_data_i,
    input  logic                            out_room_i,
    output logic                            out_reserve_o,
    output logic                            out_push_o,
    output logic [OutLanes*ElementBits-1:0] out_data_o
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
  localparam int unsigned Unit = gcd(InLanes, OutLanes);
  localparam int unsigned Bits = Unit * ElementBits;
  localparam int unsigned In = InLanes / Unit;
  localparam int unsigned Out = OutLanes / Unit;
  localparam int unsigned Kept = (In > Out ? In : Out) - 1;  // most that a firing leaves
  localparam int unsigned CountBits = $clog2(Kept + Out + 1);
  localparam int unsigned OutBeats = (Elements + OutLanes - 1) / OutLanes;
  localparam int unsigned Tail = (Elements - (OutBeats - 1) * OutLanes + Unit - 1) / Unit;
  localparam bit Even = Elements % InLanes == 0 && Elements % OutLanes == 0;

  // Where what is held begins, of a beat written: the latest, and the one of a vector's last beat.
  localparam int unsigned LatestStart = In < Out ? In - 1 : Kept;
  localparam int unsigned InBeats = (Elements + InLanes - 1) / InLanes;
  localparam bit LastReads = (OutBeats - 1) * Out <= (InBeats - 1) * In;
  localparam int unsigned LastStart =
      Kept + (OutBeats - 1) * Out - (LastReads ? InBeats - 1 : InBeats) * In;

  logic fire, reads, writes;
  assign fire = (in_valid_i || !reads) && (out_room_i || !writes);
  assign in_pop_o = fire && reads;
  assign out_reserve_o = fire && writes;
  assign out_push_o = fire && writes;

  if (In == 1 && Out == 1) begin : gen_through
    logic unused;
    assign unused = &{clk_i, rst_ni};
    assign reads = 1'b1;
    assign writes = 1'b1;
    assign out_data_o = in_data_i;
  end else begin : gen_convert
    // The latest Kept elements, newest on top, and where those that are held begin.
    logic [Kept*Bits-1:0] kept_q;
    logic [CountBits-1:0] start_q, need, stop;
    logic ends;  // this write is the vector's last

    assign stop = start_q + need;
    assign reads = stop > CountBits'(Kept);
    assign writes = {1'b0, stop} <= (CountBits + 1)'(Kept + In);

    if (Even) begin : gen_even
      assign need = CountBits'(Out);
      assign ends = 1'b0;
    end else begin : gen_uneven
      // Padding counts as elements: after the last write nothing is held, whatever the count says.
      localparam int unsigned BeatBits = OutBeats > 1 ? $clog2(OutBeats) : 1;
      logic [BeatBits-1:0] beat_q;
      assign ends = beat_q == BeatBits'(OutBeats - 1);
      assign need = CountBits'(ends ? Tail : Out);
      always_ff @(posedge clk_i) begin
        if (!rst_ni) beat_q <= '0;
        else if (out_push_o) beat_q <= ends ? '0 : beat_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) start_q <= CountBits'(Kept);
      else if (fire && writes && ends) start_q <= CountBits'(Kept);
      else if (fire) start_q <= (writes ? stop : start_q) - (reads ? CountBits'(In) : '0);
    end

    localparam int unsigned All = (Kept + In) * Bits;
    logic [All-1:0] all;
    assign all = {in_data_i, kept_q};
    always_ff @(posedge clk_i) if (fire && reads) kept_q <= all[In*Bits+:Kept*Bits];

    // Greatest shifts first: every stage is narrower than the one before.
    localparam int unsigned Stages = $clog2(LatestStart + 1);
    logic [(Stages+1)*All-1:0] shifted;
    assign shifted[Stages*All+:All] = all;
    for (genvar i = 0; i < Stages; i++) begin : gen_stage
      logic [All-1:0] above;
      assign above = shifted[(i+1)*All+:All];
      assign shifted[i*All+:All] = start_q[i] ? above >> ((1 << i) * Bits) : above;
    end

    logic unused;  // the places above those that are wanted
    assign unused = &shifted;

    // Padding lanes of the last beat carry code 0.
    logic [Tail*Bits-1:0] last;
    if (LastStart > LatestStart) begin : gen_late
      assign last = all[LastStart*Bits+:Tail*Bits];
    end else begin : gen_common
      assign last = shifted[Tail*Bits-1:0];
    end
    assign out_data_o = ends ? (Out * Bits)'(last) : shifted[Out*Bits-1:0];
  end
endmodule
