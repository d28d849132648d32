#include "ops/optimizers.hpp"

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
Update<T>::Update(const Optimizer& optimizer, Index step)
    : slots_(optimizer.slots()), is_descent_(optimizer.rule == Rule::sgd) {
  double learning_rate = optimizer.learning_rate;
  const auto& table = kernels::table<T>();
  switch (optimizer.rule) {
  case Rule::sgd: rule_ = table.sgd_update; break;
  case Rule::sgd_momentum: rule_ = table.sgd_momentum_update; break;
  case Rule::rmsprop: rule_ = table.rmsprop_update; break;
  case Rule::adam:
    rule_ = table.adam_update;
    learning_rate *= std::sqrt(1 - power(optimizer.beta_2, step)) / (1 - power(optimizer.beta_1, step));
    break;
  }
  step_.learning_rate = static_cast<T>(learning_rate);
  step_.momentum = static_cast<T>(optimizer.momentum);
  step_.nesterov = optimizer.nesterov;
  step_.rho = static_cast<T>(optimizer.rho);
  step_.one_minus_rho = static_cast<T>(1 - optimizer.rho);
  step_.one_minus_beta_1 = static_cast<T>(1 - optimizer.beta_1);
  step_.one_minus_beta_2 = static_cast<T>(1 - optimizer.beta_2);
  step_.epsilon = static_cast<T>(optimizer.epsilon);
}

template <class T> void Update<T>::operator()(Index size, T* param, const T* grad, T* const* slots) const {
  kernels::Step<T> step = step_;
  step.size = size;
  step.param = param;
  step.grad = grad;
  for (int n = 0; n < slots_; ++n) step.slots[n] = slots[n];
  rule_(step);
}

template class Update<float>;
template class Update<double>;

} // namespace cnet::ops
