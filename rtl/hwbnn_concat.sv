// SPDX-License-Identifier: Apache-2.0
// hwbnn_concat: a vector of each input in turn, for one vector that holds them all. Every firing reads
// one input and writes; the data go straight through, extended to the output's type. Input port i has
// bit i of the handshakes, word i of Beats and byte i of InBits and InKinds; the words stand side by
// side, that of port 0 least significant. Only the last input's last beat, which holds Tail elements,
// may have lanes without one; they carry code 0 in and out. Timing: hwbnn/units/concat.py.
module hwbnn_concat #(
    parameter int unsigned          Pe      = 1,
    parameter int unsigned          Inputs  = 2,
    parameter logic [32*Inputs-1:0] Beats   = {Inputs{32'd1}},  // of a vector
    parameter int unsigned          Tail    = 1,
    parameter int unsigned          AllBits = 2,  // of all inputs' elements
    parameter logic [ 8*Inputs-1:0] InBits  = {Inputs{8'd1}},
    parameter logic [ 8*Inputs-1:0] InKinds = {Inputs{8'd0}},  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned          OutBits = 1,
    parameter int unsigned          OutKind = 0
) (
    input  logic                  clk_i,
    input  logic                  rst_ni,
    input  logic [    Inputs-1:0] in_valid_i,
    output logic [    Inputs-1:0] in_pop_o,
    input  logic [Pe*AllBits-1:0] in_data_i,
    input  logic                  out_room_i,
    output logic                  out_reserve_o,
    output logic                  out_push_o,
    output logic [Pe*OutBits-1:0] out_data_o
);
  function automatic int unsigned bits_below(int unsigned port);
    bits_below = 0;
    for (int unsigned i = 0; i < port; i++) bits_below += 32'(InBits[8*i+:8]);
  endfunction

  function automatic int unsigned most_beats();
    most_beats = 0;
    for (int unsigned i = 0; i < Inputs; i++) begin
      if (Beats[32*i+:32] > most_beats) most_beats = Beats[32*i+:32];
    end
  endfunction

  localparam int unsigned Most = most_beats();
  localparam int unsigned TurnBits = $clog2(Inputs);

  if (Inputs < 2 || bits_below(Inputs) != AllBits) begin : gen_wrong
    $error("hwbnn_concat: Inputs must be at least 2, and AllBits the sum of InBits");
  end

  logic fire, last;  // beat of the input
  logic [TurnBits-1:0] turn_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) turn_q <= '0;
    else if (fire && last) turn_q <= turn_q == TurnBits'(Inputs - 1) ? '0 : turn_q + 1'b1;
  end

  if (Most == 1) begin : gen_one_beat
    assign last = 1'b1;
  end else begin : gen_beats
    localparam int unsigned BeatBits = $clog2(Most);
    logic [BeatBits-1:0] beat_q;
    logic [Inputs-1:0] ends;
    for (genvar i = 0; i < Inputs; i++) begin : gen_end
      assign ends[i] = beat_q == BeatBits'(Beats[32*i+:32] - 1);
    end
    assign last = ends[turn_q];
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (fire) beat_q <= last ? '0 : beat_q + 1'b1;
    end
  end

  assign fire = in_valid_i[turn_q] && out_room_i;
  assign out_reserve_o = fire;
  assign out_push_o = fire;

  logic [Inputs*Pe*OutBits-1:0] words;
  for (genvar i = 0; i < Inputs; i++) begin : gen_input
    localparam int unsigned Bits = 32'(InBits[8*i+:8]);
    localparam int unsigned Kind = 32'(InKinds[8*i+:8]);
    assign in_pop_o[i] = fire && turn_q == TurnBits'(i);
    for (genvar p = 0; p < Pe; p++) begin : gen_lane
      logic [Bits-1:0] code;
      logic [OutBits-1:0] value;
      assign code = in_data_i[Pe*bits_below(i)+p*Bits+:Bits];
      if (Kind == OutKind && Bits == OutBits) begin : gen_same
        assign value = code;
      end else if (Kind == 2) begin : gen_signed
        assign value = OutBits'($signed(code));
      end else if (Kind == 1) begin : gen_unsigned
        assign value = OutBits'(code);
      end else if (i == Inputs - 1 && p >= Tail) begin : gen_tail
        // A lane without an element carries code 0, not the code of -1.
        assign value = last ? '0 : OutBits'($signed({~code, 1'b1}));
      end else begin : gen_bipolar
        assign value = OutBits'($signed({~code, 1'b1}));
      end
      assign words[(i*Pe+p)*OutBits+:OutBits] = value;
    end
  end
  assign out_data_o = words[turn_q*Pe*OutBits+:Pe*OutBits];
endmodule
