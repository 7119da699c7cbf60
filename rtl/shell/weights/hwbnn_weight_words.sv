// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_words: the words in the beats of an image of length_i bytes, one in a container of
// ContainerBytes, low bit first; the image's last beat may hold fewer. out_i goes to the next word,
// with pop_o to the next beat; start_i to the first of both.
module hwbnn_weight_words #(
    parameter int unsigned DataBits       = 64,
    parameter int unsigned WordBits       = 8,
    parameter int unsigned ContainerBytes = 1
) (
    input  logic                clk_i,
    input  logic                start_i,
    input  logic [        31:0] length_i,
    input  logic [DataBits-1:0] beat_i,
    input  logic                out_i,
    output logic                pop_o,
    output logic [WordBits-1:0] word_o
);
  localparam int unsigned Words = DataBits / 8 / ContainerBytes;  // of a beat
  localparam int unsigned Log = $clog2(ContainerBytes);

  logic unused;

  if (Words <= 1) begin : gen_whole
    assign pop_o = out_i;
    assign word_o = beat_i[WordBits-1:0];
    assign unused = &{clk_i, start_i, length_i, beat_i};
  end else begin : gen_parts
    localparam int unsigned PlaceBits = $clog2(Words);
    logic [31-Log:0] total, left_q;  // words of an image; of it still to give
    logic [PlaceBits-1:0] place_q;
    logic last_q;  // the image's

    assign total = length_i[31:Log];
    assign pop_o = out_i && (last_q || place_q == '1);

    always_ff @(posedge clk_i) begin
      if (start_i || (out_i && last_q)) begin
        left_q <= total;
        place_q <= '0;
        last_q <= total == 1;
      end else if (out_i) begin
        left_q <= left_q - 1'b1;
        place_q <= place_q + 1'b1;
        last_q <= left_q == 2;
      end
    end

    logic [8*ContainerBytes-1:0] words[Words];
    for (genvar i = 0; i < Words; i++) begin : gen_word
      assign words[i] = beat_i[i*8*ContainerBytes+:8*ContainerBytes];
    end
    logic [8*ContainerBytes-1:0] container;
    assign container = words[place_q];
    assign word_o = container[WordBits-1:0];
    assign unused = &{length_i, container};
  end
endmodule
