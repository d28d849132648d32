#include "kernels/math.hpp"

// The update rules of the optimizers, elementwise; ops/optimizers.hpp has the formulas.

namespace cnet::kernels::CNET_ISA {

namespace {

/// Replaces subnormal numbers by zero: a decaying slot would otherwise slow down every step while it is subnormal.
template <class T> CNET_INLINE Lanes<T> flush_subnormal(Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> magnitude = select(x < zero, zero - x, x);
  return select(magnitude < broadcast(Format<T>::min_normal), zero, x);
}

/// Updates the elements after the last whole row of lanes, in padded copies.
template <int slots, class T>
CNET_NOINLINE void update_tail(const Step<T>& step, Index first, void (*update)(const Step<T>&)) {
  constexpr Index width = panel_width<T>;
  const auto bytes = static_cast<unsigned long>(step.size - first) * sizeof(T);
  T param[width] = {}, grad[width] = {}, copies[slots + 1][width] = {};
  Step<T> tail = step;
  tail.size = width;
  tail.param = param;
  tail.grad = grad;
  __builtin_memcpy(param, step.param + first, bytes);
  __builtin_memcpy(grad, step.grad + first, bytes);
  for (int n = 0; n < slots; ++n) __builtin_memcpy(tail.slots[n] = copies[n], step.slots[n] + first, bytes);
  update(tail);
  __builtin_memcpy(step.param + first, param, bytes);
  for (int n = 0; n < slots; ++n) __builtin_memcpy(step.slots[n] + first, copies[n], bytes);
}

/// rule(parameters, gradients, slots) for each row of lanes; the rule changes parameters and slots. `update` is the
/// calling kernel.
template <int slots, class T, class Rule>
CNET_INLINE void each_parameter(const Step<T>& step, void (*update)(const Step<T>&), Rule rule) {
  const Index whole = step.size - step.size % panel_width<T>;
  for (Index i = 0; i < whole; i += panel_width<T>) {
    Lanes<T> w = load(step.param + i), s[slots + 1];
    CNET_UNROLL
    for (int n = 0; n < slots; ++n) s[n] = load(step.slots[n] + i);
    rule(w, load(step.grad + i), s);
    store(step.param + i, w);
    CNET_UNROLL
    for (int n = 0; n < slots; ++n) store(step.slots[n] + i, s[n]);
  }
  if (whole < step.size) update_tail<slots>(step, whole, update);
}

template <class T> void sgd_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(-step.learning_rate);
  each_parameter<0>(step, sgd_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>*) CNET_INLINED { w = fma(rate, g, w); });
}

template <class T> void sgd_momentum_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(-step.learning_rate), momentum = broadcast(step.momentum);
  const bool nesterov = step.nesterov;
  each_parameter<1>(step, sgd_momentum_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* velocity) CNET_INLINED {
    velocity[0] = flush_subnormal(fma(momentum, velocity[0], rate * g));
    w = w + (nesterov ? fma(momentum, velocity[0], rate * g) : velocity[0]);
  });
}

template <class T> void rmsprop_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rho = broadcast(step.rho), one_minus_rho = broadcast(step.one_minus_rho);
  each_parameter<1>(step, rmsprop_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* velocity) CNET_INLINED {
    velocity[0] = flush_subnormal(fma(rho, velocity[0], one_minus_rho * (g * g)));
    w = w - rate * g / sqrt(velocity[0] + epsilon);
  });
}

template <class T> void rmsprop_momentum_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rho = broadcast(step.rho), one_minus_rho = broadcast(step.one_minus_rho),
                 momentum = broadcast(step.momentum);
  each_parameter<2>(step, rmsprop_momentum_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* slots) CNET_INLINED {
    slots[0] = flush_subnormal(fma(rho, slots[0], one_minus_rho * (g * g)));
    slots[1] = flush_subnormal(fma(momentum, slots[1], rate * g / sqrt(slots[0] + epsilon)));
    w = w - slots[1];
  });
}

template <class T> void rmsprop_centered_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon), zero = broadcast(T(0));
  const Lanes<T> rho = broadcast(step.rho), one_minus_rho = broadcast(step.one_minus_rho),
                 momentum = broadcast(step.momentum);
  each_parameter<3>(step, rmsprop_centered_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* slots) CNET_INLINED {
    slots[0] = flush_subnormal(fma(rho, slots[0], one_minus_rho * (g * g)));
    slots[1] = flush_subnormal(fma(rho, slots[1], one_minus_rho * g));
    const Lanes<T> variance = slots[0] - slots[1] * slots[1];
    // Rounding can make the variance of a constant gradient negative, and its square root NaN.
    const Lanes<T> root = sqrt(select(variance < zero, zero, variance) + epsilon);
    slots[2] = flush_subnormal(fma(momentum, slots[2], rate * g / root));
    w = w - slots[2];
  });
}

template <class T> void adagrad_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  each_parameter<1>(step, adagrad_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* sum) CNET_INLINED {
    sum[0] = sum[0] + g * g;
    w = w - rate * g / sqrt(sum[0] + epsilon);
  });
}

template <class T> void adadelta_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rho = broadcast(step.rho), one_minus_rho = broadcast(step.one_minus_rho);
  each_parameter<2>(step, adadelta_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* squares) CNET_INLINED {
    squares[0] = flush_subnormal(fma(rho, squares[0], one_minus_rho * (g * g)));
    const Lanes<T> change = sqrt(squares[1] + epsilon) * g / sqrt(squares[0] + epsilon);
    squares[1] = flush_subnormal(fma(rho, squares[1], one_minus_rho * (change * change)));
    w = w - rate * change;
  });
}

template <class T> void adam_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> one_minus_beta_1 = broadcast(step.one_minus_beta_1),
                 one_minus_beta_2 = broadcast(step.one_minus_beta_2);
  each_parameter<2>(step, adam_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* moments) CNET_INLINED {
    moments[0] = flush_subnormal(fma(g - moments[0], one_minus_beta_1, moments[0]));
    moments[1] = flush_subnormal(fma(g * g - moments[1], one_minus_beta_2, moments[1]));
    w = w - moments[0] * rate / (sqrt(moments[1]) + epsilon);
  });
}

template <class T> void adam_amsgrad_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> one_minus_beta_1 = broadcast(step.one_minus_beta_1),
                 one_minus_beta_2 = broadcast(step.one_minus_beta_2);
  each_parameter<3>(step, adam_amsgrad_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* moments) CNET_INLINED {
    moments[0] = flush_subnormal(fma(g - moments[0], one_minus_beta_1, moments[0]));
    moments[1] = flush_subnormal(fma(g * g - moments[1], one_minus_beta_2, moments[1]));
    moments[2] = select(moments[1] <= moments[2], moments[2], moments[1]); // keeps NaN
    w = w - moments[0] * rate / (sqrt(moments[2]) + epsilon);
  });
}

template <class T> void nadam_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), gradient_rate = broadcast(step.gradient_rate);
  const Lanes<T> epsilon = broadcast(step.epsilon), scale = broadcast(step.square_scale);
  const Lanes<T> one_minus_beta_1 = broadcast(step.one_minus_beta_1),
                 one_minus_beta_2 = broadcast(step.one_minus_beta_2);
  each_parameter<2>(step, nadam_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* moments) CNET_INLINED {
    moments[0] = flush_subnormal(fma(g - moments[0], one_minus_beta_1, moments[0]));
    moments[1] = flush_subnormal(fma(g * g - moments[1], one_minus_beta_2, moments[1]));
    w = w - fma(rate, moments[0], gradient_rate * g) / (sqrt(moments[1] * scale) + epsilon);
  });
}

template <class T> void lion_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), zero = broadcast(T(0));
  const Lanes<T> beta_1 = broadcast(step.beta_1), one_minus_beta_1 = broadcast(step.one_minus_beta_1);
  const Lanes<T> beta_2 = broadcast(step.beta_2), one_minus_beta_2 = broadcast(step.one_minus_beta_2);
  each_parameter<1>(step, lion_update<T>, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* mean) CNET_INLINED {
    const Lanes<T> direction = fma(beta_1, mean[0], one_minus_beta_1 * g);
    // sign(0) = 0 and sign(NaN) = NaN.
    const Lanes<T> change = select(zero < direction, rate, select(direction < zero, zero - rate, direction));
    mean[0] = flush_subnormal(fma(beta_2, mean[0], one_minus_beta_2 * g));
    w = w - change;
  });
}

template <class T> void clip(Index size, const T* x, T limit, T* out) {
  const Lanes<T> high = broadcast(limit), low = broadcast(-limit);
  const auto clipped = [=](Lanes<T> value)
                           CNET_INLINED { return select(high < value, high, select(value < low, low, value)); };
  map(size, out, clipped, x);
}

template <class T> void average(Index size, const T* x, T one_minus_momentum, T* average) {
  const Lanes<T> rate = broadcast(one_minus_momentum);
  const auto moved = [=](Lanes<T> value, Lanes<T> mean)
                         CNET_INLINED { return flush_subnormal(fma(value - mean, rate, mean)); };
  map(size, average, moved, x, average);
}

template <class T> void regularize(Index size, const T* param, T l1, T twice_l2, T* grad) {
  const Lanes<T> zero = broadcast(T(0)), slope = broadcast(l1), rate = broadcast(twice_l2);
  const auto regularized = [=](Lanes<T> w, Lanes<T> g) CNET_INLINED {
    // sign(0) = 0 and sign(NaN) = NaN.
    const Lanes<T> change = select(zero < w, slope, select(w < zero, zero - slope, w));
    return fma(rate, w, g + change);
  };
  map(size, grad, regularized, param, grad);
}

/// sums[j] = Σᵢ f(x[i, j]) in double.
template <class T, class F> CNET_INLINE void sum_down(Index rows, const T* panel, double* sums, F f) {
  constexpr Index width = panel_width<T>;
  double totals[width] = {};
  for (Index i = 0; i < rows; ++i) {
    CNET_VECTORIZE
    for (Index j = 0; j < width; ++j) totals[j] += f(static_cast<double>(panel[i * width + j]));
  }
  __builtin_memcpy(sums, totals, sizeof(totals));
}

template <class T> void sum_magnitudes(Index rows, const T* panel, double* sums) {
  sum_down(rows, panel, sums, [](double x) CNET_INLINED { return __builtin_fabs(x); });
}

template <class T> void sum_squares(Index rows, const T* panel, double* sums) {
  sum_down(rows, panel, sums, [](double x) CNET_INLINED { return x * x; });
}

template <class T> constexpr OptimizerKernels<T> optimizers_members() {
  return {sgd_update<T>,
          sgd_momentum_update<T>,
          rmsprop_update<T>,
          rmsprop_momentum_update<T>,
          rmsprop_centered_update<T>,
          adagrad_update<T>,
          adadelta_update<T>,
          adam_update<T>,
          adam_amsgrad_update<T>,
          nadam_update<T>,
          lion_update<T>,
          clip<T>,
          average<T>,
          regularize<T>,
          sum_magnitudes<T>,
          sum_squares<T>};
}

} // namespace

CNET_EXPORT(OptimizerKernels, optimizers)

} // namespace cnet::kernels::CNET_ISA
