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
  localparam int unsigned CountBits = $clog2(In + Out);
  localparam int unsigned OutBeats = (Elements + OutLanes - 1) / OutLanes;
  localparam int unsigned Tail = Elements - (OutBeats - 1) * OutLanes;
  localparam bit Even = Elements % InLanes == 0 && Elements % OutLanes == 0;

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
    logic [CountBits-1:0] held_q, held, need;
    logic [Kept*Bits-1:0] kept_q;
    logic [(In+Out-1)*Bits-1:0] all;
    logic ends;  // this write is the vector's last

    assign reads = held_q < need;
    assign held = reads ? held_q + CountBits'(In) : held_q;
    assign writes = held >= need;

    if (Even) begin : gen_even
      assign need = CountBits'(Out);
      assign ends = 1'b0;
    end else begin : gen_uneven
      // Padding counts as elements: after the last write nothing is held, whatever the count says.
      localparam int unsigned BeatBits = OutBeats > 1 ? $clog2(OutBeats) : 1;
      logic [BeatBits-1:0] beat_q;
      assign ends = beat_q == BeatBits'(OutBeats - 1);
      assign need = ends ? CountBits'((Tail + Unit - 1) / Unit) : CountBits'(Out);
      always_ff @(posedge clk_i) begin
        if (!rst_ni) beat_q <= '0;
        else if (out_push_o) beat_q <= ends ? '0 : beat_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) held_q <= '0;
      else if (fire) held_q <= !writes ? held : ends ? '0 : held - CountBits'(Out);
    end

    // What is held, then the beat read.
    for (genvar i = 0; i < In + Out - 1; i++) begin : gen_place
      logic [Bits-1:0] place;
      always_comb begin
        place = '0;
        if (i < Kept && CountBits'(i) < held_q) place = kept_q[(i<Kept?i:0)*Bits+:Bits];
        for (int unsigned h = 0; h < Out; h++) begin  // it is read with fewer than Out held
          if (h <= i && i < h + In && held_q == CountBits'(h) && (Even || reads)) begin
            place = in_data_i[(i-h)*Bits+:Bits];
          end
        end
      end
      assign all[i*Bits+:Bits] = place;
    end

    assign out_data_o = all[OutLanes*ElementBits-1:0];
    always_ff @(posedge clk_i) begin
      if (fire) kept_q <= writes ? (Kept * Bits)'(all >> (Out * Bits)) : all[Kept*Bits-1:0];
    end
  end
endmodule
