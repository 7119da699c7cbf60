// SPDX-License-Identifier: Apache-2.0
// What the processing system of Zynq UltraScale+ is, and where it stands in the chip.
#pragma once

#include <cstdint>

#define PROCESSING_SYSTEM(port) chip__DOT__ps__DOT__model__DOT__##port

namespace family {
constexpr unsigned kIdBits = 16;  // of M_AXI_HPM0_FPD
constexpr unsigned kWordBytes = 16;  // of the port to memory
constexpr uint64_t kRegisterBase = 0xA0000000;  // of M_AXI_HPM0_FPD (UG1085, table 10-1)
}  // namespace family
