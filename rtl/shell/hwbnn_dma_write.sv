// SPDX-License-Identifier: Apache-2.0
// hwbnn_dma_write: the words of a batch, from a ready/valid stream to memory.
//
// A burst is asked for when the FIFO holds all its words: data never wait but for the memory. Up to
// Outstanding bursts are under way, the data of one at a time.
//
// stop_i: no further bursts; of those under way the rest is written without strobes. idle_o: all
// bursts asked for, and answered. error_o: pulse at a burst that the memory refused. Reset while
// idle_o only, or with the memory.
module hwbnn_dma_write #(
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
    output logic                   error_o,
    input  logic                   in_valid_i,
    output logic                   in_ready_o,
    input  logic [   DataBits-1:0] in_data_i,
    output logic [AddressBits-1:0] m_axi_awaddr_o,
    output logic [            7:0] m_axi_awlen_o,
    output logic                   m_axi_awvalid_o,
    input  logic                   m_axi_awready_i,
    output logic [   DataBits-1:0] m_axi_wdata_o,
    output logic [ DataBits/8-1:0] m_axi_wstrb_o,
    output logic                   m_axi_wlast_o,
    output logic                   m_axi_wvalid_o,
    input  logic                   m_axi_wready_i,
    input  logic [            1:0] m_axi_bresp_i,
    input  logic                   m_axi_bvalid_i,
    output logic                   m_axi_bready_o
);
  localparam int unsigned Depth = 32;  // a burst that leaves and one that comes
  localparam int unsigned HeldBits = $clog2(Depth + 1);
  localparam int unsigned CountBits = $clog2(Outstanding + 1);

  logic busy, valid, take;
  logic [AddressBits-1:0] address;
  logic [4:0] words;
  hwbnn_dma_bursts #(
      .AddressBits(AddressBits), .WordBytes(DataBits / 8), .FrameWords(FrameWords)
  ) i_bursts (
      .clk_i, .rst_ni, .start_i, .address_i, .frames_i, .stop_i, .busy_o(busy), .valid_o(valid),
      .address_o(address), .words_o(words), .take_i(take));

  logic push, pop, held;
  assign push = in_valid_i && in_ready_o;
  assign pop = m_axi_wvalid_o && m_axi_wready_i;
  hwbnn_fifo #(.Width(DataBits), .Depth(Depth), .Storage(1)) i_fifo (
      .clk_i, .rst_ni, .room_o(in_ready_o), .reserve_i(push), .push_i(push), .data_i(in_data_i),
      .valid_o(held), .pop_i(pop), .data_o(m_axi_wdata_o));

  logic unused;  // the data of a burst are there
  assign unused = held;

  // ---- bursts: address, data, answer ------------------------------------------------------------

  logic aw_valid_q, strobe_q;
  logic [AddressBits-1:0] address_q;
  logic [3:0] len_q;
  logic [4:0] left_q;  // beats of the burst
  logic [HeldBits-1:0] held_q;  // words of the FIFO that no burst has
  logic [CountBits-1:0] count_q;  // bursts under way

  assign m_axi_awvalid_o = aw_valid_q;
  assign m_axi_awaddr_o = address_q;
  assign m_axi_awlen_o = {4'b0, len_q};
  assign m_axi_wvalid_o = left_q != '0;
  assign m_axi_wlast_o = left_q == 5'd1;
  assign m_axi_wstrb_o = {DataBits / 8{strobe_q}};
  assign m_axi_bready_o = 1'b1;
  assign take = valid && !stop_i && (!aw_valid_q || m_axi_awready_i) &&
      (left_q == '0 || (m_axi_wlast_o && m_axi_wready_i)) &&
      held_q >= HeldBits'(words) && count_q != CountBits'(Outstanding);
  assign error_o = m_axi_bvalid_i && m_axi_bresp_i != 2'b00;
  assign idle_o = !busy && count_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      aw_valid_q <= 1'b0;
      left_q <= '0;
      held_q <= '0;
      count_q <= '0;
      strobe_q <= 1'b1;
    end else begin
      aw_valid_q <= take || (aw_valid_q && !m_axi_awready_i);
      left_q <= take ? words : left_q - 5'(pop);
      held_q <= held_q + HeldBits'(push) - (take ? HeldBits'(words) : '0);
      if (take != m_axi_bvalid_i) count_q <= take ? count_q + 1'b1 : count_q - 1'b1;
      // Not while a beat waits: that stays as it is.
      if (stop_i && (pop || !m_axi_wvalid_o)) strobe_q <= 1'b0;
    end
    if (take) begin
      address_q <= address;
      len_q <= 4'(words - 5'd1);
    end
  end
endmodule
