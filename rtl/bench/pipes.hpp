// SPDX-License-Identifier: Apache-2.0
// Standard input and output as a link to the host: bytes, unchanged by the system.
#pragma once

#include <cstddef>
#include <cstdio>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#else
#include <cerrno>
#include <unistd.h>
#endif

inline void make_pipes_binary() {
#ifdef _WIN32
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
#endif
}

// Waits for something, and takes what is there; 0: stdin has ended.
inline size_t read_stdin(void* bytes, size_t most) {
#ifdef _WIN32
  const int count = _read(_fileno(stdin), bytes, static_cast<unsigned>(most));
#else
  ssize_t count = 0;
  do count = read(STDIN_FILENO, bytes, most);
  while (count < 0 && errno == EINTR);
#endif
  return count > 0 ? static_cast<size_t>(count) : 0;
}
