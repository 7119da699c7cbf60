// SPDX-License-Identifier: Apache-2.0
// hwbnn_dma_batch: the life of a batch: idle, run, and if it fails or is given up, stop until no
// burst is under way, then flush: reset of core, gearboxes and DMA, so that nothing of it is left.
//
// go_o begins a batch in the cycle of start_i. bad_o: pulse at a start_i that is refused; done_o:
// pulse when a batch has ended, well or not, or was refused while idle.
module hwbnn_dma_batch #(
    parameter int unsigned WordBytes   = 8,
    parameter int unsigned AddressBits = 32
) (
    input  logic        clk_i,
    input  logic        rst_ni,
    input  logic        start_i,
    input  logic        soft_reset_i,
    input  logic [63:0] in_address_i,
    input  logic [63:0] out_address_i,
    input  logic [31:0] frames_i,
    input  logic        failed_i,    // pulse: the memory refused something
    input  logic        finished_i,  // everything read, taken, written and answered
    input  logic        idle_i,      // no burst is under way
    output logic        go_o,
    output logic        stop_o,
    output logic        flush_o,
    output logic        reset_done_o,
    output logic        busy_o,
    output logic        done_o,
    output logic        bad_o
);
  localparam int unsigned FlushCycles = 16;  // the core's tables are read again behind its counters
  localparam int unsigned FlushBits = $clog2(FlushCycles);

  logic run_q, stop_q, flush_q, legal, flushed;
  logic [FlushBits-1:0] flush_count_q;

  // Bits of an address that are above the port's, or inside a word.
  localparam logic [63:0] Wrong = ~(~64'b0 >> (64 - AddressBits)) | 64'(WordBytes - 1);

  assign legal = frames_i != '0 && ((in_address_i | out_address_i) & Wrong) == '0;
  assign flushed = flush_q && flush_count_q == '1;

  assign busy_o = run_q || stop_q || flush_q;
  assign go_o = start_i && !busy_o && !soft_reset_i && legal;
  assign bad_o = start_i && (busy_o || !legal);
  assign stop_o = stop_q;
  assign flush_o = flush_q;
  assign reset_done_o = flushed && soft_reset_i;
  assign done_o = (bad_o && !busy_o) || flushed || (run_q && finished_i && !failed_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q <= 1'b0;
      stop_q <= 1'b0;
      flush_q <= 1'b0;
    end else if (flush_q) begin
      flush_q <= !flushed;
    end else if (stop_q) begin
      stop_q <= !idle_i;
      flush_q <= idle_i;
    end else if (soft_reset_i || (run_q && failed_i)) begin
      run_q <= 1'b0;
      stop_q <= 1'b1;
    end else begin
      run_q <= go_o || (run_q && !finished_i);
    end
    flush_count_q <= flush_q ? flush_count_q + 1'b1 : '0;
  end
endmodule
