// The optimizers' rules, element by element.

/// Zero for magnitudes below the normal numbers: a slot that decays would otherwise slow every step
/// down for as long as it takes to vanish.
template <class T> CNET_INLINE Lanes<T> flush_subnormal(Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> magnitude = select(x < zero, zero - x, x);
  return select(magnitude < broadcast(Format<T>::min_normal), zero, x);
}

/// rule(parameters, gradients, slots) for each row of lanes; the rule changes parameters and slots.
template <int slots, class T, class Rule> CNET_INLINE void each_parameter(const Step<T>& step, Rule rule) {
  constexpr Index width = panel_width<T>;
  const auto apply = [&](T* param, const T* grad, T* const* slot) CNET_INLINED {
    Lanes<T> w = load(param), s[slots + 1];
    CNET_UNROLL
    for (int n = 0; n < slots; ++n) s[n] = load(slot[n]);
    rule(w, load(grad), s);
    store(param, w);
    CNET_UNROLL
    for (int n = 0; n < slots; ++n) store(slot[n], s[n]);
  };
  Index i = 0;
  T* slot[slots + 1];
  for (; i + width <= step.size; i += width) {
    CNET_UNROLL
    for (int n = 0; n < slots; ++n) slot[n] = step.slots[n] + i;
    apply(step.param + i, step.grad + i, slot);
  }
  if (i == step.size) return;

  const auto bytes = static_cast<unsigned long>(step.size - i) * sizeof(T);
  T param[width] = {}, grad[width] = {}, tails[slots + 1][width] = {};
  __builtin_memcpy(param, step.param + i, bytes);
  __builtin_memcpy(grad, step.grad + i, bytes);
  for (int n = 0; n < slots; ++n) __builtin_memcpy(slot[n] = tails[n], step.slots[n] + i, bytes);
  apply(param, grad, slot);
  __builtin_memcpy(step.param + i, param, bytes);
  for (int n = 0; n < slots; ++n) __builtin_memcpy(step.slots[n] + i, tails[n], bytes);
}

template <class T> void sgd_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(-step.learning_rate);
  each_parameter<0>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>*) CNET_INLINED { w = fma(rate, g, w); });
}

template <class T> void sgd_momentum_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(-step.learning_rate), momentum = broadcast(step.momentum);
  const bool nesterov = step.nesterov;
  each_parameter<1>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* velocity) CNET_INLINED {
    velocity[0] = flush_subnormal(fma(momentum, velocity[0], rate * g));
    w = w + (nesterov ? fma(momentum, velocity[0], rate * g) : velocity[0]);
  });
}

template <class T> void rmsprop_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rho = broadcast(step.rho), rest = broadcast(step.one_minus_rho);
  each_parameter<1>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* velocity) CNET_INLINED {
    velocity[0] = flush_subnormal(fma(rho, velocity[0], rest * (g * g)));
    w = w - rate * g / square_root(velocity[0] + epsilon);
  });
}

template <class T> void rmsprop_momentum_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rho = broadcast(step.rho), rest = broadcast(step.one_minus_rho), momentum = broadcast(step.momentum);
  each_parameter<2>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* slots) CNET_INLINED {
    slots[0] = flush_subnormal(fma(rho, slots[0], rest * (g * g)));
    slots[1] = flush_subnormal(fma(momentum, slots[1], rate * g / square_root(slots[0] + epsilon)));
    w = w - slots[1];
  });
}

template <class T> void rmsprop_centered_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon), zero = broadcast(T(0));
  const Lanes<T> rho = broadcast(step.rho), rest = broadcast(step.one_minus_rho), momentum = broadcast(step.momentum);
  each_parameter<3>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* slots) CNET_INLINED {
    slots[0] = flush_subnormal(fma(rho, slots[0], rest * (g * g)));
    slots[1] = flush_subnormal(fma(rho, slots[1], rest * g));
    const Lanes<T> variance = slots[0] - slots[1] * slots[1];
    // Rounding can take the variance of a steady gradient below 0, and its root would be NaN.
    const Lanes<T> root = square_root(select(variance < zero, zero, variance) + epsilon);
    slots[2] = flush_subnormal(fma(momentum, slots[2], rate * g / root));
    w = w - slots[2];
  });
}

template <class T> void adagrad_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  each_parameter<1>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* sum) CNET_INLINED {
    sum[0] = sum[0] + g * g;
    w = w - rate * g / square_root(sum[0] + epsilon);
  });
}

template <class T> void adadelta_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rho = broadcast(step.rho), rest = broadcast(step.one_minus_rho);
  each_parameter<2>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* squares) CNET_INLINED {
    squares[0] = flush_subnormal(fma(rho, squares[0], rest * (g * g)));
    const Lanes<T> change = square_root(squares[1] + epsilon) * g / square_root(squares[0] + epsilon);
    squares[1] = flush_subnormal(fma(rho, squares[1], rest * (change * change)));
    w = w - rate * change;
  });
}

template <class T> void adam_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rest_1 = broadcast(step.one_minus_beta_1), rest_2 = broadcast(step.one_minus_beta_2);
  each_parameter<2>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* moments) CNET_INLINED {
    moments[0] = flush_subnormal(fma(g - moments[0], rest_1, moments[0]));
    moments[1] = flush_subnormal(fma(g * g - moments[1], rest_2, moments[1]));
    w = w - moments[0] * rate / (square_root(moments[1]) + epsilon);
  });
}

template <class T> void adam_amsgrad_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), epsilon = broadcast(step.epsilon);
  const Lanes<T> rest_1 = broadcast(step.one_minus_beta_1), rest_2 = broadcast(step.one_minus_beta_2);
  each_parameter<3>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* moments) CNET_INLINED {
    moments[0] = flush_subnormal(fma(g - moments[0], rest_1, moments[0]));
    moments[1] = flush_subnormal(fma(g * g - moments[1], rest_2, moments[1]));
    moments[2] = select(moments[1] <= moments[2], moments[2], moments[1]); // a NaN among the second stays
    w = w - moments[0] * rate / (square_root(moments[2]) + epsilon);
  });
}

template <class T> void nadam_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), gradient_rate = broadcast(step.gradient_rate);
  const Lanes<T> epsilon = broadcast(step.epsilon), scale = broadcast(step.square_scale);
  const Lanes<T> rest_1 = broadcast(step.one_minus_beta_1), rest_2 = broadcast(step.one_minus_beta_2);
  each_parameter<2>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* moments) CNET_INLINED {
    moments[0] = flush_subnormal(fma(g - moments[0], rest_1, moments[0]));
    moments[1] = flush_subnormal(fma(g * g - moments[1], rest_2, moments[1]));
    w = w - fma(rate, moments[0], gradient_rate * g) / (square_root(moments[1] * scale) + epsilon);
  });
}

template <class T> void lion_update(const Step<T>& step) {
  const Lanes<T> rate = broadcast(step.learning_rate), zero = broadcast(T(0));
  const Lanes<T> beta_1 = broadcast(step.beta_1), rest_1 = broadcast(step.one_minus_beta_1);
  const Lanes<T> beta_2 = broadcast(step.beta_2), rest_2 = broadcast(step.one_minus_beta_2);
  each_parameter<1>(step, [=](Lanes<T>& w, Lanes<T> g, Lanes<T>* mean) CNET_INLINED {
    const Lanes<T> direction = fma(beta_1, mean[0], rest_1 * g);
    // 0 and NaN have no sign: they are the change themselves.
    const Lanes<T> change = select(zero < direction, rate, select(direction < zero, zero - rate, direction));
    mean[0] = flush_subnormal(fma(beta_2, mean[0], rest_2 * g));
    w = w - change;
  });
}

template <class T> void clip(Index size, const T* x, T limit, T* out) {
  const Lanes<T> most = broadcast(limit), least = broadcast(-limit);
  const auto clipped = [=](Lanes<T> value)
                           CNET_INLINED { return select(most < value, most, select(value < least, least, value)); };
  map(size, out, clipped, x);
}

template <class T> void average(Index size, const T* x, T one_minus_momentum, T* average) {
  const Lanes<T> rest = broadcast(one_minus_momentum);
  const auto moved = [=](Lanes<T> value, Lanes<T> mean)
                         CNET_INLINED { return flush_subnormal(fma(value - mean, rest, mean)); };
  map(size, average, moved, x, average);
}

template <class T> void regularize(Index size, const T* param, T l1, T twice_l2, T* grad) {
  const Lanes<T> zero = broadcast(T(0)), slope = broadcast(l1), rate = broadcast(twice_l2);
  const auto regularized = [=](Lanes<T> w, Lanes<T> g) CNET_INLINED {
    // 0 and NaN have no sign: they are the change themselves.
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
