// SPDX-License-Identifier: Apache-2.0
// A channel whose words arrive latency_i cycles later; 0 is a wire. At most 63 are on the way.
module axi_latency #(
    parameter int unsigned Width = 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [      7:0] latency_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [Width-1:0] in_data_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [Width-1:0] out_data_o
);
  logic [Width-1:0] words[64];
  int unsigned due[64];
  int unsigned now_q;
  logic [5:0] head_q, tail_q;
  logic wire_only, arrived;

  assign wire_only = latency_i == 0;
  assign arrived = head_q != tail_q && now_q >= due[head_q];
  assign in_ready_o = wire_only ? out_ready_i : head_q != tail_q + 6'd1;
  assign out_valid_o = wire_only ? in_valid_i : arrived;
  assign out_data_o = wire_only ? in_data_i : words[head_q];

  always_ff @(posedge clk_i) begin
    now_q <= now_q + 1;
    if (!rst_ni) begin
      head_q <= 0;
      tail_q <= 0;
    end else if (!wire_only) begin
      if (in_valid_i && in_ready_o) begin
        words[tail_q] <= in_data_i;
        due[tail_q] <= now_q + 32'(latency_i);
        tail_q <= tail_q + 1'b1;
      end
      if (arrived && out_ready_i) head_q <= head_q + 1'b1;
    end
  end
endmodule
