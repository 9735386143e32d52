#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the test binary where `condition` is false. Not assert: tests are compiled with NDEBUG too.
#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)
