// SPDX-License-Identifier: Apache-2.0
// AXI channels as plain values, and what every part of a simulated board needs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

constexpr unsigned kMostBytes = 16;  // of a beat
constexpr unsigned kIncrementing = 1;  // AxBURST

enum Response : uint8_t { kOkay = 0, kDecodeError = 3 };

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "error: %s\n", what);
  std::fflush(stdout);
  std::_Exit(2);  // whatever another thread does with stdin
}

inline void require(bool good, const char* what) {
  if (!good) fail(what);
}

// xorshift32: stalls and faults, the same for the same seed.
class Chance {
 public:
  explicit Chance(uint32_t seed) : state_(seed * 0x9E3779B1u + 0x7F4A7C15u) {
    if (state_ == 0) state_ = 1;
  }
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  bool percent(unsigned share) { return share != 0 && next() % 100 < share; }
  bool rate(double share) { return share > 0 && next() < share * 4294967296.0; }

 private:
  uint32_t state_;
};

struct Address {  // AR or AW
  bool valid = false;
  uint64_t address = 0;
  unsigned id = 0, length = 0, size = 0, burst = 0;  // as on the wires: beats - 1, log2 of bytes

  bool operator==(const Address& o) const {
    return valid == o.valid && address == o.address && id == o.id && length == o.length &&
           size == o.size && burst == o.burst;
  }
};

struct WriteBeat {  // W
  bool valid = false, last = false;
  unsigned id = 0;  // AXI3; 0 in AXI4, which has none
  uint32_t strobe = 0;
  uint8_t data[kMostBytes] = {};
};

struct ReadBeat {  // R
  bool valid = false, last = false;
  unsigned id = 0;
  uint8_t response = kOkay;
  uint8_t data[kMostBytes] = {};
};

struct WriteResponse {  // B
  bool valid = false;
  unsigned id = 0;
  uint8_t response = kOkay;
};

struct FromMaster {
  Address read, write;
  WriteBeat beat;
  bool read_ready = false, response_ready = false;
};

struct FromSlave {
  bool address_read_ready = false, address_write_ready = false, write_ready = false;
  ReadBeat beat;
  WriteResponse response;
};
