// SPDX-License-Identifier: Apache-2.0
// processing_system: what the models of Zynq's processing systems have in common: clock, reset, an
// interrupt, a port to registers (gp), a port to memory (hp). It has no body:
// rtl/bench/processor.hpp reads its inputs and sets its outputs.
module processing_system #(
    parameter int unsigned AddressBits = 32,  // of the memory port
    parameter int unsigned DataBits = 64,  // of the memory port
    parameter int unsigned IdBits = 12  // of the register port
) (
    output logic clk_o  /* verilator public_flat_rw */,
    output logic rst_no  /* verilator public_flat_rw */,
    input logic irq_i  /* verilator public_flat_rd */,

    // Registers: single accesses of 32 bits, so that length, size and burst never change
    input logic gp_clk_i  /* verilator public_flat_rd */,
    output logic gp_arvalid_o  /* verilator public_flat_rw */,
    input logic gp_arready_i  /* verilator public_flat_rd */,
    output logic [31:0] gp_araddr_o  /* verilator public_flat_rw */,
    output logic [IdBits-1:0] gp_arid_o  /* verilator public_flat_rw */,
    output logic gp_awvalid_o  /* verilator public_flat_rw */,
    input logic gp_awready_i  /* verilator public_flat_rd */,
    output logic [31:0] gp_awaddr_o  /* verilator public_flat_rw */,
    output logic [IdBits-1:0] gp_awid_o  /* verilator public_flat_rw */,
    output logic gp_wvalid_o  /* verilator public_flat_rw */,
    input logic gp_wready_i  /* verilator public_flat_rd */,
    output logic [31:0] gp_wdata_o  /* verilator public_flat_rw */,
    input logic gp_rvalid_i  /* verilator public_flat_rd */,
    output logic gp_rready_o  /* verilator public_flat_rw */,
    input logic [31:0] gp_rdata_i  /* verilator public_flat_rd */,
    input logic [IdBits-1:0] gp_rid_i  /* verilator public_flat_rd */,
    input logic [1:0] gp_rresp_i  /* verilator public_flat_rd */,
    input logic gp_rlast_i  /* verilator public_flat_rd */,
    input logic gp_bvalid_i  /* verilator public_flat_rd */,
    output logic gp_bready_o  /* verilator public_flat_rw */,
    input logic [IdBits-1:0] gp_bid_i  /* verilator public_flat_rd */,
    input logic [1:0] gp_bresp_i  /* verilator public_flat_rd */,

    // Memory
    input logic hp_clk_i  /* verilator public_flat_rd */,
    input logic hp_arvalid_i  /* verilator public_flat_rd */,
    output logic hp_arready_o  /* verilator public_flat_rw */,
    input logic [AddressBits-1:0] hp_araddr_i  /* verilator public_flat_rd */,
    input logic [5:0] hp_arid_i  /* verilator public_flat_rd */,
    input logic [7:0] hp_arlen_i  /* verilator public_flat_rd */,
    input logic [2:0] hp_arsize_i  /* verilator public_flat_rd */,
    input logic [1:0] hp_arburst_i  /* verilator public_flat_rd */,
    input logic hp_awvalid_i  /* verilator public_flat_rd */,
    output logic hp_awready_o  /* verilator public_flat_rw */,
    input logic [AddressBits-1:0] hp_awaddr_i  /* verilator public_flat_rd */,
    input logic [5:0] hp_awid_i  /* verilator public_flat_rd */,
    input logic [7:0] hp_awlen_i  /* verilator public_flat_rd */,
    input logic [2:0] hp_awsize_i  /* verilator public_flat_rd */,
    input logic [1:0] hp_awburst_i  /* verilator public_flat_rd */,
    input logic hp_wvalid_i  /* verilator public_flat_rd */,
    output logic hp_wready_o  /* verilator public_flat_rw */,
    input logic [DataBits-1:0] hp_wdata_i  /* verilator public_flat_rd */,
    input logic [DataBits/8-1:0] hp_wstrb_i  /* verilator public_flat_rd */,
    input logic [5:0] hp_wid_i  /* verilator public_flat_rd */,
    input logic hp_wlast_i  /* verilator public_flat_rd */,
    output logic hp_rvalid_o  /* verilator public_flat_rw */,
    input logic hp_rready_i  /* verilator public_flat_rd */,
    output logic [DataBits-1:0] hp_rdata_o  /* verilator public_flat_rw */,
    output logic [1:0] hp_rresp_o  /* verilator public_flat_rw */,
    output logic hp_rlast_o  /* verilator public_flat_rw */,
    output logic hp_bvalid_o  /* verilator public_flat_rw */,
    input logic hp_bready_i  /* verilator public_flat_rd */,
    output logic [1:0] hp_bresp_o  /* verilator public_flat_rw */
);
endmodule
