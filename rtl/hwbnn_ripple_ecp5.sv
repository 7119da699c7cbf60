// SPDX-License-Identifier: Apache-2.0
// hwbnn_ripple_ecp5: adds Chains pairs of Bits-bit numbers and a carry each, sum_o = a + b + c;
// combinational. Every input bit is the XOR of two, absorbed by the carry cell.
//
// Half a CCU2C is a LUT4, S = LUT4 ^ carry, and passes LUT4 ? carry : LUT2(A, B), where the LUT2 is
// the LUT4 at C = D = 0 (Yosys, lattice/ccu2c_sim.vh): 16'h6996 is a full adder of A ^ B and C ^ D.
// Chains follow one another: 16'h0006 at C = D = 1 shows the carry of one and begins the next with
// A ^ B.
module hwbnn_ripple_ecp5 #(
    parameter int unsigned Chains = 1,
    parameter int unsigned Bits   = 1,
    parameter bit          Joined = 0   // carry_i is the first chain's, not c_i
) (
    input  logic [2*Chains*Bits-1:0]   a_i,  // {second, first} of the XORs
    input  logic [2*Chains*Bits-1:0]   b_i,
    input  logic [2*Chains-1:0]        c_i,
    input  logic                       carry_i,  // 0 if not Joined
    input  logic [1:0]                 next_i,   // the XOR of these is carry_o
    output logic                       carry_o,
    output logic [Chains*(Bits+1)-1:0] sum_o
);
  localparam int unsigned First = Joined ? 1 : 0;
  localparam int unsigned Cells = (Chains * (Bits + 1) + 2 - First) / 2;

  logic [2*Cells-1:0] a, b, c, d, sum;
  for (genvar h = 0; h < 2 * Cells; h++) begin : gen_half
    localparam int unsigned Chain = (h + First) / (Bits + 1);
    localparam int unsigned At = h + First - Chain - 1;  // of an adder
    if (Chain >= Chains) begin : gen_end
      assign {d[h], c[h], b[h], a[h]} = {2'b11, h == 2 * Cells - 1 ? next_i : 2'b00};
    end else if ((h + First) % (Bits + 1) == 0) begin : gen_begin
      assign {d[h], c[h], b[h], a[h]} = {2'b11, c_i[Chains+Chain], c_i[Chain]};
    end else begin : gen_adder
      assign {d[h], c[h], b[h], a[h]} =
          {b_i[Chains*Bits+At], b_i[At], a_i[Chains*Bits+At], a_i[At]};
    end
  end

  for (genvar i = 0; i < Cells; i++) begin : gen_cell
    localparam int unsigned Half0 = 2 * i + First;
    localparam bit Adder0 = Half0 < Chains * (Bits + 1) && Half0 % (Bits + 1) != 0;
    localparam bit Adder1 = Half0 + 1 < Chains * (Bits + 1) && (Half0 + 1) % (Bits + 1) != 0;
    logic carry_in, carry;
    if (i == 0) begin : gen_first
      assign carry_in = carry_i;
    end else begin : gen_next
      assign carry_in = gen_cell[i-1].carry;
    end
    CCU2C #(
        .INIT0(Adder0 ? 16'h6996 : 16'h0006), .INIT1(Adder1 ? 16'h6996 : 16'h0006),
        .INJECT1_0("NO"), .INJECT1_1("NO")
    ) i_cell (
        .CIN(carry_in), .A0(a[2*i]), .B0(b[2*i]), .C0(c[2*i]), .D0(d[2*i]),
        .A1(a[2*i+1]), .B1(b[2*i+1]), .C1(c[2*i+1]), .D1(d[2*i+1]),
        .S0(sum[2*i]), .S1(sum[2*i+1]), .COUT(carry));
  end
  assign carry_o = gen_cell[Cells-1].carry;
  assign sum_o = sum[1-First+:Chains*(Bits+1)];
  logic unused;
  assign unused = &{sum, c_i, next_i};
endmodule
