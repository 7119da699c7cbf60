// SPDX-License-Identifier: Apache-2.0
// hwbnn_window_lines: the buffer of windows that are sent by columns: Banks memories, each of one
// line of the stored image at a time, line after line. A read takes one column of them all; tap t
// of it is in the memory Dilation * t lines below that of the window's first line.
// Timing: hwbnn/units/sliding_window.py.
module hwbnn_window_lines #(
    parameter int unsigned WordBits  = 1,
    parameter int unsigned Columns   = 1,  // words of a line
    parameter int unsigned Banks     = 2,
    parameter int unsigned Taps      = 2,  // of a column
    parameter int unsigned Dilation  = 1,  // lines from tap to tap
    parameter int unsigned LineTurn  = 1,  // lines from windows to those below, modulo Banks
    parameter int unsigned FrameTurn = 1,  // from a frame's last windows to the next one's first
    parameter int unsigned Block     = 0,  // 0 distributed RAM, 1 block RAM, 2 UltraRAM
    localparam int unsigned ColumnBits = Columns > 1 ? $clog2(Columns) : 1
) (
    input  logic                     clk_i,
    input  logic                     rst_ni,
    input  logic                     store_i,
    input  logic [WordBits-1:0]      word_i,
    input  logic                     read_i,
    input  logic [ColumnBits-1:0]    step_i,   // to the next column in the line
    input  logic                     line_i,   // the last read of a line of windows
    input  logic                     frame_i,  // and of a frame
    output logic [Taps*WordBits-1:0] words_o   // one cycle after the read
);
  localparam int unsigned BankBits = $clog2(Banks);

  if (Banks < 2 || (Taps - 1) * Dilation >= Banks || LineTurn >= Banks || FrameTurn >= Banks)
  begin : gen_refuse
    $error("hwbnn_window_lines: a window's lines must be at most Banks, turns less");
  end

  // ---- place of the word stored, and of the window read ----------------------------------------

  logic [ColumnBits-1:0] write, read_q;
  logic [BankBits-1:0] into, first_q, first_d, now_q;  // now_q: of the words in lines_q
  logic line_stored, into_last;
  hwbnn_modulo #(.Count(Columns)) i_write (
      .clk_i, .rst_ni, .step_i(store_i), .last_o(line_stored), .index_o(write));
  hwbnn_modulo #(.Count(Banks)) i_into (
      .clk_i, .rst_ni, .step_i(store_i && line_stored), .last_o(into_last), .index_o(into));

  logic [BankBits:0] near, far;
  assign near = {1'b0, first_q} +
      (frame_i ? (BankBits + 1)'(FrameTurn) : (BankBits + 1)'(LineTurn));
  assign far = near - (BankBits + 1)'(Banks);
  assign first_d = near < (BankBits + 1)'(Banks) ? near[BankBits-1:0] : far[BankBits-1:0];
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      read_q <= '0;
      first_q <= '0;
    end else if (read_i) begin
      read_q <= line_i ? '0 : read_q + step_i;
      if (line_i) first_q <= first_d;
    end
    now_q <= first_q;
  end

  // ---- lines: a word is read one cycle after it was written, or later; never while it is written

  logic [Banks*WordBits-1:0] lines_q;
  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    logic store;
    logic [WordBits-1:0] word_q;
    assign store = store_i && into == BankBits'(b);
    if (Block == 1) begin : gen_block
      (* ram_style = "block", no_rw_check *) logic [WordBits-1:0] words[Columns];
      always_ff @(posedge clk_i) begin
        if (store) words[write] <= word_i;
        word_q <= words[read_q];
      end
    end else if (Block == 2) begin : gen_ultra
      (* ram_style = "ultra", no_rw_check *) logic [WordBits-1:0] words[Columns];
      always_ff @(posedge clk_i) begin
        if (store) words[write] <= word_i;
        word_q <= words[read_q];
      end
    end else begin : gen_distributed
      (* ram_style = "distributed", no_rw_check *) logic [WordBits-1:0] words[Columns];
      always_ff @(posedge clk_i) begin
        if (store) words[write] <= word_i;
        word_q <= words[read_q];
      end
    end
    assign lines_q[b*WordBits+:WordBits] = word_q;
  end

  // ---- taps ------------------------------------------------------------------------------------

  for (genvar t = 0; t < Taps; t++) begin : gen_tap
    logic [WordBits-1:0] word;
    always_comb begin
      word = '0;
      for (int unsigned b = 0; b < Banks; b++) begin
        if (now_q == BankBits'((b + Banks - t * Dilation) % Banks)) begin
          word = lines_q[b*WordBits+:WordBits];
        end
      end
    end
    assign words_o[t*WordBits+:WordBits] = word;
  end

  logic unused;
  assign unused = &{1'b0, into_last, far};
endmodule
