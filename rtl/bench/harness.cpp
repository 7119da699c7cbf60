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

struct Design {
  static constexpr size_t kFields = 16;

  Design(size_t index, const int64_t* p)
      : word(index / 32), mask(1u << (index % 32)),
        in_word(p[0]), in_words(p[1]), out_word(p[2]), out_words(p[3]), event_word(p[4]),
        in_beats(p[6]), out_beats(p[7]), quiet(p[8]), traced(p[9] != 0),
        source(p + 10), sink(p + 13), events(2 * p[5]) {}

  size_t word, mask;  // this design's bit of the handshakes
  size_t in_word, in_words, out_word, out_words, event_word;
  size_t in_beats, out_beats;
  int64_t quiet;  // gate cycles without an event that mean deadlock
  bool traced;
  Gate source, sink;
  std::vector<Events> events;
  std::vector<uint32_t> stimulus;  // beats still to come are at in_cycles.size()

  std::vector<int64_t> in_cycles, out_cycles;
  std::vector<uint32_t> output;
  int64_t source_idle = 0, sink_idle = 0, end = 0;

  bool offered = false;  // the next beat stands at the input

  bool more() const { return in_cycles.size() < in_beats; }
};

void set(uint32_t* words, const Design& d, bool value) {
  if (value) words[d.word] |= d.mask;
  else words[d.word] &= ~d.mask;
}

void offer(Vbench& bench, Design& d) {
  d.offered = true;
  if (!d.more()) return;
  const uint32_t* beat = d.stimulus.data() + d.in_cycles.size() * d.in_words;
  std::memcpy(bench.in_data_i.data() + d.in_word, beat, d.in_words * sizeof(uint32_t));
}

void drive(Vbench& bench, Design& d, int64_t cycle) {
  if (!d.offered) offer(bench, d);
  const bool source = d.source.on(static_cast<uint32_t>(cycle));
  const bool sink = d.sink.on(static_cast<uint32_t>(cycle));
  d.source_idle += source;
  d.sink_idle += sink;
  set(bench.in_valid_i.data(), d, source && d.more());
  set(bench.out_ready_i.data(), d, sink);
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
  if (!any) return d.source_idle < d.quiet || d.sink_idle < d.quiet;
  d.source_idle = d.sink_idle = 0;
  if (bench.in_valid_i.data()[d.word] & bench.in_ready_o.data()[d.word] & d.mask) {
    d.in_cycles.push_back(cycle);
    d.offered = false;
  }
  if (bench.out_valid_o.data()[d.word] & bench.out_ready_i.data()[d.word] & d.mask) {
    const uint32_t* beat = bench.out_data_o.data() + d.out_word;
    d.out_cycles.push_back(cycle);
    d.output.insert(d.output.end(), beat, beat + d.out_words);
  }
  return d.out_cycles.size() < d.out_beats;
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
  file.write<int64_t>({d.end, count(d.in_cycles.size()), count(d.out_cycles.size())});
  file.write(d.in_cycles);
  file.write(d.out_cycles);
  for (const Events& e : d.events) file.write<int64_t>({e.count, static_cast<int64_t>(e.hash)});
  for (const Events& e : d.events) file.write(e.cycles);
  file.write(d.output);
}

}  // namespace

int main() {
  auto context = std::make_unique<VerilatedContext>();
  context->randReset(2);  // what no reset clears starts with any value
  context->randSeed(1);
  File stimulus("stimulus.bin", "rb");
  const std::vector<int64_t> header = stimulus.read<int64_t>(2);
  const std::vector<int64_t> fields = stimulus.read<int64_t>(header[0] * Design::kFields);
  std::vector<Design> designs;
  for (int64_t i = 0; i < header[0]; i++) {
    designs.emplace_back(i, fields.data() + i * Design::kFields);
  }
  for (Design& d : designs) d.stimulus = stimulus.read<uint32_t>(d.in_beats * d.in_words);
  auto bench = std::make_unique<Vbench>(context.get(), "bench");
  simulate(*bench, designs, header[1]);
  bench->final();
  File result("result.bin", "wb");
  for (const Design& d : designs) report(d, result);
  return 0;
}
