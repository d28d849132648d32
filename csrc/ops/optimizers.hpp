#pragma once

#include "kernels/table.hpp"

#include <string>
#include <vector>

namespace cnet::ops {

/// How a gradient g changes a parameter w, and the slots that the rule keeps for it. Formulas and
/// default values are Keras 3's; the Python classes hold the defaults.
enum class Rule {
  sgd,              ///< w −= learning_rate g
  sgd_momentum,     ///< v = momentum v − learning_rate g; w += v, or with Nesterov momentum v − learning_rate g
  rmsprop,          ///< v = rho v + (1 − rho) g²; w −= learning_rate g / √(v + epsilon)
  rmsprop_momentum, ///< v as before; u = momentum u + learning_rate g / √(v + epsilon); w −= u
  rmsprop_centered, ///< v as before; m = rho m + (1 − rho) g; the same with v − m² for v
  adagrad,          ///< v += g²; w −= learning_rate g / √(v + epsilon)
  adadelta,         ///< v = rho v + (1 − rho) g²; d = g √(u + epsilon) / √(v + epsilon);
                    ///< u = rho u + (1 − rho) d²; w −= learning_rate d
  adam,             ///< m += (1 − beta_1) (g − m); v += (1 − beta_2) (g² − v);
                    ///< w −= learning_rate √(1 − beta_2ᵗ) / (1 − beta_1ᵗ) m / (√v + epsilon) in step t
  adam_amsgrad,     ///< the same with the greatest v so far
  nadam,            ///< m and v as before; with uₜ = beta_1 (1 − 0.96ᵗ / 2), pₜ = u₁ u₂ … uₜ, and
                    ///< n = uₜ₊₁ / (1 − pₜ₊₁) m + (1 − uₜ) / (1 − pₜ) g,
                    ///< w −= learning_rate n / (√(v / (1 − beta_2ᵗ)) + epsilon)
  lion,             ///< w −= learning_rate sign(beta_1 m + (1 − beta_1) g); m = beta_2 m + (1 − beta_2) g
};

/// The rule of this name; std::invalid_argument if there is none.
Rule rule_named(const std::string& name);

struct Optimizer {
  Rule rule = Rule::sgd;
  double learning_rate = 0;
  double momentum = 0;
  bool nesterov = false;
  double rho = 0;
  double beta_1 = 0;
  double beta_2 = 0;
  double epsilon = 0;
  double initial_slot = 0; ///< what the slots hold before the first step

  // What may come with any rule; 0 where it does not.
  double weight_decay = 0;     ///< w −= learning_rate weight_decay w before the rule
  double clip_value = 0;       ///< gradients are no larger, element by element
  double clip_norm = 0;        ///< the gradient of each kernel and bias is no longer
  double global_clip_norm = 0; ///< that of all parameters together is no longer
  Index accumulation = 1;      ///< batches whose mean gradient makes a step
  bool averages = false;       ///< keeps a running mean of the parameters
  double average_momentum = 0;
  Index overwrite_frequency = 0; ///< steps after which the mean takes the parameters' place; 0: at the end

  /// Numbers that are kept for each parameter: the rule's, and the running mean if there is one.
  int slots() const;
  /// What they are to be called, and last the sum of gradients where a step takes several batches.
  std::vector<std::string> slot_names() const;
  bool clips_norms() const { return clip_norm > 0 || global_clip_norm > 0; }
  /// Whether a step needs more of the gradient than the element that it is for.
  bool needs_whole_gradient() const { return clips_norms() || accumulation > 1; }
};

/// What an optimizer does after a batch: its rule with the numbers of the step that this is.
template <class T> class Update {
public:
  /// Batches are counted from 1.
  Update(const Optimizer&, Index batch, double learning_rate);
  Update(const Optimizer& optimizer, Index batch) : Update(optimizer, batch, optimizer.learning_rate) {}

  /// Whether this batch ends a step. If not, its gradient is put by.
  bool steps() const { return steps_; }

  /// Updates `size` parameters, the gradient times `scale`; slots[n] are their n-th slots.
  void operator()(Index size, T* param, const T* grad, T* const* slots, T scale = 1) const;

  /// Slots of the rule; that of the running mean, if there is one, follows them.
  int slots() const { return slots_; }
  /// Moves the parameters' running mean on, and puts it in their place if it is time.
  void average(Index size, T* param, T* mean) const;
  bool averages() const { return averages_; }

  /// Whether it is w −= learning_rate g and no more, which a product can do at its end.
  bool is_descent() const { return is_descent_; }
  T learning_rate() const { return step_.learning_rate; }

private:
  void take_step(Index size, T* param, const T* grad, T* const* slots) const;

  void (*rule_)(const kernels::Step<T>&);
  kernels::Step<T> step_{};
  T decay_;
  T clip_value_;
  T one_minus_average_momentum_;
  int slots_;
  bool is_descent_;
  bool steps_;
  bool averages_;
  bool starts_average_;
  bool overwrites_;
};

/// What a gradient is multiplied by so that its norm, the root of `squares`, is at most `limit`.
double clipping_scale(double squares, double limit);

} // namespace cnet::ops
