// SPDX-License-Identifier: Apache-2.0
// Drives a Verilated bench (rtl/templates/bench.sv.j2) from stimulus.bin and writes result.bin.
// Both are int64 and 32-bit words as hwbnn/tools/cosim.py packs and reads them, in file order.
//
// Cycle 0 is the first clock edge after reset. In every cycle the gates are set first, then the
// handshakes and FIFO events that the coming edge will act on are read, then the edge is made.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "Vbench.h"
#include "verilated.h"

namespace {

constexpr uint64_t kPrime = 0x100000001b3;  // event hash: h = h * kPrime + cycle

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "error: %s\n", what);
  std::exit(2);
}

class File {
 public:
  File(const char* path, const char* mode) : file_(std::fopen(path, mode)) {
    require(file_ != nullptr, path);
  }
  ~File() { std::fclose(file_); }
  template <typename T>
  std::vector<T> read(size_t count) {
    std::vector<T> data(count);
    require(std::fread(data.data(), sizeof(T), count, file_) == count, "stimulus.bin is short");
    return data;
  }
  template <typename T>
  void write(const std::vector<T>& data) {
    const size_t count = std::fwrite(data.data(), sizeof(T), data.size(), file_);
    require(count == data.size(), "result.bin cannot be written");
  }

 private:
  std::FILE* file_;
};

// hwbnn/sim/gate.py in C++.
class Gate {
 public:
  explicit Gate(const int64_t* p)
      : seed_(static_cast<uint32_t>(p[0])),
        fine_(static_cast<uint32_t>(p[1])),
        coarse_(static_cast<uint32_t>(p[2])) {}
  bool on(uint32_t cycle) {
    if ((cycle & 63) == 0) block_on_ = chance((cycle >> 6) | (0x15u << 26)) < coarse_;
    return block_on_ && (fine_ >= 256 || chance(cycle) < fine_);
  }

 private:
  uint32_t chance(uint32_t value) const {
    uint32_t x = value * 0x9E3779B1u + seed_;
    x = (x ^ (x >> 15)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    return ((x ^ (x >> 16)) >> 8) & 255;
  }
  uint32_t seed_, fine_, coarse_;
  bool block_on_ = false;
};

// One kind of event (reserve or pop) of one FIFO.
struct Events {
  int64_t count = 0;
  uint64_t hash = 0;
  std::vector<int64_t> cycles;  // filled only if the design is traced

  void add(int64_t cycle, bool traced) {
    count++;
    hash = hash * kPrime + static_cast<uint64_t>(cycle);
    if (traced) cycles.push_back(cycle);
  }
};

// An input or output of a design.
struct Border {
  static constexpr size_t kFields = 7;

  explicit Border(const int64_t* p)
      : place(p[0] / 32), mask(1u << (p[0] % 32)), word(p[1]), words(p[2]), beats(p[3]),
        gate(p + 4) {}

  size_t place;  // its bit of the handshakes
  uint32_t mask;
  size_t word, words;
  size_t beats;  // to come
  Gate gate;
  std::vector<int64_t> cycles;  // of the beats that went through
  std::vector<uint32_t> data;   // an input's, all of it; an output's, so far
  int64_t idle = 0;  // gate cycles without an event
  bool offered = false;  // the input's next beat stands there

  bool more() const { return cycles.size() < beats; }

  void set(uint32_t* bits, bool value) const {
    if (value) bits[place] |= mask;
    else bits[place] &= ~mask;
  }

  bool both(const uint32_t* one, const uint32_t* other) const {
    return (one[place] & other[place] & mask) != 0;
  }
};

struct Design {
  static constexpr size_t kFields = 6;

  explicit Design(const int64_t* p)
      : event_word(p[2]), quiet(p[4]), traced(p[5] != 0), events(2 * p[3]) {}

  size_t event_word;
  int64_t quiet;  // gate cycles of every border without an event that mean deadlock
  bool traced;
  std::vector<Events> events;
  std::vector<Border> ins, outs;
  int64_t end = 0;

  bool more() const {  // beats at any output
    for (const Border& out : outs) {
      if (out.more()) return true;
    }
    return false;
  }

  bool quiet_everywhere() const {
    for (const Border& in : ins) {
      if (in.idle < quiet) return false;
    }
    for (const Border& out : outs) {
      if (out.idle < quiet) return false;
    }
    return true;
  }
};

void offer(Vbench& bench, Border& in) {
  in.offered = true;
  if (!in.more()) return;
  const uint32_t* beat = in.data.data() + in.cycles.size() * in.words;
  std::memcpy(bench.in_data_i.data() + in.word, beat, in.words * sizeof(uint32_t));
}

void drive(Vbench& bench, Design& d, int64_t cycle) {
  for (Border& in : d.ins) {
    if (!in.offered) offer(bench, in);
    const bool on = in.gate.on(static_cast<uint32_t>(cycle));
    in.idle += on;
    in.set(bench.in_valid_i.data(), on && in.more());
  }
  for (Border& out : d.outs) {
    const bool on = out.gate.on(static_cast<uint32_t>(cycle));
    out.idle += on;
    out.set(bench.out_ready_i.data(), on);
  }
}

// Notes what the coming edge does; false when the design has ended.
bool note(Vbench& bench, Design& d, int64_t cycle) {
  const size_t event_words = (d.events.size() + 31) / 32;
  bool any = false;
  for (size_t w = 0; w < event_words; w++) {
    for (uint32_t bits = bench.events_o.data()[d.event_word + w]; bits != 0; bits &= bits - 1) {
      d.events[32 * w + __builtin_ctz(bits)].add(cycle, d.traced);
      any = true;
    }
  }
  d.end = cycle + 1;
  if (!any) return !d.quiet_everywhere();
  for (Border& in : d.ins) {
    in.idle = 0;
    if (in.both(bench.in_valid_i.data(), bench.in_ready_o.data())) {
      in.cycles.push_back(cycle);
      in.offered = false;
    }
  }
  for (Border& out : d.outs) {
    out.idle = 0;
    // Behind its last frame an output may give what needs no input while others still work.
    if (out.both(bench.out_valid_o.data(), bench.out_ready_i.data()) && out.more()) {
      const uint32_t* beat = bench.out_data_o.data() + out.word;
      out.cycles.push_back(cycle);
      out.data.insert(out.data.end(), beat, beat + out.words);
    }
  }
  return d.more();
}

void simulate(Vbench& bench, std::vector<Design>& designs, int64_t max_cycles) {
  bench.clk_i = 0;
  bench.rst_ni = 0;
  for (int i = 0; i < 8; i++) {
    bench.clk_i = !bench.clk_i;
    bench.eval();
  }
  bench.rst_ni = 1;
  std::vector<Design*> active;
  for (Design& d : designs) active.push_back(&d);
  for (int64_t cycle = 0; cycle < max_cycles && !active.empty(); cycle++) {
    for (Design* d : active) drive(bench, *d, cycle);
    bench.clk_i = 0;
    bench.eval();
    size_t kept = 0;
    for (Design* d : active) {
      if (note(bench, *d, cycle)) active[kept++] = d;
    }
    active.resize(kept);
    bench.clk_i = 1;
    bench.eval();
  }
}

void report(const Design& d, File& file) {
  const auto count = [](size_t n) { return static_cast<int64_t>(n); };
  file.write<int64_t>({d.end});
  for (const std::vector<Border>* borders : {&d.ins, &d.outs}) {
    for (const Border& b : *borders) {
      file.write<int64_t>({count(b.cycles.size())});
      file.write(b.cycles);
    }
  }
  for (const Events& e : d.events) file.write<int64_t>({e.count, static_cast<int64_t>(e.hash)});
  for (const Events& e : d.events) file.write(e.cycles);
  for (const Border& out : d.outs) file.write(out.data);
}

}  // namespace

int main() {
  auto context = std::make_unique<VerilatedContext>();
  context->randReset(2);  // what no reset clears starts with any value
  context->randSeed(1);
  File stimulus("stimulus.bin", "rb");
  const std::vector<int64_t> header = stimulus.read<int64_t>(2);
  std::vector<Design> designs;
  for (int64_t i = 0; i < header[0]; i++) {
    const std::vector<int64_t> fields = stimulus.read<int64_t>(Design::kFields);
    designs.emplace_back(fields.data());
    for (int64_t b = 0; b < fields[0] + fields[1]; b++) {
      std::vector<Border>& side = b < fields[0] ? designs.back().ins : designs.back().outs;
      side.emplace_back(stimulus.read<int64_t>(Border::kFields).data());
    }
  }
  for (Design& d : designs) {
    for (Border& in : d.ins) in.data = stimulus.read<uint32_t>(in.beats * in.words);
  }
  auto bench = std::make_unique<Vbench>(context.get(), "bench");
  simulate(*bench, designs, header[1]);
  bench->final();
  File result("result.bin", "wb");
  for (const Design& d : designs) report(d, result);
  return 0;
}
