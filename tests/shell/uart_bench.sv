// SPDX-License-Identifier: Apache-2.0
// The UART shell with a stand-in for a core: every beat of a result is a function of all beats of
// its frame and of their order. It takes a frame, waits Pause cycles, and gives the result.
module uart_bench #(
    parameter int unsigned BitCycles256 = 1024,
    parameter int unsigned RoomBytes    = 256,
    parameter int unsigned InBits       = 12,
    parameter int unsigned InBeats      = 5,
    parameter int unsigned OutBits      = 10,
    parameter int unsigned OutBeats     = 3,
    parameter int unsigned Pause        = 3
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic rx_i,
    output logic tx_o,
    output logic busy_o
);
  logic core_rst_n, in_valid, in_ready, out_valid, out_ready;
  logic [InBits-1:0] in_data;
  logic [OutBits-1:0] out_data;

  hwbnn_shell_uart #(
      .BuildHash(128'h100f0e0d0c0b0a090807060504030201),
      .BitCycles256(BitCycles256),
      .RoomBytes(RoomBytes),
      .CoreInBits(InBits),
      .CoreInBeats(InBeats),
      .CoreOutBits(OutBits),
      .CoreOutBeats(OutBeats),
      .Fifos(2)
  ) shell (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .rx_i(rx_i),
      .tx_o(tx_o),
      .busy_o(busy_o),
      .core_rst_no(core_rst_n),
      .in_valid_o(in_valid),
      .in_ready_i(in_ready),
      .in_data_o(in_data),
      .out_valid_i(out_valid),
      .out_ready_o(out_ready),
      .out_data_i(out_data),
      .high_water_i(32'hBEEF_0007)
  );

  logic [31:0] hash_q;
  logic [15:0] beat_q;  // of the frame, then pauses, then of the result

  assign in_ready = beat_q < 16'(InBeats);
  assign out_valid = beat_q >= 16'(InBeats + Pause);
  assign out_data = OutBits'({hash_q, ~hash_q});

  always_ff @(posedge clk_i) begin
    if (!core_rst_n) begin
      beat_q <= '0;
      hash_q <= '1;
    end else if (in_ready) begin
      if (in_valid) begin
        beat_q <= beat_q + 1'b1;
        hash_q <= {hash_q[26:0], hash_q[31:27]} + 32'(in_data) + 32'h9E37_79B9;
      end
    end else if (!out_valid) begin
      beat_q <= beat_q + 1'b1;
    end else if (out_ready) begin
      beat_q <= beat_q == 16'(InBeats + Pause + OutBeats - 1) ? '0 : beat_q + 1'b1;
      hash_q <= beat_q == 16'(InBeats + Pause + OutBeats - 1) ? '1 : {hash_q[24:0], hash_q[31:25]};
    end
  end
endmodule
