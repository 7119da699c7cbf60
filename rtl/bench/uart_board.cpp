// SPDX-License-Identifier: Apache-2.0
// The simulated board of a chip with a serial line: what comes on stdin is sent to the chip, what
// the chip sends goes to stdout.
//
// Time goes on while the line or the core works, and 2048 bit times longer; then the program sleeps
// until the host sends more. A simulation being slower than a board, the host cannot wait for the
// silence that ends half a packet (decision 8): a millisecond in which neither side says anything
// counts as such a silence. At the end of stdin the program finishes what is under way.
//
// Options, each with a number: --bit-cycles, cycles of a bit; --drop-rate and --flip-rate, shares
// of the bytes, in either direction, that are lost, or have a bit turned; --seed, of these and of
// what registers hold before their reset.

#include <cstdint>
#include <cstdio>
#include <memory>

#include "Vchip.h"
#include "Vchip___024root.h"
#include "inbox.hpp"
#include "options.hpp"
#include "pipes.hpp"
#include "serial_line.hpp"
#include "verilated.h"

#define SHELL(name) (root_.chip__DOT__shell__DOT__##name)

namespace {

constexpr uint64_t kStartCycles = 8192;  // twice the reset of chip_uart.sv.j2
constexpr uint64_t kSlice = 256;  // cycles between two looks at stdin
constexpr double kQuietBits = 2048;  // twice the silence that ends half a packet
constexpr uint64_t kLongest = 1 << 26;  // cycles that the core may work without a byte

struct Settings {
  double bit_cycles = 0, drop_rate = 0, flip_rate = 0;
  uint32_t seed = 1;
};

// Counts the frames in the core, by the beats at its borders.
class CoreWatch {
 public:
  explicit CoreWatch(const Vchip___024root& root) : root_(root) {}

  void clock() {
    if (!SHELL(core_rst_no)) in_ = out_ = 0;
    in_ += SHELL(in_valid_o) & SHELL(in_ready_i);
    out_ += SHELL(out_valid_i) & SHELL(out_ready_o);
  }

  bool busy() const {
    return SHELL(busy_o) || in_ / SHELL(CoreInBeats) * SHELL(CoreOutBeats) > out_;
  }

 private:
  const Vchip___024root& root_;
  uint64_t in_ = 0, out_ = 0;
};

class Board {
 public:
  explicit Board(const Settings& s)
      : quiet_(static_cast<uint64_t>(kQuietBits * s.bit_cycles)),
        context_(new_context(s.seed)),
        chip_(new Vchip(context_.get())),
        core_(*chip_->rootp),
        sender_(s.bit_cycles, quiet_),
        receiver_(s.bit_cycles),
        to_chip_(s.drop_rate, s.flip_rate, s.seed),
        to_host_(s.drop_rate, s.flip_rate, s.seed + 1) {
    chip_->clk_i = 0;
    chip_->rx_i = 1;
    chip_->eval();
    for (uint64_t i = 0; i < kStartCycles; i++) edge();
  }
  ~Board() { chip_->final(); }

  bool active() const {
    const uint64_t still = cycle_ - last_;
    return sender_.busy() || still < quiet_ || (core_.busy() && still < kLongest);
  }

  void hear(const Inbox::Heard& heard) {
    uint8_t byte = heard.byte;
    rested_ = rested_ || heard.rested;
    if (!to_chip_.pass(&byte)) return;
    sender_.send(byte, rested_);
    rested_ = false;
  }

  // True if the chip has said something.
  bool run() {
    said_ = false;
    for (uint64_t i = 0; i < kSlice; i++) cycle();
    std::fflush(stdout);
    return said_;
  }

 private:
  static VerilatedContext* new_context(uint32_t seed) {
    auto* context = new VerilatedContext;
    context->randReset(2);  // what no reset clears starts with any value
    context->randSeed(static_cast<int>(seed));
    return context;
  }

  void cycle() {
    chip_->rx_i = sender_.level();
    edge();
    uint8_t byte = 0;
    if (receiver_.take(chip_->tx_o, &byte) && to_host_.pass(&byte)) {
      std::putchar(byte);
      said_ = true;
    }
    cycle_++;
    if (sender_.busy() || receiver_.busy()) last_ = cycle_;
  }

  void edge() {
    core_.clock();
    chip_->clk_i = 1;
    chip_->eval();
    chip_->clk_i = 0;
    chip_->eval();
  }

  uint64_t quiet_, cycle_ = 0, last_ = 0;  // last_: when the line was at work
  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vchip> chip_;
  CoreWatch core_;
  Sender sender_;
  Receiver receiver_;
  BadLine to_chip_, to_host_;
  bool said_ = false, rested_ = false;
};

void serve(Board& board) {
  Inbox inbox;
  while (!inbox.ended() || board.active()) {
    for (const Inbox::Heard& heard : inbox.take(!board.active())) board.hear(heard);
    if (board.active() && board.run()) inbox.note_said();
  }
}

Settings settings_of(Options options) {
  Settings settings;
  settings.bit_cycles = options.take("--bit-cycles", 0);
  settings.drop_rate = options.take("--drop-rate", 0);
  settings.flip_rate = options.take("--flip-rate", 0);
  settings.seed = static_cast<uint32_t>(options.take("--seed", 1));
  options.require_all_taken();
  require(settings.bit_cycles >= 2, "--bit-cycles must be given, and at least 2");
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  make_pipes_binary();
  Board board(settings_of(Options(argc, argv)));
  serve(board);
  return 0;
}
