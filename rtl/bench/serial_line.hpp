// SPDX-License-Identifier: Apache-2.0
// Both ends of a serial line, 8N1, bit by bit; a bit takes any number of cycles, whole or not.
#pragma once

#include <cstdint>
#include <deque>

#include "axi.hpp"

// What a bad line does to bytes: it loses some, and turns a bit of others.
class BadLine {
 public:
  BadLine(double drop, double flip, uint32_t seed) : drop_(drop), flip_(flip), chance_(seed) {}

  // False if the byte is lost.
  bool pass(uint8_t* byte) {
    if (chance_.rate(drop_)) return false;
    if (chance_.rate(flip_)) *byte ^= 1u << chance_.next() % 8;
    return true;
  }

 private:
  double drop_, flip_;
  Chance chance_;
};

class Sender {
 public:
  Sender(double bit_cycles, uint64_t rest) : bit_cycles_(bit_cycles), rest_(rest) {}

  // rested: the line is silent for `rest` cycles before.
  void send(uint8_t byte, bool rested) { bytes_.push_back({byte, rested}); }
  bool busy() const { return sending_ || !bytes_.empty(); }

  // The line's level in this cycle; once a cycle.
  bool level() {
    if (sending_ && cycle_ >= 10 * bit_cycles_) {
      sending_ = false;
      cycle_ -= 10 * bit_cycles_;
      idle_ = 0;
    }
    if (!sending_) {
      idle_++;
      if (bytes_.empty() || (bytes_.front().rested && idle_ < rest_)) return true;
      frame_ = 0x200u | bytes_.front().byte << 1;  // stop, data, start; the lowest bit first
      bytes_.pop_front();
      sending_ = true;
    }
    const unsigned bit = static_cast<unsigned>(cycle_ / bit_cycles_);
    cycle_ += 1;
    return frame_ >> bit & 1;
  }

 private:
  struct Waiting {
    uint8_t byte;
    bool rested;
  };

  double bit_cycles_;
  uint64_t rest_, idle_ = 0;  // cycles
  double cycle_ = 0;  // since the start bit should have begun, below 1 cycle ago
  std::deque<Waiting> bytes_;
  unsigned frame_ = 0;
  bool sending_ = false;
};

class Receiver {
 public:
  explicit Receiver(double bit_cycles) : bit_cycles_(bit_cycles) {}

  bool busy() const { return receiving_; }

  // The line's level in this cycle; true if a byte is complete.
  bool take(bool level, uint8_t* byte) {
    if (!receiving_) {
      if (level) return false;
      receiving_ = true;
      cycle_ = 0;
      bit_ = 0;
    }
    if (cycle_++ < (bit_ + 0.5) * bit_cycles_) return false;
    require(bit_ != 0 || !level, "UART: a start bit must last a bit");
    require(bit_ != 9 || level, "UART: a stop bit must be high");
    if (bit_ == 9) {
      receiving_ = false;
      *byte = data_;
      return true;
    }
    if (bit_ != 0) data_ = data_ >> 1 | level << 7;
    bit_++;
    return false;
  }

 private:
  double bit_cycles_;
  uint64_t cycle_ = 0;  // since the start bit began
  unsigned bit_ = 0;
  uint8_t data_ = 0;
  bool receiving_ = false;
};
