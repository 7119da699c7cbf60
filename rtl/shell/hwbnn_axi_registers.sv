// SPDX-License-Identifier: Apache-2.0
// hwbnn_axi_registers: AXI3 or AXI4 slave of 32 bits in front of hwbnn_registers. It answers every
// access OKAY, whatever the address, burst type, length or size; address bits above 15 are ignored.
//
// One burst each way at a time. A read leaves a cycle in three, so that no write starves. Write
// data may come before their address. Bytes without strobe keep their value; of STATUS, where ones
// clear, they are zeros.
module hwbnn_axi_registers #(
    parameter int unsigned IdBits = 12
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
    output logic [       1:0] s_axi_bresp_o,
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
    output logic [       1:0] s_axi_rresp_o,
    output logic              s_axi_rlast_o,
    output logic              s_axi_rvalid_o,
    input  logic              s_axi_rready_i,
    output logic              write_o,
    output logic [      13:0] index_o,
    output logic [      31:0] wdata_o,
    output logic              read_o,
    input  logic [      31:0] rdata_i
);
  localparam logic [13:0] Status = 14'h00A;  // 028h / 4

  logic unused;  // beats are counted
  assign unused = &{s_axi_wlast_i, s_axi_awaddr_i[31:16], s_axi_araddr_i[31:16]};

  // ---- bursts: what has been asked for, and answers ---------------------------------------------

  logic [IdBits-1:0] read_id_q, write_id_q, answer_id_q;
  logic read_active, read_last, read_step, write_active, write_last, write_step;
  logic [13:0] read_index, write_index;
  logic w_valid_q, b_valid_q, r_valid_q, r_last_q;
  logic [31:0] w_data_q, r_data_q;
  logic [3:0] w_strobe_q;

  hwbnn_axi_beats i_reads (
      .clk_i, .rst_ni, .load_i(s_axi_arvalid_i && s_axi_arready_o),
      .address_i(s_axi_araddr_i[15:0]), .len_i(s_axi_arlen_i), .size_i(s_axi_arsize_i),
      .burst_i(s_axi_arburst_i), .step_i(read_step), .active_o(read_active),
      .last_o(read_last), .index_o(read_index));
  hwbnn_axi_beats i_writes (
      .clk_i, .rst_ni, .load_i(s_axi_awvalid_i && s_axi_awready_o),
      .address_i(s_axi_awaddr_i[15:0]), .len_i(s_axi_awlen_i), .size_i(s_axi_awsize_i),
      .burst_i(s_axi_awburst_i), .step_i(write_step), .active_o(write_active),
      .last_o(write_last), .index_o(write_index));

  assign s_axi_awready_o = !write_active;
  assign s_axi_wready_o = !w_valid_q;
  assign s_axi_bid_o = answer_id_q;
  assign s_axi_bresp_o = 2'b00;
  assign s_axi_bvalid_o = b_valid_q;
  assign s_axi_arready_o = !read_active && !r_valid_q;  // so that the ID is still that of the data
  assign s_axi_rid_o = read_id_q;
  assign s_axi_rdata_o = r_data_q;
  assign s_axi_rresp_o = 2'b00;
  assign s_axi_rlast_o = r_last_q;
  assign s_axi_rvalid_o = r_valid_q;

  // ---- a beat: read; write; or, for some of the bytes, read and then write ----------------------

  logic read_comes_q, merge_q;
  logic free, can_read, can_write, pick_write, partial;

  assign free = !read_comes_q && !merge_q;
  assign can_read = free && read_active && !r_valid_q;
  assign can_write = free && write_active && w_valid_q && !(write_last && b_valid_q);
  assign pick_write = can_write && !can_read;  // when the read's data wait to be taken
  assign partial = w_strobe_q != 4'h0 && w_strobe_q != 4'hF;

  assign read_step = read_comes_q;
  assign write_step = merge_q || (pick_write && !partial);
  assign write_o = merge_q || (pick_write && w_strobe_q == 4'hF);
  assign read_o = pick_write ? partial : can_read;
  assign index_o = merge_q || pick_write ? write_index : read_index;
  for (genvar i = 0; i < 4; i++) begin : gen_byte
    assign wdata_o[8*i+:8] = w_strobe_q[i] ? w_data_q[8*i+:8] :
        write_index == Status ? '0 : rdata_i[8*i+:8];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_comes_q <= 1'b0;
      merge_q <= 1'b0;
      w_valid_q <= 1'b0;
      b_valid_q <= 1'b0;
      r_valid_q <= 1'b0;
    end else begin
      read_comes_q <= can_read;
      merge_q <= pick_write && partial;
      w_valid_q <= w_valid_q ? !write_step : s_axi_wvalid_i;
      b_valid_q <= b_valid_q ? !s_axi_bready_i : write_step && write_last;
      r_valid_q <= r_valid_q ? !s_axi_rready_i : read_comes_q;
    end
    if (s_axi_arready_o) read_id_q <= s_axi_arid_i;
    if (s_axi_awready_o) write_id_q <= s_axi_awid_i;
    if (write_step && write_last) answer_id_q <= write_id_q;
    if (!w_valid_q) begin
      w_data_q <= s_axi_wdata_i;
      w_strobe_q <= s_axi_wstrb_i;
    end
    if (read_comes_q) begin
      r_data_q <= rdata_i;
      r_last_q <= read_last;
    end
  end
endmodule
