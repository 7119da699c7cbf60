// SPDX-License-Identifier: Apache-2.0
// hwbnn_add: the sum of Inputs streams, lane by lane, each times its own constant: a term for each one
// of the constant. Every firing reads all inputs and writes. Input port i has bit i of the handshakes,
// byte i of InBits and InKinds and word i of Factors; the words of data stand side by side, that of
// port 0 least significant. Lanes without a channel carry code 0 in and out. Timing:
// hwbnn/units/add.py.
module hwbnn_add #(
    parameter int unsigned         Pe       = 1,
    parameter int unsigned         Channels = 1,
    parameter int unsigned         Inputs   = 2,
    parameter int unsigned         AllBits  = 2,  // of all inputs' elements
    parameter logic [8*Inputs-1:0] InBits   = {Inputs{8'd1}},
    parameter logic [8*Inputs-1:0] InKinds  = {Inputs{8'd0}},  // 0 bipolar, 1 unsigned, 2 signed
    parameter int unsigned         Terms    = 2,  // ones of all Factors
    parameter logic [32*Inputs-1:0] Factors = {Inputs{32'd1}},
    parameter int unsigned         OutBits  = 3
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

  function automatic int unsigned terms_below(int unsigned place);
    terms_below = 0;
    for (int unsigned i = 0; i < place; i++) terms_below += 32'(Factors[i]);
  endfunction

  function automatic int unsigned widest_term();
    int unsigned bits;
    widest_term = 0;
    for (int unsigned i = 0; i < Inputs; i++) begin
      bits = 32'(InBits[8*i+:8]) + 32'(InKinds[8*i+:8] != 8'd2) - 1;
      for (int unsigned b = 0; b < 32; b++) if (|(Factors[32*i+:32] >> b)) bits++;
      if (bits > widest_term) widest_term = bits;
    end
  endfunction

  localparam int unsigned Folds = (Channels + Pe - 1) / Pe;
  localparam int unsigned Tail = Channels - (Folds - 1) * Pe;
  localparam int unsigned Levels = $clog2(Terms);
  localparam int unsigned TermBits = widest_term();  // signed, whatever the kinds
  localparam int unsigned SumBits = TermBits + Levels;

  if (Inputs < 2 || bits_below(Inputs) != AllBits || terms_below(32 * Inputs) != Terms)
  begin : gen_wrong
    $error("hwbnn_add: Inputs must be at least 2, AllBits the sum of InBits, Terms of Factors' ones");
  end

  logic fire;
  assign fire = &in_valid_i && out_room_i;
  assign in_pop_o = {Inputs{fire}};
  assign out_reserve_o = fire;
  hwbnn_delay #(.Cycles(Levels)) i_push (.clk_i, .rst_ni, .data_i(fire), .data_o(out_push_o));

  logic keep;  // every lane holds a channel
  if (Tail == Pe) begin : gen_whole
    assign keep = 1'b1;
  end else begin : gen_tail
    localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
    logic [FoldBits-1:0] fold_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) fold_q <= '0;
      else if (fire) fold_q <= keep ? fold_q + 1'b1 : '0;
    end
    assign keep = fold_q != FoldBits'(Folds - 1);
  end

  for (genvar p = 0; p < Pe; p++) begin : gen_lane
    logic [Terms*TermBits-1:0] terms;
    logic [SumBits-1:0] sum;
    for (genvar i = 0; i < Inputs; i++) begin : gen_input
      localparam int unsigned Bits = 32'(InBits[8*i+:8]);
      logic [Bits-1:0] code;
      logic [TermBits-1:0] value;
      assign code = in_data_i[Pe*bits_below(i)+p*Bits+:Bits];
      if (InKinds[8*i+:8] == 8'd0) begin : gen_bipolar
        // A lane without a channel adds 0, not the value of code 0.
        assign value = TermBits'($signed({~code && (p < Tail || keep), p < Tail || keep}));
      end else if (InKinds[8*i+:8] == 8'd1) begin : gen_unsigned
        assign value = TermBits'(code);
      end else begin : gen_signed
        assign value = TermBits'($signed(code));
      end
      for (genvar b = 0; b < 32; b++) begin : gen_bit
        if (Factors[32*i+b]) begin : gen_term
          assign terms[terms_below(32*i+b)*TermBits+:TermBits] = value << b;
        end
      end
    end
    hwbnn_adder_tree #(.Terms(Terms), .TermBits(TermBits), .Stages(Levels)) i_sum (
        .clk_i, .terms_i(terms), .sum_o(sum));
    logic unused;  // no sum is so great
    assign unused = &sum;
    assign out_data_o[p*OutBits+:OutBits] = OutBits'($signed(sum));
  end

  logic unused;  // if no operand is bipolar
  assign unused = keep;
endmodule
