// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: columns of a ROM (rom.v) in LUTs of iCE40: 16 words each, and a tree of
// multiplexers.
(* techmap_celltype = "$__hwbnn_rom_columns" *)
module rom_columns (A, Y);
  parameter SIZE = 1;
  parameter WIDTH = 1;
  parameter LEFT = 0;
  parameter COLUMNS = 1;
  parameter INIT = 0;
  input [31:0] A;
  output [COLUMNS-1:0] Y;

  localparam Leaves = (SIZE + 15) / 16;
  localparam [16*Leaves*WIDTH-1:0] Words = INIT;
  genvar i, k;
  generate
    for (i = 0; i < COLUMNS; i = i + 1) begin
      wire [Leaves-1:0] leaf;
      for (k = 0; k < Leaves; k = k + 1) begin
        localparam At = LEFT + i + 16 * k * WIDTH;
        SB_LUT4 #(.LUT_INIT({`ROM_16(At)})) lut (
            .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .O(leaf[k]));
      end
      $__hwbnn_rom_choice #(.COUNT(Leaves)) choice (.A(A[31:4]), .I(leaf), .Y(Y[i]));
    end
  endgenerate
endmodule

// A tree of LUTs, each of which chooses one of two.
(* techmap_celltype = "$__hwbnn_rom_choice" *)
module rom_choice (A, I, Y);
  parameter COUNT = 1;
  input [27:0] A;
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
      SB_LUT4 #(.LUT_INIT(16'hCACA)) mux (.I0(low), .I1(high), .I2(A[Place]), .I3(1'b0), .O(Y));
    end
  endgenerate
endmodule
