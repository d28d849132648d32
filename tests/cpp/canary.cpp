// Does what a sanitizer must end a program for: where it goes on, the sanitizer is off.

#include "core/aligned_buffer.hpp"

#include <cstdio>
#include <limits>
#include <string>
#include <thread>

namespace {

using cnet::Index;

volatile Index read_at = 0; // what compilers can't know

void beyond_memory() {
  cnet::AlignedBuffer<float> buffer(16);
  std::printf("%g\n", static_cast<double>(buffer.data()[read_at + 16]));
}

void beyond_integers() {
  std::printf("%td\n", std::numeric_limits<Index>::max() + (read_at + 1));
}

void leak() {
  char* latest = nullptr;
  for (int n = 0; n < 100; ++n) { // of which those before the latest are found nowhere, not even by chance
    latest = new char[static_cast<std::size_t>(read_at) + 100];
    std::printf("%p\n", static_cast<void*>(latest));
  }
}

void race() {
  Index shared = 0;
  const auto count = [&] { shared += read_at; };
  std::thread other(count);
  count();
  other.join();
  std::printf("%td\n", shared);
}

} // namespace

int main(int, char** arguments) {
  const std::string crime = arguments[1];
  if (crime == "beyond_memory") beyond_memory();
  if (crime == "beyond_integers") beyond_integers();
  if (crime == "leak") leak();
  if (crime == "race") race();
  return 0;
}
