#pragma once

#include "core/panels.hpp"

#include <atomic>
#include <cstdint>

namespace cnet::ops {

/// Where a layer's random numbers come from: those of step n of a seed are always the same.
struct RandomState {
  explicit RandomState(std::uint64_t seed_) : seed(seed_) {}

  std::uint64_t seed;
  std::uint64_t steps = 0;      ///< taken; a batch of training is one
  std::uint64_t pass_start = 0; ///< steps when the pass began that is under way
  std::atomic_flag in_training = ATOMIC_FLAG_INIT;
};

/// What a step draws from.
struct RandomStep {
  std::uint64_t seed;
  std::uint64_t step;
};

/// Each element is kept, and divided by 1 − rate, or with probability `rate` becomes zero: out = mask · x.
template <class T>
void dropout_forward(PanelView<const T> x, double rate, RandomStep, RowRange rows, PanelView<T> mask, PanelView<T> out);
template <class T>
void dropout_backward(PanelView<const T> grad, PanelView<const T> mask, RowRange rows, PanelView<T> out);

/// out = x + normal numbers of this standard deviation.
template <class T> void add_noise(PanelView<const T> x, double deviation, RandomStep, RowRange rows, PanelView<T> out);

} // namespace cnet::ops
