// SPDX-License-Identifier: Apache-2.0
// What comes on stdin, read by a thread of its own, so that the simulation can go on meanwhile.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

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

  void read() {
    int byte = EOF;
    do {
      byte = std::getchar();
      const std::lock_guard<std::mutex> lock(mutex_);
      const Clock::time_point now = Clock::now();
      if (byte != EOF) heard_.push_back({static_cast<uint8_t>(byte), now - contact_ > kPause});
      else ended_ = true;
      contact_ = now;
      changed_.notify_one();
    } while (byte != EOF);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Heard> heard_;
  Clock::time_point contact_ = Clock::now();
  bool ended_ = false;
  std::thread reader_;  // the last: it uses the others
};
