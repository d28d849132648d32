#include "ops/optimizers.hpp"

#include "core/aligned_buffer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace cnet::ops {

namespace {

/// base^exponent by repeated squaring: products only, so that the bits do not depend on the C library.
double power(double base, Index exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2 == 1) result *= base;
  }
  return result;
}

/// Nadam's schedule of its momentum, relative to beta_1: 1 − 0.96ᵗ / 2 in step t (Dozat, 2016).
double nadam_momentum(Index step) {
  return 1 - 0.5 * power(0.96, step);
}

/// nadam_momentum(1) · nadam_momentum(2) · … · nadam_momentum(step)
double nadam_product(Index step) {
  // Later factors are 1 in double.
  static const std::array<double, 1024> products = [] {
    std::array<double, 1024> result{1};
    for (std::size_t n = 1; n < result.size(); ++n) result[n] = result[n - 1] * nadam_momentum(Index(n));
    return result;
  }();
  return products[static_cast<std::size_t>(std::min(step, Index(products.size()) - 1))];
}

/// The coefficients of a step that depend on its number.
struct Coefficients {
  double learning_rate;
  double gradient_rate = 0;
  double square_scale = 0;
};

Coefficients constant_coefficients(const Optimizer&, Index, double learning_rate) {
  return {learning_rate};
}

Coefficients adam_coefficients(const Optimizer& optimizer, Index step, double learning_rate) {
  return {learning_rate * (std::sqrt(1 - power(optimizer.beta_2, step)) / (1 - power(optimizer.beta_1, step)))};
}

Coefficients nadam_coefficients(const Optimizer& optimizer, Index step, double learning_rate) {
  const double u = optimizer.beta_1 * nadam_momentum(step), next_u = optimizer.beta_1 * nadam_momentum(step + 1);
  const double product = power(optimizer.beta_1, step) * nadam_product(step);
  return {learning_rate * (next_u / (1 - product * next_u)), learning_rate * ((1 - u) / (1 - product)),
          1 / (1 - power(optimizer.beta_2, step))};
}

/// A rule's name, slots and coefficients.
struct RuleInfo {
  const char* name;
  std::array<const char*, kernels::max_slots> slot_names; ///< Keras's names; null after the last
  Coefficients (*coefficients)(const Optimizer&, Index step, double learning_rate);

  int slots() const {
    return static_cast<int>(std::find(slot_names.begin(), slot_names.end(), nullptr) - slot_names.begin());
  }
};

// Both tables are in the order of Rule.
constexpr RuleInfo rules[] = {
    {"sgd", {}, constant_coefficients},
    {"sgd_momentum", {"momentum"}, constant_coefficients},
    {"rmsprop", {"velocity"}, constant_coefficients},
    {"rmsprop_momentum", {"velocity", "momentum"}, constant_coefficients},
    {"rmsprop_centered", {"velocity", "average_gradient", "momentum"}, constant_coefficients},
    {"adagrad", {"accumulator"}, constant_coefficients},
    {"adadelta", {"accumulated_grad", "accumulated_delta_var"}, constant_coefficients},
    {"adam", {"momentum", "velocity"}, adam_coefficients},
    {"adam_amsgrad", {"momentum", "velocity", "velocity_hat"}, adam_coefficients},
    {"nadam", {"momentum", "velocity"}, nadam_coefficients},
    {"lion", {"momentum"}, constant_coefficients},
};

template <class T>
constexpr void (*kernels::Table<T>::* const kernel_of[])(const kernels::Step<T>&) = {
    &kernels::Table<T>::sgd_update,
    &kernels::Table<T>::sgd_momentum_update,
    &kernels::Table<T>::rmsprop_update,
    &kernels::Table<T>::rmsprop_momentum_update,
    &kernels::Table<T>::rmsprop_centered_update,
    &kernels::Table<T>::adagrad_update,
    &kernels::Table<T>::adadelta_update,
    &kernels::Table<T>::adam_update,
    &kernels::Table<T>::adam_amsgrad_update,
    &kernels::Table<T>::nadam_update,
    &kernels::Table<T>::lion_update,
};

const RuleInfo& info(Rule rule) {
  return rules[static_cast<std::size_t>(rule)];
}

} // namespace

Rule rule_named(const std::string& name) {
  const auto found =
      std::find_if(std::begin(rules), std::end(rules), [&](const RuleInfo& e) { return name == e.name; });
  if (found == std::end(rules)) throw std::invalid_argument("Optimizer: unknown rule '" + name + "'");
  return static_cast<Rule>(found - std::begin(rules));
}

int Optimizer::slots() const {
  return info(rule).slots() + (averages ? 1 : 0);
}

std::vector<std::string> Optimizer::slot_names() const {
  const RuleInfo& known = info(rule);
  std::vector<std::string> names(known.slot_names.begin(), known.slot_names.begin() + known.slots());
  if (averages) names.emplace_back("average");
  if (accumulation > 1) names.emplace_back("gradient_accumulator");
  return names;
}

template <class T>
Update<T>::Update(const Optimizer& optimizer, Index batch, double learning_rate)
    : rule_(kernels::table<T>().*kernel_of<T>[static_cast<std::size_t>(optimizer.rule)]),
      decay_(static_cast<T>(optimizer.weight_decay * learning_rate)), clip_value_(static_cast<T>(optimizer.clip_value)),
      one_minus_average_momentum_(static_cast<T>(1 - optimizer.average_momentum)), slots_(info(optimizer.rule).slots()),
      is_plain_sgd_(optimizer.rule == Rule::sgd && decay_ == 0 && clip_value_ == 0 && !optimizer.averages),
      steps_(batch % optimizer.accumulation == 0), averages_(optimizer.averages) {
  // The number of steps completed before this batch, and the number of the step it belongs to.
  const Index completed = (batch - 1) / optimizer.accumulation, step = completed + 1;
  starts_average_ = completed == 0;
  overwrites_ = optimizer.overwrite_frequency > 0 && step % optimizer.overwrite_frequency == 0;
  const Coefficients coefficients = info(optimizer.rule).coefficients(optimizer, step, learning_rate);
  step_.learning_rate = static_cast<T>(coefficients.learning_rate);
  step_.gradient_rate = static_cast<T>(coefficients.gradient_rate);
  step_.square_scale = static_cast<T>(coefficients.square_scale);
  step_.momentum = static_cast<T>(optimizer.momentum);
  step_.nesterov = optimizer.nesterov;
  step_.rho = static_cast<T>(optimizer.rho);
  step_.one_minus_rho = static_cast<T>(1 - optimizer.rho);
  step_.beta_1 = static_cast<T>(optimizer.beta_1);
  step_.beta_2 = static_cast<T>(optimizer.beta_2);
  step_.one_minus_beta_1 = static_cast<T>(1 - optimizer.beta_1);
  step_.one_minus_beta_2 = static_cast<T>(1 - optimizer.beta_2);
  step_.epsilon = static_cast<T>(optimizer.epsilon);
}

template <class T> void Update<T>::take_step(Index size, T* param, const T* grad, T* const* slots) const {
  kernels::Step<T> step = step_;
  step.size = size;
  step.param = param;
  step.grad = grad;
  for (int n = 0; n < slots_; ++n) step.slots[n] = slots[n];
  rule_(step);
}

template <class T> void Update<T>::operator()(Index size, T* param, const T* grad, T* const* slots, T scale) const {
  const auto& table = kernels::table<T>();
  if (decay_ != 0) { // SGD with the parameters as the gradient
    kernels::Step<T> decay{};
    decay.size = size;
    decay.param = param;
    decay.grad = param;
    decay.learning_rate = decay_;
    table.sgd_update(decay);
  }
  if (scale == 1 && clip_value_ == 0) return take_step(size, param, grad, slots);

  alignas(cache_line) std::array<T, 256> changed;
  for (Index first = 0; first < size; first += Index(changed.size())) {
    const Index count = std::min(Index(changed.size()), size - first);
    const T* from = grad + first;
    if (scale != 1) { // x + −0 is x, also for x = −0
      table.rescale(count, from, scale, T(-0.0), changed.data());
      from = changed.data();
    }
    if (clip_value_ != 0) table.clip(count, from, clip_value_, changed.data());
    std::array<T*, kernels::max_slots> slot{};
    for (int n = 0; n < slots_; ++n) slot[static_cast<std::size_t>(n)] = slots[n] + first;
    take_step(count, param + first, changed.data(), slot.data());
  }
}

template <class T> void Update<T>::average(Index size, T* param, T* mean) const {
  if (starts_average_) {
    std::copy_n(param, size, mean);
  } else {
    kernels::table<T>().average(size, param, one_minus_average_momentum_, mean);
  }
  if (overwrites_) std::copy_n(mean, size, param);
}

double clipping_scale(double squares, double limit) {
  return limit / std::max(std::sqrt(squares), limit); // keeps NaN
}

#define CNET_INSTANTIATE(T) template class Update<T>;
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
