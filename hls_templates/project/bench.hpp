// SPDX-License-Identifier: Apache-2.0
// Test bench: run the frames of a file through the top function.
#ifndef HWBNN_BENCH_HPP
#define HWBNN_BENCH_HPP

#include "beats.hpp"

namespace bench {

// Run all frames of a golden input and compare every beat; the first difference ends it with 1.
template <int InBits, int OutBits>
int check(const char* name,
          void (*top)(hls::stream<ap_uint<InBits> >&, hls::stream<ap_uint<OutBits> >&),
          const std::string& in_path, int in_beats, const std::string& out_path, int out_beats) {
  Beats given(in_path);
  Beats golden(out_path);
  hls::stream<ap_uint<InBits> > in("in");
  hls::stream<ap_uint<OutBits> > out("out");
  ap_uint<InBits> word;
  ap_uint<OutBits> wanted;
  long frames = 0;
  while (given.next(word)) {
    in.write(word);
    for (int beat = 1; beat < in_beats && given.next(word); ++beat) {
      in.write(word);
    }
    if (int(in.size()) != in_beats) {
      std::cerr << in_path << ": must hold whole frames of " << in_beats << " beats" << std::endl;
      return 1;
    }
    top(in, out);
    for (int beat = 0; beat < out_beats; ++beat) {
      if (out.empty() || !golden.next(wanted)) {
        std::cerr << name << ": frame " << frames << ", beat " << beat << ": must be there, in "
                  << out_path << " and in the simulation" << std::endl;
        return 1;
      }
      const ap_uint<OutBits> found = out.read();
      if (found != wanted) {
        std::cerr << name << ": frame " << frames << ", beat " << beat << ": must be "
                  << to_hex(wanted) << ", not " << to_hex(found) << std::endl;
        return 1;
      }
    }
    if (!in.empty() || !out.empty()) {
      std::cerr << name << ": frame " << frames << ": must leave its streams empty" << std::endl;
      return 1;
    }
    ++frames;
  }
  if (frames == 0 || given.failed() || golden.next(wanted) || golden.failed()) {
    std::cerr << name << ": " << in_path << " and " << out_path
              << " must hold the same number of frames, at least 1" << std::endl;
    return 1;
  }
  std::cout << name << ": " << frames << " frames agree" << std::endl;
  return 0;
}

// Run all frames of an input file and write the outputs as they come.
template <int InBits, int OutBits>
int record(void (*top)(hls::stream<ap_uint<InBits> >&, hls::stream<ap_uint<OutBits> >&),
           const std::string& in_path, int in_beats, const std::string& out_path) {
  Beats given(in_path);
  std::ofstream file(out_path.c_str());
  hls::stream<ap_uint<InBits> > in("in");
  hls::stream<ap_uint<OutBits> > out("out");
  ap_uint<InBits> word;
  while (given.next(word)) {
    in.write(word);
    if (int(in.size()) == in_beats) {
      top(in, out);
      while (!out.empty()) {
        file << to_hex(out.read()) << '\n';
      }
    }
  }
  file.close();
  return given.failed() || !in.empty() || !file ? 1 : 0;
}

}  // namespace bench

#endif
