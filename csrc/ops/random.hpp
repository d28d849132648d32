#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace cnet::random {

/// A stream of random numbers. Each element of each stream of each seed has its own numbers.
struct Stream {
  std::uint64_t seed;
  std::uint32_t stream;
};

/// The 64 random bits of element i.
std::uint64_t bits(Stream stream, Index i);

/// Element i is uniform in [0, 1), with 53 random bits.
void uniform(Stream stream, Index size, double* out);

/// Element i is standard normal, by Marsaglia's polar method.
void normal(Stream stream, Index size, double* out);

/// As `normal`, but values of two or more standard deviations are drawn again.
void truncated_normal(Stream stream, Index size, double* out);

/// A random order of 0 … size − 1, by Fisher and Yates's shuffle. Id is wide enough for size.
template <class Id> void permutation(Stream stream, Index size, Id* out);

} // namespace cnet::random
