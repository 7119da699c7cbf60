// SPDX-License-Identifier: Apache-2.0
// Drives hwbnn_meter from stimulus.bin, a byte a cycle (reset, clear, and the four signals that it
// watches, lowest first; then a leap: its low word of cycles becomes FFFFFFF8 before the cycle).
// Writes its counters after each cycle to result.bin: four int64.

#include <cstdint>
#include <cstdio>
#include <initializer_list>

#include "Vbench.h"
#include "Vbench___024root.h"
#include "verilated.h"

int main() {
  std::FILE* file = std::fopen("stimulus.bin", "rb");
  std::FILE* result = std::fopen("result.bin", "wb");
  if (!file || !result) return 2;
  Vbench top;
  for (int bits; (bits = std::fgetc(file)) != EOF;) {
    top.clk_i = 0;
    top.rst_ni = !(bits & 1);
    top.clear_i = bits >> 1 & 1;
    top.in_valid_i = bits >> 2 & 1;
    top.in_ready_i = bits >> 3 & 1;
    top.out_valid_i = bits >> 4 & 1;
    top.out_ready_i = bits >> 5 & 1;
    top.eval();
    if (bits >> 6 & 1) top.rootp->bench__DOT__meter__DOT__low_q = 0xFFFFFFF8;
    top.clk_i = 1;
    top.eval();
    for (uint64_t count : {uint64_t{top.cycles_o}, uint64_t{top.in_stall_o},
                           uint64_t{top.out_stall_o}, uint64_t{top.frames_o}}) {
      std::fwrite(&count, sizeof count, 1, result);
    }
  }
  std::fclose(file);
  std::fclose(result);
  return 0;
}
