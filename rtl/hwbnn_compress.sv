// SPDX-License-Identifier: Apache-2.0
// hwbnn_compress: adds Ones bits of weight 1 and Twos bits of weight 2, given in that order, down to
// two rows, a_o + b_o, Stages cycles later; never stalls. The registers are spread over the levels.
//
// A level replaces, in every column, 6 or 7 bits by a counter's 3 (two LUTs and their carry chain) and
// 3 bits by a full adder's 2. After Kumm and Zipf, FPL 2014: the counter is half of their (6,0,6;5).
module hwbnn_compress #(
    parameter int unsigned Ones   = 8,
    parameter int unsigned Twos   = 4,
    parameter int unsigned Width  = 5,  // of the rows: wide enough for the sum
    parameter int unsigned Stages = 0
) (
    input  logic                 clk_i,
    input  logic [Ones+Twos-1:0] bits_i,
    output logic [    Width-1:0] a_o,
    output logic [    Width-1:0] b_o
);
  localparam int unsigned Field = 12;  // bits of a height or an offset in the plan
  localparam int unsigned Most = 20;  // levels: more than 4095 bits need

  // A level makes of a column of h bits: (h + 1) / 7 counters' sums, rest / 3 adders' sums and
  // rest % 3 bits passed on; then come the carries of the column below, and the counters' third bits
  // of the one below that. The plan holds the height of column c before level v in field
  // v * Width + c; it repeats once every column has two bits.
  function automatic int unsigned counters(int unsigned h);
    counters = (h + 1) / 7;
  endfunction
  function automatic int unsigned rest(int unsigned h);
    rest = h > 7 * counters(h) ? h - 7 * counters(h) : 0;
  endfunction
  function automatic logic [(Most+1)*Width*Field-1:0] plan();
    int unsigned h, sums, carries, thirds;
    plan = '0;
    plan[Field-1:0] = Field'(Ones);
    if (Width > 1) plan[Field+:Field] = Field'(Twos);
    for (int unsigned v = 0; v < Most; v++) begin
      carries = 0;
      thirds = 0;
      for (int unsigned c = 0; c < Width; c++) begin
        h = 32'(plan[(v*Width+c)*Field+:Field]);
        sums = counters(h) + rest(h) / 3;
        plan[((v+1)*Width+c)*Field+:Field] = Field'(sums + rest(h) % 3 + carries);
        carries = sums + thirds;
        thirds = counters(h);
      end
    end
  endfunction
  localparam logic [(Most+1)*Width*Field-1:0] Plan = plan();

  function automatic int unsigned offset(int unsigned v, int unsigned c);
    offset = 0;
    for (int unsigned i = 0; i < c; i++) offset = offset + 32'(Plan[(v*Width+i)*Field+:Field]);
  endfunction
  function automatic int unsigned levels();
    logic tall;
    levels = 0;
    for (int unsigned v = 0; v < Most; v++) begin
      tall = 1'b0;
      for (int unsigned c = 0; c < Width; c++) begin
        if (Plan[(v*Width+c)*Field+:Field] > Field'(2)) tall = 1'b1;
      end
      if (tall) levels = v + 1;
    end
  endfunction
  localparam int unsigned Levels = levels();
  localparam int unsigned InTree = Stages < Levels + 1 ? Stages : Levels + 1;

  for (genvar v = 0; v <= Levels; v++) begin : gen_level
    localparam int unsigned Total = offset(v, Width);
    logic [Total-1:0] bits, bits_out;

    if (v == 0) begin : gen_leaves
      assign bits = bits_i;
    end

    // The leaves, the levels and the accumulator behind make Levels + 2 steps for InTree registers.
    if ((v + 1) * (InTree + 1) / (Levels + 2) != v * (InTree + 1) / (Levels + 2)) begin : gen_register
      always_ff @(posedge clk_i) bits_out <= bits;
    end else begin : gen_wire
      assign bits_out = bits;
    end

    if (v < Levels) begin : gen_columns
      for (genvar c = 0; c < Width; c++) begin : gen_column
        localparam int unsigned Height = 32'(Plan[(v*Width+c)*Field+:Field]);
        localparam int unsigned Counters = counters(Height);
        localparam int unsigned Adders = rest(Height) / 3;
        localparam int unsigned Passed = rest(Height) % 3;
        localparam int unsigned From = offset(v, c);
        localparam int unsigned Sums = offset(v + 1, c);
        // Where carries and third bits go: after the sums of the next column; last in the one above.
        localparam int unsigned Above = c + 1 < Width ?
            32'(Plan[(v*Width+(c+1<Width?c+1:c))*Field+:Field]) : 0;
        localparam int unsigned Carries =
            offset(v + 1, c + 1) + counters(Above) + rest(Above) / 3 + rest(Above) % 3;
        localparam int unsigned Thirds = c + 2 < Width ? offset(v + 1, c + 3) - Counters : 0;

        for (genvar i = 0; i < Counters; i++) begin : gen_counter
          localparam int unsigned Size = 7 * i + 7 <= Height ? 7 : 6;
          logic one, two, four;
          hwbnn_counter_xc7 i_counter (
              .bits_i(7'(bits_out[From+7*i+:Size])), .one_o(one), .two_o(two), .four_o(four));
          assign gen_level[v+1].bits[Sums+i] = one;
          if (c + 1 < Width) begin : gen_two
            assign gen_level[v+1].bits[Carries+i] = two;
          end
          if (c + 2 < Width) begin : gen_four
            assign gen_level[v+1].bits[Thirds+i] = four;
          end
          logic unused;
          assign unused = &{two, four};
        end

        for (genvar i = 0; i < Adders; i++) begin : gen_adder
          localparam int unsigned At = From + Height - Passed - 3 * (i + 1);
          logic sum, carry, unused;
          hwbnn_full_adder #(.Pairs(0)) i_adder (
              .plain_i(bits_out[At]), .x_i(bits_out[At+2:At+1]), .w_i(2'b11),
              .sum_o(sum), .carry_o(carry));
          assign gen_level[v+1].bits[Sums+Counters+i] = sum;
          if (c + 1 < Width) begin : gen_carry
            assign gen_level[v+1].bits[Carries+Counters+i] = carry;
          end
          assign unused = carry;
        end

        if (Passed > 0) begin : gen_passed
          assign gen_level[v+1].bits[Sums+Counters+Adders+:Passed] =
              bits_out[From+Height-Passed+:Passed];
        end
      end
    end
  end

  logic [Width-1:0] a, b;
  for (genvar c = 0; c < Width; c++) begin : gen_row
    localparam int unsigned Height = 32'(Plan[(Levels*Width+c)*Field+:Field]);
    localparam int unsigned At = offset(Levels, c);
    if (Height > 0) begin : gen_a
      assign a[c] = gen_level[Levels].bits_out[At];
    end else begin : gen_no_a
      assign a[c] = 1'b0;
    end
    if (Height > 1) begin : gen_b
      assign b[c] = gen_level[Levels].bits_out[At+1];
    end else begin : gen_no_b
      assign b[c] = 1'b0;
    end
  end

  hwbnn_delay #(.Width(2 * Width), .Cycles(Stages - InTree), .Clear(0)) i_delay (
      .clk_i, .rst_ni(1'b1), .data_i({b, a}), .data_o({b_o, a_o}));
endmodule
