// SPDX-License-Identifier: Apache-2.0
// The simulated board of a chip with AXI ports: a processor's registers and memory, as a program.
//
// One request at a time on stdin, its answer on stdout; integers are little-endian:
//   r offset32                 -> value32            read a register
//   w offset32 value32         -> 'w'                write a register
//   R address64 count32        -> 'R' bytes, or 'E'  read memory; E: not all of it is memory
//   W address64 count32 bytes  -> 'W', or 'E'        write memory
//   c cycles64                 -> cycles64           run until the interrupt, at most so long
//   q                                                end, as does the end of stdin
// Time advances during r, w and c only; nothing else changes what the chip sees.
//
// Options, each with a number: --base and --memory, of the memory in bytes; --latency, cycles from
// an address to its data; --jitter, cycles at most that they come later still; --stall, percent of
// the cycles in which a side that the processor has is not ready; --seed, of the stalls and of what
// registers hold before their reset.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "axi_memory.hpp"
#include "axi_registers.hpp"
#include "options.hpp"
#include "pipes.hpp"
#include "processor.hpp"
#include "verilated.h"

namespace {

constexpr int kResetCycles = 16;

struct Settings {
  uint64_t base = 0x10000000, bytes = 1 << 26;
  AxiMemory::Options memory;
  AxiRegisters::Options registers;
  uint32_t seed = 1;
};

class Board {
 public:
  explicit Board(const Settings& settings)
      : context_(new_context(settings.seed)),
        chip_(new Vchip(context_.get())),
        processor_(*chip_),
        memory_(settings.base, settings.bytes),
        port_(settings.memory, memory_),
        registers_(settings.registers) {
    for (unsigned i = 0; i < family::kReadPorts; i++) {
      AxiMemory::Options options = settings.memory;
      options.seed += 2 + i;
      read_ports_.emplace_back(options, memory_);
    }
    processor_.set_reset(true);
    settle();
    require(processor_.clocks_are(false), "the ports' clock must be the processing system's");
    processor_.set_clock(true);
    chip_->eval();
    require(processor_.clocks_are(true), "the ports' clock must be the processing system's");
    for (unsigned i = 0; i < family::kReadPorts; i++) clocked_[i] = processor_.clock_of(i);
    for (int i = 0; i < kResetCycles; i++) edge();
    processor_.set_reset(false);
    for (int i = 0; i < kResetCycles; i++) edge();  // the chip brings it to its clock
  }
  ~Board() { chip_->final(); }

  Memory& memory() { return memory_; }

  uint32_t read(uint32_t offset) {
    registers_.read(family::kRegisterBase + offset);
    while (registers_.busy()) cycle();
    return registers_.value();
  }

  void write(uint32_t offset, uint32_t value) {
    registers_.write(family::kRegisterBase + offset, value);
    while (registers_.busy()) cycle();
  }

  uint64_t run(uint64_t most) {
    uint64_t cycles = 0;
    for (; cycles < most && !processor_.interrupt(); cycles++) cycle();
    return cycles;
  }

 private:
  static VerilatedContext* new_context(uint32_t seed) {
    auto* context = new VerilatedContext;
    context->randReset(2);  // what no reset clears starts with any value
    context->randSeed(static_cast<int>(seed));
    return context;
  }

  // Both sides act on what stood on the wires before the edge.
  void cycle() {
    port_.clock(processor_.memory_wires());
    for (unsigned i = 0; i < family::kReadPorts; i++) {
      asking_[i] = asking_[i] || processor_.asks(i);
      if (!asking_[i]) continue;  // nothing hangs on it
      require(clocked_[i], "the ports' clock must be the processing system's");
      read_ports_[i].clock(processor_.read_wires(i));
    }
    registers_.clock(processor_.register_wires());
    edge();
  }

  void edge() {
    processor_.set_clock(true);
    chip_->eval();
    processor_.drive(registers_.out(), port_.out());
    for (unsigned i = 0; i < family::kReadPorts; i++)
      if (asking_[i]) processor_.drive_read(i, read_ports_[i].out());
    settle();
  }

  void settle() {
    processor_.set_clock(false);
    chip_->eval();
  }

  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vchip> chip_;
  Processor processor_;
  Memory memory_;
  AxiMemory port_;
  std::vector<AxiMemory> read_ports_;
  bool clocked_[family::kReadPorts] = {};
  bool asking_[family::kReadPorts] = {};  // since the first address
  AxiRegisters registers_;
};

template <typename T>
T get() {
  T value;
  require(std::fread(&value, sizeof value, 1, stdin) == 1, "stdin must hold whole requests");
  return value;
}

template <typename T>
void put(const T& value) {
  std::fwrite(&value, sizeof value, 1, stdout);
}

void read_memory(Board& board) {
  const uint64_t address = get<uint64_t>();
  const uint32_t count = get<uint32_t>();
  const uint8_t* place = board.memory().at(address, count);
  put<char>(place != nullptr ? 'R' : 'E');
  if (place != nullptr) std::fwrite(place, 1, count, stdout);
}

void write_memory(Board& board) {
  const uint64_t address = get<uint64_t>();
  std::vector<uint8_t> data(get<uint32_t>());
  const size_t count = std::fread(data.data(), 1, data.size(), stdin);
  require(count == data.size(), "stdin must hold whole requests");
  uint8_t* place = board.memory().at(address, count);
  if (place != nullptr) std::copy(data.begin(), data.end(), place);
  put<char>(place != nullptr ? 'W' : 'E');
}

void serve(Board& board) {
  for (int request = std::getchar(); request != EOF && request != 'q'; request = std::getchar()) {
    switch (request) {
      case 'r':
        put(board.read(get<uint32_t>()));
        break;
      case 'w': {
        const uint32_t offset = get<uint32_t>();
        board.write(offset, get<uint32_t>());
        put<char>('w');
        break;
      }
      case 'R':
        read_memory(board);
        break;
      case 'W':
        write_memory(board);
        break;
      case 'c':
        put(board.run(get<uint64_t>()));
        break;
      default:
        fail("a request must be r, w, R, W, c or q");
    }
    std::fflush(stdout);
  }
}

Settings settings_of(Options options) {
  Settings settings;
  const auto whole = [&](const char* name, uint64_t otherwise) {
    return static_cast<uint64_t>(options.take(name, static_cast<double>(otherwise)));
  };
  settings.seed = whole("--seed", 1);
  settings.base = whole("--base", settings.base);
  settings.bytes = whole("--memory", settings.bytes);
  settings.memory.latency = whole("--latency", 0);
  settings.memory.jitter = whole("--jitter", 0);
  settings.memory.stall = settings.registers.stall = whole("--stall", 0);
  settings.memory.seed = settings.seed;
  settings.registers.seed = settings.seed + 1;
  settings.memory.word = family::kWordBytes;
  settings.registers.id_bits = family::kIdBits;
  options.require_all_taken();
  require(settings.memory.stall < 100, "--stall must be below 100 percent");
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  make_pipes_binary();
  Board board(settings_of(Options(argc, argv)));
  serve(board);
  return 0;
}
