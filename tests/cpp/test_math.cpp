// The errors of exp, log and the activations of every table, in ulp, against a wider type.

#include "check.hpp"
#include "kernels/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace cnet;

namespace {

/// The error in ulp of the exact result, or of `least` if that is larger; also for subnormal results.
template <class T, class Wide> double error_in_ulp(T actual, Wide exact, double least) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(exact)) return std::isnan(actual) ? 0 : HUGE_VAL;
  if (std::isinf(rounded) || std::isinf(actual)) return actual == rounded ? 0 : 1;
  int exponent;
  std::frexp(std::max(std::fabs(exact), Wide(least)), &exponent);
  const int lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  const Wide ulp = std::ldexp(Wide(1), std::max(exponent - std::numeric_limits<T>::digits, lowest));
  return static_cast<double>(std::fabs(Wide(actual) - exact) / ulp);
}

template <class T> T from_bits(std::uint64_t bits) {
  T x;
  if constexpr (sizeof(T) == 4) {
    const auto narrow = static_cast<std::uint32_t>(bits);
    std::memcpy(&x, &narrow, sizeof(x));
  } else {
    std::memcpy(&x, &bits, sizeof(x));
  }
  return x;
}

/// Calls f with batches of numbers of every sign and exponent, by even steps through the bit patterns; zeros,
/// infinities, NaN and subnormals are among them.
template <class T, class F> void each_pattern(std::uint64_t step, F f) {
  std::vector<T> x{T(0), -T(0), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                   std::numeric_limits<T>::quiet_NaN()};
  const std::uint64_t last = sizeof(T) == 4 ? 0xffffffffu : ~std::uint64_t{0};
  for (std::uint64_t bits = 0;; bits += step) {
    x.push_back(from_bits<T>(bits));
    const bool ends = bits > last - step;
    if (ends || x.size() == 1 << 16) f(x), x.clear();
    if (ends) return;
  }
}

template <class T, class Wide>
void check(const std::string& what, std::uint64_t step, const std::function<void(Index, const T*, T*)>& function,
           Wide (*exact)(Wide), double bound, double least = 0) {
  std::vector<T> y(1 << 16);
  double worst = 0;
  T at = 0;
  std::uint64_t count = 0;
  each_pattern<T>(step, [&](const std::vector<T>& x) {
    function(static_cast<Index>(x.size()), x.data(), y.data());
    count += x.size();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = error_in_ulp(y[i], exact(x[i]), least);
      if (error > worst) worst = error, at = x[i];
    }
  });
  std::printf("%-26s %.4f ulp at %a, the worst of %llu\n", what.c_str(), worst, static_cast<double>(at),
              static_cast<unsigned long long>(count));
  CHECK(worst <= bound, "%s: %g ulp at %a, expected at most %g", what.c_str(), worst, static_cast<double>(at), bound);
}

// The activations by their definitions, in a wider type.

template <class W> W sigmoid(W x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

template <class W> W softplus(W x) {
  return std::max(x, W(0)) + std::log1p(std::exp(-std::fabs(x)));
}

/// f(x) for a finite x or NaN, else the limit.
template <class W, class F> W with_limits(W x, W below, W above, F f) {
  return std::isinf(x) ? (x < 0 ? below : above) : f(x);
}

template <class W> constexpr W sqrt_half = W(0.70710678118654752440084436210484903928L);
template <class W> constexpr W density = W(0.39894228040143267793994605993438186848L);
template <class W> constexpr W gelu_tanh_scale = W(1.595769121605730711759784239737839L); // 2 √(2/π)

template <class W> W silu(W x) {
  return with_limits(x, W(0), x, [](W v) { return v * sigmoid(v); });
}

template <class W> W silu_derivative(W x) {
  return with_limits(x, W(0), W(1), [](W v) { return sigmoid(v) * (1 + v * sigmoid(-v)); });
}

template <class W> W mish(W x) {
  return with_limits(x, W(0), x, [](W v) { return v * std::tanh(softplus(v)); });
}

template <class W> W mish_derivative(W x) {
  return with_limits(x, W(0), W(1), [](W v) {
    const W t = std::tanh(softplus(v)), sech = 1 / std::cosh(softplus(v));
    return t + v * sech * sech * sigmoid(v);
  });
}

template <class W> W gelu(W x) {
  return with_limits(x, W(0), x, [](W v) { return v / 2 * std::erfc(-v * sqrt_half<W>); });
}

template <class W> W gelu_derivative(W x) {
  return with_limits(x, W(0), W(1),
                     [](W v) { return std::erfc(-v * sqrt_half<W>) / 2 + v * density<W> * std::exp(-v * v / 2); });
}

template <class W> W gelu_tanh(W x) {
  return with_limits(x, W(0), x, [](W v) { return v * sigmoid(gelu_tanh_scale<W> * (v + W(0.044715L) * v * v * v)); });
}

template <class W> W gelu_tanh_derivative(W x) {
  return with_limits(x, W(0), W(1), [](W v) {
    const W u = gelu_tanh_scale<W> * (v + W(0.044715L) * v * v * v),
            derivative = gelu_tanh_scale<W> * (1 + 3 * W(0.044715L) * v * v);
    return std::isinf(u) ? W(u > 0) : sigmoid(u) * (1 + v * derivative * sigmoid(-u));
  });
}

template <class W> W elu(W x) {
  return x > 0 ? x : std::expm1(x);
}

template <class W> W softsign(W x) {
  return with_limits(x, W(-1), W(1), [](W v) { return v / (1 + std::fabs(v)); });
}

template <class W> W softsign_derivative(W x) {
  return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x)));
}

template <class T, class Wide>
void check_activations(const std::string& type, std::uint64_t step, const kernels::Table<T>& table) {
  using kernels::Activation;
  struct Case {
    const char* name;
    Activation function;
    Wide (*value)(Wide);
    double bound;
    Wide (*derivative)(Wide); ///< null if the kernel computes it from the value
    double derivative_bound;  ///< in ulp of 0.75, or of the derivative if that is larger
  };
  const Case cases[] = {
      {"elu", Activation::elu, elu, 1.1, nullptr, 0},
      {"gelu", Activation::gelu, gelu, 3.8, gelu_derivative, 3},
      {"gelu_tanh", Activation::gelu_tanh, gelu_tanh, 2.1, gelu_tanh_derivative, 3},
      {"silu", Activation::silu, silu, 2.2, silu_derivative, 3},
      {"mish", Activation::mish, mish, 3, mish_derivative, 3},
      {"tanh", Activation::tanh, std::tanh, 1.8, nullptr, 0},
      {"sigmoid", Activation::sigmoid, sigmoid, 1.6, nullptr, 0},
      {"softplus", Activation::softplus, softplus, 2, sigmoid, 2},
      {"softsign", Activation::softsign, softsign, 1.6, softsign_derivative, 3},
  };
  for (const Case& c : cases) {
    const int n = static_cast<int>(c.function);
    check<T, Wide>(
        type + " " + c.name, step,
        [&](Index size, const T* x, T* out) { table.activation_forward[n](size, {}, x, out); }, c.value, c.bound);
    if (!c.derivative) continue;
    const std::vector<T> ones(1 << 16, T(1));
    check<T, Wide>(
        type + " " + c.name + " derivative", step,
        [&](Index size, const T* x, T* out) { table.activation_backward[n](size, {}, ones.data(), x, x, out); },
        c.derivative, c.derivative_bound, 0.75);
  }
}

} // namespace

int main(int argc, char**) {
  // With an argument: exp and log of all 2³² floats with the table in use, which takes minutes. Otherwise about two
  // million with each table, and fewer for the activations: long doubles are slow in emulators.
  const bool is_long = argc > 1;
  const std::uint64_t floats = is_long ? 1 : 2003, doubles = 0x0000040000001f7bu;
  int count;
  const kernels::InstructionSet* isas = kernels::built_isas(count);
  for (int n = 0; n < count; ++n) {
    if (!isas[n].supported() || (is_long && std::strcmp(isas[n].name, kernels::chosen_isa()) != 0)) continue;
    std::printf("%s\n", isas[n].name);
    check<float, double>("float exp", floats, isas[n].float_table->exp, std::exp, 1.1);
    check<float, double>("float log", floats, isas[n].float_table->log, std::log, 1.0);
    check<double, long double>("double exp", doubles, isas[n].double_table->exp, std::exp, 1.1);
    check<double, long double>("double log", doubles, isas[n].double_table->log, std::log, 1.2);
    check_activations<float, double>("float", is_long ? 101 : 50 * floats, *isas[n].float_table);
    check_activations<double, long double>("double", is_long ? doubles : 50 * doubles, *isas[n].double_table);
  }
}
