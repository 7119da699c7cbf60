// SPDX-License-Identifier: Apache-2.0
// hwbnn_sliding_window: a line buffer that emits the windows of a padded image. Two actors share a
// circular buffer of Capacity words: fill walks the padded image and stores what windows cover,
// drain reads the words of window after window, column by column of its taps; with a window's last,
// all words before the next window leave. BeatTaps is 1, or KernelRows: then a beat is a column of
// taps, each read from a memory of one line. Timing, steps and fill words:
// hwbnn/units/sliding_window.py.
module hwbnn_sliding_window #(
    parameter int unsigned WordBits      = 1,
    parameter int unsigned Folds         = 1,  // words of a position
    parameter int unsigned Rows          = 1,  // of the padded image
    parameter int unsigned Columns       = 1,
    parameter int unsigned Top           = 0,
    parameter int unsigned Left          = 0,
    parameter int unsigned ImageRows     = 1,
    parameter int unsigned ImageColumns  = 1,
    parameter int unsigned Lines         = 1,  // of windows
    parameter int unsigned Windows       = 1,  // of a line
    parameter int unsigned StrideRows    = 1,
    parameter int unsigned StrideColumns = 1,
    parameter int unsigned SpanRows      = 1,  // of a window
    parameter int unsigned SpanColumns   = 1,
    parameter int unsigned KernelRows    = 1,
    parameter int unsigned KernelColumns = 1,
    parameter int unsigned BeatTaps      = 1,
    parameter int unsigned Groups        = 1,
    parameter int unsigned First         = 0,  // from a window's first word to the first it awaits
    parameter int          TapStep       = 1,  // from a word awaited to the next one
    parameter int          ColumnStep    = 1,
    parameter int          GroupStep     = 1,
    parameter int          WindowStep    = 1,
    parameter int          LineStep      = 1,
    parameter int          FrameStep     = 1,
    parameter int unsigned WindowMove    = 1,  // words that leave with a window's last
    parameter int unsigned LineMove      = 1,
    parameter int unsigned FrameMove     = 1,
    parameter int unsigned Capacity      = 1,
    parameter int unsigned Banks         = 1,  // memories: one, or one a stored line
    parameter int unsigned Depth         = 1,  // of a memory; Banks * Depth is at least Capacity
    parameter int unsigned Block         = 0,  // 0 distributed RAM, 1 block RAM, 2 UltraRAM
    parameter int unsigned FillFolds     = 1,  // words in FillFile; 1 serves all folds
    parameter              FillFile      = "fill"  // + ".hex"; not read without padding
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                in_valid_i,
    output logic                in_pop_o,
    input  logic [WordBits-1:0] in_data_i,
    input  logic                out_room_i,
    output logic                out_reserve_o,
    output logic                out_push_o,
    output logic [BeatTaps*WordBits-1:0] out_data_o
);
  localparam bit Padded = Rows > ImageRows || Columns > ImageColumns;
  localparam int unsigned Log = $clog2(Capacity);
  localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned Bits = (Log > AddressBits ? Log : AddressBits) + 1;

  if (Capacity < FrameMove || Banks * Depth < Capacity) begin : gen_refuse
    $error("hwbnn_sliding_window: Capacity must be at least FrameMove, Banks * Depth at least it");
  end
  if (BeatTaps != 1 && (BeatTaps != KernelRows || Folds != 1)) begin : gen_refuse_taps
    $error("hwbnn_sliding_window: BeatTaps must be 1 or KernelRows, of one word each");
  end

  // ---- fill: one word of the padded image a firing ---------------------------------------------

  logic fill, store, room, image, kept;
  logic image_column, image_row, kept_column, kept_row, column_last, row_last;

  hwbnn_window_axis #(
      .Extent(Columns * Folds), .Before(Left * Folds), .Size(ImageColumns * Folds),
      .Windows(Windows), .Stride(StrideColumns * Folds), .Span(SpanColumns * Folds)
  ) i_column (
      .clk_i, .rst_ni, .step_i(fill), .last_o(column_last), .image_o(image_column),
      .kept_o(kept_column));
  hwbnn_window_axis #(
      .Extent(Rows), .Before(Top), .Size(ImageRows), .Windows(Lines), .Stride(StrideRows),
      .Span(SpanRows)
  ) i_row (
      .clk_i, .rst_ni, .step_i(fill && column_last), .last_o(row_last), .image_o(image_row),
      .kept_o(kept_row));

  assign image = image_column && image_row;
  assign kept = kept_column && kept_row;
  assign fill = (in_valid_i || !image) && (room || !kept);
  assign store = fill && kept;
  assign in_pop_o = fill && image;

  logic [WordBits-1:0] word;  // to store
  if (Padded) begin : gen_border
    logic [WordBits-1:0] fill_words[FillFolds];
    logic [(FillFolds > 1 ? $clog2(FillFolds) : 1)-1:0] fold;
    logic fold_last, unused;
    assign unused = fold_last;
    initial $readmemh({FillFile, ".hex"}, fill_words);
    hwbnn_modulo #(.Count(FillFolds)) i_fold (
        .clk_i, .rst_ni, .step_i(fill), .last_o(fold_last), .index_o(fold));
    assign word = image ? in_data_i : fill_words[fold];
  end else begin : gen_image
    assign word = in_data_i;
  end

  // ---- drain: one word of a window a firing ----------------------------------------------------

  logic drain, leave, line_last, frame_last;
  logic [Bits-1:0] back, turn, move;

  hwbnn_window_steps #(
      .Bits(Bits), .Depth(BeatTaps > 1 ? 1 << AddressBits : Depth), .GroupFolds(Folds / Groups),
      .ColumnBeats(KernelRows / BeatTaps), .KernelColumns(KernelColumns), .Groups(Groups),
      .Lines(Lines), .Windows(Windows), .TapStep(TapStep), .ColumnStep(ColumnStep),
      .GroupStep(GroupStep), .WindowStep(WindowStep), .LineStep(LineStep), .FrameStep(FrameStep),
      .WindowMove(WindowMove), .LineMove(LineMove), .FrameMove(FrameMove)
  ) i_steps (
      .clk_i, .rst_ni, .fire_i(drain), .back_o(back), .turn_o(turn), .leave_o(leave),
      .line_o(line_last), .frame_o(frame_last), .move_o(move));

  // Words stored from the wanted one on, less one, and free words less one: a sign bit says "none".
  // The lowest bit of a sum is the carry in.
  logic [Bits-1:0] ahead_q, free_q, gone, given;
  logic [Bits:0] ahead, free;
  assign gone = drain ? back : '0;
  assign given = drain && leave ? move - 1'b1 : '1;
  assign ahead = {ahead_q, 1'b1} + {gone, store};
  assign free = {free_q, 1'b1} + {given, !store};
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ahead_q <= Bits'(-1 - int'(First));
      free_q <= Bits'(Capacity - 1);
    end else begin
      ahead_q <= ahead[Bits:1];
      free_q <= free[Bits:1];
    end
  end
  assign room = !free_q[Bits-1];
  assign drain = !ahead_q[Bits-1] && out_room_i;
  assign out_reserve_o = drain;
  hwbnn_delay #(.Cycles(1)) i_push (.clk_i, .rst_ni, .data_i(drain), .data_o(out_push_o));

  // ---- buffer ----------------------------------------------------------------------------------

  if (BeatTaps > 1) begin : gen_lines
    hwbnn_window_lines #(
        .WordBits(WordBits), .Columns(Depth), .Banks(Banks), .Taps(BeatTaps),
        .Dilation((SpanRows - 1) / (KernelRows - 1)),
        .LineTurn((StrideRows < SpanRows ? StrideRows : SpanRows) % Banks),
        .FrameTurn(SpanRows % Banks), .Block(Block)
    ) i_lines (
        .clk_i, .rst_ni, .store_i(store), .word_i(word), .read_i(drain),
        .step_i(turn[AddressBits-1:0]), .line_i(line_last), .frame_i(frame_last),
        .words_o(out_data_o));
  end else begin : gen_words
    logic [AddressBits-1:0] write, read_q, read_d;
    logic write_last;
    hwbnn_modulo #(.Count(Depth)) i_write (
        .clk_i, .rst_ni, .step_i(store), .last_o(write_last), .index_o(write));

    if (Depth == 1 << AddressBits) begin : gen_natural
      assign read_d = read_q + AddressBits'(turn);
    end else begin : gen_turn
      logic [Bits-1:0] near, far;
      assign near = Bits'(read_q) + turn;
      assign far = Bits'(read_q) + (turn - Bits'(Depth));
      assign read_d = AddressBits'(far[Bits-1] ? near : far);
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) read_q <= '0;
      else if (drain) read_q <= read_d;
    end

    // A word is read one cycle after it was written, or later; never while it is written.
    logic [WordBits-1:0] word_q;
    if (Block == 1) begin : gen_block
      (* ram_style = "block", no_rw_check *) logic [WordBits-1:0] words[Depth];
      always_ff @(posedge clk_i) begin
        if (store) words[write] <= word;
        word_q <= words[read_q];
      end
    end else if (Block == 2) begin : gen_ultra
      (* ram_style = "ultra", no_rw_check *) logic [WordBits-1:0] words[Depth];
      always_ff @(posedge clk_i) begin
        if (store) words[write] <= word;
        word_q <= words[read_q];
      end
    end else begin : gen_distributed
      (* ram_style = "distributed", no_rw_check *) logic [WordBits-1:0] words[Depth];
      always_ff @(posedge clk_i) begin
        if (store) words[write] <= word;
        word_q <= words[read_q];
      end
    end
    assign out_data_o = word_q;
    logic unused;
    assign unused = &{write_last, line_last, frame_last};
  end

  logic unused;
  assign unused = &{1'b0, row_last, turn, ahead[0], free[0]};
endmodule
