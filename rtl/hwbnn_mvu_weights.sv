// SPDX-License-Identifier: Apache-2.0
// hwbnn_mvu_weights: the word of weights of a firing, a cycle later: what streams in with it, or
// word address_i of a memory. load_i fills UltraRAM: hwbnn_ultra_rom.
module hwbnn_mvu_weights #(
    parameter int unsigned Width     = 1,
    parameter int unsigned Depth     = 1,
    parameter int unsigned Block     = 0,  // 1: in block RAM, 2: in UltraRAM
    parameter bit          Stream    = 0,
    parameter int unsigned Rows      = 1,  // of the block RAM (hwbnn_rom)
    parameter int unsigned LoadBits  = 1,
    parameter              WordsFile = "words",  // + ".hex"
    localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                         clk_i,
    input  logic [      AddressBits-1:0] address_i,
    input  logic [(Stream?Width:1)-1:0]  stream_i,
    input  logic [         LoadBits-1:0] load_i,
    output logic [            Width-1:0] word_o
);
  logic unused;
  assign unused = &{address_i, stream_i, load_i};  // no memory wants all

  if (Stream) begin : gen_stream
    always_ff @(posedge clk_i) word_o <= stream_i;
  end else if (Block == 2) begin : gen_ultra
    hwbnn_ultra_rom #(
        .Width(Width), .Depth(Depth), .LoadBits(LoadBits), .WordsFile(WordsFile)
    ) i_words (.clk_i, .address_i, .load_i, .word_o);
  end else begin : gen_rom
    hwbnn_rom #(
        .Width(Width), .Depth(Depth), .Block(Block), .Rows(Rows), .WordsFile(WordsFile)
    ) i_words (.clk_i, .address_i, .word_o);
  end
endmodule
