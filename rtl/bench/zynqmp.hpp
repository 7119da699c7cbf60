// SPDX-License-Identifier: Apache-2.0
// What the processing system of Zynq UltraScale+ is, and where it stands in the chip.
#pragma once

#include <cstdint>

#define PROCESSING_SYSTEM(cell, port) chip__DOT__ps__DOT__##cell##__DOT__##port

// For each port that only reads: rtl/shell/models/memory_port.sv
#define EACH_READ_PORT(act) act(0, hp1) act(1, hp2) act(2, hp3) act(3, hpc0) act(4, hpc1)

namespace family {
constexpr unsigned kIdBits = 16;  // of M_AXI_HPM0_FPD
constexpr unsigned kWordBytes = 16;  // of the port to memory
constexpr unsigned kReadPorts = 5;
constexpr uint64_t kRegisterBase = 0xA0000000;  // of M_AXI_HPM0_FPD (UG1085, table 10-1)
}  // namespace family
