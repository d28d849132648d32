#pragma once

#include "kernels/table.hpp"

namespace cnet::ops {

/// How a gradient g changes a parameter w, and the slots that the rule keeps for it. Formulas and
/// default values are Keras 3's; the Python classes hold the defaults.
enum class Rule {
  sgd,          ///< w −= learning_rate g
  sgd_momentum, ///< v = momentum v − learning_rate g; w += v, or with Nesterov momentum v − learning_rate g
  rmsprop,      ///< v = rho v + (1 − rho) g²; w −= learning_rate g / √(v + epsilon)
  adam,         ///< m += (1 − beta_1) (g − m); v += (1 − beta_2) (g² − v);
                ///< w −= learning_rate √(1 − beta_2ᵗ) / (1 − beta_1ᵗ) m / (√v + epsilon) in step t
};

struct Optimizer {
  Rule rule = Rule::sgd;
  double learning_rate = 0;
  double momentum = 0;
  bool nesterov = false;
  double rho = 0;
  double beta_1 = 0;
  double beta_2 = 0;
  double epsilon = 0;

  /// Numbers that the rule keeps for each parameter.
  int slots() const;
};

/// An optimizer's rule with the numbers of step `step`, counted from 1.
template <class T> class Update {
public:
  Update(const Optimizer&, Index step);

  /// Updates `size` parameters; slots[n] are their n-th slots.
  void operator()(Index size, T* param, const T* grad, T* const* slots) const;
  int slots() const { return slots_; }

  /// Whether it is w −= learning_rate g and no more, which a product can do at its end.
  bool is_descent() const { return is_descent_; }
  T learning_rate() const { return step_.learning_rate; }

private:
  void (*rule_)(const kernels::Step<T>&);
  kernels::Step<T> step_{};
  int slots_;
  bool is_descent_;
};

} // namespace cnet::ops
