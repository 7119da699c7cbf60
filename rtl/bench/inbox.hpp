// SPDX-License-Identifier: Apache-2.0
// What comes on stdin, read by a thread of its own, so that the simulation can go on meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "pipes.hpp"

class Inbox {
 public:
  struct Heard {
    uint8_t byte;
    bool rested;  // nothing was heard or said for a pause before
  };

  Inbox() : reader_([this] { read(); }) {}
  ~Inbox() { reader_.join(); }  // only once stdin has ended

  // What has come since the last call; waits for something, or the end, if `patient`.
  std::vector<Heard> take(bool patient) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (patient) changed_.wait(lock, [this] { return ended_ || !heard_.empty(); });
    return std::exchange(heard_, {});
  }

  // Something was written to stdout.
  void note_said() {
    const std::lock_guard<std::mutex> lock(mutex_);
    contact_ = Clock::now();
  }

  bool ended() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ended_ && heard_.empty();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kPause = std::chrono::milliseconds(1);

  // What one read brings was written without a pause, however late this thread gets to it.
  void read() {
    uint8_t bytes[4096];
    size_t count = 0;
    do {
      count = read_stdin(bytes, sizeof(bytes));
      const std::lock_guard<std::mutex> lock(mutex_);
      const Clock::time_point now = Clock::now();
      for (size_t i = 0; i < count; i++) {
        heard_.push_back({bytes[i], i == 0 && now - contact_ > kPause});
      }
      ended_ = count == 0;
      contact_ = now;
      changed_.notify_one();
    } while (count > 0);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Heard> heard_;
  Clock::time_point contact_ = Clock::now();
  bool ended_ = false;
  std::thread reader_;  // the last: it uses the others
};
