#pragma once

#include "core/types.hpp"

namespace cnet::ops {

/// A rule for updating parameters from their gradient; momentum 0 is plain gradient descent.
struct Optimizer {
  double learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;

  /// Numbers that the rule keeps for each parameter.
  int slots() const { return momentum != 0 ? 1 : 0; }
};

/// Updates `size` parameters; slots[n] points to their n-th slot.
template <class T> void update(const Optimizer&, Index size, T* param, const T* grad, T* const* slots);

} // namespace cnet::ops
