// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_source: the words of a memory over and over, at most Beats of them in every Cycles
// cycles. It stands for memory outside the chip: it is for simulation, and on a chip it is left
// out. Timing: hwbnn/units/weight_source.py.
module hwbnn_weight_source #(
    parameter int unsigned Width  = 1,
    parameter int unsigned Words  = 1,
    parameter int unsigned Beats  = 1,
    parameter int unsigned Cycles = 1,
    parameter              WeightsFile = "weights"  // + ".hex"
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             out_room_i,
    output logic             out_reserve_o,
    output logic             out_push_o,
    output logic [Width-1:0] out_data_o
);
  localparam int unsigned AddressBits = Words > 1 ? $clog2(Words) : 1;
  localparam int unsigned DueBits = $clog2(Cycles + Beats + 1);

  if (Beats < 1 || Beats > Cycles) begin : gen_wrong
    $error("hwbnn_weight_source: Beats must be 1 to Cycles");
  end

  logic [Width-1:0] words[Words];
  initial $readmemh({WeightsFile, ".hex"}, words);

  logic [AddressBits-1:0] address_q;
  logic [DueBits-1:0] due_q, due_d;  // k * Beats modulo Cycles, k counts the cycles
  logic due;

  assign due = due_q < DueBits'(Beats);
  assign due_d = due_q + DueBits'(Beats);
  assign out_reserve_o = due && out_room_i;
  assign out_push_o = out_reserve_o;
  assign out_data_o = words[address_q];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      address_q <= '0;
      due_q <= '0;
    end else begin
      if (!due || out_room_i) begin
        due_q <= due_d >= DueBits'(Cycles) ? due_d - DueBits'(Cycles) : due_d;
      end
      if (out_reserve_o) begin
        address_q <= address_q == AddressBits'(Words - 1) ? '0 : address_q + 1'b1;
      end
    end
  end
endmodule
