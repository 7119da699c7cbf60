// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: a ROM with one unregistered read port, in groups of columns that rom_xc7.v and
// rom_ecp5.v make of LUTs. On the grid of benchmarks/memories.py Yosys without these maps took
// several times the LUTs. Groups, since Yosys 0.70 was slow after a module of thousands of columns,
// and with a module for each column.
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

  wire _TECHMAP_FAIL_ = RD_PORTS != 1 || WR_PORTS != 0 || RD_CLK_ENABLE != 0 || OFFSET != 0;
  wire [31:0] address = RD_ADDR;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 256) begin
      localparam Columns = WIDTH - i < 256 ? WIDTH - i : 256;
      $__hwbnn_rom_columns #(
          .SIZE(SIZE), .WIDTH(WIDTH), .LEFT(i), .COLUMNS(Columns), .INIT(INIT)
      ) columns (.A(address), .Y(RD_DATA[i+:Columns]));
    end
  endgenerate
endmodule

// Bit AT of the memory and those of its column in the words behind, the last one first.
`define ROM_4(AT) Words[AT+3*WIDTH], Words[AT+2*WIDTH], Words[AT+WIDTH], Words[AT]
`define ROM_16(AT) `ROM_4(AT+12*WIDTH), `ROM_4(AT+8*WIDTH), `ROM_4(AT+4*WIDTH), `ROM_4(AT)
`define ROM_32(AT) `ROM_16(AT+16*WIDTH), `ROM_16(AT)
`define ROM_64(AT) `ROM_32(AT+32*WIDTH), `ROM_32(AT)
