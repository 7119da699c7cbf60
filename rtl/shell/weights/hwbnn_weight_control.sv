// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_control: the registers of the weight readers, before those of the shell: a burst that
// begins at an address with bit 11 set (800h) is for them, all others go on to the shell's slave.
// The slaves' addresses and write data are those of s_axi; only handshakes and answers pass here.
module hwbnn_weight_control #(
    parameter int unsigned         IdBits         = 12,
    parameter int unsigned         Ports          = 1,
    parameter logic [32*Ports-1:0] WordBits       = '0,  // of each port, the first lowest
    parameter logic [32*Ports-1:0] ContainerBytes = '0,
    parameter bit                  Loader         = 1'b0  // the last one
) (
    input  logic              clk_i,
    input  logic              rst_ni,
    input  logic [IdBits-1:0] s_axi_awid_i,
    input  logic [      31:0] s_axi_awaddr_i,
    input  logic [       7:0] s_axi_awlen_i,
    input  logic [       2:0] s_axi_awsize_i,
    input  logic [       1:0] s_axi_awburst_i,
    input  logic              s_axi_awvalid_i,
    output logic              s_axi_awready_o,
    input  logic [      31:0] s_axi_wdata_i,
    input  logic [       3:0] s_axi_wstrb_i,
    input  logic              s_axi_wlast_i,
    input  logic              s_axi_wvalid_i,
    output logic              s_axi_wready_o,
    output logic [IdBits-1:0] s_axi_bid_o,
    output logic              s_axi_bvalid_o,
    input  logic              s_axi_bready_i,
    input  logic [IdBits-1:0] s_axi_arid_i,
    input  logic [      31:0] s_axi_araddr_i,
    input  logic [       7:0] s_axi_arlen_i,
    input  logic [       2:0] s_axi_arsize_i,
    input  logic [       1:0] s_axi_arburst_i,
    input  logic              s_axi_arvalid_i,
    output logic              s_axi_arready_o,
    output logic [IdBits-1:0] s_axi_rid_o,
    output logic [      31:0] s_axi_rdata_o,
    output logic              s_axi_rlast_o,
    output logic              s_axi_rvalid_o,
    input  logic              s_axi_rready_i,

    // To the shell's slave
    output logic              shell_awvalid_o,
    input  logic              shell_awready_i,
    output logic              shell_wvalid_o,
    input  logic              shell_wready_i,
    input  logic [IdBits-1:0] shell_bid_i,
    input  logic              shell_bvalid_i,
    output logic              shell_bready_o,
    output logic              shell_arvalid_o,
    input  logic              shell_arready_i,
    input  logic [IdBits-1:0] shell_rid_i,
    input  logic [      31:0] shell_rdata_i,
    input  logic              shell_rlast_i,
    input  logic              shell_rvalid_i,
    output logic              shell_rready_o,

    // The readers'
    output logic                irq_o,
    output logic [   Ports-1:0] enable_o,
    output logic [64*Ports-1:0] address_o,
    output logic [32*Ports-1:0] length_o,
    input  logic [   Ports-1:0] busy_i,
    input  logic [   Ports-1:0] error_i,
    input  logic [   Ports-1:0] bad_i,
    input  logic              loaded_i,
    input  logic [32*Ports-1:0] stall_i
);
  logic awvalid, awready, wvalid, wready, bvalid, bready;
  logic arvalid, arready, rlast, rvalid, rready, write, read;
  logic [IdBits-1:0] bid, rid;
  logic [31:0] answer, wdata, rdata;
  logic [13:0] index;

  hwbnn_axi_split #(.IdBits(IdBits)) i_split (
      .clk_i, .rst_ni, .awsecond_i(s_axi_awaddr_i[11]), .awvalid_i(s_axi_awvalid_i),
      .awready_o(s_axi_awready_o), .wlast_i(s_axi_wlast_i), .wvalid_i(s_axi_wvalid_i),
      .wready_o(s_axi_wready_o), .bid_o(s_axi_bid_o), .bvalid_o(s_axi_bvalid_o),
      .bready_i(s_axi_bready_i), .arsecond_i(s_axi_araddr_i[11]), .arvalid_i(s_axi_arvalid_i),
      .arready_o(s_axi_arready_o), .rid_o(s_axi_rid_o), .rdata_o(s_axi_rdata_o),
      .rlast_o(s_axi_rlast_o), .rvalid_o(s_axi_rvalid_o), .rready_i(s_axi_rready_i),
      .awvalid_o({awvalid, shell_awvalid_o}), .awready_i({awready, shell_awready_i}),
      .wvalid_o({wvalid, shell_wvalid_o}), .wready_i({wready, shell_wready_i}),
      .bid_i({bid, shell_bid_i}), .bvalid_i({bvalid, shell_bvalid_i}),
      .bready_o({bready, shell_bready_o}), .arvalid_o({arvalid, shell_arvalid_o}),
      .arready_i({arready, shell_arready_i}), .rid_i({rid, shell_rid_i}),
      .rdata_i({answer, shell_rdata_i}), .rlast_i({rlast, shell_rlast_i}),
      .rvalid_i({rvalid, shell_rvalid_i}), .rready_o({rready, shell_rready_o}));

  // Both slaves answer OKAY, always: what the shell's says will do.
  logic [1:0] bresp, rresp;
  logic unused;
  assign unused = &{bresp, rresp};

  hwbnn_axi_registers #(.IdBits(IdBits)) i_slave (
      .clk_i, .rst_ni, .s_axi_awid_i, .s_axi_awaddr_i, .s_axi_awlen_i, .s_axi_awsize_i,
      .s_axi_awburst_i, .s_axi_awvalid_i(awvalid), .s_axi_awready_o(awready), .s_axi_wdata_i,
      .s_axi_wstrb_i, .s_axi_wlast_i, .s_axi_wvalid_i(wvalid), .s_axi_wready_o(wready),
      .s_axi_bid_o(bid), .s_axi_bresp_o(bresp), .s_axi_bvalid_o(bvalid), .s_axi_bready_i(bready),
      .s_axi_arid_i, .s_axi_araddr_i, .s_axi_arlen_i, .s_axi_arsize_i, .s_axi_arburst_i,
      .s_axi_arvalid_i(arvalid), .s_axi_arready_o(arready), .s_axi_rid_o(rid),
      .s_axi_rdata_o(answer), .s_axi_rresp_o(rresp), .s_axi_rlast_o(rlast),
      .s_axi_rvalid_o(rvalid), .s_axi_rready_i(rready), .write_o(write), .index_o(index), .wdata_o(wdata), .read_o(read),
      .rdata_i(rdata));

  hwbnn_weight_registers #(
      .Ports(Ports), .WordBits(WordBits), .ContainerBytes(ContainerBytes), .Loader(Loader)
  ) i_registers (
      .clk_i, .rst_ni, .write_i(write), .index_i(index), .wdata_i(wdata), .read_i(read),
      .rdata_o(rdata), .irq_o, .enable_o, .address_o, .length_o, .busy_i, .error_i, .bad_i,
      .loaded_i, .stall_i);
endmodule
