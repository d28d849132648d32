#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

/// Exits with a message if the condition is false.
#define CHECK(condition, ...)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      std::fprintf(stderr, "%s:%d: %s\n  ", __FILE__, __LINE__, #condition);                                           \
      std::fprintf(stderr, __VA_ARGS__);                                                                               \
      std::fprintf(stderr, "\n");                                                                                      \
      std::exit(1);                                                                                                    \
    }                                                                                                                  \
  } while (false)
