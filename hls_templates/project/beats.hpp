// SPDX-License-Identifier: Apache-2.0
// Files of beats: one a line, in hex, most significant digit first.
#ifndef HWBNN_BEATS_HPP
#define HWBNN_BEATS_HPP

#include "hwbnn.hpp"

#include <fstream>
#include <iostream>
#include <string>

namespace bench {

// Bits of hex digit `digit`, 0 the least significant.
template <int Bits>
int digit_bits(int digit) {
  return Bits - 4 * digit < 4 ? Bits - 4 * digit : 4;
}

template <int Bits>
std::string to_hex(const ap_uint<Bits>& bits) {
  const hwbnn::Beat<Bits> beat(bits);
  std::string text;
  for (int digit = (Bits - 1) / 4; digit >= 0; --digit) {
    text += "0123456789abcdef"[int(beat.get(4 * digit, digit_bits<Bits>(digit)))];
  }
  return text;
}

// False unless `text` is exactly the hex digits of a beat.
template <int Bits>
bool from_hex(const std::string& text, ap_uint<Bits>& bits) {
  const int digits = (Bits + 3) / 4;
  if (int(text.size()) != digits) {
    return false;
  }
  hwbnn::Beat<Bits> beat;
  for (int digit = 0; digit < digits; ++digit) {
    const char symbol = text[digits - 1 - digit];
    const int nibble = symbol >= '0' && symbol <= '9'   ? symbol - '0'
                       : symbol >= 'a' && symbol <= 'f' ? symbol - 'a' + 10
                                                        : -1;
    if (nibble < 0 || nibble >> digit_bits<Bits>(digit) != 0) {
      return false;
    }
    beat.put(4 * digit, digit_bits<Bits>(digit), nibble);
  }
  bits = beat.bits();
  return true;
}

// The beats of a file.
class Beats {
 public:
  explicit Beats(const std::string& path) : path_(path), file_(path.c_str()) {}

  // The next beat; false at the end. A line that is no beat ends the file and is an error.
  template <int Bits>
  bool next(ap_uint<Bits>& beat) {
    std::string line;
    if (!file_.is_open()) {
      return failed("must be a file that can be read");
    }
    if (failed_ || !std::getline(file_, line)) {
      return false;
    }
    ++line_;
    return from_hex(line, beat) || failed("must be one beat in hex a line");
  }

  bool failed() const { return failed_; }

 private:
  bool failed(const char* rule) {
    if (!failed_) {
      std::cerr << path_ << ": line " << line_ << ": " << rule << std::endl;
    }
    failed_ = true;
    return false;
  }

  std::string path_;
  std::ifstream file_;
  long line_ = 0;
  bool failed_ = false;
};

}  // namespace bench

#endif
