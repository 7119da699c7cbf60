// SPDX-License-Identifier: Apache-2.0
// hwbnn_crc16: checksum of a packet (decision 8): polynomial 1021, initial FFFF, not reflected, a
// byte a cycle. Over bytes that end with their own checksum it is 0.
module hwbnn_crc16 (
    input  logic        clk_i,
    input  logic        clear_i,
    input  logic        valid_i,
    input  logic [ 7:0] data_i,
    output logic [15:0] crc_o
);
  // What the byte adds: the eight bits that leave, folded once, stand for x^12 + x^5 + 1.
  logic [7:0] out, fold;
  logic [15:0] added;
  assign out   = crc_o[15:8] ^ data_i;
  assign fold  = out ^ {4'b0, out[7:4]};
  assign added = {fold[3:0], 12'b0} ^ {3'b0, fold, 5'b0} ^ {8'b0, fold};

  always_ff @(posedge clk_i) begin
    if (clear_i) crc_o <= '1;
    else if (valid_i) crc_o <= {crc_o[7:0], 8'b0} ^ added;
  end
endmodule
