// SPDX-License-Identifier: Apache-2.0
// hwbnn_delay: data_o is data_i Cycles cycles earlier; never stalls. Reset clears it if Clear is 1
// (for valid bits). Cycles 0 is a wire.
module hwbnn_delay #(
    parameter int unsigned Width  = 1,
    parameter int unsigned Cycles = 1,
    parameter bit          Clear  = 1
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic [Width-1:0] data_i,
    output logic [Width-1:0] data_o
);
  logic [Width*(Cycles+1)-1:0] line;
  assign line[Width-1:0] = data_i;
  assign data_o = line[Width*Cycles+:Width];

  for (genvar i = 0; i < Cycles; i++) begin : gen_cycle
    logic [Width-1:0] word_q;
    always_ff @(posedge clk_i) begin
      if (Clear && !rst_ni) word_q <= '0;
      else word_q <= line[Width*i+:Width];
    end
    assign line[Width*(i+1)+:Width] = word_q;
  end

  if (Cycles == 0 || !Clear) begin : gen_unused
    logic unused;
    assign unused = &{clk_i, rst_ni};
  end
endmodule
