// SPDX-License-Identifier: Apache-2.0
// hwbnn_load: a link of the chain that fills UltraRAM before the first frame (decision 12). The
// first Depth * Columns columns that come after rst_ni was low are written to this link's
// hwbnn_ultra_rom, word by word, the least significant first; those behind go on, a cycle later.
// full_o: the last is written, and stays. A column may come in every cycle.
module hwbnn_load #(
    parameter int unsigned Depth   = 1,
    parameter int unsigned Columns = 1,
    localparam int unsigned AddressBits = Depth > 1 ? $clog2(Depth) : 1
) (
    input  logic                              clk_i,
    input  logic                              rst_ni,
    input  logic                              valid_i,
    input  logic [                      71:0] data_i,
    output logic                              valid_o,
    output logic [                      71:0] data_o,
    output logic                              full_o,
    output logic [Columns+AddressBits+72-1:0] load_o
);
  logic valid_q, full_q, write;
  logic [71:0] data_q;
  logic [AddressBits-1:0] row_q;
  logic [Columns-1:0] column_q;  // which is next: one bit

  assign write = valid_q && !full_q;
  assign load_o = {column_q & {Columns{write}}, row_q, data_q};
  assign valid_o = valid_q && full_q;
  assign data_o = data_q;
  assign full_o = full_q;

  always_ff @(posedge clk_i) begin
    data_q <= data_i;
    if (!rst_ni) begin
      valid_q <= 1'b0;
      full_q <= 1'b0;
      row_q <= '0;
      column_q <= Columns'(1);
    end else begin
      valid_q <= valid_i;
      if (write) begin
        column_q <= Columns'({column_q, column_q[Columns-1]});
        if (column_q[Columns-1]) begin
          row_q <= row_q + 1'b1;
          full_q <= row_q == AddressBits'(Depth - 1);
        end
      end
    end
  end
endmodule
