// SPDX-License-Identifier: Apache-2.0
// hwbnn_weight_registers: the registers of the weight readers, which stand above those of
// hwbnn_registers. Offsets and bits: hwbnn/deploy/runtime/registers.py. Bus as in hwbnn_registers.
// irq_o stays high while a reader has an error. Loader: the last reader fills memories of the core
// once, and loaded_i says that they are full.
module hwbnn_weight_registers #(
    parameter int unsigned         Ports          = 1,
    parameter logic [32*Ports-1:0] WordBits       = '0,  // of each port, the first lowest
    parameter logic [32*Ports-1:0] ContainerBytes = '0,
    parameter bit                  Loader         = 1'b0
) (
    input  logic                clk_i,
    input  logic                rst_ni,
    input  logic                write_i,
    input  logic [        13:0] index_i,
    input  logic [        31:0] wdata_i,
    input  logic                read_i,
    output logic [        31:0] rdata_o,
    output logic                irq_o,

    // The readers', the first lowest
    output logic [   Ports-1:0] enable_o,
    output logic [64*Ports-1:0] address_o,
    output logic [32*Ports-1:0] length_o,
    input  logic [   Ports-1:0] busy_i,
    input  logic [   Ports-1:0] error_i,
    input  logic [   Ports-1:0] bad_i,
    input  logic                loaded_i,
    input  logic [32*Ports-1:0] stall_i
);
  localparam logic [31:0] Id = 32'h574E_4248;  // "HBNW", H lowest
  localparam logic [31:0] Version = Loader ? 32'd2 : 32'd1;
  localparam int unsigned MaxPorts = 8;

  if (Ports < 1 || Ports > MaxPorts) begin : gen_refuse
    $error("hwbnn_weight_registers: Ports must be 1 to 8");
  end

  logic [15:0] offset;
  logic [31:0] rdata_q;
  logic [MaxPorts*32-1:0] words;  // of each port, what is read of it
  logic irq_q;
  assign offset = {index_i, 2'b00};
  assign rdata_o = rdata_q;
  assign irq_o = irq_q;

  always_ff @(posedge clk_i) begin
    irq_q <= rst_ni && (error_i | bad_i) != '0;
    if (read_i) begin
      case (offset)
        16'h800: rdata_q <= Id;
        16'h804: rdata_q <= Version;
        16'h808: rdata_q <= 32'(Ports);
        16'h80C: rdata_q <= 32'(error_i | bad_i);
        default: rdata_q <= words[{index_i[5:3], 5'b00000}+:32];
      endcase
    end
  end

  for (genvar i = 0; i < MaxPorts; i++) begin : gen_port
    if (i >= Ports) begin : gen_none
      assign words[32*i+:32] = '0;
    end else begin : gen_one
      logic mine, loaded;
      logic enable_q;
      logic [63:0] address_q;
      logic [31:0] length_q;

      assign mine = offset[15:5] == 11'(16'h900 >> 5) + 11'(i);
      assign loaded = Loader && i == Ports - 1 && loaded_i;
      assign enable_o[i] = enable_q;
      assign address_o[64*i+:64] = address_q;
      assign length_o[32*i+:32] = length_q;

      always_ff @(posedge clk_i) begin
        if (!rst_ni) begin
          enable_q <= 1'b0;
          address_q <= '0;
          length_q <= '0;
        end else if (write_i && mine) begin
          case (index_i[2:0])
            3'd0: address_q[31:0] <= wdata_i;
            3'd1: address_q[63:32] <= wdata_i;
            3'd2: length_q <= wdata_i;
            3'd3: enable_q <= wdata_i[0];
            default: ;
          endcase
        end
      end

      logic [31:0] word;
      always_comb begin
        case (index_i[2:0])
          3'd0: word = address_q[31:0];
          3'd1: word = address_q[63:32];
          3'd2: word = length_q;
          3'd3: word = {31'b0, enable_q};
          3'd4: word = {22'b0, bad_i[i], error_i[i], 6'b0, loaded, busy_i[i]};
          3'd5: word = stall_i[32*i+:32];
          3'd6: word = WordBits[32*i+:32];
          default: word = ContainerBytes[32*i+:32];
        endcase
      end
      assign words[32*i+:32] = mine ? word : '0;
    end
  end
endmodule
