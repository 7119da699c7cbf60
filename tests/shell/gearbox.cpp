// SPDX-License-Identifier: Apache-2.0
// Drives the gearboxes of a bench from stimulus.bin and writes result.bin; both are int32 and
// bytes, as tests/shell/test_gearbox.py packs and reads them.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vbench.h"
#include "verilated.h"

namespace {

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "error: %s\n", what);
  std::exit(2);
}

using Word = std::vector<uint8_t>;

struct Side {
  int bits = 0, offset = 0, count = 0;  // offset: of the word in the bench's vector
  std::vector<Word> words;
  std::vector<int32_t> cycles;  // of the handshakes
  int idle = 0;  // cycles before the last handshake, of the output after the first, not ready to

  void restart() {
    cycles.clear();
    idle = 0;
  }
};

template <typename T>
bool bit(const T& vector, int i) {
  return vector[i / 32] >> (i % 32) & 1;
}

template <typename T>
void set(T& vector, int i, bool on) {
  vector[i / 32] = (vector[i / 32] & ~(1u << (i % 32))) | (static_cast<uint32_t>(on) << (i % 32));
}

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t operator()() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_ >> 8;
  }
  bool chance(int of256) { return static_cast<int>((*this)() & 255) < of256; }

 private:
  uint32_t state_;
};

struct Box {
  Side in, out;
  bool offered = false;  // a word that waits, on either side
  bool held = false;
  Word kept;
};

}  // namespace

int main() {
  std::FILE* file = std::fopen("stimulus.bin", "rb");
  std::FILE* result = std::fopen("result.bin", "wb");
  require(file && result, "files");
  auto number = [&] {
    int32_t value = 0;
    require(std::fread(&value, 4, 1, file) == 1, "stimulus.bin is short");
    return value;
  };
  auto put = [&](int32_t value) { std::fwrite(&value, 4, 1, result); };

  std::vector<Box> boxes(number());
  const int runs = number();
  int in_offset = 0, out_offset = 0;
  for (Box& box : boxes) {
    box.in.bits = number();
    box.out.bits = number();
    box.in.count = number();
    box.out.count = number();
    box.in.offset = in_offset;
    box.out.offset = out_offset;
    in_offset += box.in.bits;
    out_offset += box.out.bits;
    for (int i = 0; i < box.in.count; i++) {
      Word word((box.in.bits + 7) / 8);
      require(std::fread(word.data(), 1, word.size(), file) == word.size(), "words are missing");
      box.in.words.push_back(word);
    }
  }

  Vbench top;
  for (int run = 0; run < runs; run++) {
    Random random(number());
    const int source = number(), sink = number(), waits = number();
    top.rst_ni = 0;
    for (int i = 0; i < 2; i++) {
      top.clk_i = 0;
      top.eval();
      top.clk_i = 1;
      top.eval();
    }
    top.rst_ni = 1;
    for (Box& box : boxes) {
      box.in.restart();
      box.out.restart();
      box.out.words.clear();
      box.offered = box.held = false;
    }

    const int32_t limit = 20000;
    bool going = true;
    for (int32_t cycle = 0; going && cycle < limit; cycle++) {
      top.clk_i = 0;
      top.eval();
      for (size_t i = 0; i < boxes.size(); i++) {
        Box& box = boxes[i];
        const int at = static_cast<int>(box.in.cycles.size());
        box.offered = at < box.in.count && (box.offered || random.chance(source));
        set(top.in_valid_i, i, box.offered);
        for (int b = 0; b < box.in.bits; b++) {
          // Anything is on the wires while the source is not.
          const bool on = box.offered ? box.in.words[at][b / 8] >> (b % 8) & 1 : random() & 1;
          set(top.in_data_i, box.in.offset + b, on);
        }
        // A sink that waits for the word must get it, too.
        const bool ready = random.chance(sink) && (!waits || bit(top.out_valid_o, i));
        set(top.out_ready_i, i, ready);
      }
      top.eval();

      going = false;
      for (size_t i = 0; i < boxes.size(); i++) {
        Box& box = boxes[i];
        const bool valid = bit(top.out_valid_o, i);
        Word word((box.out.bits + 7) / 8);
        for (int b = 0; b < box.out.bits; b++) {
          word[b / 8] |= bit(top.out_data_o, box.out.offset + b) << (b % 8);
        }
        require(!box.held || (valid && word == box.kept), "a word that waited changed or went");
        const bool taken = valid && bit(top.out_ready_i, i);
        box.held = valid && !taken;
        box.kept = word;
        if (taken) {
          box.out.words.push_back(word);
          box.out.cycles.push_back(cycle);
        } else if (!valid && !box.out.cycles.empty() &&
                   static_cast<int>(box.out.cycles.size()) < box.out.count) {
          box.out.idle++;
        }
        const bool room = bit(top.in_ready_o, i);
        if (box.offered && room) {
          box.in.cycles.push_back(cycle);
          box.offered = false;
        } else if (!room && static_cast<int>(box.in.cycles.size()) < box.in.count) {
          box.in.idle++;
        }
        going |= static_cast<int>(box.out.cycles.size()) < box.out.count ||
                 static_cast<int>(box.in.cycles.size()) < box.in.count;
      }
      top.clk_i = 1;
      top.eval();
    }

    for (Box& box : boxes) {
      put(static_cast<int32_t>(box.in.cycles.size()));
      put(static_cast<int32_t>(box.out.cycles.size()));
      put(box.in.idle);
      put(box.out.idle);
      for (int32_t cycle : box.in.cycles) put(cycle);
      for (int32_t cycle : box.out.cycles) put(cycle);
      for (const Word& word : box.out.words) std::fwrite(word.data(), 1, word.size(), result);
    }
  }
  std::fclose(file);
  std::fclose(result);
  return 0;
}
