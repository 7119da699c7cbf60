// SPDX-License-Identifier: Apache-2.0
// The processor's side of a register port: single 32-bit accesses, AXI3 or AXI4, one at a time,
// with changing IDs; with stalls it is late with addresses, data and ready, each by itself. It
// ends the program where the slave breaks the rules of AXI (AMBA IHI 0022), or never answers.
#pragma once

#include <cstring>

#include "axi.hpp"

class AxiRegisters {
 public:
  struct Options {
    unsigned id_bits = 12, stall = 0;  // bits, percent
    uint32_t seed = 1;
  };

  explicit AxiRegisters(const Options& options) : options_(options), chance_(options.seed) {}

  void read(uint64_t address) {
    start(address);
    waiting_.read = address_;
    due_ = Due::kData;
  }

  void write(uint64_t address, uint32_t value) {
    start(address);
    waiting_.write = address_;
    waiting_.beat.valid = waiting_.beat.last = true;
    std::memcpy(waiting_.beat.data, &value, sizeof value);
    due_ = Due::kResponse;
  }

  bool busy() const { return due_ != Due::kNothing; }
  uint32_t value() const { return value_; }  // that was read last
  const FromMaster& out() const { return out_; }

  // A clock edge: `in` and out() are what stood on the wires before it.
  void clock(const FromSlave& in) {
    if (!busy()) {
      require(!in.beat.valid && !in.response.valid, "AXI: registers must not answer unasked");
      return;
    }
    require(++waited_ < kLongest, "AXI: the registers must answer every access");
    take_answer(in);
    if (in.address_read_ready) out_.read.valid = false;
    if (in.address_write_ready) out_.write.valid = false;
    if (in.write_ready) out_.beat.valid = false;
    show(&waiting_.read, &out_.read);
    show(&waiting_.write, &out_.write);
    show(&waiting_.beat, &out_.beat);
    out_.read_ready = due_ == Due::kData && !stalled();
    out_.response_ready = due_ == Due::kResponse && !stalled();
  }

 private:
  static constexpr unsigned kLongest = 10000;  // cycles

  enum class Due { kNothing, kData, kResponse };

  bool stalled() { return chance_.percent(options_.stall); }

  void start(uint64_t address) {
    require(!busy(), "AXI: one access at a time");
    address_.valid = true;
    address_.address = address;
    address_.id = chance_.next() & ((1u << options_.id_bits) - 1);
    waited_ = 0;
  }

  template <typename Channel>
  void show(Channel* from, Channel* to) {
    if (!from->valid || stalled()) return;
    *to = *from;
    from->valid = false;
  }

  bool asked() const {  // everything that an answer may follow has been taken
    return !waiting_.read.valid && !waiting_.write.valid && !waiting_.beat.valid &&
           !out_.read.valid && !out_.write.valid && !out_.beat.valid;
  }

  void take_answer(const FromSlave& in) {
    const bool data = in.beat.valid, response = in.response.valid;
    if (data || response) {
      require(asked(), "AXI: registers must not answer before they have taken the access");
      require(data == (due_ == Due::kData) && response == (due_ == Due::kResponse),
              "AXI: registers must answer reads with data and writes with a response");
    }
    require(data || !data_held_, "AXI: RVALID must stay until RREADY");
    require(response || !response_held_, "AXI: BVALID must stay until BREADY");
    data_held_ = data && !out_.read_ready;
    response_held_ = response && !out_.response_ready;
    if (data && out_.read_ready) {
      require(in.beat.id == address_.id, "AXI: RID must be ARID");
      require(in.beat.last && in.beat.response == kOkay, "AXI: registers must give one beat, OKAY");
      std::memcpy(&value_, in.beat.data, sizeof value_);
      due_ = Due::kNothing;
    }
    if (response && out_.response_ready) {
      require(in.response.id == address_.id, "AXI: BID must be AWID");
      require(in.response.response == kOkay, "AXI: registers must answer OKAY");
      due_ = Due::kNothing;
    }
  }

  Options options_;
  Chance chance_;
  Address address_;
  FromMaster waiting_, out_;  // not shown yet; on the wires
  Due due_ = Due::kNothing;
  bool data_held_ = false, response_held_ = false;
  uint32_t value_ = 0;
  unsigned waited_ = 0;
};
