// SPDX-License-Identifier: Apache-2.0
// hwbnn_uart_receive: bytes from an 8N1 line. valid_o is on for one cycle a byte, with byte_o; a
// byte without its stop bit is dropped, and the line must be high before the next. tick_o is on for
// a cycle every bit time. Bits are sampled in the middle that the start bit's edge sets.
module hwbnn_uart_receive #(
    parameter int unsigned BitCycles256 = 26667  // clock cycles of a bit, times 256
) (
    input  logic       clk_i,
    input  logic       rst_ni,
    input  logic       rx_i,
    output logic       valid_o,
    output logic [7:0] byte_o,
    output logic       tick_o
);
  localparam int unsigned Bits = $clog2(BitCycles256);
  localparam logic [Bits-1:0] Cycle = Bits'(256);
  localparam logic [Bits-1:0] Half = Bits'(BitCycles256 / 2) - Cycle;

  if (BitCycles256 < 1024) begin : gen_refuse
    $error("hwbnn_uart_receive: BitCycles256 must be at least 1024, four cycles a bit");
  end

  // Place in the byte: start bit, data bits 1 to 8, then these.
  localparam logic [3:0] Start = 4'd0;
  localparam logic [3:0] Stop = 4'd9;
  localparam logic [3:0] Idle = 4'd10;
  localparam logic [3:0] Break = 4'd11;

  logic [1:0] line_q;  // synchroniser
  logic [3:0] place_q;
  logic [Bits-1:0] left_q;  // of the bit time, in 1/256 cycles
  logic rx;

  assign rx = line_q[1];
  assign tick_o = left_q[Bits-1:8] == '0;

  always_ff @(posedge clk_i) begin
    line_q <= {line_q[0], rx_i};
    if (!rst_ni) begin
      line_q <= '1;
      place_q <= Idle;
      left_q <= '0;
      valid_o <= 1'b0;
    end else begin
      valid_o <= tick_o && place_q == Stop && rx;
      left_q <= left_q + (tick_o ? Bits'(BitCycles256 - 256) : -Cycle);
      case (place_q)
        Idle:
        if (!rx) begin
          place_q <= Start;
          left_q <= Half;
        end
        Break: if (rx) place_q <= Idle;
        Start: if (tick_o) place_q <= rx ? Idle : 4'd1;
        Stop: if (tick_o) place_q <= rx ? Idle : Break;
        default: if (tick_o) place_q <= place_q + 1'b1;
      endcase
    end
  end

  always_ff @(posedge clk_i) if (tick_o && place_q != Stop) byte_o <= {rx, byte_o[7:1]};
endmodule
