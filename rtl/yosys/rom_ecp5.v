// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: columns of a ROM (rom.v) in LUTs of ECP5. Cost: rom_luts in
// hwbnn/units/cost.py.
(* techmap_celltype = "$__hwbnn_rom_columns" *)
module rom_columns (A, Y);
  parameter SIZE = 1;
  parameter WIDTH = 1;
  parameter LEFT = 0;
  parameter COLUMNS = 1;
  parameter INIT = 0;
  input [31:0] A;
  output [COLUMNS-1:0] Y;

  localparam Blocks = (SIZE + 127) / 128;
  localparam Rest = SIZE - 128 * (Blocks - 1);  // words of the last block
  localparam Last = Rest > 64 ? 8 : Rest > 32 ? 4 : Rest > 16 ? 2 : 1;  // its LUTs a column
  localparam Leaves = 8 * (Blocks - 1) + Last;
  localparam [128*Blocks*WIDTH-1:0] Words = INIT;
  wire [COLUMNS*Leaves-1:0] leaf;
  genvar i, b, k;
  generate
    for (i = 0; i < COLUMNS * Leaves; i = i + 1) begin
      localparam At = LEFT + i / Leaves + 16 * (i % Leaves) * WIDTH;
      LUT4 #(.INIT({`ROM_16(At)})) lut (.A(A[0]), .B(A[1]), .C(A[2]), .D(A[3]), .Z(leaf[i]));
    end
    for (i = 0; i < COLUMNS; i = i + 1) begin
      wire [Blocks-1:0] block;
      for (b = 0; b < Blocks; b = b + 1) begin
        localparam Own = b < Blocks - 1 ? 8 : Last;
        wire [7:0] part = leaf[i*Leaves+:Leaves] >> 8 * b;
        wire [3:0] pair;
        wire [1:0] four;
        for (k = 0; k < Own / 2; k = k + 1)
          PFUMX mux (.BLUT(part[2*k]), .ALUT(part[2*k+1]), .C0(A[4]), .Z(pair[k]));
        for (k = 0; k < Own / 4; k = k + 1)
          L6MUX21 mux (.D0(pair[2*k]), .D1(pair[2*k+1]), .SD(A[5]), .Z(four[k]));
        if (Own == 8) L6MUX21 mux (.D0(four[0]), .D1(four[1]), .SD(A[6]), .Z(block[b]));
        else assign block[b] = Own == 4 ? four[0] : Own == 2 ? pair[0] : part[0];
      end
      $__hwbnn_rom_choice #(.COUNT(Blocks)) choice (.A(A[31:7]), .I(block), .Y(Y[i]));
    end
  endgenerate
endmodule

// A tree of LUTs, each of which chooses one of two.
(* techmap_celltype = "$__hwbnn_rom_choice" *)
module rom_choice (A, I, Y);
  parameter COUNT = 1;
  input [24:0] A;
  input [COUNT-1:0] I;
  output Y;

  generate
    if (COUNT == 1) begin
      assign Y = I[0];
    end else begin
      localparam Place = $clog2(COUNT) - 1;  // the bit that chooses
      localparam Half = 1 << Place;
      wire low, high;
      $__hwbnn_rom_choice #(.COUNT(Half)) first (.A(A), .I(I[Half-1:0]), .Y(low));
      $__hwbnn_rom_choice #(.COUNT(COUNT - Half)) second (.A(A), .I(I[COUNT-1:Half]), .Y(high));
      LUT4 #(.INIT(16'hCACA)) mux (.A(low), .B(high), .C(A[Place]), .D(1'b0), .Z(Y));
    end
  endgenerate
endmodule
