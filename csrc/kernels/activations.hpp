#pragma once

#include "kernels/math.hpp"

// The activation functions and their derivatives, elementwise.
//
// Exponentials take arguments ≤ 0 only, so that none overflows. Where a function contains a factor eˣ = 2ⁿ · m, the
// power of two is applied last, so that subnormal results are rounded only once.

namespace cnet::kernels::CNET_ISA {

namespace {

/// |magnitude| with the sign of `sign`.
template <class T> CNET_INLINE Lanes<T> copysign(Lanes<T> magnitude, Lanes<T> sign) {
  return abs(magnitude) | (sign & broadcast(T(-0.0)));
}

template <class T> CNET_INLINE Lanes<T> min(Lanes<T> x, T bound) {
  const Lanes<T> y = broadcast(bound);
  return select(y < x, y, x);
}

/// For x < −underflow_limit, eˣ times any factor used here underflows to zero.
template <class T> inline constexpr T underflow_limit = T(16) - Format<T>::exp_min;

/// An unevaluated sum high + low, where low corrects the rounding of high.
template <class T> struct DoubleDouble {
  Lanes<T> high;
  Lanes<T> low;
};

/// x + y exactly, for |x| ≥ |y| or x = 0 (Dekker's).
template <class T> CNET_INLINE DoubleDouble<T> fast_two_sum(Lanes<T> x, Lanes<T> y) {
  const Lanes<T> sum = x + y;
  return {sum, (x - sum) + y};
}

/// x + y exactly, for any x and y (Knuth's).
template <class T> CNET_INLINE DoubleDouble<T> two_sum(Lanes<T> x, Lanes<T> y) {
  const Lanes<T> sum = x + y, added = sum - x;
  return {sum, (x - (sum - added)) + (y - added)};
}

template <class T> CNET_INLINE DoubleDouble<T> two_product(Lanes<T> x, Lanes<T> y) {
  const Lanes<T> product = x * y;
  return {product, fma(x, y, -product)};
}

/// A divisor whose inverse neither overflows nor underflows; quotients have about one rounding error.
template <class T> struct Divisor {
  DoubleDouble<T> value;
  Lanes<T> inverse;

  CNET_INLINE explicit Divisor(DoubleDouble<T> divisor) : value(divisor), inverse(broadcast(T(1)) / divisor.high) {}

  /// x / divisor, for a finite x.
  CNET_INLINE Lanes<T> divide(Lanes<T> x) const {
    const Lanes<T> quotient = x * inverse, minus = -quotient;
    const Lanes<T> remainder = fma(minus, value.low, fma(minus, value.high, x));
    return fma(remainder, inverse, quotient);
  }
};

/// eˣ = 2ⁿ (1 + r + rest) for x ≤ 0, to more precision than T has.
template <class T> struct Exponential {
  Lanes<T> n;
  Lanes<T> r;
  Lanes<T> rest;

  CNET_INLINE explicit Exponential(DoubleDouble<T> x) {
    const Lanes<T> lowest = broadcast(-underflow_limit<T>);
    const Lanes<T> high = select(x.high < lowest, lowest, x.high);
    n = round(high * broadcast(Format<T>::log2_e));
    const Lanes<T> coarse = fma(n, broadcast(-Format<T>::ln2_high), high);
    const DoubleDouble<T> reduced = fast_two_sum(coarse, fma(n, broadcast(-Format<T>::ln2_low), x.low));
    r = reduced.high;
    Lanes<T> series = broadcast(inverse_factorial<T>(Format<T>::exp_degree));
    CNET_UNROLL
    for (int k = Format<T>::exp_degree - 1; k >= 2; --k) series = fma(series, r, broadcast(inverse_factorial<T>(k)));
    rest = fma(r * r, series, reduced.low);
  }
  CNET_INLINE explicit Exponential(Lanes<T> x) : Exponential(DoubleDouble<T>{x, broadcast(T(0))}) {}

  /// 1 + r + rest, in [√½, √2].
  CNET_INLINE Lanes<T> mantissa() const {
    const DoubleDouble<T> sum = fast_two_sum(broadcast(T(1)), r);
    return sum.high + (sum.low + rest);
  }
};

/// eˣ − 1 for x ≤ 0.
template <class T> CNET_INLINE_LONG Lanes<T> expm1(Lanes<T> x) {
  // Small enough for eˣ − 1 to round to −1, large enough for 2ⁿ to be a normal number.
  const Lanes<T> lowest = broadcast(T(-64));
  const Exponential<T> e(select(x < lowest, lowest, x));
  const Lanes<T> power = power_of_two(e.n);
  const DoubleDouble<T> sum = fast_two_sum(power - broadcast(T(1)), power * e.r);
  return sum.high + fma(power, e.rest, sum.low);
}

/// ln(1 + x) for x in [0, 1].
template <class T> CNET_INLINE_LONG Lanes<T> log1p(Lanes<T> x) {
  const DoubleDouble<T> sum = fast_two_sum(broadcast(T(1)), x);
  return log(sum.high) + sum.low / sum.high;
}

/// The logistic function σ(v) = 1 / (1 + e⁻ᵛ) by z = exp(−|v|): 1 / (1 + z) for v ≥ 0, z / (1 + z) for v < 0.
template <class T> struct Logistic {
  Lanes<T> mantissa; ///< z = mantissa · 2ⁿ
  Lanes<T> n;
  Lanes<T> z;
  DoubleDouble<T> one_plus_z;

  CNET_INLINE explicit Logistic(DoubleDouble<T> minus_abs) {
    const Exponential<T> e(minus_abs);
    mantissa = e.mantissa();
    n = e.n;
    z = ldexp(mantissa, n);
    one_plus_z = fast_two_sum(broadcast(T(1)), z);
  }
  CNET_INLINE explicit Logistic(Lanes<T> minus_abs) : Logistic(DoubleDouble<T>{minus_abs, broadcast(T(0))}) {}

  /// factor · σ(v); a negative factor must be finite. `x` has the sign of v.
  CNET_INLINE Lanes<T> times(Lanes<T> factor, Lanes<T> x) const {
    const Lanes<T> zero = broadcast(T(0)), one = broadcast(T(1));
    const auto is_negative = x < zero;
    const Lanes<T> value = Divisor<T>(one_plus_z).divide(select(is_negative, mantissa, one));
    return ldexp(factor * value, select(is_negative, n, zero));
  }
  /// The derivative of x σ(v(x)): σ + x v′ σ (1 − σ). `product` is |x v′|.
  CNET_INLINE Lanes<T> swish_derivative(Lanes<T> x, Lanes<T> product) const {
    const Lanes<T> zero = broadcast(T(0)), sum = one_plus_z.high;
    const auto is_negative = x < zero;
    const Lanes<T> numerator = select(is_negative, (sum - product) * mantissa, fma(product, z, sum));
    return ldexp(numerator / sum / sum, select(is_negative, n, zero));
  }
};

template <class T> CNET_INLINE_LONG Lanes<T> sigmoid(Lanes<T> x) {
  return Logistic<T>(-abs(x)).times(broadcast(T(1)), x);
}

/// tanh |x| = −t / (2 + t) with t = exp(−2 |x|) − 1.
template <class T> CNET_INLINE_LONG Lanes<T> tanh(Lanes<T> x) {
  const Lanes<T> t = expm1(abs(x) * broadcast(T(-2)));
  return copysign(Divisor<T>(fast_two_sum(broadcast(T(2)), t)).divide(t), x);
}

/// ln(1 + exp(−|x|)).
template <class T> CNET_INLINE_LONG Lanes<T> softplus_minus_relu(Lanes<T> x) {
  const Exponential<T> e(-abs(x));
  return log1p(ldexp(e.mantissa(), e.n));
}

/// ln(1 + eˣ).
template <class T> CNET_INLINE Lanes<T> softplus(Lanes<T> x) {
  return relu(x) + softplus_minus_relu(x);
}

template <class T> CNET_INLINE Lanes<T> silu(Lanes<T> x) {
  const Lanes<T> magnitude = min(abs(x), underflow_limit<T>);
  return Logistic<T>(-magnitude).times(select(x < broadcast(T(0)), -magnitude, x), x);
}

template <class T> CNET_INLINE Lanes<T> silu_derivative(Lanes<T> x) {
  const Lanes<T> magnitude = min(abs(x), underflow_limit<T>);
  return Logistic<T>(-magnitude).swish_derivative(x, magnitude);
}

/// x tanh(ln(1 + eˣ)), where tanh(ln y) = (y² − 1) / (y² + 1). With z = exp(−|x|) it is x (1 + 2z) / D for x ≥ 0
/// and x z (2 + z) / D for x < 0.
template <class T> struct Mish {
  Lanes<T> magnitude; ///< min(|x|, underflow_limit)
  Lanes<T> mantissa;
  Lanes<T> n;
  Lanes<T> z;
  Lanes<T> factor;         ///< 1 + 2z, or 2 + z for x < 0
  DoubleDouble<T> divisor; ///< D: 1 + 2z (1 + z), or 2 + z (2 + z) for x < 0

  CNET_INLINE explicit Mish(Lanes<T> x) {
    const Lanes<T> zero = broadcast(T(0)), one = broadcast(T(1)), two = broadcast(T(2));
    magnitude = min(abs(x), underflow_limit<T>);
    const Exponential<T> e(-magnitude);
    mantissa = e.mantissa();
    n = select(x < zero, e.n, zero);
    z = ldexp(mantissa, e.n);
    const auto is_negative = x < zero;
    factor = select(is_negative, two + z, fma(two, z, one));
    const Lanes<T> above = two * z * (one + z);
    divisor = two_sum(select(is_negative, two, one), select(is_negative, z * factor, above));
  }
};

template <class T> CNET_INLINE Lanes<T> mish(Lanes<T> x) {
  const Mish<T> m(x);
  const Lanes<T> gated = select(x < broadcast(T(0)), -m.magnitude * m.mantissa, x);
  return ldexp(gated * Divisor<T>(m.divisor).divide(m.factor), m.n);
}

/// tanh(ln(1 + eˣ)) + x (1 − tanh²) σ(x), where (1 − tanh²) σ(x) is 4 z² (1 + z) / D² for x ≥ 0 and
/// 4 z (1 + z) / D² for x < 0.
template <class T> CNET_INLINE Lanes<T> mish_derivative(Lanes<T> x) {
  const Mish<T> m(x);
  const auto is_negative = x < broadcast(T(0));
  const Lanes<T> four = broadcast(T(4));
  const Lanes<T> term = four * m.magnitude * (m.z + broadcast(T(1))) / m.divisor.high;
  const Lanes<T> below = (m.factor - term) * m.mantissa, above = fma(term * m.z, m.z, m.factor);
  return ldexp(select(is_negative, below, above) / m.divisor.high, m.n);
}

/// The tail of the normal distribution, Φ(−a) = exp(−a²/2) P((a − 4) / (a + 4)) / (a + 4). The polynomial P is a
/// Chebyshev interpolation over a ∈ [0, last], computed with mpmath.
template <class T> struct GaussianTailCoefficients;

template <> struct GaussianTailCoefficients<float> {
  static constexpr float last = 16;
  static constexpr double polynomial[] = {-4.946936575e-5, -0.0002265562336, 0.0001738618311, 0.001642830982,
                                          -0.003491623878, -0.007545113299,  0.06039801559,   -0.186521249,
                                          0.3871373369,    -0.6078966612,    0.7552851309};
};

template <> struct GaussianTailCoefficients<double> {
  static constexpr double last = 40;
  static constexpr double polynomial[] = {
      -9.990624160023276e-10,  -1.01529571764961797e-11, 1.39765281559508218e-8,  1.48423900727513431e-8,
      -7.63471284344108608e-8, -1.54619681912219187e-7,  2.63543105606844541e-7,  1.02007133925684645e-6,
      -6.24990699536978521e-7, -5.91901318615404412e-6,  7.14930832547840089e-7,  0.0000351442149682578036,
      -1.90784340592487053e-6, -0.00023109482414997104,  0.000133344249783584282, 0.00163081844248058856,
      -0.00347969236180405956, -0.00754018896562501684,  0.0603965748906766544,   -0.186521857959693392,
      0.387137400742219335,    -0.607896641971891764,    0.755285130415751478};
};

/// Φ(−a) = ratio · mantissa · 2ⁿ for a = min(|x|, last).
template <class T> struct GaussianTail {
  Lanes<T> a;
  Lanes<T> ratio;
  Lanes<T> mantissa;
  Lanes<T> n;

  CNET_INLINE explicit GaussianTail(Lanes<T> x) {
    using Tail = GaussianTailCoefficients<T>;
    constexpr int terms = static_cast<int>(sizeof(Tail::polynomial) / sizeof(double));
    a = min(abs(x), Tail::last);
    const DoubleDouble<T> square = two_product(a, a * broadcast(T(-0.5)));
    const Exponential<T> e(square);
    mantissa = e.mantissa();
    n = e.n;
    const Divisor<T> divisor(two_sum(a, broadcast(T(4))));
    const Lanes<T> q = divisor.divide(a + a) - broadcast(T(1)); // one rounding less than (a − 4) / (a + 4)
    Lanes<T> sum = broadcast(T(Tail::polynomial[0]));
    CNET_UNROLL
    for (int k = 1; k < terms; ++k) sum = fma(sum, q, broadcast(T(Tail::polynomial[k])));
    ratio = divisor.divide(sum);
  }
};

/// x Φ(x).
template <class T> CNET_INLINE Lanes<T> gelu(Lanes<T> x) {
  const GaussianTail<T> tail(x);
  const Lanes<T> product = ldexp(tail.a * tail.ratio * tail.mantissa, tail.n);
  // Not x + (−product), which Clang turns into a sum with select(x ≤ 0, −0, x): that loses the sign of +0.
  return select(x < broadcast(T(0)), -product, x - product);
}

/// Φ(x) + x φ(x), where φ is the normal density.
template <class T> CNET_INLINE Lanes<T> gelu_derivative(Lanes<T> x) {
  const GaussianTail<T> tail(x);
  const Lanes<T> density = broadcast(T(0.39894228040143267794)); // 1 / √(2π)
  const Lanes<T> below = ldexp((tail.ratio - density * tail.a) * tail.mantissa, tail.n);
  return select(x < broadcast(T(0)), below, broadcast(T(1)) - below);
}

/// 2 √(2/π), and 0.044715 times that, each in two parts.
template <class T> struct GeluTanhCoefficients;
template <> struct GeluTanhCoefficients<float> {
  static constexpr float linear = 0x1.988454p+0f, linear_low = -4.53406804211e-8f;
  static constexpr float cubic = 0x1.2444f2p-4f, cubic_low = 2.39883239599e-9f;
};
template <> struct GeluTanhCoefficients<double> {
  static constexpr double linear = 0x1.9884533d43651p+0, linear_low = -9.9693088091109203146e-17;
  static constexpr double cubic = 0x1.2444f2a4d8b4bp-4, cubic_low = -6.1751499181553154534e-19;
};

/// ½ x (1 + tanh u) = x σ(2u) with 2u = linear · x + cubic · x³ in two parts, since the relative error of eᵛ is |v|
/// times that of v.
template <class T> struct GeluTanh {
  Lanes<T> a;          ///< min(|x|, last)
  Lanes<T> derivative; ///< of 2u
  Logistic<T> logistic;

  CNET_INLINE explicit GeluTanh(Lanes<T> x) : GeluTanh(min(abs(x), GaussianTailCoefficients<T>::last), 0) {}

private:
  using Coefficients = GeluTanhCoefficients<T>;
  CNET_INLINE GeluTanh(Lanes<T> magnitude, int)
      : a(magnitude), derivative(fma(broadcast(T(3) * Coefficients::cubic), a * a, broadcast(Coefficients::linear))),
        logistic(minus_argument(a)) {}

  CNET_INLINE static DoubleDouble<T> minus_argument(Lanes<T> a) {
    const DoubleDouble<T> square = two_product(a, a);
    const DoubleDouble<T> cubic = two_product(square.high, broadcast(Coefficients::cubic));
    const DoubleDouble<T> factor = two_sum(broadcast(Coefficients::linear), cubic.high);
    const Lanes<T> low =
        factor.low + (fma(square.low, broadcast(Coefficients::cubic), cubic.low) +
                      fma(square.high, broadcast(Coefficients::cubic_low), broadcast(Coefficients::linear_low)));
    const Lanes<T> minus = -a;
    const DoubleDouble<T> product = two_product(minus, factor.high);
    return {product.high, fma(minus, low, product.low)};
  }
};

template <class T> CNET_INLINE Lanes<T> gelu_tanh(Lanes<T> x) {
  const GeluTanh<T> g(x);
  return g.logistic.times(select(x < broadcast(T(0)), -g.a, x), x);
}

template <class T> CNET_INLINE Lanes<T> gelu_tanh_derivative(Lanes<T> x) {
  const GeluTanh<T> g(x);
  return g.logistic.swish_derivative(x, g.a * g.derivative);
}

/// x / (1 + |x|); ±1 for an infinite x.
template <class T> CNET_INLINE Lanes<T> softsign(Lanes<T> x) {
  const Lanes<T> magnitude = min(abs(x), T(1) / Format<T>::min_normal);
  return copysign(magnitude / (magnitude + broadcast(T(1))), x);
}

template <class T> CNET_INLINE Lanes<T> softsign_derivative(Lanes<T> x) {
  const Lanes<T> one = broadcast(T(1)), divisor = abs(x) + one;
  return one / divisor / divisor;
}

template <class T> CNET_INLINE Lanes<T> hard_sigmoid(Lanes<T> x) {
  return min(relu(x + broadcast(T(3))), T(6)) / broadcast(T(6));
}

template <class T> CNET_INLINE Lanes<T> hard_sigmoid_derivative(Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0)), shifted = x + broadcast(T(3));
  return select(zero < shifted, select(shifted < broadcast(T(6)), broadcast(T(1) / T(6)), zero), zero);
}

} // namespace

} // namespace cnet::kernels::CNET_ISA
