// SPDX-License-Identifier: Apache-2.0
// hwbnn_accumulate: result_o is the sum of a_i + b_i over a vector's beats, begun at start_i + carry_i,
// one cycle after the beat with last_i. start_i and carry_i must be 0 but in the first beat.
// Structure 1 is one LUT6_2 a bit: a ternary adder in which the (cleared) accumulator and the start
// share an input (UG474, carry logic). Structure 2 is half a CCU2C a bit: b_i is one bit and enters
// as the carry; carry_i must be 0.
module hwbnn_accumulate #(
    parameter int unsigned Width     = 8,
    parameter bit          Single    = 0,  // every beat is first and last
    parameter int unsigned Structure = 0
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             valid_i,
    input  logic             last_i,
    input  logic [Width-1:0] a_i,
    input  logic [Width-1:0] b_i,
    input  logic [Width-1:0] start_i,
    input  logic             carry_i,
    output logic [Width-1:0] result_o
);
  logic [Width-1:0] held, sum, result_q;

  if (Single) begin : gen_single
    logic unused;
    assign unused = &{rst_ni, valid_i, last_i};
    assign held = '0;
  end else begin : gen_many
    logic [Width-1:0] held_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || (valid_i && last_i)) held_q <= '0;
      else if (valid_i) held_q <= sum;
    end
    assign held = held_q;
  end

  if (Structure == 1) begin : gen_xc7
    localparam int unsigned Blocks = (Width + 3) / 4;
    logic [4*Blocks-1:0] propagate, total, carry;
    logic [4*Blocks:0] saved;  // carries of the 3:2 step, one place up
    assign saved[0] = 1'b0;
    for (genvar i = 0; i < 4 * Blocks; i++) begin : gen_bit
      if (i < Width) begin : gen_lut
        LUT6_2 #(.INIT(64'h66699996_EEE8EEE8)) i_lut (  // O6: a ^ b ^ (held | start) ^ saved
            .I0(a_i[i]), .I1(b_i[i]), .I2(held[i]), .I3(start_i[i]), .I4(saved[i]), .I5(1'b1),
            .O6(propagate[i]), .O5(saved[i+1]));
        assign sum[i] = total[i];
      end else begin : gen_end
        assign propagate[i] = 1'b0;
        assign saved[i+1] = 1'b0;
      end
    end
    for (genvar i = 0; i < Blocks; i++) begin : gen_carry
      logic below;
      if (i == 0) begin : gen_first
        assign below = 1'b0;
      end else begin : gen_next
        assign below = carry[4*i-1];
      end
      CARRY4 i_carry (
          .CI(below), .CYINIT(i == 0 && carry_i), .DI(saved[4*i+:4]), .S(propagate[4*i+:4]),
          .O(total[4*i+:4]), .CO(carry[4*i+:4]));
    end
    logic unused;
    assign unused = &{total, carry, saved};
  end else if (Structure == 2) begin : gen_ecp5
    // Half 0 makes b_i[0] the carry; 16'h560A adds A and B | C (see hwbnn_ripple_ecp5).
    localparam int unsigned Cells = (Width + 2) / 2;
    logic [2*Cells-1:0] a, b, c, total;
    assign a = (2 * Cells)'({a_i, b_i[0]});
    assign b = (2 * Cells)'({held, 1'b0});
    assign c = (2 * Cells)'({start_i, 1'b1});
    for (genvar i = 0; i < Cells; i++) begin : gen_cell
      logic carry_in, carry;
      if (i == 0) begin : gen_first
        assign carry_in = 1'b0;
      end else begin : gen_next
        assign carry_in = gen_cell[i-1].carry;
      end
      CCU2C #(
          .INIT0(i == 0 ? 16'h000A : 16'h560A), .INIT1(16'h560A),
          .INJECT1_0("NO"), .INJECT1_1("NO")
      ) i_cell (
          .CIN(carry_in), .A0(a[2*i]), .B0(b[2*i]), .C0(c[2*i]), .D0(1'b1),
          .A1(a[2*i+1]), .B1(b[2*i+1]), .C1(c[2*i+1]), .D1(1'b1),
          .S0(total[2*i]), .S1(total[2*i+1]), .COUT(carry));
      if (i == Cells - 1) begin : gen_last
        logic unused;
        assign unused = carry;
      end
    end
    assign sum = total[Width:1];
    logic unused;
    assign unused = &{total, b_i, carry_i};
  end else begin : gen_behavioural
    assign sum = a_i + b_i + (held | start_i) + Width'(carry_i);
  end

  always_ff @(posedge clk_i) result_q <= sum;
  assign result_o = result_q;
endmodule
