// SPDX-License-Identifier: Apache-2.0
// hwbnn_packet_receive: finds the host's packets (decision 8) in the bytes of the line, hands on
// what is right and says what was refused.
//
// Frames: restart_o before the first byte of a packet, write_o a byte, commit_o if the packet was
// right. Requests (READ and WRITE): one waits in the request_ ports until taken_i; the next is
// refused meanwhile. Refusals: one waits in the refused_ ports until told_i, later ones are not
// told; after any of them frames are refused until clear_i. A packet that clear_i falls into is
// refused.
module hwbnn_packet_receive (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        clear_i,
    input  logic        valid_i,
    input  logic [ 7:0] byte_i,
    input  logic        tick_i,               // a bit time has passed
    output logic        restart_o,
    output logic        write_o,
    output logic        commit_o,
    input  logic        full_i,
    output logic        request_valid_o,
    output logic        request_write_o,
    output logic [ 7:0] request_sequence_o,
    output logic [ 7:0] request_index_o,
    output logic [31:0] request_data_o,
    input  logic        taken_i,
    output logic        refused_valid_o,
    output logic [ 2:0] refused_reason_o,
    output logic [ 7:0] refused_sequence_o,
    input  logic        told_i,
    output logic [ 2:0] errors_o              // pulses: BAD_CHECKSUM, BAD_SEQUENCE, NO_ROOM
);
  localparam logic [7:0] Mark = 8'hC5;
  localparam logic [1:0] Read = 2'd1, Write = 2'd2, Frames = 2'd3;  // 0: no kind that we know
  localparam logic [2:0] Checksum = 3'd1, Sequence = 3'd2, NoRoom = 3'd3, BadKind = 3'd4;

  // What the next byte is; in AtCheck the packet is complete.
  localparam logic [2:0] AtMark = 3'd0, AtKind = 3'd1, AtSequence = 3'd2, AtLength = 3'd3;
  localparam logic [2:0] AtPayload = 3'd4, AtHigh = 3'd5, AtLow = 3'd6, AtCheck = 3'd7;

  logic [2:0] at_q, reason;
  logic [1:0] kind_q;
  logic [7:0] sequence_q, expected_q, left_q;
  logic [9:0] silence_q;  // bit times since the last byte
  logic [15:0] crc;
  logic lost_q, refusing_q, payload, request, legal, silent, good;

  assign payload = valid_i && at_q == AtPayload;
  assign request = payload && kind_q != Frames;
  assign legal = kind_q == Frames || (kind_q == Read && byte_i == 8'd1) ||
      (kind_q == Write && byte_i == 8'd5);
  assign silent = tick_i && silence_q == '1;

  hwbnn_crc16 checksum (
      .clk_i(clk_i),
      .clear_i(at_q == AtMark || (at_q == AtKind && valid_i && byte_i == Mark)),
      .valid_i(valid_i),
      .data_i(byte_i),
      .crc_o(crc)
  );

  // ---- the packet -------------------------------------------------------------------------------

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      at_q <= AtMark;
      silence_q <= '0;
    end else begin
      if (valid_i || at_q == AtMark) silence_q <= '0;
      else if (tick_i) silence_q <= silence_q + 1'b1;

      if (at_q == AtCheck || (silent && !valid_i)) at_q <= AtMark;
      else if (valid_i) begin
        case (at_q)
          AtMark: if (byte_i == Mark) at_q <= AtKind;
          AtKind: if (byte_i != Mark) at_q <= AtSequence;
          AtSequence: at_q <= AtLength;
          AtLength: at_q <= !legal ? AtMark : byte_i == '0 ? AtHigh : AtPayload;
          AtPayload: if (left_q == 8'd1) at_q <= AtHigh;
          AtHigh: at_q <= AtLow;
          default: at_q <= AtCheck;
        endcase
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) begin
      if (at_q == AtKind) kind_q <= byte_i[7:2] == '0 ? byte_i[1:0] : '0;
      if (at_q == AtSequence) sequence_q <= byte_i;
      if (at_q == AtLength) left_q <= byte_i;
      if (at_q == AtPayload) left_q <= left_q - 1'b1;
    end
    // Something of the packet found no place.
    if (clear_i || (request && request_valid_o) || (write_o && full_i)) lost_q <= 1'b1;
    else if (at_q == AtMark) lost_q <= 1'b0;
  end

  // ---- what is right, and what is refused -------------------------------------------------------

  always_comb begin
    reason = '0;
    if (at_q == AtCheck) begin
      if (crc != '0) reason = Checksum;
      else if (kind_q == Frames && (refusing_q || sequence_q != expected_q)) reason = Sequence;
      else if (lost_q) reason = NoRoom;
    end else if (valid_i) begin
      if (at_q == AtLength && !legal) reason = BadKind;
    end else if (silent) reason = Checksum;
  end
  assign good = at_q == AtCheck && reason == '0;
  assign errors_o = {reason == NoRoom, reason == Sequence, reason == Checksum};

  assign restart_o = valid_i && at_q == AtLength;
  assign write_o = payload && kind_q == Frames;
  assign commit_o = good && kind_q == Frames;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || clear_i) begin
      expected_q <= '0;
      refusing_q <= 1'b0;
      refused_valid_o <= 1'b0;
    end else begin
      if (commit_o) expected_q <= expected_q + 1'b1;
      if (reason != '0) refusing_q <= 1'b1;
      refused_valid_o <= reason != '0 || (refused_valid_o && !told_i);
    end
    if (!refused_valid_o || told_i) begin
      refused_reason_o   <= reason;
      refused_sequence_o <= sequence_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) request_valid_o <= 1'b0;
    else request_valid_o <= (good && kind_q != Frames) || (request_valid_o && !taken_i);

    if (good) request_sequence_o <= sequence_q;
    if (good) request_write_o <= kind_q == Write;
    if (request && !request_valid_o) begin
      // The first byte of a WRITE is the index too.
      if (kind_q == Read || left_q == 8'd5) request_index_o <= byte_i;
      else request_data_o <= {byte_i, request_data_o[31:8]};
    end
  end
endmodule
