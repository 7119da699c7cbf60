// SPDX-License-Identifier: Apache-2.0
// hwbnn_arg_max: index of a vector's greatest element, the lowest of equals. Every firing reads, the
// last writes. A tree over the lanes (a register every two levels, at least one), then the best of
// the beats. Timing: hwbnn/units/arg_max.py.
module hwbnn_arg_max #(
    parameter int unsigned Pe       = 4,
    parameter int unsigned Elements = 10,
    parameter int unsigned InBits   = 5,
    parameter int unsigned InKind   = 2,  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned OutBits  = 4
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 in_valid_i,
    output logic                 in_pop_o,
    input  logic [Pe*InBits-1:0] in_data_i,
    input  logic                 out_room_i,
    output logic                 out_reserve_o,
    output logic                 out_push_o,
    output logic [OutBits-1:0]   out_data_o
);
  localparam int unsigned Beats = (Elements + Pe - 1) / Pe;
  localparam int unsigned Tail = Elements - (Beats - 1) * Pe;
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1;
  localparam int unsigned Levels = $clog2(Pe);
  localparam int unsigned Registers = Levels > 2 ? (Levels + 1) / 2 : 1;

  logic fire, last;
  logic [BeatBits-1:0] beat_q;
  assign fire = in_valid_i && (out_room_i || !last);
  assign in_pop_o = fire;
  assign out_reserve_o = fire && last;

  if (Beats == 1) begin : gen_one_beat
    logic unused;
    assign unused = &beat_q;
    assign beat_q = '0;
    assign last = 1'b1;
  end else begin : gen_beats
    assign last = beat_q == BeatBits'(Beats - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) beat_q <= '0;
      else if (fire) beat_q <= last ? '0 : beat_q + 1'b1;
    end
  end

  // ---- keys: in order as unsigned numbers; lanes without an element lose every tie -----------------

  logic [Pe*InBits-1:0] keys;
  for (genvar p = 0; p < Pe; p++) begin : gen_key
    logic [InBits-1:0] code;
    assign code = in_data_i[p*InBits+:InBits] ^ (InBits'(InKind == 2) << (InBits - 1));
    assign keys[p*InBits+:InBits] = p >= Tail && last ? '0 : code;
  end

  // ---- tree ------------------------------------------------------------------------------------------

  for (genvar v = 0; v <= Levels; v++) begin : gen_level
    localparam int unsigned Count = (Pe + (1 << v) - 1) >> v;
    logic [Count*InBits-1:0] key, key_out;
    logic [Count*OutBits-1:0] index, index_out;

    if (v == 0) begin : gen_leaves
      assign key = keys;
      for (genvar i = 0; i < Count; i++) begin : gen_lane
        assign index[i*OutBits+:OutBits] = OutBits'(i);
      end
    end else begin : gen_nodes
      localparam int unsigned Below = (Pe + (1 << (v - 1)) - 1) >> (v - 1);
      for (genvar i = 0; i < Count; i++) begin : gen_node
        localparam int unsigned Left = 2 * i;
        localparam int unsigned Right = 2 * i + 1 < Below ? 2 * i + 1 : 2 * i;
        logic greater;
        assign greater = gen_level[v-1].key_out[Right*InBits+:InBits] >
                         gen_level[v-1].key_out[Left*InBits+:InBits];
        assign key[i*InBits+:InBits] = greater ?
            gen_level[v-1].key_out[Right*InBits+:InBits] :
            gen_level[v-1].key_out[Left*InBits+:InBits];
        assign index[i*OutBits+:OutBits] = greater ?
            gen_level[v-1].index_out[Right*OutBits+:OutBits] :
            gen_level[v-1].index_out[Left*OutBits+:OutBits];
      end
    end

    if (v == Levels || (v > 0 && v % 2 == 0)) begin : gen_register
      always_ff @(posedge clk_i) begin
        key_out <= key;
        index_out <= index;
      end
    end else begin : gen_wire
      assign key_out = key;
      assign index_out = index;
    end
  end

  // ---- best of the beats -----------------------------------------------------------------------------

  logic [InBits-1:0] key;
  logic [OutBits-1:0] index, result_q;
  assign key = gen_level[Levels].key_out;
  assign index = gen_level[Levels].index_out;
  assign out_data_o = result_q;
  hwbnn_delay #(.Cycles(Registers + 1)) i_push (
      .clk_i, .rst_ni, .data_i(out_reserve_o), .data_o(out_push_o));

  if (Beats == 1) begin : gen_result
    logic unused;
    assign unused = &key;
    always_ff @(posedge clk_i) result_q <= index;
  end else begin : gen_best
    logic valid, ends, first_q;
    logic [InBits-1:0] best_q;
    logic [OutBits-1:0] base_q;  // index of the beat's lane 0
    hwbnn_delay #(.Cycles(Registers)) i_valid (.clk_i, .rst_ni, .data_i(fire), .data_o(valid));
    hwbnn_delay #(.Cycles(Registers), .Clear(0)) i_ends (
        .clk_i, .rst_ni, .data_i(last), .data_o(ends));
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        first_q <= 1'b1;
        base_q <= '0;
      end else if (valid) begin
        first_q <= ends;
        base_q <= ends ? '0 : base_q + OutBits'(Pe);
      end
    end
    always_ff @(posedge clk_i) begin
      if (valid && (first_q || key > best_q)) begin
        best_q <= key;
        result_q <= base_q + index;
      end
    end
  end
endmodule
