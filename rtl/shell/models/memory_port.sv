// SPDX-License-Identifier: Apache-2.0
// memory_port: a further port to memory of a Zynq's processing system, to read alone. It has no
// body: rtl/bench/processor.hpp reads its inputs and sets its outputs.
module memory_port #(
    parameter int unsigned AddressBits = 32,
    parameter int unsigned DataBits = 64
) (
    input logic clk_i  /* verilator public_flat_rd */,
    input logic arvalid_i  /* verilator public_flat_rd */,
    output logic arready_o  /* verilator public_flat_rw */,
    input logic [AddressBits-1:0] araddr_i  /* verilator public_flat_rd */,
    input logic [5:0] arid_i  /* verilator public_flat_rd */,
    input logic [7:0] arlen_i  /* verilator public_flat_rd */,
    input logic [2:0] arsize_i  /* verilator public_flat_rd */,
    input logic [1:0] arburst_i  /* verilator public_flat_rd */,
    output logic rvalid_o  /* verilator public_flat_rw */,
    input logic rready_i  /* verilator public_flat_rd */,
    output logic [DataBits-1:0] rdata_o  /* verilator public_flat_rw */,
    output logic [1:0] rresp_o  /* verilator public_flat_rw */,
    output logic rlast_o  /* verilator public_flat_rw */
);
endmodule
