// SPDX-License-Identifier: Apache-2.0
// hwbnn_window_axis: walks the rows, or the words of a row, of a padded image. Registers say if the
// present one is of the image, and if windows cover it. Timing: hwbnn/units/sliding_window.py.
module hwbnn_window_axis #(
    parameter int unsigned Extent  = 1,  // of the padded image
    parameter int unsigned Before  = 0,  // padding that comes first
    parameter int unsigned Size    = 1,  // of the image
    parameter int unsigned Windows = 1,
    parameter int unsigned Stride  = 1,
    parameter int unsigned Span    = 1   // of a window
) (
    input  logic clk_i,
    input  logic rst_ni,
    input  logic step_i,
    output logic last_o,
    output logic image_o,
    output logic kept_o
);
  localparam int unsigned Bits = Extent > 1 ? $clog2(Extent) : 1;
  localparam int unsigned End = (Windows - 1) * Stride + Span;  // of the last window

  logic [Bits-1:0] index;
  hwbnn_modulo #(.Count(Extent)) i_index (
      .clk_i, .rst_ni, .step_i, .last_o, .index_o(index));

  if (Before == 0 && Size == Extent) begin : gen_image
    assign image_o = 1'b1;
  end else begin : gen_padded
    logic image_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) image_q <= Before == 0;
      else if (step_i) begin
        if (last_o) image_q <= Before == 0;
        else if (index == Bits'(Before + Size - 1)) image_q <= 1'b0;
        else if (Before > 0 && index == Bits'(Before - 1)) image_q <= 1'b1;
      end
    end
    assign image_o = image_q;
  end

  if (Stride > Span && Windows > 1) begin : gen_gaps
    localparam int unsigned PhaseBits = $clog2(Stride);
    logic kept_q, ends, behind;
    logic [PhaseBits-1:0] phase;
    hwbnn_modulo #(.Count(Stride)) i_phase (
        .clk_i, .rst_ni(rst_ni && !(step_i && last_o)), .step_i, .last_o(ends), .index_o(phase));
    // The next window would not fit.
    assign behind = Windows * Stride <= Extent && index == Bits'(Windows * Stride - 1);
    always_ff @(posedge clk_i) begin
      if (!rst_ni) kept_q <= 1'b1;
      else if (step_i) begin
        if (last_o || (ends && !behind)) kept_q <= 1'b1;
        else if (phase == PhaseBits'(Span - 1)) kept_q <= 1'b0;
      end
    end
    assign kept_o = kept_q;
  end else if (End < Extent) begin : gen_rest
    logic kept_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) kept_q <= 1'b1;
      else if (step_i) begin
        if (last_o) kept_q <= 1'b1;
        else if (index == Bits'(End - 1)) kept_q <= 1'b0;
      end
    end
    assign kept_o = kept_q;
  end else begin : gen_whole
    assign kept_o = 1'b1;
  end

  logic unused;
  assign unused = &index;
endmodule
