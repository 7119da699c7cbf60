// SPDX-License-Identifier: Apache-2.0
// hwbnn_registers: the register file of every shell. Offsets and bits:
// hwbnn/deploy/runtime/registers.py.
//
// Bus: write_i and read_i act on word index_i (byte offset / 4), never both in one cycle; rdata_o
// is what a read gave, from the next cycle to the next read. start_o is a pulse in the cycle after
// the write. soft_reset_o stays on until a cycle with reset_done_i; a START is not heard meanwhile,
// and errors and DONE stay clear. AddressBits 0 (no memory): IN_ADDRESS, OUT_ADDRESS and FRAMES
// read 0.
module hwbnn_registers #(
    parameter logic [127:0] BuildHash   = '0,  // first byte least significant
    parameter int unsigned  WordBytes   = 8,
    parameter int unsigned  InBytes     = 8,  // of a frame, padding included
    parameter int unsigned  OutBytes    = 8,
    parameter int unsigned  Fifos       = 0,
    parameter int unsigned  InRoom      = 0,
    parameter int unsigned  AddressBits = 32,
    localparam int unsigned HighBits    = Fifos > 0 ? 16 * Fifos : 1
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                write_i,
    input  logic [        13:0] index_i,
    input  logic [        31:0] wdata_i,
    input  logic                read_i,
    output logic [        31:0] rdata_o,
    output logic                start_o,
    output logic                soft_reset_o,
    input  logic                reset_done_i,
    output logic                irq_o,
    output logic [        63:0] in_address_o,
    output logic [        63:0] out_address_o,
    output logic [        31:0] frames_o,
    input  logic                busy_i,
    input  logic                done_i,    // pulse: the batch has ended
    input  logic [         5:0] errors_i,  // pulses, bit i for STATUS bit 8 + i
    input  logic [        63:0] cycles_i,
    input  logic [        31:0] in_stall_i,
    input  logic [        31:0] out_stall_i,
    input  logic [        31:0] frames_done_i,
    input  logic [HighBits-1:0] high_water_i  // 16 bits a FIFO, the first lowest
);
  localparam logic [31:0] Id = 32'h4E4E_4248;  // "HBNN", H lowest
  localparam logic [31:0] Version = 32'd1;
  localparam int unsigned MaxFifos = 192;

  if (Fifos > MaxFifos || AddressBits > 64 || WordBytes < 1) begin : gen_refuse
    $error("hwbnn_registers: Fifos must be at most 192, AddressBits 64, WordBytes at least 1");
  end

  logic [15:0] offset;
  assign offset = {index_i, 2'b00};

  // ---- what the host writes ---------------------------------------------------------------------

  logic [31:0] scratch_q;
  logic irq_enable_q, reset_q, start_q, done_q, irq_q, control, status;
  logic [5:0] errors_q;

  assign control = write_i && offset == 16'h024;
  assign status = write_i && offset == 16'h028;
  assign start_o = start_q;
  assign soft_reset_o = reset_q;
  assign irq_o = irq_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      scratch_q <= '0;
      irq_enable_q <= 1'b0;
      reset_q <= 1'b0;
      start_q <= 1'b0;
      done_q <= 1'b0;
      errors_q <= '0;
      irq_q <= 1'b0;
    end else begin
      if (write_i && offset == 16'h020) scratch_q <= wdata_i;
      if (control) irq_enable_q <= wdata_i[2];
      reset_q <= (control && wdata_i[1]) || (reset_q && !reset_done_i);
      start_q <= control && wdata_i[0] && !wdata_i[1] && !reset_q;
      // What happens in the cycle of a clear is kept.
      done_q <= !reset_q && (done_i || (done_q && !(status && wdata_i[1])));
      errors_q <= reset_q ? '0 : errors_i | (errors_q & ~(status ? wdata_i[13:8] : '0));
      irq_q <= done_q && irq_enable_q;
    end
  end

  if (AddressBits > 0) begin : gen_memory
    logic [63:0] in_address_q, out_address_q;
    logic [31:0] frames_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        in_address_q <= '0;
        out_address_q <= '0;
        frames_q <= '0;
      end else if (write_i) begin
        case (offset)
          16'h02C: in_address_q[31:0] <= wdata_i;
          16'h030: in_address_q[63:32] <= wdata_i;
          16'h034: out_address_q[31:0] <= wdata_i;
          16'h038: out_address_q[63:32] <= wdata_i;
          16'h03C: frames_q <= wdata_i;
          default: ;
        endcase
      end
    end
    assign in_address_o = in_address_q;
    assign out_address_o = out_address_q;
    assign frames_o = frames_q;
  end else begin : gen_no_memory
    assign in_address_o = '0;
    assign out_address_o = '0;
    assign frames_o = '0;
  end

  // ---- what the host reads ----------------------------------------------------------------------

  logic [15:0] high_water;
  if (Fifos == 0) begin : gen_no_fifos
    logic unused;
    assign unused = high_water_i;
    assign high_water = '0;
  end else begin : gen_fifos
    localparam int unsigned Log = Fifos > 1 ? $clog2(Fifos) : 1;
    logic [(1<<Log)*16-1:0] words;
    logic [13:0] number;
    logic known;
    assign words = ((1 << Log) * 16)'(high_water_i);
    assign number = index_i - 14'h040;
    assign known = number < 14'(Fifos);
    assign high_water = known ? words[{number[Log-1:0], 4'b0000}+:16] : '0;
  end

  logic [31:0] cycles_high_q, rdata_q;
  assign rdata_o = rdata_q;

  always_ff @(posedge clk_i) begin
    if (read_i) begin
      if (offset == 16'h048) cycles_high_q <= cycles_i[63:32];
      case (offset)
        16'h000: rdata_q <= Id;
        16'h004: rdata_q <= Version;
        16'h008: rdata_q <= BuildHash[31:0];
        16'h00C: rdata_q <= BuildHash[63:32];
        16'h010: rdata_q <= BuildHash[95:64];
        16'h014: rdata_q <= BuildHash[127:96];
        16'h018: rdata_q <= 32'(WordBytes);
        16'h01C: rdata_q <= 32'(Fifos);
        16'h020: rdata_q <= scratch_q;
        16'h024: rdata_q <= {29'b0, irq_enable_q, reset_q, 1'b0};
        16'h028: rdata_q <= {18'b0, errors_q, 6'b0, done_q, busy_i};
        16'h02C: rdata_q <= in_address_o[31:0];
        16'h030: rdata_q <= in_address_o[63:32];
        16'h034: rdata_q <= out_address_o[31:0];
        16'h038: rdata_q <= out_address_o[63:32];
        16'h03C: rdata_q <= frames_o;
        16'h040: rdata_q <= 32'(InBytes);
        16'h044: rdata_q <= 32'(OutBytes);
        16'h048: rdata_q <= cycles_i[31:0];
        16'h04C: rdata_q <= cycles_high_q;
        16'h050: rdata_q <= in_stall_i;
        16'h054: rdata_q <= out_stall_i;
        16'h058: rdata_q <= frames_done_i;
        16'h05C: rdata_q <= 32'(InRoom);
        default: rdata_q <= 32'(high_water);
      endcase
    end
  end
endmodule
