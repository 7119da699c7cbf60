// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_reader with the rules of its master, and a memory that answers latency cycles later.
module weight_bench #(
    parameter int unsigned DataBits       = 64,
    parameter int unsigned AddressBits    = 32,
    parameter int unsigned WordBits       = 8,
    parameter int unsigned ContainerBytes = 1
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic                   core_rst_n,
    input  logic                   enable,
    input  logic [           63:0] address,
    input  logic [           31:0] length,
    input  logic [            7:0] latency,
    output logic                   busy,
    output logic                   error,
    output logic                   bad,
    output logic [           31:0] stall,
    output logic [           13:0] broken,
    output logic [           31:0] reads,
    output logic                   valid,
    input  logic                   ready,
    output logic [   WordBits-1:0] data,

    output logic                   m_axi_arid,
    output logic [AddressBits-1:0] m_axi_araddr,
    output logic [            7:0] m_axi_arlen,
    output logic [            2:0] m_axi_arsize,
    output logic [            1:0] m_axi_arburst,
    output logic [            3:0] m_axi_arcache,
    output logic [            2:0] m_axi_arprot,
    output logic                   m_axi_arvalid,
    input  logic                   m_axi_arready,
    input  logic                   m_axi_rid,
    input  logic [   DataBits-1:0] m_axi_rdata,
    input  logic [            1:0] m_axi_rresp,
    input  logic                   m_axi_rlast,
    input  logic                   m_axi_rvalid,
    output logic                   m_axi_rready
);
  logic arvalid, arready;
  logic [AddressBits-1:0] araddr;
  logic [7:0] arlen;
  logic [2:0] arsize;
  logic [1:0] arburst;
  logic [31:0] writes, muted;

  assign m_axi_arid = 1'b0;
  logic unused;
  assign unused = &{m_axi_rid, writes, muted};

  hwbnn_weight_reader #(
      .DataBits(DataBits), .AddressBits(AddressBits), .WordBits(WordBits),
      .ContainerBytes(ContainerBytes)
  ) i_reader (
      .clk_i(clk), .rst_ni(rst_n), .core_rst_ni(core_rst_n), .enable_i(enable),
      .address_i(address), .length_i(length), .busy_o(busy), .error_o(error), .bad_o(bad),
      .stall_o(stall), .m_axi_araddr_o(araddr), .m_axi_arlen_o(arlen), .m_axi_arsize_o(arsize),
      .m_axi_arburst_o(arburst), .m_axi_arcache_o(m_axi_arcache), .m_axi_arprot_o(m_axi_arprot),
      .m_axi_arvalid_o(arvalid), .m_axi_arready_i(arready), .m_axi_rdata_i(m_axi_rdata),
      .m_axi_rresp_i(m_axi_rresp), .m_axi_rlast_i(m_axi_rlast), .m_axi_rvalid_i(m_axi_rvalid),
      .m_axi_rready_o(m_axi_rready), .out_valid_o(valid), .out_ready_i(ready), .out_data_o(data));

  localparam int unsigned ReadBits = AddressBits + 13;
  axi_latency #(.Width(ReadBits)) i_latency (
      .clk_i(clk), .rst_ni(rst_n), .latency_i(latency), .in_valid_i(arvalid),
      .in_ready_o(arready), .in_data_i({araddr, arlen, arsize, arburst}),
      .out_valid_o(m_axi_arvalid), .out_ready_i(m_axi_arready),
      .out_data_o({m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst}));

  axi3_rules #(.DataBits(DataBits), .AddressBits(AddressBits), .Outstanding(8)) i_rules (
      .clk_i(clk), .rst_ni(rst_n), .araddr_i(araddr), .arlen_i(arlen), .arsize_i(arsize),
      .arburst_i(arburst), .arvalid_i(arvalid), .arready_i(arready), .rlast_i(m_axi_rlast),
      .rvalid_i(m_axi_rvalid), .rready_i(m_axi_rready), .awaddr_i('0), .awlen_i('0),
      .awsize_i('0), .awburst_i('0), .awvalid_i(1'b0), .awready_i(1'b0), .wdata_i('0),
      .wstrb_i('0), .wlast_i(1'b0), .wvalid_i(1'b0), .wready_i(1'b0), .bvalid_i(1'b0),
      .bready_i(1'b1), .broken_o(broken), .reads_o(reads), .writes_o(writes), .muted_o(muted));
endmodule
