// SPDX-License-Identifier: Apache-2.0
// hwbnn_fifo: the queue on every stream. The producer reserves a slot in the cycle it fires and
// fills it when the word leaves its pipeline.
//
// room_o and valid_o are register bits. A slot reserved in cycle t is taken in t + 1; a slot popped
// in t is room in t + 1; a word pushed in t is valid in t + 1, in block RAM and UltraRAM in t + 2.
// Never reserve without room nor pop without a word. Timing: hwbnn/ir/fifo.py.
module hwbnn_fifo #(
    parameter int unsigned Width   = 8,
    parameter int unsigned Depth   = 2,
    parameter int unsigned Storage = 1  // 0 shift registers, 1 distributed, 2 block RAM, 3 UltraRAM
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    output logic             room_o,
    input  logic             reserve_i,
    input  logic             push_i,
    input  logic [Width-1:0] data_i,
    output logic             valid_o,
    input  logic             pop_i,
    output logic [Width-1:0] data_o
);
  localparam int unsigned Log = $clog2(Depth);
  localparam int unsigned PointerBits = Log > 0 ? Log : 1;

  if (Width < 1 || Depth < 1 || Storage > 3) begin : gen_refuse
    $error("hwbnn_fifo: Width and Depth must be at least 1, Storage 0 to 3");
  end

  // Free slots less one, and words less one: -1 to Depth - 1, so that the sign bit says "none".
  logic [Log:0] free_q, held_q;
  logic seen;  // a pushed word becomes valid in the next cycle

  assign room_o  = !free_q[Log];
  assign valid_o = !held_q[Log];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      free_q <= (Log + 1)'(Depth - 1);
      held_q <= '1;
    end else begin
      if (pop_i != reserve_i) free_q <= pop_i ? free_q + 1'b1 : free_q - 1'b1;
      if (seen != pop_i) held_q <= seen ? held_q + 1'b1 : held_q - 1'b1;
    end
  end

  if (Depth == 1) begin : gen_register
    logic [Width-1:0] word_q;
    always_ff @(posedge clk_i) if (push_i) word_q <= data_i;
    assign data_o = word_q;
  end else if (Storage == 0) begin : gen_shift
    for (genvar i = 0; i < Width; i++) begin : gen_bit  // one SRL each
      logic [Depth-1:0] bits_q;  // newest first
      always_ff @(posedge clk_i) if (push_i) bits_q <= {bits_q[Depth-2:0], data_i[i]};
      assign data_o[i] = bits_q[held_q[PointerBits-1:0]];
    end
  end else begin : gen_ram
    logic [PointerBits-1:0] write_q, read_q, read_d;

    if (Depth == (1 << Log)) begin : gen_natural
      assign read_d = read_q + PointerBits'(pop_i);
      always_ff @(posedge clk_i) begin
        if (!rst_ni) write_q <= '0;
        else if (push_i) write_q <= write_q + 1'b1;
      end
    end else begin : gen_wrap
      localparam logic [PointerBits-1:0] Last = PointerBits'(Depth - 1);
      assign read_d = !pop_i ? read_q : read_q == Last ? '0 : read_q + 1'b1;
      always_ff @(posedge clk_i) begin
        if (!rst_ni) write_q <= '0;
        else if (push_i) write_q <= write_q == Last ? '0 : write_q + 1'b1;
      end
    end

    always_ff @(posedge clk_i) begin
      if (!rst_ni) read_q <= '0;
      else read_q <= read_d;
    end

    if (Storage == 1) begin : gen_distributed
      (* ram_style = "distributed" *) logic [Width-1:0] words[Depth];
      always_ff @(posedge clk_i) if (push_i) words[write_q] <= data_i;
      assign data_o = words[read_q];
    end else if (Storage == 2) begin : gen_block
      // Read the word that will be the head; a word written now is not yet asked for.
      (* ram_style = "block", no_rw_check *) logic [Width-1:0] words[Depth];
      logic [Width-1:0] word_q;
      always_ff @(posedge clk_i) begin
        if (push_i) words[write_q] <= data_i;
        word_q <= words[read_d];
      end
      assign data_o = word_q;
    end else begin : gen_ultra
      // An UltraRAM is written by one port and read by the other, a cycle later; no reset.
      (* ram_style = "ultra", no_rw_check *) logic [Width-1:0] words[Depth];
      logic [Width-1:0] word_q;
      always_ff @(posedge clk_i) begin
        if (push_i) words[write_q] <= data_i;
        word_q <= words[read_d];
      end
      assign data_o = word_q;
    end
  end

  if (Storage >= 2) begin : gen_late
    logic push_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) push_q <= 1'b0;
      else push_q <= push_i;
    end
    assign seen = push_q;
  end else begin : gen_now
    assign seen = push_i;
  end
endmodule
