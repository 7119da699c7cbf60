// SPDX-License-Identifier: Apache-2.0
// Options of a simulated board: pairs of `--name number`.
#pragma once

#include <cstdlib>
#include <map>
#include <string>

#include "axi.hpp"

class Options {
 public:
  Options(int argc, char** argv) {
    require(argc % 2 == 1, "options must be pairs of --name and number");
    for (int i = 1; i < argc; i += 2) {
      char* end = nullptr;
      const double value = std::strtod(argv[i + 1], &end);
      if (end == argv[i + 1] || *end != 0 || value < 0)
        refuse(std::string(argv[i]) + " " + argv[i + 1] + ": must be an option and its number");
      found_[argv[i]] = value;
    }
  }

  double take(const char* name, double otherwise) {
    const auto at = found_.find(name);
    if (at == found_.end()) return otherwise;
    const double value = at->second;
    found_.erase(at);
    return value;
  }

  void require_all_taken() const {
    if (!found_.empty()) refuse(found_.begin()->first + ": must be an option, not unknown");
  }

 private:
  [[noreturn]] static void refuse(const std::string& what) { fail(what.c_str()); }
  std::map<std::string, double> found_;
};
