#include "ops/optimizers.hpp"

#include "kernels/table.hpp"

#include <cmath>

namespace cnet::ops {

namespace {

/// base^exponent by squaring: products only, so that the bits do not depend on a libm.
double power(double base, Index exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2 == 1) result *= base;
  }
  return result;
}

} // namespace

int Optimizer::slots() const {
  switch (rule) {
  case Rule::sgd: return 0;
  case Rule::sgd_momentum: return 1;
  case Rule::rmsprop: return 1;
  case Rule::adam: return 2;
  }
  return 0;
}

template <class T>
void update(const Optimizer& optimizer, Index step, Index size, T* param, const T* grad, T* const* slots) {
  kernels::Step<T> task{};
  task.size = size;
  task.param = param;
  task.grad = grad;
  for (int n = 0; n < optimizer.slots(); ++n) task.slots[n] = slots[n];
  task.learning_rate = static_cast<T>(optimizer.learning_rate);
  task.momentum = static_cast<T>(optimizer.momentum);
  task.nesterov = optimizer.nesterov;
  task.rho = static_cast<T>(optimizer.rho);
  task.one_minus_rho = static_cast<T>(1 - optimizer.rho);
  task.one_minus_beta_1 = static_cast<T>(1 - optimizer.beta_1);
  task.one_minus_beta_2 = static_cast<T>(1 - optimizer.beta_2);
  task.epsilon = static_cast<T>(optimizer.epsilon);

  const auto& table = kernels::table<T>();
  switch (optimizer.rule) {
  case Rule::sgd: return table.sgd_update(task);
  case Rule::sgd_momentum: return table.sgd_momentum_update(task);
  case Rule::rmsprop: return table.rmsprop_update(task);
  case Rule::adam:
    task.learning_rate = static_cast<T>(optimizer.learning_rate * std::sqrt(1 - power(optimizer.beta_2, step)) /
                                        (1 - power(optimizer.beta_1, step)));
    return table.adam_update(task);
  }
}

template void update(const Optimizer&, Index, Index, float*, const float*, float* const*);
template void update(const Optimizer&, Index, Index, double*, const double*, double* const*);

} // namespace cnet::ops
