// SPDX-License-Identifier: Apache-2.0
// hwbnn_popcount: number of ones of x_i XNOR w_i as two rows, a_o + b_o, Stages cycles later; never
// stalls. Timing: stages in hwbnn/units/mvu.py.
//
// Leaves of structure 1: five synapses (an XNOR and two full adders with XNORs inside) leave one bit
// of weight 1 and two of weight 2. Structure 2: the carry chains of hwbnn_count_ecp5. Constant
// weights, in both: the whole column of weight 1 depends on x but for inversions, so synthesis
// shares it among all the lanes that see the same x.
module hwbnn_popcount #(
    parameter int unsigned Inputs    = 8,
    parameter int unsigned Width     = 4,  // of the rows
    parameter int unsigned Stages    = 0,
    parameter int unsigned Structure = 0,  // 0 behavioural, 1 xc7, 2 ECP5
    parameter int unsigned Leaves    = 0   // 0 variable w_i, 1 w_i is all ones, 2 constant w_i
) (
    input  logic              clk_i,
    input  logic [Inputs-1:0] x_i,
    input  logic [Inputs-1:0] w_i,
    output logic [ Width-1:0] a_o,
    output logic [ Width-1:0] b_o
);
  localparam int unsigned CountBits = $clog2(Inputs + 1);

  if (Structure == 0) begin : gen_behavioural
    hwbnn_delay #(.Width(Width), .Cycles(Stages), .Clear(0)) i_delay (
        .clk_i, .rst_ni(1'b1), .data_i(Width'($countones(~(x_i ^ w_i)))), .data_o(a_o));
    assign b_o = '0;
    localparam int unsigned Unused = Leaves + CountBits;
    logic unused;
    assign unused = &Unused;
  end else if (Structure == 2 && (Leaves != 2 || Inputs < 3)) begin : gen_ecp5
    logic [CountBits-1:0] a;
    logic b;
    hwbnn_count_ecp5 #(.Inputs(Inputs), .Width(CountBits), .Stages(Stages)) i_count (
        .clk_i, .x_i(Leaves == 1 ? x_i : ~x_i), .w_i(Leaves == 1 ? '0 : w_i), .a_o(a), .b_o(b));
    assign a_o = Width'(a);
    assign b_o = Width'(b);
    if (Leaves == 1) begin : gen_plain
      logic unused;
      assign unused = &w_i;
    end
  end else begin : gen_structure
    localparam int unsigned Chains = (Inputs + 4) / 5;
    localparam int unsigned Adders = Leaves == 1 ? 0 :
        Leaves == 2 ? (Inputs - 1) / 2 : (Inputs - Chains) / 2;
    localparam int unsigned Ones = Inputs - 2 * Adders;
    logic [Ones+Adders-1:0] bits;
    logic [CountBits-1:0] a, b;

    if (Leaves == 1) begin : gen_plain
      logic unused;
      assign unused = &w_i;
      assign bits = x_i;
    end else if (Leaves == 2) begin : gen_constant
      // Adder i takes bits 3 i to 3 i + 2 of the queue and appends its sum.
      logic [Inputs+Adders-1:0] queue;
      assign queue[Inputs-1:0] = ~(x_i ^ w_i);
      for (genvar i = 0; i < Adders; i++) begin : gen_adder
        assign queue[Inputs+i] = ^queue[3*i+:3];
        assign bits[Ones+i] = (queue[3*i] & queue[3*i+1]) | (queue[3*i] & queue[3*i+2]) |
                              (queue[3*i+1] & queue[3*i+2]);
      end
      assign bits[Ones-1:0] = queue[3*Adders+:Ones];
    end else begin : gen_pairs
      // Chain i begins with synapse i and goes through adders i and Chains + i, where they exist;
      // adder i adds synapses Chains + 2 i and the next. An odd synapse may be left.
      logic [Chains-1:0] starts;
      logic [Chains+Adders-1:0] sums;  // starts, then sums of the adders
      assign sums[Chains-1:0] = starts;
      for (genvar i = 0; i < Chains; i += 2) begin : gen_start
        localparam int unsigned Next = i + 1 < Chains ? i + 1 : i;
        logic next;
        LUT6_2 #(.INIT(64'hF00FF00F_99999999)) i_lut (
            .I0(x_i[i]), .I1(w_i[i]), .I2(x_i[Next]), .I3(w_i[Next]), .I4(1'b1), .I5(1'b1),
            .O5(starts[i]), .O6(next));
        if (Next > i) begin : gen_next
          assign starts[Next] = next;
        end else begin : gen_unused
          logic unused;
          assign unused = next;
        end
      end
      for (genvar i = 0; i < Adders; i++) begin : gen_adder
        localparam int unsigned At = Chains + 2 * i;
        hwbnn_full_adder #(.Pairs(1)) i_adder (
            .plain_i(sums[i]), .x_i(x_i[At+:2]), .w_i(w_i[At+:2]),
            .sum_o(sums[Chains+i]), .carry_o(bits[Ones+i]));
      end
      for (genvar i = 0; i < Chains; i++) begin : gen_end
        assign bits[i] = sums[i + (Adders > i ? Chains : 0) + (Adders > Chains + i ? Chains : 0)];
      end
      if (Ones > Chains) begin : gen_odd
        assign bits[Chains] = ~(x_i[Inputs-1] ^ w_i[Inputs-1]);
      end
    end
    if (Structure == 2) begin : gen_count
      logic [1:0] ones;
      logic unused;
      hwbnn_delay #(.Width(2), .Cycles(Stages), .Clear(0)) i_delay (
          .clk_i, .rst_ni(1'b1), .data_i(2'(bits[Ones-1:0])), .data_o(ones));
      hwbnn_count_ecp5 #(
          .Inputs(Adders), .Width(CountBits - 1), .Stages(Stages), .Extra(0)
      ) i_count (
          .clk_i, .x_i(bits[Ones+:Adders]), .w_i('0), .a_o(a[CountBits-1:1]), .b_o(unused));
      assign a[0] = ones[0];
      assign b = CountBits'(ones[1]);
    end else begin : gen_compress
      hwbnn_compress #(
          .Ones(Ones), .Twos(Adders), .Width(CountBits), .Stages(Stages)
      ) i_compress (.clk_i, .bits_i(bits), .a_o(a), .b_o(b));
    end
    assign a_o = Width'(a);
    assign b_o = Width'(b);
  end
endmodule
