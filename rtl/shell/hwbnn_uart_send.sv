// SPDX-License-Identifier: Apache-2.0
// hwbnn_uart_send: bytes to an 8N1 line, one behind the other without a pause if they are there.
module hwbnn_uart_send #(
    parameter int unsigned BitCycles256 = 26667  // clock cycles of a bit, times 256
) (
    input  logic       clk_i,
    input  logic       rst_ni,
    input  logic       valid_i,
    output logic       ready_o,
    input  logic [7:0] byte_i,
    output logic       tx_o
);
  localparam int unsigned Bits = $clog2(BitCycles256);
  localparam logic [Bits-1:0] Cycle = Bits'(256);
  localparam logic [Bits-1:0] Reload = Bits'(BitCycles256) - Cycle;

  if (BitCycles256 < 1024) begin : gen_refuse
    $error("hwbnn_uart_send: BitCycles256 must be at least 1024, four cycles a bit");
  end

  logic [8:0] shift_q;  // what is on the line lowest; ones follow, which are stop bit and silence
  logic [3:0] bits_q;  // on the line and to come
  logic [Bits-1:0] left_q;  // of the bit time, in 1/256 cycles
  logic tick;

  assign tick = left_q[Bits-1:8] == '0;
  assign ready_o = bits_q == 4'd0 || (bits_q == 4'd1 && tick);
  assign tx_o = shift_q[0];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      shift_q <= '1;
      bits_q <= '0;
      left_q <= Reload;
    end else begin
      if (bits_q == 4'd0) left_q <= Reload;
      else left_q <= left_q + (tick ? Reload : -Cycle);
      if (ready_o && valid_i) begin
        shift_q <= {byte_i, 1'b0};
        bits_q <= 4'd10;
      end else if (tick && bits_q != 4'd0) begin
        shift_q <= {1'b1, shift_q[8:1]};
        bits_q <= bits_q - 1'b1;
      end
    end
  end
endmodule
