// SPDX-License-Identifier: Apache-2.0
// What the processing system of Zynq-7000 is, and where it stands in the chip.
#pragma once

#include <cstdint>

#define PROCESSING_SYSTEM(port) chip__DOT__ps7__DOT__model__DOT__##port

namespace family {
constexpr unsigned kIdBits = 12;  // of M_AXI_GP0
constexpr unsigned kWordBytes = 8;  // of the port to memory
constexpr uint64_t kRegisterBase = 0x40000000;  // of M_AXI_GP0 (UG585, table 4-1)
}  // namespace family
