// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_control for a reader and a loader that say what they are given, in front of a slave whose
// registers keep what is written (512 words).
module weight_control_bench #(
    parameter int unsigned IdBits = 12
) (
    input  logic              clk,
    input  logic              rst_n,
    input  logic [       1:0] error,
    input  logic [       1:0] bad,
    input  logic              loaded,
    output logic              irq,
    input  logic [IdBits-1:0] s_axi_awid,
    input  logic [      31:0] s_axi_awaddr,
    input  logic [       7:0] s_axi_awlen,
    input  logic [       2:0] s_axi_awsize,
    input  logic [       1:0] s_axi_awburst,
    input  logic              s_axi_awvalid,
    output logic              s_axi_awready,
    input  logic [      31:0] s_axi_wdata,
    input  logic [       3:0] s_axi_wstrb,
    input  logic              s_axi_wlast,
    input  logic              s_axi_wvalid,
    output logic              s_axi_wready,
    output logic [IdBits-1:0] s_axi_bid,
    output logic [       1:0] s_axi_bresp,
    output logic              s_axi_bvalid,
    input  logic              s_axi_bready,
    input  logic [IdBits-1:0] s_axi_arid,
    input  logic [      31:0] s_axi_araddr,
    input  logic [       7:0] s_axi_arlen,
    input  logic [       2:0] s_axi_arsize,
    input  logic [       1:0] s_axi_arburst,
    input  logic              s_axi_arvalid,
    output logic              s_axi_arready,
    output logic [IdBits-1:0] s_axi_rid,
    output logic [      31:0] s_axi_rdata,
    output logic [       1:0] s_axi_rresp,
    output logic              s_axi_rlast,
    output logic              s_axi_rvalid,
    input  logic              s_axi_rready
);
  logic awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rlast, rvalid, rready;
  logic [IdBits-1:0] bid, rid;
  logic [31:0] answer, wdata, rdata_q;
  logic [13:0] index;
  logic write, read;
  logic [1:0] enable;
  logic [127:0] address;
  logic [63:0] length;

  hwbnn_weight_control #(
      .IdBits(IdBits), .Ports(2), .WordBits({32'd20, 32'd27}), .ContainerBytes({32'd8, 32'd4}),
      .Loader(1'b1)
  ) i_control (
      .clk_i(clk), .rst_ni(rst_n), .s_axi_awid_i(s_axi_awid), .s_axi_awaddr_i(s_axi_awaddr),
      .s_axi_awlen_i(s_axi_awlen), .s_axi_awsize_i(s_axi_awsize), .s_axi_awburst_i(s_axi_awburst),
      .s_axi_awvalid_i(s_axi_awvalid), .s_axi_awready_o(s_axi_awready), .s_axi_wdata_i(s_axi_wdata),
      .s_axi_wstrb_i(s_axi_wstrb), .s_axi_wlast_i(s_axi_wlast), .s_axi_wvalid_i(s_axi_wvalid),
      .s_axi_wready_o(s_axi_wready), .s_axi_bid_o(s_axi_bid), .s_axi_bvalid_o(s_axi_bvalid),
      .s_axi_bready_i(s_axi_bready), .s_axi_arid_i(s_axi_arid), .s_axi_araddr_i(s_axi_araddr),
      .s_axi_arlen_i(s_axi_arlen), .s_axi_arsize_i(s_axi_arsize), .s_axi_arburst_i(s_axi_arburst),
      .s_axi_arvalid_i(s_axi_arvalid), .s_axi_arready_o(s_axi_arready), .s_axi_rid_o(s_axi_rid),
      .s_axi_rdata_o(s_axi_rdata), .s_axi_rlast_o(s_axi_rlast), .s_axi_rvalid_o(s_axi_rvalid),
      .s_axi_rready_i(s_axi_rready),
      .shell_awvalid_o(awvalid), .shell_awready_i(awready), .shell_wvalid_o(wvalid),
      .shell_wready_i(wready), .shell_bid_i(bid), .shell_bvalid_i(bvalid), .shell_bready_o(bready),
      .shell_arvalid_o(arvalid), .shell_arready_i(arready), .shell_rid_i(rid),
      .shell_rdata_i(answer), .shell_rlast_i(rlast), .shell_rvalid_i(rvalid),
      .shell_rready_o(rready), .irq_o(irq), .enable_o(enable), .address_o(address),
      .length_o(length), .busy_i(enable), .error_i(error), .bad_i(bad),
      .loaded_i(loaded), .stall_i({address[95:64], length[31:0]}));

  hwbnn_axi_registers #(.IdBits(IdBits)) i_slave (
      .clk_i(clk), .rst_ni(rst_n), .s_axi_awid_i(s_axi_awid), .s_axi_awaddr_i(s_axi_awaddr),
      .s_axi_awlen_i(s_axi_awlen), .s_axi_awsize_i(s_axi_awsize), .s_axi_awburst_i(s_axi_awburst),
      .s_axi_awvalid_i(awvalid), .s_axi_awready_o(awready), .s_axi_wdata_i(s_axi_wdata),
      .s_axi_wstrb_i(s_axi_wstrb), .s_axi_wlast_i(s_axi_wlast), .s_axi_wvalid_i(wvalid),
      .s_axi_wready_o(wready), .s_axi_bid_o(bid), .s_axi_bresp_o(s_axi_bresp),
      .s_axi_bvalid_o(bvalid), .s_axi_bready_i(bready), .s_axi_arid_i(s_axi_arid),
      .s_axi_araddr_i(s_axi_araddr), .s_axi_arlen_i(s_axi_arlen), .s_axi_arsize_i(s_axi_arsize),
      .s_axi_arburst_i(s_axi_arburst), .s_axi_arvalid_i(arvalid), .s_axi_arready_o(arready),
      .s_axi_rid_o(rid), .s_axi_rdata_o(answer), .s_axi_rresp_o(s_axi_rresp), .s_axi_rlast_o(rlast),
      .s_axi_rvalid_o(rvalid), .s_axi_rready_i(rready), .write_o(write), .index_o(index),
      .wdata_o(wdata), .read_o(read), .rdata_i(rdata_q));

  logic [31:0] words[512];
  always_ff @(posedge clk) begin
    if (write) words[index[8:0]] <= wdata;
    if (read) rdata_q <= words[index[8:0]];
  end
endmodule
