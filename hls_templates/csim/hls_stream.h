// SPDX-License-Identifier: Apache-2.0
// An unbounded queue with the interface of hls::stream, for a C++ compiler without Vitis HLS.
#ifndef HWBNN_HLS_STREAM_H
#define HWBNN_HLS_STREAM_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace hls {

template <typename Word, int Depth = 0>
class stream {
 public:
  stream() {}
  explicit stream(const char* name) : name_(name) {}
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  bool empty() const { return head_ == words_.size(); }
  bool full() const { return false; }
  std::size_t size() const { return words_.size() - head_; }

  void write(const Word& word) { words_.push_back(word); }

  // Reading an empty stream would hang the hardware, so it ends the program.
  Word read() {
    if (empty()) {
      std::fprintf(stderr, "stream %s: must hold a word when it is read\n", name_.c_str());
      std::exit(2);
    }
    const Word word = words_[head_++];
    if (empty()) {
      words_.clear();
      head_ = 0;
    }
    return word;
  }

 private:
  std::string name_;
  std::vector<Word> words_;
  std::size_t head_ = 0;
};

}  // namespace hls

#endif
