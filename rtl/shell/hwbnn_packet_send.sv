// SPDX-License-Identifier: Apache-2.0
// hwbnn_packet_send: the board's packets (decision 8), one at a time: the answer to a request, else
// a refusal, else results. A request is carried out when its answer begins: a reset falls into no
// packet.
module hwbnn_packet_send #(
    parameter int unsigned MostLog = 6  // of the bytes of results in a packet
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             clear_i,             // the sequence of results begins anew
    input  logic             request_valid_i,
    input  logic             request_write_i,
    input  logic [      7:0] request_sequence_i,
    output logic             taken_o,
    output logic             read_o,
    output logic             write_o,
    input  logic [     31:0] rdata_i,             // in the cycle after read_o
    input  logic             refused_valid_i,
    input  logic [      2:0] refused_reason_i,
    input  logic [      7:0] refused_sequence_i,
    output logic             told_o,
    input  logic             packet_i,
    input  logic [MostLog:0] length_i,
    output logic             begin_o,
    input  logic [      7:0] result_i,
    output logic             pop_o,
    output logic             valid_o,
    input  logic             ready_i,
    output logic [      7:0] byte_o
);
  localparam logic [7:0] Mark = 8'hC5;
  localparam logic [1:0] Refused = 2'd0, Value = 2'd1, Written = 2'd2, Results = 2'd3;  // kind - 80

  // Which byte is to be sent; in AtIdle none, and AtFetch waits for a register's value.
  localparam logic [3:0] AtIdle = 4'd0, AtFetch = 4'd1, AtMark = 4'd2, AtKind = 4'd3;
  localparam logic [3:0] AtSequence = 4'd4, AtLength = 4'd5, AtPayload = 4'd6;
  localparam logic [3:0] AtHigh = 4'd7, AtLow = 4'd8;

  logic [3:0] at_q;
  logic [1:0] kind_q;
  logic [7:0] sequence_q, results_q;
  logic [MostLog:0] left_q;
  logic [31:0] value_q;
  logic [15:0] crc;
  logic idle, sent, summed;

  assign idle = at_q == AtIdle;
  assign taken_o = idle && request_valid_i;
  assign read_o = taken_o && !request_write_i;
  assign write_o = taken_o && request_write_i;
  assign told_o = idle && !request_valid_i && refused_valid_i;
  assign begin_o = idle && !request_valid_i && !refused_valid_i && packet_i;

  assign valid_o = at_q[3:1] != '0;
  assign sent = valid_o && ready_i;
  assign summed = sent && at_q != AtMark;
  assign pop_o = sent && at_q == AtPayload && kind_q == Results;

  hwbnn_crc16 checksum (
      .clk_i(clk_i),
      .clear_i(idle),
      .valid_i(summed && !at_q[3] && at_q != AtHigh),
      .data_i(byte_o),
      .crc_o(crc)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) at_q <= AtIdle;
    else if (idle) begin
      if (taken_o || told_o || begin_o) at_q <= AtFetch;
    end else if (at_q == AtFetch) at_q <= AtMark;
    else if (sent) begin
      case (at_q)
        AtLength: at_q <= left_q == '0 ? AtHigh : AtPayload;
        AtPayload: if (left_q == (MostLog + 1)'(1)) at_q <= AtHigh;
        AtLow: at_q <= AtIdle;
        default: at_q <= at_q + 1'b1;
      endcase
    end

    if (!rst_ni || clear_i) results_q <= '0;
    else if (begin_o) results_q <= results_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (idle) begin
      if (request_valid_i) begin
        kind_q <= request_write_i ? Written : Value;
        sequence_q <= request_sequence_i;
        left_q <= request_write_i ? '0 : (MostLog + 1)'(4);
      end else if (refused_valid_i) begin
        kind_q <= Refused;
        sequence_q <= refused_sequence_i;
        left_q <= (MostLog + 1)'(1);
      end else begin
        kind_q <= Results;
        sequence_q <= results_q;
        left_q <= length_i;
      end
      value_q[2:0] <= refused_reason_i;
    end else if (at_q == AtPayload && sent) left_q <= left_q - 1'b1;

    if (at_q == AtFetch) value_q <= kind_q == Value ? rdata_i : {29'b0, value_q[2:0]};
    else if (at_q == AtPayload && sent) value_q <= {8'b0, value_q[31:8]};
  end

  always_comb begin
    case (at_q)
      AtKind: byte_o = {1'b1, 4'b0, kind_q == Refused, kind_q};
      AtSequence: byte_o = sequence_q;
      AtLength: byte_o = 8'(left_q);
      AtPayload: byte_o = kind_q == Results ? result_i : value_q[7:0];
      AtHigh: byte_o = crc[15:8];
      AtLow: byte_o = crc[7:0];
      default: byte_o = Mark;
    endcase
  end
endmodule
