// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_reader: the words of a weight image, read from memory over and over, for ever.
//
// The image is length_i bytes from address_i: words of WordBits, each in a container of
// ContainerBytes, low bit first. INCR bursts end at multiples of 16 beats and at the image's end:
// legal AXI3 and AXI4, ID 0. Up to Outstanding are under way, each with room in the FIFO before it
// is asked for: a beat a cycle, if the memory can, though it takes 80 cycles to answer. Of an image
// of less than 16 beats the bursts are shorter, and hide less.
//
// It runs while enable_i and core_rst_ni. When one falls, or an error comes, it asks for nothing
// more, drops what is under way, and then may begin again, with the first word. error_o: the memory
// refused a read, bad_o: address_i is no multiple of a beat, or length_i none of a container, or 0;
// nothing is given from then on. A core reset clears both, as does no enable. stall_o: cycles since
// the beginning in which the core had room and no word was there.
module hwbnn_weight_reader #(
    parameter int unsigned DataBits       = 64,
    parameter int unsigned AddressBits    = 32,
    parameter int unsigned WordBits       = 8,
    parameter int unsigned ContainerBytes = 1,  // a power of two
    parameter int unsigned Outstanding    = 8
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   core_rst_ni,
    input  logic                   enable_i,
    input  logic [           63:0] address_i,
    input  logic [           31:0] length_i,
    output logic                   busy_o,
    output logic                   error_o,
    output logic                   bad_o,
    output logic [           31:0] stall_o,
    output logic [AddressBits-1:0] m_axi_araddr_o,
    output logic [            7:0] m_axi_arlen_o,
    output logic [            2:0] m_axi_arsize_o,
    output logic [            1:0] m_axi_arburst_o,
    output logic [            3:0] m_axi_arcache_o,
    output logic [            2:0] m_axi_arprot_o,
    output logic                   m_axi_arvalid_o,
    input  logic                   m_axi_arready_i,
    input  logic [   DataBits-1:0] m_axi_rdata_i,
    input  logic [            1:0] m_axi_rresp_i,
    input  logic                   m_axi_rlast_i,
    input  logic                   m_axi_rvalid_i,
    output logic                   m_axi_rready_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i,
    output logic [   WordBits-1:0] out_data_o
);
  localparam int unsigned BeatBytes = DataBits / 8;
  localparam int unsigned Log = $clog2(BeatBytes);
  localparam int unsigned Depth = 16 * Outstanding;
  localparam int unsigned FreeBits = $clog2(Depth + 1);
  localparam int unsigned CountBits = $clog2(Outstanding + 1);
  localparam int unsigned LeftBits = 33 - Log;

  if (DataBits != 64 && DataBits != 128) begin : gen_refuse_data
    $error("hwbnn_weight_reader: DataBits must be 64 or 128");
  end
  if (AddressBits < 32 || AddressBits > 64) begin : gen_refuse_address
    $error("hwbnn_weight_reader: AddressBits must be 32 to 64");
  end
  if (ContainerBytes < 1 || ContainerBytes > BeatBytes || (1 << $clog2(ContainerBytes)) !=
      ContainerBytes || WordBits < 1 || WordBits > 8 * ContainerBytes) begin : gen_refuse_word
    $error("hwbnn_weight_reader: ContainerBytes must be a power of two that holds WordBits");
  end

  // ---- running ----------------------------------------------------------------------------------

  // Bits of an address that are above the port's, or inside a beat.
  localparam logic [63:0] Wrong = ~(~64'b0 >> (64 - AddressBits)) | 64'(BeatBytes - 1);

  logic run_q, start, wanted, error_q, bad_q, legal, refused, idle;

  assign wanted = enable_i && core_rst_ni;
  assign legal = (address_i & Wrong) == '0 && length_i != '0 &&
      (length_i & 32'(ContainerBytes - 1)) == '0;
  assign start = wanted && !run_q && idle && !error_q && legal;
  assign refused = run_q && m_axi_rvalid_i && m_axi_rresp_i != 2'b00;
  assign busy_o = run_q || !idle;
  assign error_o = error_q;
  assign bad_o = bad_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q <= 1'b0;
      error_q <= 1'b0;
      bad_q <= 1'b0;
    end else begin
      run_q <= wanted && !refused && (run_q || start);
      error_q <= wanted && (refused || error_q);
      bad_q <= wanted && !run_q && !legal;
    end
  end

  // ---- asking -----------------------------------------------------------------------------------

  logic valid_q, take, ended, pop, out, last;
  logic [AddressBits-1:0] address_q;
  logic [3:0] len_q;
  logic [AddressBits-Log-5:0] block_q;  // of 16 beats
  logic [3:0] beat_q;
  logic [LeftBits-1:0] beats, left_q;  // of an image; of it still to ask for
  logic [4:0] room, words;
  logic [FreeBits-1:0] free_q;  // beats of the FIFO that no burst has
  logic [CountBits-1:0] count_q;  // bursts under way

  assign m_axi_arvalid_o = valid_q;
  assign m_axi_araddr_o = address_q;
  assign m_axi_arlen_o = {4'b0, len_q};
  assign m_axi_arsize_o = 3'(Log);
  assign m_axi_arburst_o = 2'b01;
  assign m_axi_arcache_o = 4'b0011;  // normal memory, not cached, bufferable
  assign m_axi_arprot_o = 3'b000;  // data, secure, unprivileged

  assign idle = count_q == '0;
  assign beats = LeftBits'(({1'b0, length_i} + 33'(BeatBytes - 1)) >> Log);
  assign room = 5'd16 - {1'b0, beat_q};
  assign last = left_q <= LeftBits'(room);
  assign words = last ? left_q[4:0] : room;
  assign take = run_q && wanted && !refused && (!valid_q || m_axi_arready_i) &&
      free_q >= FreeBits'(16) && count_q != CountBits'(Outstanding);
  assign ended = m_axi_rvalid_i && m_axi_rlast_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      valid_q <= 1'b0;
      count_q <= '0;
    end else begin
      valid_q <= take || (valid_q && !m_axi_arready_i);
      if (take != ended) count_q <= take ? count_q + 1'b1 : count_q - 1'b1;
    end
    if (!run_q) free_q <= FreeBits'(Depth);
    else free_q <= free_q - (take ? FreeBits'(words) : '0) + FreeBits'(pop);

    if (start || (take && last)) begin
      {block_q, beat_q} <= address_i[AddressBits-1:Log];
      left_q <= beats;
    end else if (take) begin  // all but the last end at a block's end
      block_q <= block_q + 1'b1;
      beat_q <= '0;
      left_q <= left_q - LeftBits'(words);
    end
    if (take) begin
      address_q <= {block_q, beat_q, Log'(0)};
      len_q <= 4'(words - 5'd1);
    end
  end

  // ---- answers ----------------------------------------------------------------------------------

  logic has_room, valid, push;
  logic [DataBits-1:0] beat;

  assign m_axi_rready_o = 1'b1;
  assign push = m_axi_rvalid_i && run_q;
  assign out_valid_o = valid && run_q;
  assign out = out_valid_o && out_ready_i;

  hwbnn_fifo #(.Width(DataBits), .Depth(Depth), .Storage(1)) i_fifo (
      .clk_i, .rst_ni(run_q), .room_o(has_room), .reserve_i(push), .push_i(push),
      .data_i(m_axi_rdata_i), .valid_o(valid), .pop_i(pop), .data_o(beat));

  hwbnn_weight_words #(
      .DataBits(DataBits), .WordBits(WordBits), .ContainerBytes(ContainerBytes)
  ) i_words (
      .clk_i, .start_i(start), .length_i, .beat_i(beat), .out_i(out), .pop_o(pop),
      .word_o(out_data_o));

  logic [31:0] stall_q;
  assign stall_o = stall_q;
  always_ff @(posedge clk_i) begin
    if (start || !rst_ni) stall_q <= '0;
    else if (run_q && out_ready_i && !valid) stall_q <= stall_q + 1'b1;
  end

  logic unused;
  assign unused = &{has_room, address_i};
endmodule
