// SPDX-License-Identifier: Apache-2.0
// What the processing system of Zynq-7000 is, and where it stands in the chip.
#pragma once

#include <cstdint>

#define PROCESSING_SYSTEM(cell, port) chip__DOT__ps7__DOT__##cell##__DOT__##port

// For each port that only reads: rtl/shell/models/memory_port.sv
#define EACH_READ_PORT(act) act(0, hp1) act(1, hp2) act(2, hp3)

namespace family {
constexpr unsigned kIdBits = 12;  // of M_AXI_GP0
constexpr unsigned kWordBytes = 8;  // of the port to memory
constexpr unsigned kReadPorts = 3;
constexpr uint64_t kRegisterBase = 0x40000000;  // of M_AXI_GP0 (UG585, table 4-1)
}  // namespace family
