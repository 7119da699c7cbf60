// SPDX-License-Identifier: Apache-2.0
// Standard input and output as a link to the host: bytes, unchanged by the system.
#pragma once

#include <cstdio>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

inline void make_pipes_binary() {
#ifdef _WIN32
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
#endif
}
