#include "kernels/activations.hpp"

// Elementwise kernels: exp, log, rescale, and the activations with their backward functions.

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

template <class T> bool is_plain_relu(const ActivationParameters<T>& p) {
  return p.negative_slope == 0 && p.threshold == 0 && p.max_value == T(__builtin_inf());
}

template <class T> void relu_forward(Index size, const ActivationParameters<T>& p, const T* x, T* out) {
  if (is_plain_relu(p)) return map(size, out, [](Lanes<T> v) CNET_INLINED { return relu(v); }, x);
  const Lanes<T> slope = broadcast(p.negative_slope), threshold = broadcast(p.threshold), zero = broadcast(T(0));
  const T max_value = p.max_value;
  const auto is_flat = slope == zero; // avoids 0 · −∞ = NaN
  const auto f = [=](Lanes<T> v) CNET_INLINED {
    const Lanes<T> below = select(is_flat, zero, slope * (v - threshold));
    return select(v <= threshold, below, min(v, max_value));
  };
  map(size, out, f, x);
}

template <class T>
void relu_backward(Index size, const ActivationParameters<T>& p, const T* grad, const T* x, const T*, T* out) {
  if (is_plain_relu(p)) {
    return map(size, out, [](Lanes<T> g, Lanes<T> v) CNET_INLINED { return relu_gradient(g, v); }, grad, x);
  }
  const Lanes<T> slope = broadcast(p.negative_slope), threshold = broadcast(p.threshold), zero = broadcast(T(0));
  const bool is_bounded = p.max_value < T(__builtin_inf()); // otherwise compare with NaN, which is always false
  const Lanes<T> max_value = broadcast(is_bounded ? p.max_value : T(__builtin_nan("")));
  const auto is_flat = slope == zero;
  const auto f = [=](Lanes<T> g, Lanes<T> v) CNET_INLINED {
    const Lanes<T> below = select(is_flat, zero, slope * g);
    return select(threshold < v, select(max_value <= v, zero, g), below);
  };
  map(size, out, f, grad, x);
}

template <class T> void elu_forward(Index size, const ActivationParameters<T>& p, const T* x, T* out) {
  const Lanes<T> alpha = broadcast(p.alpha), scale = broadcast(p.scale);
  const auto f = [=](Lanes<T> v) CNET_INLINED {
    const auto is_negative = v <= broadcast(T(0));
    return select(is_negative, alpha * expm1(select(is_negative, v, broadcast(T(0)))), scale * v);
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

#define CNET_FORWARD(name)                                                                                             \
  template <class T> void name##_forward(Index size, const ActivationParameters<T>&, const T* x, T* out) {             \
    map(size, out, [](Lanes<T> v) CNET_INLINED { return name(v); }, x);                                                \
  }

/// grad · derivative, an expression in v, which is x or y = f(x).
#define CNET_BACKWARD(name, v, derivative)                                                                             \
  template <class T>                                                                                                   \
  void name##_backward(Index size, const ActivationParameters<T>&, const T* grad, const T* x, const T* y, T* out) {    \
    static_cast<void>(x), static_cast<void>(y);                                                                        \
    map(size, out, [](Lanes<T> g, Lanes<T> v) CNET_INLINED { return g * (derivative); }, grad, v);                     \
  }

CNET_FORWARD(gelu)
CNET_BACKWARD(gelu, x, gelu_derivative(x))
CNET_FORWARD(gelu_tanh)
CNET_BACKWARD(gelu_tanh, x, gelu_tanh_derivative(x))
CNET_FORWARD(silu)
CNET_BACKWARD(silu, x, silu_derivative(x))
CNET_FORWARD(mish)
CNET_BACKWARD(mish, x, mish_derivative(x))
CNET_FORWARD(tanh)
CNET_BACKWARD(tanh, y, (broadcast(T(1)) - y) * (broadcast(T(1)) + y))
CNET_FORWARD(sigmoid)
CNET_BACKWARD(sigmoid, y, y*(broadcast(T(1)) - y))
CNET_FORWARD(hard_sigmoid)
CNET_BACKWARD(hard_sigmoid, x, hard_sigmoid_derivative(x))
CNET_FORWARD(softplus)
CNET_BACKWARD(softplus, x, sigmoid(x))
CNET_FORWARD(softsign)
CNET_BACKWARD(softsign, x, softsign_derivative(x))

#undef CNET_FORWARD

template <class T> void exponential_forward(Index size, const ActivationParameters<T>&, const T* x, T* out) {
  exp(size, x, out);
}
CNET_BACKWARD(exponential, y, y)

#undef CNET_BACKWARD

/// In the order of Activation.
template <class T> constexpr ActivationKernels<T> activations_members() {
  return {{relu_forward<T>, elu_forward<T>, gelu_forward<T>, gelu_tanh_forward<T>, silu_forward<T>, mish_forward<T>,
           tanh_forward<T>, sigmoid_forward<T>, hard_sigmoid_forward<T>, softplus_forward<T>, softsign_forward<T>,
           exponential_forward<T>},
          {relu_backward<T>, elu_backward<T>, gelu_backward<T>, gelu_tanh_backward<T>, silu_backward<T>,
           mish_backward<T>, tanh_backward<T>, sigmoid_backward<T>, hard_sigmoid_backward<T>, softplus_backward<T>,
           softsign_backward<T>, exponential_backward<T>},
          exp<T>,
          log<T>,
          rescale<T>};
}

} // namespace

CNET_EXPORT(ActivationKernels, activations)

} // namespace cnet::kernels::CNET_ISA
