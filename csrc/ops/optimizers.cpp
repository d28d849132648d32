#include "ops/optimizers.hpp"

#include "kernels/table.hpp"

namespace cnet::ops {

template <class T> void update(const Optimizer& rule, Index size, T* param, const T* grad, T* const* slots) {
  const auto& table = kernels::table<T>();
  const T learning_rate = static_cast<T>(rule.learning_rate);
  if (rule.momentum == 0) return table.sgd_update(size, param, grad, learning_rate);
  table.sgd_momentum_update(size, param, grad, slots[0], learning_rate, static_cast<T>(rule.momentum), rule.nesterov);
}

template void update(const Optimizer&, Index, float*, const float*, float* const*);
template void update(const Optimizer&, Index, double*, const double*, double* const*);

} // namespace cnet::ops
