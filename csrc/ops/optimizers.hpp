#pragma once

#include "kernels/table.hpp"

#include <string>
#include <vector>

namespace cnet::ops {

/// How a gradient g updates a parameter w and its slots. The formulas are Keras 3's; the Python classes hold the
/// defaults.
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
  adam_amsgrad,     ///< the same with the largest v so far
  nadam,            ///< m and v as before; with uₜ = beta_1 (1 − 0.96ᵗ / 2), pₜ = u₁ u₂ … uₜ, and
                    ///< n = uₜ₊₁ / (1 − pₜ₊₁) m + (1 − uₜ) / (1 − pₜ) g,
                    ///< w −= learning_rate n / (√(v / (1 − beta_2ᵗ)) + epsilon)
  lion,             ///< w −= learning_rate sign(beta_1 m + (1 − beta_1) g); m = beta_2 m + (1 − beta_2) g
};

/// The rule with this name. Throws std::invalid_argument if there is none.
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
  double initial_slot = 0; ///< value of the slots before the first step

  // Options of every rule; 0 is off.
  double weight_decay = 0;     ///< w −= learning_rate weight_decay w before the rule
  double clip_value = 0;       ///< limits the magnitude of each element of a gradient
  double clip_norm = 0;        ///< limits the norm of the gradient of each kernel and bias
  double global_clip_norm = 0; ///< limits the norm of all gradients together
  Index accumulation = 1;      ///< batches per step, which uses their mean gradient
  bool averages = false;       ///< keeps a moving average of the parameters
  double average_momentum = 0;
  Index overwrite_frequency = 0; ///< steps between overwriting the parameters with the average; 0: only at the end

  /// Number of slots per parameter: those of the rule, and the moving average if there is one.
  int slots() const;
  /// Names of the slots, and last that of the sum of gradients if a step takes several batches.
  std::vector<std::string> slot_names() const;
  bool clips_norms() const { return clip_norm > 0 || global_clip_norm > 0; }
  /// True if updating an element needs more than that element of one batch's gradient.
  bool needs_whole_gradient() const { return clips_norms() || accumulation > 1; }
};

/// The update after a batch: the optimizer's rule with the coefficients of this step.
template <class T> class Update {
public:
  /// `batch` counts from 1.
  Update(const Optimizer&, Index batch, double learning_rate);
  Update(const Optimizer& optimizer, Index batch) : Update(optimizer, batch, optimizer.learning_rate) {}

  /// True if this batch completes a step. Otherwise its gradient is only accumulated.
  bool steps() const { return steps_; }

  /// Updates `size` parameters with the gradient times `scale`; slots[n] holds their n-th slots.
  void operator()(Index size, T* param, const T* grad, T* const* slots, T scale = 1) const;

  /// Number of slots of the rule; the moving average, if there is one, follows them.
  int slots() const { return slots_; }
  /// Updates the moving average of the parameters, and overwrites them with it if this step is to do so.
  void average(Index size, T* param, T* mean) const;
  bool averages() const { return averages_; }

  /// True for just w −= learning_rate g, which dense_fused_sgd can compute.
  bool is_plain_sgd() const { return is_plain_sgd_; }
  T learning_rate() const { return step_.learning_rate; }

private:
  void take_step(Index size, T* param, const T* grad, T* const* slots) const;

  void (*rule_)(const kernels::Step<T>&);
  kernels::Step<T> step_{};
  T decay_;
  T clip_value_;
  T one_minus_average_momentum_;
  int slots_;
  bool is_plain_sgd_;
  bool steps_;
  bool averages_;
  bool starts_average_;
  bool overwrites_;
};

/// The factor that limits the norm of a gradient to `limit`; `squares` is the square of the norm.
double clipping_scale(double squares, double limit);

} // namespace cnet::ops
