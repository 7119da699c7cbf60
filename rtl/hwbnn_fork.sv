// SPDX-License-Identifier: Apache-2.0
// hwbnn_fork: every word to all outputs, once all have room. Output port i has bit i of the
// handshakes and the i-th word of data. Timing: hwbnn/units/fork.py.
module hwbnn_fork #(
    parameter int unsigned Width   = 1,
    parameter int unsigned Outputs = 2
) (
    input  logic                     clk_i,
    input  logic                     rst_ni,
    input  logic                     in_valid_i,
    output logic                     in_pop_o,
    input  logic [        Width-1:0] in_data_i,
    input  logic [      Outputs-1:0] out_room_i,
    output logic [      Outputs-1:0] out_reserve_o,
    output logic [      Outputs-1:0] out_push_o,
    output logic [Outputs*Width-1:0] out_data_o
);
  if (Outputs < 2) begin : gen_wrong
    $error("hwbnn_fork: Outputs must be at least 2");
  end

  logic unused;
  assign unused = &{clk_i, rst_ni};

  logic fire;
  assign fire = in_valid_i && &out_room_i;
  assign in_pop_o = fire;
  assign out_reserve_o = {Outputs{fire}};
  assign out_push_o = out_reserve_o;
  assign out_data_o = {Outputs{in_data_i}};
endmodule
