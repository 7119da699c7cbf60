// SPDX-License-Identifier: Apache-2.0
// hwbnn_packet_results: the bytes of the results, in block RAM, and when to send a packet of them:
// when it would be full, or a whole result is there, which never waits for the next.
//
// packet_o says that a packet may begin, length_o of how many bytes; begin_i begins it. From three
// cycles after, byte_o is its first byte, and from three cycles after pop_i the next.
module hwbnn_packet_results #(
    parameter int unsigned ResultBytes = 1,
    parameter int unsigned Log = 9,  // of the bytes that there is room for
    parameter int unsigned MostLog = 6  // of the bytes of a packet
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [      7:0] in_data_i,
    output logic             packet_o,
    output logic [MostLog:0] length_o,
    input  logic             begin_i,
    input  logic             pop_i,
    output logic [      7:0] byte_o,
    output logic             held_o
);
  localparam int unsigned PlaceBits = ResultBytes > 1 ? $clog2(ResultBytes) : 1;

  if (ResultBytes < 1 || Log <= MostLog) begin : gen_refuse
    $error("hwbnn_packet_results: ResultBytes must be at least 1, Log more than MostLog");
  end

  logic [Log:0] held_q;
  logic [Log-1:0] write_q, read_q;
  logic [PlaceBits-1:0] place_q;  // in the result
  logic whole_q;  // a result's last byte has come since the last packet that took all
  logic write, last, full, rest;

  assign full = held_q[Log:MostLog] != '0;  // a full packet is there
  assign rest = held_q[MostLog-1:0] != '0;
  assign packet_o = full || whole_q;
  assign length_o = full ? {1'b1, MostLog'(0)} : held_q[MostLog:0];
  assign held_o = full || rest;
  assign in_ready_o = !held_q[Log];
  assign write = in_valid_i && in_ready_o;
  assign last = place_q == PlaceBits'(ResultBytes - 1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      held_q <= '0;
      write_q <= '0;
      read_q <= '0;
      place_q <= '0;
      whole_q <= 1'b0;
    end else begin
      if (write != pop_i) held_q <= write ? held_q + 1'b1 : held_q - 1'b1;
      if (write) write_q <= write_q + 1'b1;
      if (write) place_q <= last ? '0 : place_q + 1'b1;
      if (pop_i) read_q <= read_q + 1'b1;
      // A full packet may leave some of the result behind.
      if (write && last) whole_q <= 1'b1;
      else if (begin_i && !full) whole_q <= 1'b0;
      else if (!held_o) whole_q <= 1'b0;
    end
  end

  // A block RAM is slow to answer: its word gets a cycle for itself.
  (* ram_style = "block", no_rw_check *) logic [7:0] bytes[1 << Log];
  logic [7:0] byte_q;
  always_ff @(posedge clk_i) begin
    if (write) bytes[write_q] <= in_data_i;
    byte_q <= bytes[read_q];
    byte_o <= byte_q;
  end
endmodule
