// SPDX-License-Identifier: Apache-2.0
// hwbnn_shell_uart: the core behind an 8N1 line: packets, registers, frames and results as
// decision 8 says.
//
// A host that has not had the answer to a READ or WRITE sends no other; after a WRITE that resets
// it waits for the answer before it sends frames. STATUS.BUSY, and busy_o: the shell holds bytes of
// frames or of results.
module hwbnn_shell_uart #(
    parameter logic [127:0] BuildHash    = '0,  // first byte least significant
    parameter int unsigned  BitCycles256 = 26667,  // clock cycles of a bit, times 256
    parameter int unsigned  RoomBytes    = 4096,  // for frames, a power of two
    parameter int unsigned  CoreInBits   = 8,
    parameter int unsigned  CoreInBeats  = 1,
    parameter int unsigned  CoreOutBits  = 8,
    parameter int unsigned  CoreOutBeats = 1,
    parameter int unsigned  Fifos        = 0,
    localparam int unsigned HighBits     = Fifos > 0 ? 16 * Fifos : 1
) (
    input  logic                   clk_i,
    input  logic                   rst_ni,
    input  logic                   rx_i,
    output logic                   tx_o,
    output logic                   busy_o,
    output logic                   core_rst_no,
    output logic                   in_valid_o,
    input  logic                   in_ready_i,
    output logic [ CoreInBits-1:0] in_data_o,
    input  logic                   out_valid_i,
    output logic                   out_ready_o,
    input  logic [CoreOutBits-1:0] out_data_i,
    input  logic [   HighBits-1:0] high_water_i  // 16 bits a FIFO, the first lowest
);
  localparam int unsigned FrameBytes = (CoreInBits * CoreInBeats + 7) / 8;
  localparam int unsigned ResultBytes = (CoreOutBits * CoreOutBeats + 7) / 8;

  // ---- reset: core, buffers, meter; not the packet that is under way ----------------------------

  logic soft_reset, core_rst_n_q;
  assign core_rst_no = core_rst_n_q;
  always_ff @(posedge clk_i) core_rst_n_q <= rst_ni && !soft_reset;

  // ---- from the line to the core ----------------------------------------------------------------

  logic rx_valid, tick, restart, write, commit, full, frames_held, frame_valid, frame_ready;
  logic [7:0] rx_byte, frame_byte;
  logic request_valid, request_write, taken, refused_valid, told;
  logic [7:0] request_sequence, request_index, refused_sequence;
  logic [31:0] request_data;
  logic [2:0] refused_reason, errors;

  hwbnn_uart_receive #(
      .BitCycles256(BitCycles256)
  ) receive (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .rx_i(rx_i),
      .valid_o(rx_valid),
      .byte_o(rx_byte),
      .tick_o(tick)
  );

  hwbnn_packet_receive packets_in (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .clear_i(!core_rst_n_q),
      .valid_i(rx_valid),
      .byte_i(rx_byte),
      .tick_i(tick),
      .restart_o(restart),
      .write_o(write),
      .commit_o(commit),
      .full_i(full),
      .request_valid_o(request_valid),
      .request_write_o(request_write),
      .request_sequence_o(request_sequence),
      .request_index_o(request_index),
      .request_data_o(request_data),
      .taken_i(taken),
      .refused_valid_o(refused_valid),
      .refused_reason_o(refused_reason),
      .refused_sequence_o(refused_sequence),
      .told_i(told),
      .errors_o(errors)
  );

  hwbnn_packet_frames #(
      .Bytes(RoomBytes)
  ) frames (
      .clk_i(clk_i),
      .rst_ni(core_rst_n_q),
      .restart_i(restart),
      .write_i(write),
      .byte_i(rx_byte),
      .commit_i(commit),
      .full_o(full),
      .held_o(frames_held),
      .out_valid_o(frame_valid),
      .out_ready_i(frame_ready),
      .out_data_o(frame_byte)
  );

  hwbnn_gearbox #(
      .InBits(8),
      .InBeats(FrameBytes),
      .OutBits(CoreInBits),
      .OutBeats(CoreInBeats)
  ) gearbox_in (
      .clk_i(clk_i),
      .rst_ni(core_rst_n_q),
      .in_valid_i(frame_valid),
      .in_ready_o(frame_ready),
      .in_data_i(frame_byte),
      .out_valid_o(in_valid_o),
      .out_ready_i(in_ready_i),
      .out_data_o(in_data_o)
  );

  // ---- from the core to the line ----------------------------------------------------------------

  logic result_valid, result_ready, results_held, packet, begun, pop;
  logic [7:0] result_byte, stored_byte, tx_byte;
  logic [6:0] length;
  logic register_read, register_write, tx_valid, tx_ready;
  logic [31:0] rdata;

  hwbnn_gearbox #(
      .InBits(CoreOutBits),
      .InBeats(CoreOutBeats),
      .OutBits(8),
      .OutBeats(ResultBytes)
  ) gearbox_out (
      .clk_i(clk_i),
      .rst_ni(core_rst_n_q),
      .in_valid_i(out_valid_i),
      .in_ready_o(out_ready_o),
      .in_data_i(out_data_i),
      .out_valid_o(result_valid),
      .out_ready_i(result_ready),
      .out_data_o(result_byte)
  );

  hwbnn_packet_results #(
      .ResultBytes(ResultBytes)
  ) results (
      .clk_i(clk_i),
      .rst_ni(core_rst_n_q),
      .in_valid_i(result_valid),
      .in_ready_o(result_ready),
      .in_data_i(result_byte),
      .packet_o(packet),
      .length_o(length),
      .begin_i(begun),
      .pop_i(pop),
      .byte_o(stored_byte),
      .held_o(results_held)
  );

  hwbnn_packet_send packets_out (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .clear_i(!core_rst_n_q),
      .request_valid_i(request_valid),
      .request_write_i(request_write),
      .request_sequence_i(request_sequence),
      .taken_o(taken),
      .read_o(register_read),
      .write_o(register_write),
      .rdata_i(rdata),
      .refused_valid_i(refused_valid),
      .refused_reason_i(refused_reason),
      .refused_sequence_i(refused_sequence),
      .told_o(told),
      .packet_i(packet),
      .length_i(length),
      .begin_o(begun),
      .result_i(stored_byte),
      .pop_o(pop),
      .valid_o(tx_valid),
      .ready_i(tx_ready),
      .byte_o(tx_byte)
  );

  hwbnn_uart_send #(
      .BitCycles256(BitCycles256)
  ) send (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .valid_i(tx_valid),
      .ready_o(tx_ready),
      .byte_i(tx_byte),
      .tx_o(tx_o)
  );

  // ---- registers --------------------------------------------------------------------------------

  logic [63:0] cycles;
  logic [31:0] in_stall, out_stall, frames_done;
  logic [161:0] unused;  // what is for memories

  assign busy_o = frames_held || results_held;

  hwbnn_meter #(
      .OutBeats(CoreOutBeats)
  ) meter (
      .clk_i(clk_i),
      .rst_ni(core_rst_n_q),
      .clear_i(1'b0),
      .in_valid_i(in_valid_o),
      .in_ready_i(in_ready_i),
      .out_valid_i(out_valid_i),
      .out_ready_i(out_ready_o),
      .cycles_o(cycles),
      .in_stall_o(in_stall),
      .out_stall_o(out_stall),
      .frames_o(frames_done)
  );

  hwbnn_registers #(
      .BuildHash(BuildHash),
      .WordBytes(1),
      .InBytes(FrameBytes),
      .OutBytes(ResultBytes),
      .Fifos(Fifos),
      .InRoom(RoomBytes),
      .AddressBits(0)
  ) registers (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .write_i(register_write),
      .index_i({6'b0, request_index}),
      .wdata_i(request_data),
      .read_i(register_read),
      .rdata_o(rdata),
      .start_o(unused[0]),
      .soft_reset_o(soft_reset),
      .reset_done_i(!core_rst_n_q),
      .irq_o(unused[1]),
      .in_address_o(unused[65:2]),
      .out_address_o(unused[129:66]),
      .frames_o(unused[161:130]),
      .busy_i(busy_o),
      .done_i(1'b0),
      .errors_i({errors, 3'b0}),
      .cycles_i(cycles),
      .in_stall_i(in_stall),
      .out_stall_i(out_stall),
      .frames_done_i(frames_done),
      .high_water_i(high_water_i)
  );
endmodule
