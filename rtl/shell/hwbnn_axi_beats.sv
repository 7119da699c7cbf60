// SPDX-License-Identifier: Apache-2.0
// hwbnn_axi_beats: the 32-bit words that the beats of an AXI burst mean, one after another, of any
// burst type, length and size. load_i only while not active_o; step_i goes to the next beat.
module hwbnn_axi_beats (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        load_i,
    input  logic [15:0] address_i,
    input  logic [ 7:0] len_i,
    input  logic [ 2:0] size_i,
    input  logic [ 1:0] burst_i,
    input  logic        step_i,
    output logic        active_o,
    output logic        last_o,
    output logic [13:0] index_o
);
  localparam logic [1:0] Fixed = 2'd0, Wrap = 2'd2;

  logic active_q;
  logic [15:0] address_q, next, mask;
  logic [7:0] left_q;  // beats behind this one
  logic [2:0] bytes_q;  // of a beat
  logic [11:0] wrap_q;  // bits of the address that change in a wrapping burst

  assign active_o = active_q;
  assign last_o = left_q == '0;
  assign index_o = address_q[15:2];

  // A beat ends at a multiple of its bytes; what wraps keeps the bits above its burst's size.
  assign next = (address_q & ~{13'd0, bytes_q - 3'd1}) + {13'd0, bytes_q};
  assign mask = {4'hF & {4{wrap_q == '1}}, wrap_q};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) active_q <= 1'b0;
    else if (load_i) active_q <= 1'b1;
    else if (step_i && last_o) active_q <= 1'b0;

    if (load_i) begin
      address_q <= address_i;
      left_q <= len_i;
      bytes_q <= size_i >= 3'd2 ? 3'd4 : size_i == 3'd1 ? 3'd2 : 3'd1;
      wrap_q <= burst_i == Fixed ? '0 : burst_i != Wrap ? '1 :
          size_i >= 3'd2 ? {2'b0, len_i, 2'b11} : size_i == 3'd1 ? {3'b0, len_i, 1'b1} :
          {4'b0, len_i};
    end else if (step_i) begin
      address_q <= (address_q & ~mask) | (next & mask);
      left_q <= left_q - 1'b1;
    end
  end
endmodule
