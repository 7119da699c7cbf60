// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: the columns of rom.v in LUTs of ECP5. Cost: rom_luts in hwbnn/units/cost.py.
(* techmap_celltype = "$__hwbnn_rom_pair" *)
module rom_pair (A, L, H);
  parameter SIZE = 1;
  parameter [SIZE-1:0] LOW = 0;
  parameter [SIZE-1:0] HIGH = 0;
  input [31:0] A;
  output L, H;

  $__hwbnn_rom_bit #(.SIZE(SIZE), .INIT(LOW)) low (.A(A), .Y(L));
  $__hwbnn_rom_bit #(.SIZE(SIZE), .INIT(HIGH)) high (.A(A), .Y(H));
endmodule

(* techmap_celltype = "$__hwbnn_rom_bit" *)
module rom_bit (A, Y);
  parameter SIZE = 1;
  parameter [SIZE-1:0] INIT = 0;
  input [31:0] A;
  output Y;

  generate
    if (SIZE <= 16) begin
      localparam [15:0] Bits = INIT;
      LUT4 #(.INIT(Bits)) lut (.A(A[0]), .B(A[1]), .C(A[2]), .D(A[3]), .Z(Y));
    end else begin
      localparam Place = $clog2(SIZE) - 1;  // the bit of the address that chooses
      localparam Half = 1 << Place;
      // A half below a PFUMX or L6MUX21 is a whole one.
      localparam Rest = SIZE <= 128 ? Half : SIZE - Half;
      localparam [Half-1:0] First = INIT;
      localparam [Rest-1:0] Second = INIT >> Half;
      wire low, high;
      $__hwbnn_rom_bit #(.SIZE(Half), .INIT(First)) first (.A(A), .Y(low));
      $__hwbnn_rom_bit #(.SIZE(Rest), .INIT(Second)) second (.A(A), .Y(high));
      if (SIZE <= 32) begin
        PFUMX mux (.BLUT(low), .ALUT(high), .C0(A[Place]), .Z(Y));
      end else if (SIZE <= 128) begin
        L6MUX21 mux (.D0(low), .D1(high), .SD(A[Place]), .Z(Y));
      end else begin
        LUT4 #(.INIT(16'hCACA)) mux (.A(low), .B(high), .C(A[Place]), .D(1'b0), .Z(Y));
      end
    end
  endgenerate
endmodule
