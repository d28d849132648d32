#pragma once

#include "core/locks.hpp"
#include "core/panels.hpp"

#include <cstdint>

namespace cnet::ops {

/// The state of a layer's random numbers. Step n of a seed always has the same numbers.
struct RandomState {
  explicit RandomState(std::uint64_t seed_) : seed(seed_) {}

  // Other threads may read these during training.
  std::atomic<std::uint64_t> seed;
  std::atomic<std::uint64_t> steps{0}; ///< batches trained on
  std::uint64_t pass_start = 0;        ///< steps at the start of the current pass
  ResourceLock lock;
};

/// The seed and step that random numbers are drawn with.
struct RandomStep {
  std::uint64_t seed;
  std::uint64_t step;
};

/// out = mask · x, where each element of the mask is 0 with probability `rate`, else 1 / (1 − rate).
template <class T>
void dropout_forward(PanelView<const T> x, double rate, RandomStep, RowRange rows, PanelView<T> mask, PanelView<T> out);
template <class T>
void dropout_backward(PanelView<const T> grad, PanelView<const T> mask, RowRange rows, PanelView<T> out);

/// out = x + deviation · standard normal numbers.
template <class T> void add_noise(PanelView<const T> x, double deviation, RandomStep, RowRange rows, PanelView<T> out);

} // namespace cnet::ops
