// SPDX-License-Identifier: Apache-2.0
// hwbnn_shell_axi with a core (module bench_core), the rules of its master, and a memory that
// answers later: latency cycles for a read's first word, answer_latency for a write's answer.
module axi_bench #(
    parameter int unsigned DataBits     = 64,
    parameter int unsigned AddressBits  = 32,
    parameter int unsigned IdBits       = 12,
    parameter int unsigned CoreInBits   = 8,
    parameter int unsigned CoreInBeats  = 1,
    parameter int unsigned CoreOutBits  = 8,
    parameter int unsigned CoreOutBeats = 1,
    parameter int unsigned Fifos        = 2,
    parameter bit          Early        = 0  // the toy core's
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic [ 7:0] in_pace,
    input  logic [ 7:0] out_pace,
    input  logic [ 7:0] latency,
    input  logic [ 7:0] answer_latency,
    output logic        irq,
    output logic        core_rst_n,
    output logic [13:0] broken,
    output logic [31:0] reads,
    output logic [31:0] writes,
    output logic [31:0] muted,

    input  logic [     IdBits-1:0] s_axi_awid,
    input  logic [           31:0] s_axi_awaddr,
    input  logic [            7:0] s_axi_awlen,
    input  logic [            2:0] s_axi_awsize,
    input  logic [            1:0] s_axi_awburst,
    input  logic                   s_axi_awvalid,
    output logic                   s_axi_awready,
    input  logic [           31:0] s_axi_wdata,
    input  logic [            3:0] s_axi_wstrb,
    input  logic                   s_axi_wlast,
    input  logic                   s_axi_wvalid,
    output logic                   s_axi_wready,
    output logic [     IdBits-1:0] s_axi_bid,
    output logic [            1:0] s_axi_bresp,
    output logic                   s_axi_bvalid,
    input  logic                   s_axi_bready,
    input  logic [     IdBits-1:0] s_axi_arid,
    input  logic [           31:0] s_axi_araddr,
    input  logic [            7:0] s_axi_arlen,
    input  logic [            2:0] s_axi_arsize,
    input  logic [            1:0] s_axi_arburst,
    input  logic                   s_axi_arvalid,
    output logic                   s_axi_arready,
    output logic [     IdBits-1:0] s_axi_rid,
    output logic [           31:0] s_axi_rdata,
    output logic [            1:0] s_axi_rresp,
    output logic                   s_axi_rlast,
    output logic                   s_axi_rvalid,
    input  logic                   s_axi_rready,

    output logic        m_axi_arid,
    input  logic        m_axi_rid,
    output logic        m_axi_awid,
    input  logic        m_axi_bid,
    output logic [AddressBits-1:0] m_axi_araddr,
    output logic [            7:0] m_axi_arlen,
    output logic [            2:0] m_axi_arsize,
    output logic [            1:0] m_axi_arburst,
    output logic [            3:0] m_axi_arcache,
    output logic [            2:0] m_axi_arprot,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic [   DataBits-1:0] m_axi_rdata,
    input  logic [            1:0] m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready,
    output logic [AddressBits-1:0] m_axi_awaddr,
    output logic [            7:0] m_axi_awlen,
    output logic [            2:0] m_axi_awsize,
    output logic [            1:0] m_axi_awburst,
    output logic [            3:0] m_axi_awcache,
    output logic [            2:0] m_axi_awprot,
    output logic                   m_axi_awvalid,
    input  logic                   m_axi_awready,
    output logic [   DataBits-1:0] m_axi_wdata,
    output logic [ DataBits/8-1:0] m_axi_wstrb,
    output logic                   m_axi_wlast,
    output logic                   m_axi_wvalid,
    input  logic                   m_axi_wready,
    input  logic [            1:0] m_axi_bresp,
    input  logic                   m_axi_bvalid,
    output logic                   m_axi_bready
);
  localparam logic [127:0] BuildHash = 128'h100F0E0D_0C0B0A09_08070605_04030201;

  logic in_valid, in_ready, out_valid, out_ready;
  logic [CoreInBits-1:0] in_data;
  logic [CoreOutBits-1:0] out_data;
  logic [16*Fifos-1:0] high_water;
  logic arvalid, arready, bvalid, bready;
  logic [1:0] bresp;

  assign m_axi_arid = 1'b0;
  assign m_axi_awid = 1'b0;
  logic unused;
  assign unused = &{m_axi_rid, m_axi_bid};

  hwbnn_shell_axi #(
      .BuildHash(BuildHash), .DataBits(DataBits), .AddressBits(AddressBits), .IdBits(IdBits),
      .CoreInBits(CoreInBits), .CoreInBeats(CoreInBeats), .CoreOutBits(CoreOutBits),
      .CoreOutBeats(CoreOutBeats), .Fifos(Fifos)
  ) i_shell (
      .clk_i(clk), .rst_ni(rst_n), .irq_o(irq), .core_rst_no(core_rst_n),
      .s_axi_awid_i(s_axi_awid), .s_axi_awaddr_i(s_axi_awaddr), .s_axi_awlen_i(s_axi_awlen),
      .s_axi_awsize_i(s_axi_awsize), .s_axi_awburst_i(s_axi_awburst),
      .s_axi_awvalid_i(s_axi_awvalid), .s_axi_awready_o(s_axi_awready), .s_axi_wdata_i(s_axi_wdata),
      .s_axi_wstrb_i(s_axi_wstrb), .s_axi_wlast_i(s_axi_wlast), .s_axi_wvalid_i(s_axi_wvalid),
      .s_axi_wready_o(s_axi_wready), .s_axi_bid_o(s_axi_bid), .s_axi_bresp_o(s_axi_bresp),
      .s_axi_bvalid_o(s_axi_bvalid), .s_axi_bready_i(s_axi_bready), .s_axi_arid_i(s_axi_arid),
      .s_axi_araddr_i(s_axi_araddr), .s_axi_arlen_i(s_axi_arlen), .s_axi_arsize_i(s_axi_arsize),
      .s_axi_arburst_i(s_axi_arburst), .s_axi_arvalid_i(s_axi_arvalid),
      .s_axi_arready_o(s_axi_arready), .s_axi_rid_o(s_axi_rid), .s_axi_rdata_o(s_axi_rdata),
      .s_axi_rresp_o(s_axi_rresp), .s_axi_rlast_o(s_axi_rlast), .s_axi_rvalid_o(s_axi_rvalid),
      .s_axi_rready_i(s_axi_rready),
      .m_axi_araddr_o(araddr), .m_axi_arlen_o(arlen), .m_axi_arsize_o(arsize),
      .m_axi_arburst_o(arburst), .m_axi_arcache_o(m_axi_arcache),
      .m_axi_arprot_o(m_axi_arprot), .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready),
      .m_axi_rdata_i(m_axi_rdata), .m_axi_rresp_i(m_axi_rresp), .m_axi_rlast_i(m_axi_rlast),
      .m_axi_rvalid_i(m_axi_rvalid), .m_axi_rready_o(m_axi_rready), .m_axi_awaddr_o(m_axi_awaddr),
      .m_axi_awlen_o(m_axi_awlen), .m_axi_awsize_o(m_axi_awsize), .m_axi_awburst_o(m_axi_awburst),
      .m_axi_awcache_o(m_axi_awcache), .m_axi_awprot_o(m_axi_awprot),
      .m_axi_awvalid_o(m_axi_awvalid), .m_axi_awready_i(m_axi_awready), .m_axi_wdata_o(m_axi_wdata),
      .m_axi_wstrb_o(m_axi_wstrb), .m_axi_wlast_o(m_axi_wlast), .m_axi_wvalid_o(m_axi_wvalid),
      .m_axi_wready_i(m_axi_wready), .m_axi_bresp_i(bresp), .m_axi_bvalid_i(bvalid),
      .m_axi_bready_o(bready),
      .in_valid_o(in_valid), .in_ready_i(in_ready), .in_data_o(in_data), .out_valid_i(out_valid),
      .out_ready_o(out_ready), .out_data_i(out_data), .high_water_i(high_water));

  bench_core #(
      .InBits(CoreInBits), .InBeats(CoreInBeats), .OutBits(CoreOutBits), .OutBeats(CoreOutBeats),
      .Fifos(Fifos), .Early(Early)
  ) i_core (
      .clk_i(clk), .rst_ni(core_rst_n), .in_pace_i(in_pace), .out_pace_i(out_pace),
      .in_valid_i(in_valid), .in_ready_o(in_ready), .in_data_i(in_data), .out_valid_o(out_valid),
      .out_ready_i(out_ready), .out_data_o(out_data), .high_water_o(high_water));

  localparam int unsigned ReadBits = AddressBits + 13;
  logic [ReadBits-1:0] read, read_later;
  axi_latency #(.Width(ReadBits)) i_read_latency (
      .clk_i(clk), .rst_ni(rst_n), .latency_i(latency), .in_valid_i(arvalid),
      .in_ready_o(arready), .in_data_i(read), .out_valid_o(m_axi_arvalid),
      .out_ready_i(m_axi_arready), .out_data_o(read_later));
  logic [AddressBits-1:0] araddr;
  logic [7:0] arlen;
  logic [2:0] arsize;
  logic [1:0] arburst;
  assign read = {araddr, arlen, arsize, arburst};
  assign {m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst} = read_later;

  axi_latency #(.Width(2)) i_answer_latency (
      .clk_i(clk), .rst_ni(rst_n), .latency_i(answer_latency), .in_valid_i(m_axi_bvalid),
      .in_ready_o(m_axi_bready), .in_data_i(m_axi_bresp), .out_valid_o(bvalid),
      .out_ready_i(bready), .out_data_o(bresp));

  axi3_rules #(.DataBits(DataBits), .AddressBits(AddressBits)) i_rules (
      .clk_i(clk), .rst_ni(rst_n), .araddr_i(araddr), .arlen_i(arlen), .arsize_i(arsize),
      .arburst_i(arburst), .arvalid_i(arvalid), .arready_i(arready), .rlast_i(m_axi_rlast),
      .rvalid_i(m_axi_rvalid), .rready_i(m_axi_rready), .awaddr_i(m_axi_awaddr),
      .awlen_i(m_axi_awlen), .awsize_i(m_axi_awsize), .awburst_i(m_axi_awburst),
      .awvalid_i(m_axi_awvalid), .awready_i(m_axi_awready), .wdata_i(m_axi_wdata),
      .wstrb_i(m_axi_wstrb), .wlast_i(m_axi_wlast), .wvalid_i(m_axi_wvalid),
      .wready_i(m_axi_wready), .bvalid_i(bvalid), .bready_i(bready), .broken_o(broken),
      .reads_o(reads), .writes_o(writes), .muted_o(muted));
endmodule
