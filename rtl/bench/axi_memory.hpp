// SPDX-License-Identifier: Apache-2.0
// A memory, and AXI3 or AXI4 ports to it, each with latency, jitter and random stalls. A port
// serves reads and writes in order, answers what lies outside with DECERR, and ends the program
// where the master breaks the rules of AXI (AMBA IHI 0022) or of decision 8: INCR, whole words, at
// most 16 beats, ID 0. Ports do not slow each other down.
#pragma once

#include <cstring>
#include <deque>
#include <vector>

#include "axi.hpp"

class Memory {
 public:
  Memory(uint64_t base, uint64_t bytes) : base_(base), bytes_(bytes) {}

  // The bytes at an address; nullptr where they are not all in the memory.
  uint8_t* at(uint64_t address, uint64_t count) {
    const bool inside = address >= base_ && count <= bytes_.size() &&
                        address - base_ <= bytes_.size() - count;
    return inside ? bytes_.data() + (address - base_) : nullptr;
  }

 private:
  uint64_t base_;
  std::vector<uint8_t> bytes_;
};

class AxiMemory {
 public:
  struct Options {
    // Bytes, cycles, cycles at most that an address's data come later still, percent
    unsigned word = 8, latency = 0, jitter = 0, stall = 0;
    uint32_t seed = 1;
  };

  AxiMemory(const Options& options, Memory& memory)
      : options_(options), chance_(options.seed), memory_(memory) {}

  const FromSlave& out() const { return out_; }

  // A clock edge: `in` and out() are what stood on the wires before it.
  void clock(const FromMaster& in) {
    cycle_++;
    check_held(in);
    held_ = in;
    held_.read.valid = in.read.valid && !out_.address_read_ready;
    held_.write.valid = in.write.valid && !out_.address_write_ready;
    held_.beat.valid = in.beat.valid && !out_.write_ready;
    take_addresses(in);
    if (in.beat.valid && out_.write_ready) beats_.push_back(in.beat);
    write_beats();
    give_data(in);
    give_response(in);
    out_.address_read_ready = reads_.size() < kOutstanding && !stalled();
    out_.address_write_ready = writes_.size() < kOutstanding && !stalled();
    out_.write_ready = beats_.size() < kBeats && !stalled();
  }

 private:
  static constexpr size_t kOutstanding = 8, kBeats = 16;

  struct Burst {
    Address address;
    uint64_t due;
    unsigned beat = 0;
    bool good = true;

    uint64_t next(unsigned word) const { return address.address + beat * word; }
  };
  struct Due {
    WriteResponse response;
    uint64_t cycle;
  };

  bool stalled() { return chance_.percent(options_.stall); }

  void take_addresses(const FromMaster& in) {
    if (in.read.valid && out_.address_read_ready) {
      check_burst(in.read);
      const unsigned later = options_.jitter == 0 ? 0 : chance_.next() % (options_.jitter + 1);
      reads_.push_back({in.read, cycle_ + options_.latency + later});
    }
    if (in.write.valid && out_.address_write_ready) {
      check_burst(in.write);
      writes_.push_back({in.write, 0});
    }
  }

  void check_burst(const Address& a) const {
    const uint64_t end = a.address + uint64_t{a.length + 1} * options_.word;
    require(a.burst == kIncrementing, "AXI: AxBURST must be INCR");
    require(1u << a.size == options_.word, "AXI: AxSIZE must be a whole word");
    require(a.length < 16, "AXI: a burst must have at most 16 beats");
    require(a.address % options_.word == 0, "AXI: an address must be a multiple of the word");
    require((a.address >> 12) == ((end - 1) >> 12), "AXI: a burst must not cross 4 KB");
    require(a.id == 0, "AXI: AxID must be 0");
  }

  // What was valid and not taken must stand there still.
  void check_held(const FromMaster& in) const {
    require(!held_.read.valid || in.read == held_.read, "AXI: AR must not change before ARREADY");
    require(!held_.write.valid || in.write == held_.write,
            "AXI: AW must not change before AWREADY");
    if (!held_.beat.valid) return;
    const WriteBeat &is = in.beat, &was = held_.beat;
    const bool same = is.valid && is.last == was.last && is.id == was.id &&
                      is.strobe == was.strobe &&
                      std::memcmp(is.data, was.data, options_.word) == 0;
    require(same, "AXI: W must not change before WREADY");
  }

  void write_beats() {
    while (!writes_.empty() && !beats_.empty()) {
      Burst& burst = writes_.front();
      const WriteBeat& beat = beats_.front();
      require(beat.last == (burst.beat == burst.address.length),
              "AXI: WLAST must stand on the last beat, and only there");
      require(beat.id == burst.address.id, "AXI: WID must be AWID");
      uint8_t* place = memory_.at(burst.next(options_.word), options_.word);
      burst.good = burst.good && place != nullptr;
      for (unsigned i = 0; place != nullptr && i < options_.word; i++)
        if (beat.strobe >> i & 1) place[i] = beat.data[i];
      if (beat.last) {
        const uint8_t code = burst.good ? kOkay : kDecodeError;
        responses_.push_back({{true, burst.address.id, code}, cycle_ + options_.latency});
        writes_.pop_front();
      } else {
        burst.beat++;
      }
      beats_.pop_front();
    }
  }

  void give_data(const FromMaster& in) {
    ReadBeat& beat = out_.beat;
    if (beat.valid && in.read_ready) beat.valid = false;
    if (beat.valid || reads_.empty() || reads_.front().due > cycle_ || stalled()) return;
    Burst& burst = reads_.front();
    const uint8_t* place = memory_.at(burst.next(options_.word), options_.word);
    beat.valid = true;
    beat.id = burst.address.id;
    beat.last = burst.beat == burst.address.length;
    beat.response = place != nullptr ? kOkay : kDecodeError;
    if (place != nullptr) std::memcpy(beat.data, place, options_.word);
    else std::memset(beat.data, 0xEE, options_.word);
    burst.beat++;
    if (beat.last) reads_.pop_front();
  }

  void give_response(const FromMaster& in) {
    WriteResponse& response = out_.response;
    if (response.valid && in.response_ready) response.valid = false;
    if (response.valid || responses_.empty() || responses_.front().cycle > cycle_ || stalled())
      return;
    response = responses_.front().response;
    responses_.pop_front();
  }

  Options options_;
  Chance chance_;
  Memory& memory_;
  uint64_t cycle_ = 0;
  FromMaster held_;
  FromSlave out_;
  std::deque<Burst> reads_, writes_;
  std::deque<WriteBeat> beats_;
  std::deque<Due> responses_;
};
