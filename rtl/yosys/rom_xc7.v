// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: the columns of rom.v in LUTs of xc7. Cost: rom_luts in hwbnn/units/cost.py.
(* techmap_celltype = "$__hwbnn_rom_pair" *)
module rom_pair (A, L, H);
  parameter SIZE = 1;
  parameter [SIZE-1:0] LOW = 0;
  parameter [SIZE-1:0] HIGH = 0;
  input [31:0] A;
  output L, H;

  generate
    if (SIZE <= 32) begin
      localparam [31:0] Low = LOW;
      localparam [31:0] High = HIGH;
      LUT6_2 #(.INIT({High, Low})) lut (
          .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .I4(A[4]), .I5(1'b1), .O5(L), .O6(H));
    end else begin
      $__hwbnn_rom_bit #(.SIZE(SIZE), .INIT(LOW)) low (.A(A), .Y(L));
      $__hwbnn_rom_bit #(.SIZE(SIZE), .INIT(HIGH)) high (.A(A), .Y(H));
    end
  endgenerate
endmodule

(* techmap_celltype = "$__hwbnn_rom_bit" *)
module rom_bit (A, Y);
  parameter SIZE = 1;
  parameter [SIZE-1:0] INIT = 0;
  input [31:0] A;
  output Y;

  // The bit of the address that chooses; above 256 words it and the next one.
  localparam Place = SIZE <= 128 ? 6 : SIZE <= 256 ? 7 : ($clog2(SIZE) - 1) & ~1;
  localparam Step = 1 << Place;
  localparam Parts = (SIZE + Step - 1) / Step;
  wire [3:0] part;
  genvar i;
  generate
    if (SIZE <= 64) begin
      localparam [63:0] Bits = INIT;
      LUT6 #(.INIT(Bits)) lut (
          .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .I4(A[4]), .I5(A[5]), .O(Y));
    end else if (SIZE > 128 && SIZE <= 144) begin  // the last 16 words share the multiplexer's LUT
      localparam [15:0] Tail = INIT >> 128;
      $__hwbnn_rom_bit #(.SIZE(128), .INIT(INIT[127:0])) low (.A(A), .Y(part[0]));
      LUT6 #(.INIT({Tail, Tail, 32'hFFFF0000})) lut (
          .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .I4(part[0]), .I5(A[7]), .O(Y));
    end else begin
      for (i = 0; i < 4; i = i + 1) begin
        if (i < Parts) begin
          localparam Words = i == Parts - 1 ? SIZE - i * Step : Step;
          // A part below a MUXF7 or MUXF8 is a whole one.
          localparam Size = SIZE <= 256 ? Step : Words;
          localparam [Size-1:0] Bits = INIT >> (i * Step);
          $__hwbnn_rom_bit #(.SIZE(Size), .INIT(Bits)) words (.A(A), .Y(part[i]));
        end else begin
          assign part[i] = 1'b0;
        end
      end
      if (SIZE <= 128) begin
        MUXF7 mux (.I0(part[0]), .I1(part[1]), .S(A[Place]), .O(Y));
      end else if (SIZE <= 256) begin
        MUXF8 mux (.I0(part[0]), .I1(part[1]), .S(A[Place]), .O(Y));
      end else begin
        LUT6 #(.INIT(64'hFF00F0F0CCCCAAAA)) mux (
            .I0(part[0]), .I1(part[1]), .I2(part[2]), .I3(part[3]), .I4(A[Place]),
            .I5(A[Place+1]), .O(Y));
      end
    end
  endgenerate
endmodule
