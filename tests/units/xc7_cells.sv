// SPDX-License-Identifier: Apache-2.0
// What the xc7 primitives that the library names compute (UG953), for simulation in tests.
// verilator lint_off DECLFILENAME
// verilator lint_off UNUSEDSIGNAL
// verilator lint_off UNUSEDPARAM
module LUT6 #(
    parameter logic [63:0] INIT = 0
) (
    output logic O,
    input  logic I0, I1, I2, I3, I4, I5
);
  assign O = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule

module LUT6_2 #(
    parameter logic [63:0] INIT = 0
) (
    output logic O6,
    output logic O5,
    input  logic I0, I1, I2, I3, I4, I5
);
  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
endmodule

module CARRY4 (
    output logic [3:0] CO,
    output logic [3:0] O,
    input  logic       CI,
    input  logic       CYINIT,
    input  logic [3:0] DI,
    input  logic [3:0] S
);
  logic c0, c1, c2, c3, c4;
  assign c0 = CI | CYINIT;
  assign c1 = S[0] ? c0 : DI[0];
  assign c2 = S[1] ? c1 : DI[1];
  assign c3 = S[2] ? c2 : DI[2];
  assign c4 = S[3] ? c3 : DI[3];
  assign CO = {c4, c3, c2, c1};
  assign O = S ^ {c3, c2, c1, c0};
endmodule

// The modes of the library: P = A * B + C with registers MREG, CREG and PREG (hwbnn_multiply_add), and
// P = (D + A) * B + C with ADREG, BREG, MREG and PREG (hwbnn_multiply).
module DSP48E1 #(
    parameter A_INPUT = "DIRECT", parameter B_INPUT = "DIRECT", parameter USE_DPORT = "FALSE",
    parameter USE_MULT = "MULTIPLY", parameter USE_SIMD = "ONE48",
    parameter int AREG = 1, parameter int ACASCREG = 1, parameter int BREG = 1,
    parameter int BCASCREG = 1, parameter int CREG = 1, parameter int DREG = 1,
    parameter int ADREG = 1, parameter int MREG = 1, parameter int PREG = 1,
    parameter int ALUMODEREG = 1, parameter int CARRYINREG = 1, parameter int CARRYINSELREG = 1,
    parameter int INMODEREG = 1, parameter int OPMODEREG = 1
) (
    input  logic        CLK,
    input  logic [29:0] A, ACIN,
    input  logic [17:0] B, BCIN,
    input  logic [47:0] C, PCIN,
    input  logic [24:0] D,
    output logic [47:0] P,
    input  logic [6:0]  OPMODE,
    input  logic [3:0]  ALUMODE,
    input  logic [4:0]  INMODE,
    input  logic [2:0]  CARRYINSEL,
    input  logic CARRYIN, CARRYCASCIN, MULTSIGNIN,
    input  logic CEA1, CEA2, CEB1, CEB2, CEC, CED, CEAD, CEM, CEP, CEALUMODE, CECARRYIN, CECTRL,
    input  logic CEINMODE, RSTA, RSTB, RSTC, RSTD, RSTM, RSTP, RSTALUMODE, RSTALLCARRYIN, RSTCTRL,
    input  logic RSTINMODE
);
  localparam bit Added = USE_DPORT == "TRUE";
  if (AREG + ACASCREG + DREG != 0 || MREG + PREG != 2) begin : gen_refuse
    $error("DSP48E1: this model has registers behind the product and behind the sum");
  end
  if (BREG != 32'(Added) || BCASCREG != BREG || ADREG != BREG || CREG == BREG) begin : gen_stages
    $error("DSP48E1: this model has registers beside the product, or before it with D");
  end
  if (ALUMODEREG + INMODEREG + OPMODEREG + CARRYINREG + CARRYINSELREG != 0) begin : gen_modes
    $error("DSP48E1: this model has no registers on its modes");
  end
  logic signed [24:0] a, ad_q;
  logic signed [17:0] b, b_q;
  logic signed [47:0] m_q, c_q, c;
  assign a = Added ? ad_q : A[24:0];
  assign b = Added ? b_q : B;
  assign c = Added ? C : c_q;
  always_ff @(posedge CLK) begin
    if (CEAD) ad_q <= INMODE == 5'b00100 ? D + A[24:0] : 'x;
    if (CEB2) b_q <= B;
    if (CEM) m_q <= 48'(a) * 48'(b);
    if (CEC) c_q <= C;
    if (CEP) P <= OPMODE == 7'b0110101 && ALUMODE == 0 ? m_q + c + 48'(CARRYIN) : 'x;
  end
endmodule
