// SPDX-License-Identifier: Apache-2.0
// hwbnn_dma_read: the words of a batch, from memory to a ready/valid stream.
//
// Up to Outstanding bursts are under way; each has room in the FIFO before it is asked for, so that
// data are always taken at once. With 4 bursts a memory may take some 40 cycles to answer and the
// stream still has a word a cycle.
//
// stop_i: no further bursts; a reset drops what came. idle_o: all bursts asked for, and ended.
// empty_o: and all their words have left. error_o: pulse at a beat that the memory refused. Reset
// while idle_o only, or with the memory.
module hwbnn_dma_read #(
    parameter int unsigned DataBits    = 64,
    parameter int unsigned AddressBits = 32,
    parameter int unsigned FrameWords  = 1,
    parameter int unsigned Outstanding = 4
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   start_i,
    input  logic [AddressBits-1:0] address_i,
    input  logic [           31:0] frames_i,
    input  logic                   stop_i,
    output logic                   idle_o,
    output logic                   empty_o,
    output logic                   error_o,
    output logic [AddressBits-1:0] m_axi_araddr_o,
    output logic [            7:0] m_axi_arlen_o,
    output logic                   m_axi_arvalid_o,
    input  logic                   m_axi_arready_i,
    input  logic [   DataBits-1:0] m_axi_rdata_i,
    input  logic [            1:0] m_axi_rresp_i,
    input  logic                   m_axi_rlast_i,
    input  logic                   m_axi_rvalid_i,
    output logic                   m_axi_rready_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i,
    output logic [   DataBits-1:0] out_data_o
);
  localparam int unsigned Depth = 16 * Outstanding;
  localparam int unsigned FreeBits = $clog2(Depth + 1);
  localparam int unsigned CountBits = $clog2(Outstanding + 1);

  logic busy, valid, take;
  logic [AddressBits-1:0] address;
  logic [4:0] words;
  hwbnn_dma_bursts #(
      .AddressBits(AddressBits), .WordBytes(DataBits / 8), .FrameWords(FrameWords)
  ) i_bursts (
      .clk_i, .rst_ni, .start_i, .address_i, .frames_i, .stop_i, .busy_o(busy), .valid_o(valid),
      .address_o(address), .words_o(words), .take_i(take));

  // ---- asking -----------------------------------------------------------------------------------

  logic valid_q, pop, ended;
  logic [AddressBits-1:0] address_q;
  logic [3:0] len_q;
  logic [FreeBits-1:0] free_q;  // words of the FIFO that no burst has
  logic [CountBits-1:0] count_q;  // bursts under way

  assign m_axi_arvalid_o = valid_q;
  assign m_axi_araddr_o = address_q;
  assign m_axi_arlen_o = {4'b0, len_q};
  // With Outstanding bursts under way less than 16 words are free, or the last one is among them.
  assign take = valid && !stop_i && (!valid_q || m_axi_arready_i) && free_q >= FreeBits'(16);
  assign ended = m_axi_rvalid_i && m_axi_rlast_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      free_q <= FreeBits'(Depth);
      count_q <= '0;
    end else begin
      valid_q <= take || (valid_q && !m_axi_arready_i);
      free_q <= free_q - (take ? FreeBits'(words) : '0) + FreeBits'(pop);
      if (take != ended) count_q <= take ? count_q + 1'b1 : count_q - 1'b1;
    end
    if (take) begin
      address_q <= address;
      len_q <= 4'(words - 5'd1);
    end
  end

  // ---- answers ----------------------------------------------------------------------------------

  logic room;
  assign m_axi_rready_o = 1'b1;
  assign pop = out_valid_o && out_ready_i;
  assign error_o = m_axi_rvalid_i && m_axi_rresp_i != 2'b00;
  assign idle_o = !busy && count_q == '0;
  assign empty_o = idle_o && !out_valid_o;

  hwbnn_fifo #(.Width(DataBits), .Depth(Depth), .Storage(1)) i_fifo (
      .clk_i, .rst_ni, .room_o(room), .reserve_i(m_axi_rvalid_i), .push_i(m_axi_rvalid_i),
      .data_i(m_axi_rdata_i), .valid_o(out_valid_o), .pop_i(pop), .data_o(out_data_o));

  logic unused;
  assign unused = room;
endmodule
