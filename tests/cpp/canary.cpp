// Commits the fault named by its argument. A sanitizer must report it; otherwise the sanitizer is off.

#include "core/aligned_buffer.hpp"

#include <cstdio>
#include <limits>
#include <string>
#include <thread>

namespace {

using cnet::Index;

volatile Index zero = 0; // unknown to the compiler

void heap_overflow() {
  cnet::AlignedBuffer<float> buffer(16);
  std::printf("%g\n", static_cast<double>(buffer.data()[zero + 16]));
}

void integer_overflow() {
  std::printf("%td\n", std::numeric_limits<Index>::max() + (zero + 1));
}

void leak() {
  char* latest = nullptr;
  for (int n = 0; n < 100; ++n) { // only the latest may still be referenced by accident
    latest = new char[static_cast<std::size_t>(zero) + 100];
    std::printf("%p\n", static_cast<void*>(latest));
  }
}

void race() {
  Index shared = 0;
  const auto count = [&] { shared += zero; };
  std::thread other(count);
  count();
  other.join();
  std::printf("%td\n", shared);
}

} // namespace

int main(int, char** arguments) {
  const std::string fault = arguments[1];
  if (fault == "heap_overflow") heap_overflow();
  if (fault == "integer_overflow") integer_overflow();
  if (fault == "leak") leak();
  if (fault == "race") race();
  return 0;
}
