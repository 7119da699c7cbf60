// SPDX-License-Identifier: Apache-2.0
// hwbnn_axi_split: two AXI slaves in the place of one, by a bit of the address that a burst begins
// at. One burst each way at a time. What is not here (addresses, write data) goes to both; the
// answers of the one that was asked come back. Of a pair, bit 0 or the low half is of the first.
module hwbnn_axi_split #(
    parameter int unsigned IdBits = 12
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                awsecond_i,
    input  logic                awvalid_i,
    output logic                awready_o,
    input  logic                wlast_i,
    input  logic                wvalid_i,
    output logic                wready_o,
    output logic [  IdBits-1:0] bid_o,
    output logic                bvalid_o,
    input  logic                bready_i,
    input  logic                arsecond_i,
    input  logic                arvalid_i,
    output logic                arready_o,
    output logic [  IdBits-1:0] rid_o,
    output logic [        31:0] rdata_o,
    output logic                rlast_o,
    output logic                rvalid_o,
    input  logic                rready_i,

    output logic [         1:0] awvalid_o,
    input  logic [         1:0] awready_i,
    output logic [         1:0] wvalid_o,
    input  logic [         1:0] wready_i,
    input  logic [2*IdBits-1:0] bid_i,
    input  logic [         1:0] bvalid_i,
    output logic [         1:0] bready_o,
    output logic [         1:0] arvalid_o,
    input  logic [         1:0] arready_i,
    input  logic [2*IdBits-1:0] rid_i,
    input  logic [        63:0] rdata_i,
    input  logic [         1:0] rlast_i,
    input  logic [         1:0] rvalid_i,
    output logic [         1:0] rready_o
);
  logic write_q, data_q, second_write_q;  // a burst, and its data, are to come; which slave's
  logic read_q, second_read_q;
  logic [1:0] writes, reads;

  assign writes = {second_write_q, !second_write_q} & {2{write_q}};
  assign reads = {second_read_q, !second_read_q} & {2{read_q}};

  assign awvalid_o = {awsecond_i, !awsecond_i} & {2{awvalid_i && !write_q}};
  assign awready_o = !write_q && awready_i[awsecond_i];
  assign wvalid_o = writes & {2{wvalid_i && data_q}};
  assign wready_o = data_q && wready_i[second_write_q];
  assign bid_o = second_write_q ? bid_i[2*IdBits-1:IdBits] : bid_i[IdBits-1:0];
  assign bvalid_o = write_q && bvalid_i[second_write_q];
  assign bready_o = writes & {2{bready_i}};

  assign arvalid_o = {arsecond_i, !arsecond_i} & {2{arvalid_i && !read_q}};
  assign arready_o = !read_q && arready_i[arsecond_i];
  assign rid_o = second_read_q ? rid_i[2*IdBits-1:IdBits] : rid_i[IdBits-1:0];
  assign rdata_o = second_read_q ? rdata_i[63:32] : rdata_i[31:0];
  assign rlast_o = rlast_i[second_read_q];
  assign rvalid_o = read_q && rvalid_i[second_read_q];
  assign rready_o = reads & {2{rready_i}};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q <= 1'b0;
      data_q <= 1'b0;
      read_q <= 1'b0;
    end else begin
      write_q <= write_q ? !(bvalid_o && bready_i) : awvalid_i && awready_o;
      data_q <= data_q ? !(wvalid_i && wready_o && wlast_i) : awvalid_i && awready_o;
      read_q <= read_q ? !(rvalid_o && rready_i && rlast_o) : arvalid_i && arready_o;
    end
    if (!write_q) second_write_q <= awsecond_i;
    if (!read_q) second_read_q <= arsecond_i;
  end
endmodule
