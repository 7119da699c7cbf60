// SPDX-License-Identifier: Apache-2.0
// A Zynq-7000 chip for tests of the simulated board: what is written to its registers goes onto the
// wires of the memory port, right or wrong. A valid stays until it is taken.
//
//   offset  write                                                   read
//    0      shape of bursts {burst, size, length} in 7:0, irq in 31   data of the last beat read
//    4      address to read from                                      {bresp, rresp, bs, beats}
//    8      address to write to
//   C, 10   data of a beat to write; C: the last
module chip;
  logic [3:0] fclk, reset_n;
  logic clk, irq_q;
  logic [7:0] shape_q;  // {burst, size, length}
  BUFG buffer (
      .I(fclk[0]),
      .O(clk)
  );

  logic arvalid_q, arready, awvalid_q, awready, wvalid_q, wready, wlast_q, rvalid, bvalid;
  logic [31:0] araddr_q, awaddr_q, rdata_q;
  logic [63:0] rdata, wdata_q;
  logic [1:0] rresp, bresp, rresp_q, bresp_q;
  logic [7:0] beats_q, responses_q;

  // Registers: one access at a time, taken when address and data are there
  logic gp_arvalid, gp_awvalid, gp_wvalid, gp_rvalid_q, gp_bvalid_q, gp_rready, gp_bready;
  logic [31:0] gp_araddr, gp_awaddr, gp_wdata, gp_rdata_q;
  logic [11:0] gp_arid, gp_awid, gp_id_q;
  logic read, write;
  assign read = gp_arvalid && !gp_rvalid_q;
  assign write = gp_awvalid && gp_wvalid && !gp_bvalid_q;

  always_ff @(posedge clk) begin
    if (gp_rready) gp_rvalid_q <= 1'b0;
    if (gp_bready) gp_bvalid_q <= 1'b0;
    if (arready) arvalid_q <= 1'b0;
    if (awready) awvalid_q <= 1'b0;
    if (wready) wvalid_q <= 1'b0;
    if (rvalid) {beats_q, rdata_q, rresp_q} <= {beats_q + 8'd1, rdata[31:0], rresp_q | rresp};
    if (bvalid) {responses_q, bresp_q} <= {responses_q + 8'd1, bresp_q | bresp};
    if (read) begin
      gp_rvalid_q <= 1'b1;
      gp_id_q <= gp_arid;
      gp_rdata_q <= gp_araddr[2] ? {12'd0, bresp_q, rresp_q, responses_q, beats_q} : rdata_q;
    end
    if (write) begin
      gp_bvalid_q <= 1'b1;
      gp_id_q <= gp_awid;
      case (gp_awaddr[4:2])
        3'd0: {irq_q, shape_q} <= {gp_wdata[31], gp_wdata[7:0]};
        3'd1: {arvalid_q, araddr_q} <= {1'b1, gp_wdata};
        3'd2: {awvalid_q, awaddr_q} <= {1'b1, gp_wdata};
        default: {wvalid_q, wlast_q, wdata_q} <= {1'b1, !gp_awaddr[4], gp_wdata, ~gp_wdata};
      endcase
    end
    if (!reset_n[0]) begin
      {gp_rvalid_q, gp_bvalid_q, arvalid_q, awvalid_q, wvalid_q, irq_q} <= '0;
      {beats_q, responses_q, rresp_q, bresp_q} <= '0;
    end
  end

  PS7 ps7 (
      .FCLKCLK(fclk),
      .FCLKRESETN(reset_n),
      .FCLKCLKTRIGN(4'd0),
      .IRQF2P({19'd0, irq_q}),
      .MAXIGP0ACLK(clk),
      .MAXIGP0ARVALID(gp_arvalid),
      .MAXIGP0ARREADY(read),
      .MAXIGP0ARADDR(gp_araddr),
      .MAXIGP0ARID(gp_arid),
      .MAXIGP0AWVALID(gp_awvalid),
      .MAXIGP0AWREADY(write),
      .MAXIGP0AWADDR(gp_awaddr),
      .MAXIGP0AWID(gp_awid),
      .MAXIGP0WVALID(gp_wvalid),
      .MAXIGP0WREADY(write),
      .MAXIGP0WDATA(gp_wdata),
      .MAXIGP0RVALID(gp_rvalid_q),
      .MAXIGP0RREADY(gp_rready),
      .MAXIGP0RDATA(gp_rdata_q),
      .MAXIGP0RID(gp_id_q),
      .MAXIGP0RRESP(2'd0),
      .MAXIGP0RLAST(1'b1),
      .MAXIGP0BVALID(gp_bvalid_q),
      .MAXIGP0BREADY(gp_bready),
      .MAXIGP0BID(gp_id_q),
      .MAXIGP0BRESP(2'd0),
      .SAXIHP0ACLK(clk),
      .SAXIHP0ARVALID(arvalid_q),
      .SAXIHP0ARREADY(arready),
      .SAXIHP0ARADDR(araddr_q),
      .SAXIHP0ARID(6'd0),
      .SAXIHP0ARLEN(shape_q[3:0]),
      .SAXIHP0ARSIZE(shape_q[5:4]),
      .SAXIHP0ARBURST(shape_q[7:6]),
      .SAXIHP0AWVALID(awvalid_q),
      .SAXIHP0AWREADY(awready),
      .SAXIHP0AWADDR(awaddr_q),
      .SAXIHP0AWID(6'd0),
      .SAXIHP0AWLEN(shape_q[3:0]),
      .SAXIHP0AWSIZE(shape_q[5:4]),
      .SAXIHP0AWBURST(shape_q[7:6]),
      .SAXIHP0WVALID(wvalid_q),
      .SAXIHP0WREADY(wready),
      .SAXIHP0WDATA(wdata_q),
      .SAXIHP0WSTRB(8'h0F),
      .SAXIHP0WID(6'd0),
      .SAXIHP0WLAST(wlast_q),
      .SAXIHP0RVALID(rvalid),
      .SAXIHP0RREADY(1'b1),
      .SAXIHP0RDATA(rdata),
      .SAXIHP0RRESP(rresp),
      .SAXIHP0BVALID(bvalid),
      .SAXIHP0BREADY(1'b1),
      .SAXIHP0BRESP(bresp)
  );
endmodule
