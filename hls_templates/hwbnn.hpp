// SPDX-License-Identifier: Apache-2.0
// What the units share: element codes and their values, words of memories, population count.
#ifndef HWBNN_HPP
#define HWBNN_HPP

#ifndef AP_INT_MAX_W
#define AP_INT_MAX_W 8191  // widest stream, in bits
#endif
#include <ap_int.h>
#include <hls_stream.h>

#ifndef __SYNTHESIS__
#include <cstdint>
#include <type_traits>
#endif

namespace hwbnn {

// What the bits of an element mean: BIPOLAR is one bit, 0 for -1 and 1 for +1.
enum Kind { BIPOLAR, UINT, INT };

// Value of an element's code; the type has room for any kind.
template <int Bits, Kind kind>
ap_int<Bits + 1> value(ap_uint<Bits> code) {
#pragma HLS INLINE
  if (kind == BIPOLAR) {
    return code[0] ? 1 : -1;
  }
  if (kind == INT) {
    return ap_int<Bits>(code);
  }
  return code;
}

// A piece of a constant memory word: exact in hardware, a machine word where g++ compiles it,
// since arrays of these are initialised without running a constructor for each.
#ifdef __SYNTHESIS__
template <int Bits>
using Piece = ap_uint<Bits>;
#else
template <int Bits>
using Piece = typename std::conditional<
    (Bits <= 8), std::uint8_t,
    typename std::conditional<
        (Bits <= 16), std::uint16_t,
        typename std::conditional<(Bits <= 32), std::uint32_t, std::uint64_t>::type>::type>::type;
#endif

// 64 bits.
#ifdef __SYNTHESIS__
typedef ap_uint<64> Group;
#else
typedef std::uint64_t Group;
#endif

// Bits [low, low + count) of a memory word, count <= 64. Pieces are 64 bits each, or there is one.
template <typename PieceType, int Pieces>
Group slice(const PieceType (&word)[Pieces], int low, int count) {
#pragma HLS INLINE
  const int piece = low / 64;
  const int offset = low % 64;
  Group bits = Group(word[piece]) >> offset;
  if (offset + count > 64) {
    bits |= Group(word[piece + 1]) << (64 - offset);
  }
  return bits & (~Group(0) >> (64 - count));
}

// A beat by its lanes. A C++ compiler holds it in groups: range() of a wide ap_uint is slow there.
template <int Bits>
class Beat {
 public:
#ifdef __SYNTHESIS__
  Beat() : bits_(0) {}
  explicit Beat(const ap_uint<Bits>& bits) : bits_(bits) {}
  ap_uint<Bits> bits() const { return bits_; }

  // Bits [low, low + count), count <= 64.
  Group get(int low, int count) const {
#pragma HLS INLINE
    return bits_.range(low + count - 1, low);
  }

  // Fill bits [low, low + count), still 0, with a value that has no others.
  void put(int low, int count, Group value) {
#pragma HLS INLINE
    bits_.range(low + count - 1, low) = value;
  }

 private:
  ap_uint<Bits> bits_;
#else
  Beat() : groups_() {}
  explicit Beat(const ap_uint<Bits>& bits) {
    for (int group = 0; group < kGroups; ++group) {
      groups_[group] = bits.range(last(group), 64 * group).to_uint64();
    }
  }
  ap_uint<Bits> bits() const {
    ap_uint<Bits> result = 0;
    for (int group = 0; group < kGroups; ++group) {
      result.range(last(group), 64 * group) = groups_[group];
    }
    return result;
  }
  Group get(int low, int count) const { return slice(groups_, low, count); }
  void put(int low, int count, Group value) {
    groups_[low / 64] |= value << low % 64;
    if (low % 64 + count > 64) {
      groups_[low / 64 + 1] |= value >> (64 - low % 64);
    }
  }

 private:
  static const int kGroups = (Bits + 63) / 64;
  static int last(int group) { return group < kGroups - 1 ? 64 * group + 63 : Bits - 1; }
  Group groups_[kGroups];
#endif
};

// Number of ones.
inline int popcount(Group bits) {
#pragma HLS INLINE
#ifndef __SYNTHESIS__
  return __builtin_popcountll(bits);
#else
  int ones = 0;
  for (int bit = 0; bit < 64; ++bit) {
#pragma HLS UNROLL
    ones += bits[bit];
  }
  return ones;
#endif
}

}  // namespace hwbnn

#endif
