// SPDX-License-Identifier: Apache-2.0
// Rules of AXI3, and of the shell, that a master must keep: a bit of broken_o stays on for each
// that was broken.
//
//  0 ARVALID fell before ARREADY    1 AR changed before ARREADY    2 AR is no legal burst
//  3 AWVALID fell                   4 AW changed                   5 AW is no legal burst
//  6 WVALID fell                    7 W changed                    8 WLAST is not AWLEN's beat
//  9 WSTRB is neither all nor none  10 too many reads under way    11 too many writes under way
// 12 RREADY or BREADY made it wait  13 a valid signal in reset
module axi3_rules #(
    parameter int unsigned DataBits    = 64,
    parameter int unsigned AddressBits = 32,
    parameter int unsigned Outstanding = 4
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic [AddressBits-1:0] araddr_i,
    input  logic [            7:0] arlen_i,
    input  logic [            2:0] arsize_i,
    input  logic [            1:0] arburst_i,
    input  logic                   arvalid_i,
    input  logic                   arready_i,
    input  logic                   rlast_i,
    input  logic                   rvalid_i,
    input  logic                   rready_i,
    input  logic [AddressBits-1:0] awaddr_i,
    input  logic [            7:0] awlen_i,
    input  logic [            2:0] awsize_i,
    input  logic [            1:0] awburst_i,
    input  logic                   awvalid_i,
    input  logic                   awready_i,
    input  logic [   DataBits-1:0] wdata_i,
    input  logic [ DataBits/8-1:0] wstrb_i,
    input  logic                   wlast_i,
    input  logic                   wvalid_i,
    input  logic                   wready_i,
    input  logic                   bvalid_i,
    input  logic                   bready_i,
    output logic [           13:0] broken_o,
    output logic [           31:0] reads_o,  // under way
    output logic [           31:0] writes_o,
    output logic [           31:0] muted_o   // write beats without strobes
);
  localparam int unsigned WordBytes = DataBits / 8;

  function automatic logic illegal(logic [AddressBits-1:0] address, logic [7:0] len,
      logic [2:0] size, logic [1:0] burst);
    illegal = len > 15 || burst != 2'b01 || (1 << size) != WordBytes ||
        32'(address[11:0]) % WordBytes != 0 ||
        32'(address[11:0]) + (32'(len) + 1) * WordBytes > 4096;
  endfunction

  // What was offered and not taken in the cycle before.
  logic ar_q, aw_q, w_q, after_reset_q;
  logic [AddressBits+12:0] ar_payload_q, aw_payload_q, ar_payload, aw_payload;
  logic [DataBits+WordBytes:0] w_payload_q, w_payload;
  assign ar_payload = {araddr_i, arlen_i, arsize_i, arburst_i};
  assign aw_payload = {awaddr_i, awlen_i, awsize_i, awburst_i};
  assign w_payload = {wdata_i, wstrb_i, wlast_i};

  // Lengths of bursts whose data have not all come, or whose address has not.
  logic [8:0] wanted[16], given[16];
  logic [3:0] wanted_head_q, wanted_tail_q, given_head_q, given_tail_q;
  logic [8:0] beats_q;
  logic ar, aw, w;
  assign ar = arvalid_i && arready_i;
  assign aw = awvalid_i && awready_i;
  assign w = wvalid_i && wready_i;

  always_ff @(posedge clk_i) begin
    after_reset_q <= rst_ni;
    ar_q <= arvalid_i && !arready_i;
    aw_q <= awvalid_i && !awready_i;
    w_q <= wvalid_i && !wready_i;
    ar_payload_q <= ar_payload;
    aw_payload_q <= aw_payload;
    w_payload_q <= w_payload;
    if (!rst_ni) begin
      broken_o <= '0;
      reads_o <= 0;
      writes_o <= 0;
      muted_o <= 0;
      beats_q <= 0;
      wanted_head_q <= 0;
      wanted_tail_q <= 0;
      given_head_q <= 0;
      given_tail_q <= 0;
    end else begin
      if (ar_q && !arvalid_i) broken_o[0] <= 1'b1;
      if (ar_q && ar_payload != ar_payload_q) broken_o[1] <= 1'b1;
      if (arvalid_i && illegal(araddr_i, arlen_i, arsize_i, arburst_i)) broken_o[2] <= 1'b1;
      if (aw_q && !awvalid_i) broken_o[3] <= 1'b1;
      if (aw_q && aw_payload != aw_payload_q) broken_o[4] <= 1'b1;
      if (awvalid_i && illegal(awaddr_i, awlen_i, awsize_i, awburst_i)) broken_o[5] <= 1'b1;
      if (w_q && !wvalid_i) broken_o[6] <= 1'b1;
      if (w_q && w_payload != w_payload_q) broken_o[7] <= 1'b1;
      if (wvalid_i && wstrb_i != '0 && wstrb_i != '1) broken_o[9] <= 1'b1;
      if (reads_o > Outstanding) broken_o[10] <= 1'b1;
      if (writes_o > Outstanding) broken_o[11] <= 1'b1;
      if ((rvalid_i && !rready_i) || (bvalid_i && !bready_i)) broken_o[12] <= 1'b1;
      if (!after_reset_q && (arvalid_i || awvalid_i || wvalid_i)) broken_o[13] <= 1'b1;

      if (aw) begin
        wanted[wanted_tail_q] <= 9'(awlen_i) + 9'd1;
        wanted_tail_q <= wanted_tail_q + 1'b1;
      end
      if (w) beats_q <= wlast_i ? 0 : beats_q + 1'b1;
      if (w && wlast_i) begin
        given[given_tail_q] <= beats_q + 1'b1;
        given_tail_q <= given_tail_q + 1'b1;
      end
      if (wanted_head_q != wanted_tail_q && given_head_q != given_tail_q) begin
        if (wanted[wanted_head_q] != given[given_head_q]) broken_o[8] <= 1'b1;
        wanted_head_q <= wanted_head_q + 1'b1;
        given_head_q <= given_head_q + 1'b1;
      end
      if (w && wstrb_i == '0) muted_o <= muted_o + 1;
      reads_o <= reads_o + 32'(ar) - 32'(rvalid_i && rready_i && rlast_i);
      writes_o <= writes_o + 32'(aw) - 32'(bvalid_i && bready_i);
    end
  end
endmodule
