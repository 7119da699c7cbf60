// SPDX-License-Identifier: Apache-2.0
// Yosys techmap: columns of a ROM (rom.v) in LUTs of xc7. Cost: rom_luts in hwbnn/units/cost.py.
(* techmap_celltype = "$__hwbnn_rom_columns" *)
module rom_columns (A, Y);
  parameter SIZE = 1;
  parameter WIDTH = 1;
  parameter LEFT = 0;
  parameter COLUMNS = 1;
  parameter INIT = 0;
  input [31:0] A;
  output [COLUMNS-1:0] Y;

  localparam Blocks = (SIZE + 255) / 256;
  localparam Rest = SIZE - 256 * (Blocks - 1);  // words of the last block
  localparam Leaves = 4 * (Blocks - 1) + (Rest <= 64 ? 1 : Rest <= 144 ? 2 : 4);  // LUTs a column
  localparam [256*Blocks*WIDTH-1:0] Words = INIT;
  wire [COLUMNS*Leaves-1:0] leaf;
  wire [COLUMNS-1:0] tail, low;  // of the last block
  genvar i, b;
  generate
    if (SIZE <= 32) begin  // two columns a LUT
      for (i = 0; i < COLUMNS; i = i + 2) begin
        localparam At = LEFT + i;
        wire [1:0] pair;
        LUT6_2 #(.INIT({`ROM_32(At+1), `ROM_32(At)})) lut (
            .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .I4(A[4]), .I5(1'b1),
            .O5(pair[0]), .O6(pair[1]));
        assign Y[i] = pair[0];
        if (i + 1 < COLUMNS) assign Y[i+1] = pair[1];
      end
    end else begin
      for (i = 0; i < COLUMNS * Leaves; i = i + 1) begin
        localparam At = LEFT + i / Leaves + 64 * (i % Leaves) * WIDTH;
        LUT6 #(.INIT({`ROM_64(At)})) lut (
            .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .I4(A[4]), .I5(A[5]), .O(leaf[i]));
      end
      if (Rest > 128 && Rest <= 144) begin  // the last 16 words share the multiplexer's LUT
        for (i = 0; i < COLUMNS; i = i + 1) begin
          localparam At = LEFT + i + (256 * (Blocks - 1) + 128) * WIDTH;
          localparam [15:0] Tail = {`ROM_16(At)};
          LUT6 #(.INIT({Tail, Tail, 32'hFFFF0000})) lut (
              .I0(A[0]), .I1(A[1]), .I2(A[2]), .I3(A[3]), .I4(low[i]), .I5(A[7]), .O(tail[i]));
        end
      end
      for (i = 0; i < COLUMNS; i = i + 1) begin
        wire [Blocks-1:0] block;
        for (b = 0; b < Blocks; b = b + 1) begin
          localparam Own = b < Blocks - 1 ? 256 : Rest;
          wire [3:0] part = leaf[i*Leaves+:Leaves] >> 4 * b;
          wire first, second;
          if (Own <= 64) begin
            assign block[b] = part[0];
          end else begin
            MUXF7 mux (.I0(part[0]), .I1(part[1]), .S(A[6]), .O(first));
            if (Own <= 128) begin
              assign block[b] = first;
            end else if (Own <= 144) begin
              assign low[i] = first;
              assign block[b] = tail[i];
            end else begin
              MUXF7 mux (.I0(part[2]), .I1(part[3]), .S(A[6]), .O(second));
              MUXF8 both (.I0(first), .I1(second), .S(A[7]), .O(block[b]));
            end
          end
        end
        $__hwbnn_rom_choice #(.COUNT(Blocks)) choice (.A(A[31:8]), .I(block), .Y(Y[i]));
      end
    end
  endgenerate
endmodule

// A tree of LUTs, each of which chooses one of four.
(* techmap_celltype = "$__hwbnn_rom_choice" *)
module rom_choice (A, I, Y);
  parameter COUNT = 1;
  input [23:0] A;
  input [COUNT-1:0] I;
  output Y;

  genvar k;
  generate
    if (COUNT == 1) begin
      assign Y = I[0];
    end else begin
      localparam Place = ($clog2(COUNT) - 1) & ~1;  // with the next one the bits that choose
      localparam Step = 1 << Place;
      wire [3:0] part;
      for (k = 0; k < 4; k = k + 1) begin
        if (k * Step < COUNT) begin
          localparam Count = COUNT - k * Step < Step ? COUNT - k * Step : Step;
          $__hwbnn_rom_choice #(.COUNT(Count)) choice (.A(A), .I(I[k*Step+:Count]), .Y(part[k]));
        end else begin
          assign part[k] = 1'b0;
        end
      end
      LUT6 #(.INIT(64'hFF00F0F0CCCCAAAA)) mux (
          .I0(part[0]), .I1(part[1]), .I2(part[2]), .I3(part[3]), .I4(A[Place]), .I5(A[Place+1]),
          .O(Y));
    end
  endgenerate
endmodule
