// SPDX-License-Identifier: Apache-2.0
// hwbnn_shell_axi: a core behind AXI: registers on a slave of 32 bits, frames by DMA on a master,
// all on one clock (decision 8). AXI3 and AXI4: INCR bursts of at most 16 beats within 4 KB, ID 0.
//
// memory -> DMA -> gearbox -> core -> gearbox -> DMA -> memory. The core is reset before the first
// batch, by RESET, and behind a batch that failed; between batches it is idle and stays as it is.
module hwbnn_shell_axi #(
    parameter logic [127:0] BuildHash    = '0,  // first byte least significant
    parameter int unsigned  DataBits     = 64,  // of the master: 64 or 128
    parameter int unsigned  AddressBits  = 32,  // of the master: 32 to 64
    parameter int unsigned  IdBits       = 12,  // of the slave
    parameter int unsigned  CoreInBits   = 8,
    parameter int unsigned  CoreInBeats  = 1,  // of a frame
    parameter int unsigned  CoreOutBits  = 8,
    parameter int unsigned  CoreOutBeats = 1,  // of a result
    parameter int unsigned  Fifos        = 0,
    localparam int unsigned HighBits     = Fifos > 0 ? 16 * Fifos : 1
) (
    input  logic clk_i,
    input  logic rst_ni,
    output logic irq_o,

    input  logic [     IdBits-1:0] s_axi_awid_i,
    input  logic [           31:0] s_axi_awaddr_i,
    input  logic [            7:0] s_axi_awlen_i,
    input  logic [            2:0] s_axi_awsize_i,
    input  logic [            1:0] s_axi_awburst_i,
    input  logic                   s_axi_awvalid_i,
    output logic                   s_axi_awready_o,
    input  logic [           31:0] s_axi_wdata_i,
    input  logic [            3:0] s_axi_wstrb_i,
    input  logic                   s_axi_wlast_i,
    input  logic                   s_axi_wvalid_i,
    output logic                   s_axi_wready_o,
    output logic [     IdBits-1:0] s_axi_bid_o,
    output logic [            1:0] s_axi_bresp_o,
    output logic                   s_axi_bvalid_o,
    input  logic                   s_axi_bready_i,
    input  logic [     IdBits-1:0] s_axi_arid_i,
    input  logic [           31:0] s_axi_araddr_i,
    input  logic [            7:0] s_axi_arlen_i,
    input  logic [            2:0] s_axi_arsize_i,
    input  logic [            1:0] s_axi_arburst_i,
    input  logic                   s_axi_arvalid_i,
    output logic                   s_axi_arready_o,
    output logic [     IdBits-1:0] s_axi_rid_o,
    output logic [           31:0] s_axi_rdata_o,
    output logic [            1:0] s_axi_rresp_o,
    output logic                   s_axi_rlast_o,
    output logic                   s_axi_rvalid_o,
    input  logic                   s_axi_rready_i,

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
    output logic [AddressBits-1:0] m_axi_awaddr_o,
    output logic [            7:0] m_axi_awlen_o,
    output logic [            2:0] m_axi_awsize_o,
    output logic [            1:0] m_axi_awburst_o,
    output logic [            3:0] m_axi_awcache_o,
    output logic [            2:0] m_axi_awprot_o,
    output logic                   m_axi_awvalid_o,
    input  logic                   m_axi_awready_i,
    output logic [   DataBits-1:0] m_axi_wdata_o,
    output logic [ DataBits/8-1:0] m_axi_wstrb_o,
    output logic                   m_axi_wlast_o,
    output logic                   m_axi_wvalid_o,
    input  logic                   m_axi_wready_i,
    input  logic [            1:0] m_axi_bresp_i,
    input  logic                   m_axi_bvalid_i,
    output logic                   m_axi_bready_o,

    // Core: high_water_i has 16 bits a FIFO, the first lowest
    output logic                   core_rst_no,
    output logic                   in_valid_o,
    input  logic                   in_ready_i,
    output logic [ CoreInBits-1:0] in_data_o,
    input  logic                   out_valid_i,
    output logic                   out_ready_o,
    input  logic [CoreOutBits-1:0] out_data_i,
    input  logic [   HighBits-1:0] high_water_i
);
  localparam int unsigned WordBytes = DataBits / 8;
  localparam int unsigned InWords = (CoreInBits * CoreInBeats + DataBits - 1) / DataBits;
  localparam int unsigned OutWords = (CoreOutBits * CoreOutBeats + DataBits - 1) / DataBits;

  if (DataBits != 64 && DataBits != 128) begin : gen_refuse_data
    $error("hwbnn_shell_axi: DataBits must be 64 or 128");
  end
  if (AddressBits < 32 || AddressBits > 64) begin : gen_refuse_address
    $error("hwbnn_shell_axi: AddressBits must be 32 to 64");
  end
  if (IdBits < 1) begin : gen_refuse_id
    $error("hwbnn_shell_axi: IdBits must be at least 1");
  end

  // ---- registers --------------------------------------------------------------------------------

  logic write, read, start, soft_reset, reset_done, busy, done, bad, read_error, write_error;
  logic [13:0] index;
  logic [31:0] wdata, rdata, frames, in_stall, out_stall, frames_done;
  logic [63:0] in_address, out_address, cycles;

  hwbnn_axi_registers #(.IdBits(IdBits)) i_slave (
      .clk_i, .rst_ni,
      .s_axi_awid_i, .s_axi_awaddr_i, .s_axi_awlen_i, .s_axi_awsize_i, .s_axi_awburst_i,
      .s_axi_awvalid_i, .s_axi_awready_o, .s_axi_wdata_i, .s_axi_wstrb_i, .s_axi_wlast_i,
      .s_axi_wvalid_i, .s_axi_wready_o, .s_axi_bid_o, .s_axi_bresp_o, .s_axi_bvalid_o,
      .s_axi_bready_i, .s_axi_arid_i, .s_axi_araddr_i, .s_axi_arlen_i, .s_axi_arsize_i,
      .s_axi_arburst_i, .s_axi_arvalid_i, .s_axi_arready_o, .s_axi_rid_o, .s_axi_rdata_o,
      .s_axi_rresp_o, .s_axi_rlast_o, .s_axi_rvalid_o, .s_axi_rready_i,
      .write_o(write), .index_o(index), .wdata_o(wdata), .read_o(read), .rdata_i(rdata));

  hwbnn_registers #(
      .BuildHash(BuildHash), .WordBytes(WordBytes), .InBytes(InWords * WordBytes),
      .OutBytes(OutWords * WordBytes), .Fifos(Fifos), .InRoom(0), .AddressBits(AddressBits)
  ) i_registers (
      .clk_i, .rst_ni, .write_i(write), .index_i(index), .wdata_i(wdata), .read_i(read),
      .rdata_o(rdata), .start_o(start), .soft_reset_o(soft_reset), .reset_done_i(reset_done),
      .irq_o, .in_address_o(in_address), .out_address_o(out_address), .frames_o(frames),
      .busy_i(busy), .done_i(done), .errors_i({3'b0, bad, write_error, read_error}),
      .cycles_i(cycles), .in_stall_i(in_stall), .out_stall_i(out_stall),
      .frames_done_i(frames_done), .high_water_i);

  // ---- batch ------------------------------------------------------------------------------------

  logic go, stop, flush, stream_rst_n, read_idle, read_empty, write_idle;

  hwbnn_dma_batch #(.WordBytes(WordBytes), .AddressBits(AddressBits)) i_batch (
      .clk_i, .rst_ni, .start_i(start), .soft_reset_i(soft_reset), .in_address_i(in_address),
      .out_address_i(out_address), .frames_i(frames), .failed_i(read_error || write_error),
      .finished_i(read_empty && !in_valid_o && write_idle), .idle_i(read_idle && write_idle),
      .go_o(go), .stop_o(stop), .flush_o(flush), .reset_done_o(reset_done), .busy_o(busy),
      .done_o(done), .bad_o(bad));

  assign stream_rst_n = rst_ni && !flush;
  assign core_rst_no = stream_rst_n;

  // ---- frames in --------------------------------------------------------------------------------

  logic in_valid, in_ready;
  logic [DataBits-1:0] in_word;

  hwbnn_dma_read #(
      .DataBits(DataBits), .AddressBits(AddressBits), .FrameWords(InWords)
  ) i_read (
      .clk_i, .rst_ni(stream_rst_n), .start_i(go), .address_i(in_address[AddressBits-1:0]),
      .frames_i(frames), .stop_i(stop), .idle_o(read_idle), .empty_o(read_empty),
      .error_o(read_error), .m_axi_araddr_o, .m_axi_arlen_o, .m_axi_arvalid_o, .m_axi_arready_i,
      .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rlast_i, .m_axi_rvalid_i, .m_axi_rready_o,
      .out_valid_o(in_valid), .out_ready_i(in_ready), .out_data_o(in_word));

  hwbnn_gearbox #(
      .InBits(DataBits), .InBeats(InWords), .OutBits(CoreInBits), .OutBeats(CoreInBeats)
  ) i_to_core (
      .clk_i, .rst_ni(stream_rst_n), .in_valid_i(in_valid), .in_ready_o(in_ready),
      .in_data_i(in_word), .out_valid_o(in_valid_o), .out_ready_i(in_ready_i),
      .out_data_o(in_data_o));

  // ---- results out ------------------------------------------------------------------------------

  logic out_valid, out_ready;
  logic [DataBits-1:0] out_word;

  hwbnn_gearbox #(
      .InBits(CoreOutBits), .InBeats(CoreOutBeats), .OutBits(DataBits), .OutBeats(OutWords)
  ) i_from_core (
      .clk_i, .rst_ni(stream_rst_n), .in_valid_i(out_valid_i), .in_ready_o(out_ready_o),
      .in_data_i(out_data_i), .out_valid_o(out_valid), .out_ready_i(out_ready),
      .out_data_o(out_word));

  hwbnn_dma_write #(
      .DataBits(DataBits), .AddressBits(AddressBits), .FrameWords(OutWords)
  ) i_write (
      .clk_i, .rst_ni(stream_rst_n), .start_i(go), .address_i(out_address[AddressBits-1:0]),
      .frames_i(frames), .stop_i(stop), .idle_o(write_idle), .error_o(write_error),
      .in_valid_i(out_valid), .in_ready_o(out_ready), .in_data_i(out_word), .m_axi_awaddr_o,
      .m_axi_awlen_o, .m_axi_awvalid_o, .m_axi_awready_i, .m_axi_wdata_o, .m_axi_wstrb_o,
      .m_axi_wlast_o, .m_axi_wvalid_o, .m_axi_wready_i, .m_axi_bresp_i, .m_axi_bvalid_i,
      .m_axi_bready_o);

  // Words of INCR bursts; normal memory, not cached, bufferable; data, secure, unprivileged.
  assign m_axi_arsize_o = 3'($clog2(WordBytes));
  assign m_axi_arburst_o = 2'b01;
  assign m_axi_arcache_o = 4'b0011;
  assign m_axi_arprot_o = 3'b000;
  assign m_axi_awsize_o = 3'($clog2(WordBytes));
  assign m_axi_awburst_o = 2'b01;
  assign m_axi_awcache_o = 4'b0011;
  assign m_axi_awprot_o = 3'b000;

  // ---- counters ---------------------------------------------------------------------------------

  hwbnn_meter #(.OutBeats(CoreOutBeats)) i_meter (
      .clk_i, .rst_ni, .clear_i(go || reset_done), .in_valid_i(in_valid_o), .in_ready_i,
      .out_valid_i, .out_ready_i(out_ready_o), .cycles_o(cycles), .in_stall_o(in_stall),
      .out_stall_o(out_stall), .frames_o(frames_done));
endmodule
