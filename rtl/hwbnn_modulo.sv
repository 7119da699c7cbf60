// SPDX-License-Identifier: Apache-2.0
// hwbnn_modulo: counts steps from 0 to Count - 1 and round again. The increment is logic, not a
// carry chain, so that synthesis folds the turn into it.
module hwbnn_modulo #(
    parameter int unsigned Count = 2,
    localparam int unsigned Bits  = Count > 1 ? $clog2(Count) : 1
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            step_i,
    output logic            last_o,  // index_o is Count - 1
    output logic [Bits-1:0] index_o
);
  if (Count == 1) begin : gen_still
    logic unused;
    assign unused = &{clk_i, rst_ni, step_i};
    assign last_o = 1'b1;
    assign index_o = '0;
  end else begin : gen_count
    logic [Bits-1:0] index_q, more;
    assign more[0] = !index_q[0];
    for (genvar i = 1; i < Bits; i++) begin : gen_bit
      assign more[i] = index_q[i] ^ (&index_q[i-1:0]);
    end
    always_ff @(posedge clk_i) begin
      if (!rst_ni) index_q <= '0;
      else if (step_i) index_q <= last_o ? '0 : more;
    end
    assign index_o = index_q;
    if (Count == 2) begin : gen_bit_last
      assign last_o = index_q[0];
    end else begin : gen_last
      logic last_q;  // a register: whatever depends on it is a level nearer
      always_ff @(posedge clk_i) begin
        if (!rst_ni) last_q <= 1'b0;
        else if (step_i) last_q <= index_q == Bits'(Count - 2);
      end
      assign last_o = last_q;
    end
  end
endmodule
