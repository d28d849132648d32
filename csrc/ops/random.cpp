#include "ops/random.hpp"

#include "core/philox.hpp"
#include "kernels/table.hpp"

#include <array>
#include <cmath>
#include <utility>

namespace cnet::random {

namespace {

using Words = std::array<std::uint32_t, 4>;

std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

Words block(Stream stream, Index element, std::uint32_t attempt = 0) {
  const auto i = static_cast<std::uint64_t>(element);
  return philox4x32({low(i), high(i), attempt, stream.stream}, {low(stream.seed), high(stream.seed)});
}

std::uint64_t join(std::uint32_t upper, std::uint32_t lower) {
  return std::uint64_t{upper} << 32 | lower;
}

double unit(std::uint32_t upper, std::uint32_t lower) {
  return static_cast<double>(join(upper, lower) >> 11) * 0x1p-53;
}

/// The first candidate for an element that the polar method and `accept` both accept.
template <class Accept> double polar(Stream stream, Index element, Accept accept) {
  for (std::uint32_t attempt = 0;; ++attempt) {
    const Words words = block(stream, element, attempt);
    const double u = 2 * unit(words[0], words[1]) - 1;
    const double v = 2 * unit(words[2], words[3]) - 1;
    const double s = u * u + v * v;
    if (!(s > 0 && s < 1)) continue;
    double log_s;
    kernels::table<double>().log(1, &s, &log_s);
    const double z = u * std::sqrt(-2 * log_s / s);
    if (accept(z)) return z;
  }
}

} // namespace

std::uint64_t bits(Stream stream, Index i) {
  const Words words = block(stream, i);
  return join(words[0], words[1]);
}

void uniform(Stream stream, Index size, double* out) {
  for (Index i = 0; i < size; ++i) {
    const Words words = block(stream, i);
    out[i] = unit(words[0], words[1]);
  }
}

void normal(Stream stream, Index size, double* out) {
  for (Index i = 0; i < size; ++i) out[i] = polar(stream, i, [](double) { return true; });
}

void truncated_normal(Stream stream, Index size, double* out) {
  for (Index i = 0; i < size; ++i) out[i] = polar(stream, i, [](double z) { return std::fabs(z) < 2; });
}

template <class Id> void permutation(Stream stream, Index size, Id* out) {
  for (Index i = 0; i < size; ++i) out[i] = static_cast<Id>(i);
  for (Index i = size - 1; i > 0; --i) {
    // Lemire's multiply-shift maps 64 random bits to 0 … i.
    const auto j = static_cast<unsigned __int128>(bits(stream, i)) * static_cast<std::uint64_t>(i + 1) >> 64;
    std::swap(out[i], out[static_cast<Index>(j)]);
  }
}

template void permutation(Stream, Index, std::uint32_t*);
template void permutation(Stream, Index, std::int64_t*);

} // namespace cnet::random
