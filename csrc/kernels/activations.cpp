#include "kernels/activations.hpp"

// Functions of one element over arrays: exp, log and rescaling; the activations, and grad · f′ by x or y = f(x).

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> void exp(Index size, const T* x, T* out) {
  map(size, out, [](Lanes<T> v) CNET_INLINED { return exp(v); }, x);
}

template <class T> void log(Index size, const T* x, T* out) {
  map(size, out, [](Lanes<T> v) CNET_INLINED { return log(v); }, x);
}

template <class T> void rescale(Index size, const T* x, T scale, T offset, T* out) {
  map(size, out, [=](Lanes<T> v) CNET_INLINED { return fma(v, broadcast(scale), broadcast(offset)); }, x);
}

template <class T> bool is_plain(const ActivationParameters<T>& p) {
  return p.negative_slope == 0 && p.threshold == 0 && p.max_value == T(__builtin_inf());
}

template <class T> void relu_forward(Index size, const ActivationParameters<T>& p, const T* x, T* out) {
  if (is_plain(p)) return map(size, out, [](Lanes<T> v) CNET_INLINED { return relu(v); }, x);
  const Lanes<T> slope = broadcast(p.negative_slope), threshold = broadcast(p.threshold), zero = broadcast(T(0));
  const T most = p.max_value;
  const auto is_flat = slope == zero; // else 0 · −∞ would be NaN
  const auto f = [=](Lanes<T> v) CNET_INLINED {
    const Lanes<T> below = select(is_flat, zero, slope * (v - threshold));
    return select(v <= threshold, below, minimum(v, most));
  };
  map(size, out, f, x);
}

template <class T>
void relu_backward(Index size, const ActivationParameters<T>& p, const T* grad, const T* x, const T*, T* out) {
  if (is_plain(p)) {
    return map(size, out, [](Lanes<T> g, Lanes<T> v) CNET_INLINED { return relu_gradient(g, v); }, grad, x);
  }
  const Lanes<T> slope = broadcast(p.negative_slope), threshold = broadcast(p.threshold), zero = broadcast(T(0));
  const bool is_bounded = p.max_value < T(__builtin_inf()); // else nothing is as large as a NaN
  const Lanes<T> most = broadcast(is_bounded ? p.max_value : T(__builtin_nan("")));
  const auto is_flat = slope == zero;
  const auto f = [=](Lanes<T> g, Lanes<T> v) CNET_INLINED {
    const Lanes<T> below = select(is_flat, zero, slope * g);
    return select(threshold < v, select(most <= v, zero, g), below);
  };
  map(size, out, f, grad, x);
}

template <class T> void elu_forward(Index size, const ActivationParameters<T>& p, const T* x, T* out) {
  const Lanes<T> alpha = broadcast(p.alpha), scale = broadcast(p.scale);
  const auto f = [=](Lanes<T> v) CNET_INLINED {
    const auto is_negative = v <= broadcast(T(0));
    return select(is_negative, alpha * exp_minus_one(select(is_negative, v, broadcast(T(0)))), scale * v);
  };
  map(size, out, f, x);
}

template <class T>
void elu_backward(Index size, const ActivationParameters<T>& p, const T* grad, const T* x, const T* y, T* out) {
  const Lanes<T> alpha = broadcast(p.alpha), scale = broadcast(p.scale);
  const auto f = [=](Lanes<T> g, Lanes<T> v, Lanes<T> result)
                     CNET_INLINED { return g * select(v <= broadcast(T(0)), result + alpha, scale); };
  map(size, out, f, grad, x, y);
}

#define CNET_ACTIVATION(name)                                                                                          \
  template <class T> void name##_forward(Index size, const ActivationParameters<T>&, const T* x, T* out) {             \
    map(size, out, [](Lanes<T> v) CNET_INLINED { return name(v); }, x);                                                \
  }

/// grad times `slope`, a function of v, which is x or y.
#define CNET_SLOPE(name, v, slope)                                                                                     \
  template <class T>                                                                                                   \
  void name##_backward(Index size, const ActivationParameters<T>&, const T* grad, const T* x, const T* y, T* out) {    \
    static_cast<void>(x), static_cast<void>(y);                                                                        \
    map(size, out, [](Lanes<T> g, Lanes<T> v) CNET_INLINED { return g * (slope); }, grad, v);                          \
  }

CNET_ACTIVATION(gelu)
CNET_SLOPE(gelu, x, gelu_slope(x))
CNET_ACTIVATION(gelu_tanh)
CNET_SLOPE(gelu_tanh, x, gelu_tanh_slope(x))
CNET_ACTIVATION(silu)
CNET_SLOPE(silu, x, silu_slope(x))
CNET_ACTIVATION(mish)
CNET_SLOPE(mish, x, mish_slope(x))
CNET_ACTIVATION(tanh)
CNET_SLOPE(tanh, y, (broadcast(T(1)) - y) * (broadcast(T(1)) + y))
CNET_ACTIVATION(sigmoid)
CNET_SLOPE(sigmoid, y, y*(broadcast(T(1)) - y))
CNET_ACTIVATION(hard_sigmoid)
CNET_SLOPE(hard_sigmoid, x, hard_sigmoid_slope(x))
CNET_ACTIVATION(softplus)
CNET_SLOPE(softplus, x, sigmoid(x))
CNET_ACTIVATION(softsign)
CNET_SLOPE(softsign, x, softsign_slope(x))

#undef CNET_ACTIVATION

template <class T> void exponential_forward(Index size, const ActivationParameters<T>&, const T* x, T* out) {
  exp(size, x, out);
}
CNET_SLOPE(exponential, y, y)

#undef CNET_SLOPE

template <class T> constexpr ActivationKernels<T> activations_members() {
  return {
      // In the order of Activation.
      {
          relu_forward<T>,
          elu_forward<T>,
          gelu_forward<T>,
          gelu_tanh_forward<T>,
          silu_forward<T>,
          mish_forward<T>,
          tanh_forward<T>,
          sigmoid_forward<T>,
          hard_sigmoid_forward<T>,
          softplus_forward<T>,
          softsign_forward<T>,
          exponential_forward<T>,
      },
      {
          relu_backward<T>,
          elu_backward<T>,
          gelu_backward<T>,
          gelu_tanh_backward<T>,
          silu_backward<T>,
          mish_backward<T>,
          tanh_backward<T>,
          sigmoid_backward<T>,
          hard_sigmoid_backward<T>,
          softplus_backward<T>,
          softsign_backward<T>,
          exponential_backward<T>,
      },
      exp<T>,
      log<T>,
      rescale<T>,
  };
}

} // namespace

CNET_EXPORT(ActivationKernels, activations)

} // namespace cnet::kernels::CNET_ISA
