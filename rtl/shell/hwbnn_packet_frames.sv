// SPDX-License-Identifier: Apache-2.0
// hwbnn_packet_frames: the bytes of the frames, in block RAM. What is written counts only once it
// is committed; restart_i forgets what was written since the last commit. A byte written when
// full_o is on is lost, and what was written must not be committed then.
module hwbnn_packet_frames #(
    parameter int unsigned Bytes = 4096  // a power of two
) (
    input  logic       clk_i,
    input  logic       rst_ni,
    input  logic       restart_i,
    input  logic       write_i,
    input  logic [7:0] byte_i,
    input  logic       commit_i,
    output logic       full_o,
    output logic       held_o,  // committed bytes are there
    output logic       out_valid_o,
    input  logic       out_ready_i,
    output logic [7:0] out_data_o
);
  localparam int unsigned Log = $clog2(Bytes);

  if (Bytes < 2 || Bytes != (1 << Log)) begin : gen_refuse
    $error("hwbnn_packet_frames: Bytes must be a power of two, at least 2");
  end

  // One bit more than an address: a lap apart is full.
  logic [Log:0] write_q, commit_q, read_q;
  logic valid_q, read;

  assign full_o = write_q == {!read_q[Log], read_q[Log-1:0]};
  assign held_o = valid_q || commit_q != read_q;
  assign out_valid_o = valid_q;
  assign read = (!valid_q || out_ready_i) && commit_q != read_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_q <= '0;
      commit_q <= '0;
      read_q <= '0;
      valid_q <= 1'b0;
    end else begin
      if (restart_i) write_q <= commit_q;
      else if (write_i && !full_o) write_q <= write_q + 1'b1;
      if (commit_i) commit_q <= write_q;
      if (read) read_q <= read_q + 1'b1;
      valid_q <= read || (valid_q && !out_ready_i);
    end
  end

  (* ram_style = "block", no_rw_check *) logic [7:0] bytes[Bytes];
  always_ff @(posedge clk_i) begin
    if (write_i && !full_o) bytes[write_q[Log-1:0]] <= byte_i;
    if (read) out_data_o <= bytes[read_q[Log-1:0]];
  end
endmodule
