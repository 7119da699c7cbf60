// SPDX-License-Identifier: Apache-2.0
// The register file behind its AXI slave, with nothing behind it: a reset is done at once.
module axi_register_bench #(
    parameter int unsigned IdBits = 4
) (
    input  logic              clk,
    input  logic              rst_n,
    input  logic              done,
    input  logic [       5:0] errors,
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
  logic write, read, soft_reset;
  logic [13:0] index;
  logic [31:0] wdata, rdata;

  hwbnn_axi_registers #(.IdBits(IdBits)) i_slave (
      .clk_i(clk), .rst_ni(rst_n),
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
      .write_o(write), .index_o(index), .wdata_o(wdata), .read_o(read), .rdata_i(rdata));

  /* verilator lint_off PINCONNECTEMPTY */
  hwbnn_registers #(.BuildHash(128'h0F0E0D0C_0B0A0908_07060504_03020100)) i_registers (
      .clk_i(clk), .rst_ni(rst_n), .write_i(write), .index_i(index), .wdata_i(wdata),
      .read_i(read), .rdata_o(rdata), .start_o(), .soft_reset_o(soft_reset),
      .reset_done_i(soft_reset), .irq_o(), .in_address_o(), .out_address_o(), .frames_o(),
      .busy_i(1'b0), .done_i(done), .errors_i(errors), .cycles_i('0), .in_stall_i('0),
      .out_stall_i('0), .frames_done_i('0), .high_water_i('0));
endmodule
