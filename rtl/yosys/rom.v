// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: a ROM with one unregistered read port, two columns a cell, which rom_xc7.v and
// rom_ecp5.v make of LUTs. Left to abc, the multiplexer trees take several times as many.
(* techmap_celltype = "$mem_v2" *)
module rom_words (
    RD_CLK, RD_EN, RD_ARST, RD_SRST, RD_ADDR, RD_DATA, WR_CLK, WR_EN, WR_ADDR, WR_DATA);
  parameter MEMID = "";
  parameter SIZE = 1;
  parameter OFFSET = 0;
  parameter ABITS = 1;
  parameter WIDTH = 1;
  parameter INIT = 0;
  parameter RD_PORTS = 1;
  parameter RD_CLK_ENABLE = 0;
  parameter RD_CLK_POLARITY = 0;
  parameter RD_TRANSPARENCY_MASK = 0;
  parameter RD_COLLISION_X_MASK = 0;
  parameter RD_WIDE_CONTINUATION = 0;
  parameter RD_CE_OVER_SRST = 0;
  parameter RD_ARST_VALUE = 0;
  parameter RD_SRST_VALUE = 0;
  parameter RD_INIT_VALUE = 0;
  parameter WR_PORTS = 0;
  parameter WR_CLK_ENABLE = 0;
  parameter WR_CLK_POLARITY = 0;
  parameter WR_PRIORITY_MASK = 0;
  parameter WR_WIDE_CONTINUATION = 0;
  input [RD_PORTS-1:0] RD_CLK, RD_EN, RD_ARST, RD_SRST;
  input [RD_PORTS*ABITS-1:0] RD_ADDR;
  output [RD_PORTS*WIDTH-1:0] RD_DATA;
  input WR_CLK, WR_EN, WR_ADDR, WR_DATA;

  localparam [SIZE*WIDTH-1:0] Words = INIT;
  function [SIZE-1:0] column;
    input integer bit;
    integer word;
    for (word = 0; word < SIZE; word = word + 1) column[word] = Words[word*WIDTH+bit];
  endfunction

  wire _TECHMAP_FAIL_ = RD_PORTS != 1 || WR_PORTS != 0 || RD_CLK_ENABLE != 0 || OFFSET != 0;
  wire [31:0] address = RD_ADDR;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 2) begin
      wire high;
      $__hwbnn_rom_pair #(
          .SIZE(SIZE), .LOW(column(i)), .HIGH(i + 1 < WIDTH ? column(i + 1) : 0)
      ) pair (.A(address), .L(RD_DATA[i]), .H(high));
      if (i + 1 < WIDTH) assign RD_DATA[i+1] = high;
    end
  endgenerate
endmodule
