#pragma once

#include "kernels/math.hpp"

// The activation functions and their derivatives, element by element.
//
// All exponentials are of numbers ≤ 0, so that none overflows; and where a function is a small power of
// e times something, the power of two is applied last, so that results are rounded once even where they
// are subnormal.

namespace cnet::kernels::CNET_ISA {

namespace {

/// |magnitude| with the sign of `of`.
template <class T> CNET_INLINE Lanes<T> with_sign(Lanes<T> magnitude, Lanes<T> of) {
  return absolute(magnitude) | (of & broadcast(T(-0.0)));
}

template <class T> CNET_INLINE Lanes<T> minimum(Lanes<T> x, T most) {
  const Lanes<T> bound = broadcast(most);
  return select(bound < x, bound, x);
}

template <class T> CNET_INLINE Lanes<T> negative(Lanes<T> x) {
  return broadcast(T(-0.0)) - x;
}

/// x · 2ⁿ for a whole n ≤ 0, in two steps, so that results beyond the normal numbers are rounded once.
template <class T> CNET_INLINE Lanes<T> scale(Lanes<T> x, Lanes<T> n) {
  const Lanes<T> half = round(n * broadcast(T(0.5)));
  return x * power_of_two(half) * power_of_two(n - half);
}

/// Below −vanishing, eˣ times anything that the activations multiply it by is zero.
template <class T> inline constexpr T vanishing = T(16) - Format<T>::exp_min;

/// A number in two parts, the second a correction of the first.
template <class T> struct Twofold {
  Lanes<T> high;
  Lanes<T> low;
};

/// x + y, where |x| ≥ |y| or x is zero.
template <class T> CNET_INLINE Twofold<T> exact_sum(Lanes<T> x, Lanes<T> y) {
  const Lanes<T> sum = x + y;
  return {sum, (x - sum) + y};
}

/// The same of numbers in whichever order (Knuth's).
template <class T> CNET_INLINE Twofold<T> exact_sum_of_any(Lanes<T> x, Lanes<T> y) {
  const Lanes<T> sum = x + y, added = sum - x;
  return {sum, (x - (sum - added)) + (y - added)};
}

template <class T> CNET_INLINE Twofold<T> exact_product(Lanes<T> x, Lanes<T> y) {
  const Lanes<T> product = x * y;
  return {product, fma(x, y, negative(product))};
}

/// A divisor in two parts, neither large nor small; quotients are rounded about once.
template <class T> struct Divisor {
  Twofold<T> value;
  Lanes<T> inverse;

  CNET_INLINE explicit Divisor(Twofold<T> divisor) : value(divisor), inverse(broadcast(T(1)) / divisor.high) {}

  /// x over the divisor, for a finite x.
  CNET_INLINE Lanes<T> divides(Lanes<T> x) const {
    const Lanes<T> quotient = x * inverse, minus = negative(quotient);
    const Lanes<T> rest = fma(minus, value.low, fma(minus, value.high, x));
    return fma(rest, inverse, quotient);
  }
};

/// eˣ = 2ⁿ (1 + r + rest), for x ≤ 0 in two parts: more of it than fits a T.
template <class T> struct Exponential {
  Lanes<T> n;
  Lanes<T> r;
  Lanes<T> rest;

  CNET_INLINE explicit Exponential(Twofold<T> x) {
    const Lanes<T> lowest = broadcast(-vanishing<T>);
    const Lanes<T> high = select(x.high < lowest, lowest, x.high);
    n = round(high * broadcast(Format<T>::log2_e));
    const Lanes<T> coarse = fma(n, broadcast(-Format<T>::ln2_high), high);
    const Twofold<T> reduced = exact_sum(coarse, fma(n, broadcast(-Format<T>::ln2_low), x.low));
    r = reduced.high;
    Lanes<T> series = broadcast(inverse_factorial<T>(Format<T>::exp_degree));
    CNET_UNROLL
    for (int k = Format<T>::exp_degree - 1; k >= 2; --k) series = fma(series, r, broadcast(inverse_factorial<T>(k)));
    rest = fma(r * r, series, reduced.low);
  }
  CNET_INLINE explicit Exponential(Lanes<T> x) : Exponential(Twofold<T>{x, broadcast(T(0))}) {}

  /// 1 + r + rest, in [√½, √2].
  CNET_INLINE Lanes<T> mantissa() const {
    const Twofold<T> sum = exact_sum(broadcast(T(1)), r);
    return sum.high + (sum.low + rest);
  }
};

/// eˣ − 1 for x ≤ 0.
template <class T> CNET_INLINE_LONG Lanes<T> exp_minus_one(Lanes<T> x) {
  // Where e^x is lost beside 1, 2ⁿ is still a normal number.
  const Lanes<T> lowest = broadcast(T(-64));
  const Exponential<T> e(select(x < lowest, lowest, x));
  const Lanes<T> power = power_of_two(e.n);
  const Twofold<T> sum = exact_sum(power - broadcast(T(1)), power * e.r);
  return sum.high + fma(power, e.rest, sum.low);
}

/// ln(1 + x) for x in [0, 1].
template <class T> CNET_INLINE_LONG Lanes<T> log_one_plus(Lanes<T> x) {
  const Twofold<T> sum = exact_sum(broadcast(T(1)), x);
  return log(sum.high) + sum.low / sum.high;
}

/// The logistic function 1 / (1 + e⁻ᵛ) by z = exp(−|v|): 1 / (1 + z) for v ≥ 0, z / (1 + z) below.
template <class T> struct Logistic {
  Lanes<T> mantissa; ///< z without its power of two
  Lanes<T> n;
  Lanes<T> z;
  Twofold<T> one_plus_z;

  CNET_INLINE explicit Logistic(Twofold<T> minus_magnitude) {
    const Exponential<T> e(minus_magnitude);
    mantissa = e.mantissa();
    n = e.n;
    z = scale(mantissa, n);
    one_plus_z = exact_sum(broadcast(T(1)), z);
  }
  /// Of −|v|.
  CNET_INLINE explicit Logistic(Lanes<T> minus_magnitude) : Logistic(Twofold<T>{minus_magnitude, broadcast(T(0))}) {}

  /// The function times `factor`, which is finite where it is negative; `x` has the sign of v.
  CNET_INLINE Lanes<T> times(Lanes<T> factor, Lanes<T> x) const {
    const Lanes<T> zero = broadcast(T(0)), one = broadcast(T(1));
    const auto is_negative = x < zero;
    const Lanes<T> value = Divisor<T>(one_plus_z).divides(select(is_negative, mantissa, one));
    return scale(factor * value, select(is_negative, n, zero));
  }
  /// The derivative of x times the function of v(x): σ + x v′ σ (1 − σ). `product` is |x v′|.
  CNET_INLINE Lanes<T> gate_slope(Lanes<T> x, Lanes<T> product) const {
    const Lanes<T> zero = broadcast(T(0)), sum = one_plus_z.high;
    const auto is_negative = x < zero;
    const Lanes<T> numerator = select(is_negative, (sum - product) * mantissa, fma(product, z, sum));
    return scale(numerator / sum / sum, select(is_negative, n, zero));
  }
};

template <class T> CNET_INLINE_LONG Lanes<T> sigmoid(Lanes<T> x) {
  return Logistic<T>(negative(absolute(x))).times(broadcast(T(1)), x);
}

/// tanh |x| = −t / (2 + t) with t = exp(−2 |x|) − 1.
template <class T> CNET_INLINE_LONG Lanes<T> tanh(Lanes<T> x) {
  const Lanes<T> t = exp_minus_one(absolute(x) * broadcast(T(-2)));
  return with_sign(Divisor<T>(exact_sum(broadcast(T(2)), t)).divides(t), x);
}

/// ln(1 + exp(−|x|)): how far the softplus is above max(x, 0).
template <class T> CNET_INLINE_LONG Lanes<T> softplus_above_relu(Lanes<T> x) {
  const Exponential<T> e(negative(absolute(x)));
  return log_one_plus(scale(e.mantissa(), e.n));
}

/// ln(1 + eˣ).
template <class T> CNET_INLINE Lanes<T> softplus(Lanes<T> x) {
  return relu(x) + softplus_above_relu(x);
}

template <class T> CNET_INLINE Lanes<T> silu(Lanes<T> x) {
  const Lanes<T> magnitude = minimum(absolute(x), vanishing<T>);
  return Logistic<T>(negative(magnitude)).times(select(x < broadcast(T(0)), negative(magnitude), x), x);
}

template <class T> CNET_INLINE Lanes<T> silu_slope(Lanes<T> x) {
  const Lanes<T> magnitude = minimum(absolute(x), vanishing<T>);
  return Logistic<T>(negative(magnitude)).gate_slope(x, magnitude);
}

/// x tanh(ln(1 + eˣ)), where tanh(ln y) = (y² − 1) / (y² + 1); with z = exp(−|x|), x (1 + 2z) / D, or
/// x z (2 + z) / D for x < 0.
template <class T> struct Mish {
  Lanes<T> magnitude; ///< |x|, but finite
  Lanes<T> mantissa;
  Lanes<T> n;
  Lanes<T> z;
  Lanes<T> factor; ///< 1 + 2z, or 2 + z for x < 0
  Twofold<T> divisor;

  CNET_INLINE explicit Mish(Lanes<T> x) {
    const Lanes<T> zero = broadcast(T(0)), one = broadcast(T(1)), two = broadcast(T(2));
    magnitude = minimum(absolute(x), vanishing<T>);
    const Exponential<T> e(negative(magnitude));
    mantissa = e.mantissa();
    n = select(x < zero, e.n, zero);
    z = scale(mantissa, e.n);
    const auto is_negative = x < zero;
    factor = select(is_negative, two + z, fma(two, z, one));
    const Lanes<T> above = two * z * (one + z);
    divisor = exact_sum_of_any(select(is_negative, two, one), select(is_negative, z * factor, above));
  }
};

template <class T> CNET_INLINE Lanes<T> mish(Lanes<T> x) {
  const Mish<T> m(x);
  const Lanes<T> gated = select(x < broadcast(T(0)), negative(m.magnitude) * m.mantissa, x);
  return scale(gated * Divisor<T>(m.divisor).divides(m.factor), m.n);
}

/// tanh(ln(1 + eˣ)) + x (1 − tanh²) σ(x), where (1 − tanh²) σ(x) is 4 z² (1 + z) / D², or 4 z (1 + z) / D²
/// for x < 0.
template <class T> CNET_INLINE Lanes<T> mish_slope(Lanes<T> x) {
  const Mish<T> m(x);
  const auto is_negative = x < broadcast(T(0));
  const Lanes<T> four = broadcast(T(4));
  const Lanes<T> bend = four * m.magnitude * (m.z + broadcast(T(1))) / m.divisor.high;
  const Lanes<T> below = (m.factor - bend) * m.mantissa, above = fma(bend * m.z, m.z, m.factor);
  return scale(select(is_negative, below, above) / m.divisor.high, m.n);
}

/// The normal distribution's tail, Φ(−a) = exp(−a²/2) P((a − 4) / (a + 4)) / (a + 4): the polynomial is
/// Chebyshev's interpolation in a ∈ [0, last], by mpmath.
template <class T> struct NormalTail;

template <> struct NormalTail<float> {
  static constexpr float last = 16;
  static constexpr double polynomial[] = {-4.946936575e-5, -0.0002265562336, 0.0001738618311, 0.001642830982,
                                          -0.003491623878, -0.007545113299,  0.06039801559,   -0.186521249,
                                          0.3871373369,    -0.6078966612,    0.7552851309};
};

template <> struct NormalTail<double> {
  static constexpr double last = 40;
  static constexpr double polynomial[] = {
      -9.990624160023276e-10,  -1.01529571764961797e-11, 1.39765281559508218e-8,  1.48423900727513431e-8,
      -7.63471284344108608e-8, -1.54619681912219187e-7,  2.63543105606844541e-7,  1.02007133925684645e-6,
      -6.24990699536978521e-7, -5.91901318615404412e-6,  7.14930832547840089e-7,  0.0000351442149682578036,
      -1.90784340592487053e-6, -0.00023109482414997104,  0.000133344249783584282, 0.00163081844248058856,
      -0.00347969236180405956, -0.00754018896562501684,  0.0603965748906766544,   -0.186521857959693392,
      0.387137400742219335,    -0.607896641971891764,    0.755285130415751478};
};

/// Φ(−a) = ratio · mantissa · 2ⁿ for a = |x|, but finite.
template <class T> struct Gauss {
  Lanes<T> a;
  Lanes<T> ratio;
  Lanes<T> mantissa;
  Lanes<T> n;

  CNET_INLINE explicit Gauss(Lanes<T> x) {
    using Tail = NormalTail<T>;
    constexpr int terms = static_cast<int>(sizeof(Tail::polynomial) / sizeof(double));
    a = minimum(absolute(x), Tail::last);
    const Twofold<T> square = exact_product(a, a * broadcast(T(-0.5)));
    const Exponential<T> e(square);
    mantissa = e.mantissa();
    n = e.n;
    const Divisor<T> divisor(exact_sum_of_any(a, broadcast(T(4))));
    const Lanes<T> q = divisor.divides(a + a) - broadcast(T(1)); // rounded less than (a − 4) / (a + 4)
    Lanes<T> sum = broadcast(T(Tail::polynomial[0]));
    CNET_UNROLL
    for (int k = 1; k < terms; ++k) sum = fma(sum, q, broadcast(T(Tail::polynomial[k])));
    ratio = divisor.divides(sum);
  }
};

/// x Φ(x).
template <class T> CNET_INLINE Lanes<T> gelu(Lanes<T> x) {
  const Gauss<T> gauss(x);
  const Lanes<T> tail = scale(gauss.a * gauss.ratio * gauss.mantissa, gauss.n);
  // Not x + below, the same number: Clang would make of it a sum with select(x ≤ 0, −0, x), which loses +0.
  return select(x < broadcast(T(0)), negative(tail), x - tail);
}

/// Φ(x) + x φ(x), φ being the normal density.
template <class T> CNET_INLINE Lanes<T> gelu_slope(Lanes<T> x) {
  const Gauss<T> gauss(x);
  const Lanes<T> density = broadcast(T(0.39894228040143267794)); // over exp(−a²/2)
  const Lanes<T> below = scale((gauss.ratio - density * gauss.a) * gauss.mantissa, gauss.n);
  return select(x < broadcast(T(0)), below, broadcast(T(1)) - below);
}

/// 2 √(2/π) and 0.044715 times that, in two parts.
template <class T> struct TanhGate;
template <> struct TanhGate<float> {
  static constexpr float linear = 0x1.988454p+0f, linear_low = -4.53406804211e-8f;
  static constexpr float cubic = 0x1.2444f2p-4f, cubic_low = 2.39883239599e-9f;
};
template <> struct TanhGate<double> {
  static constexpr double linear = 0x1.9884533d43651p+0, linear_low = -9.9693088091109203146e-17;
  static constexpr double cubic = 0x1.2444f2a4d8b4bp-4, cubic_low = -6.1751499181553154534e-19;
};

/// ½ x (1 + tanh u) = x σ(2u), 2u = linear · x + cubic · x³ in two parts: what an exponential makes of its
/// argument's rounding grows with it.
template <class T> struct ApproximateGauss {
  Lanes<T> a;     ///< |x|, but finite
  Lanes<T> slope; ///< of 2u
  Logistic<T> logistic;

  CNET_INLINE explicit ApproximateGauss(Lanes<T> x) : ApproximateGauss(minimum(absolute(x), NormalTail<T>::last), 0) {}

private:
  using Gate = TanhGate<T>;
  CNET_INLINE ApproximateGauss(Lanes<T> magnitude, int)
      : a(magnitude), slope(fma(broadcast(T(3) * Gate::cubic), a * a, broadcast(Gate::linear))),
        logistic(minus_gate(a)) {}

  CNET_INLINE static Twofold<T> minus_gate(Lanes<T> a) {
    const Twofold<T> square = exact_product(a, a);
    const Twofold<T> cubic = exact_product(square.high, broadcast(Gate::cubic));
    const Twofold<T> factor = exact_sum_of_any(broadcast(Gate::linear), cubic.high);
    const Lanes<T> low = factor.low + (fma(square.low, broadcast(Gate::cubic), cubic.low) +
                                       fma(square.high, broadcast(Gate::cubic_low), broadcast(Gate::linear_low)));
    const Lanes<T> minus = negative(a);
    const Twofold<T> product = exact_product(minus, factor.high);
    return {product.high, fma(minus, low, product.low)};
  }
};

template <class T> CNET_INLINE Lanes<T> gelu_tanh(Lanes<T> x) {
  const ApproximateGauss<T> gauss(x);
  return gauss.logistic.times(select(x < broadcast(T(0)), negative(gauss.a), x), x);
}

template <class T> CNET_INLINE Lanes<T> gelu_tanh_slope(Lanes<T> x) {
  const ApproximateGauss<T> gauss(x);
  return gauss.logistic.gate_slope(x, gauss.a * gauss.slope);
}

/// x / (1 + |x|), 1 for an infinite x.
template <class T> CNET_INLINE Lanes<T> softsign(Lanes<T> x) {
  const Lanes<T> magnitude = minimum(absolute(x), T(1) / Format<T>::min_normal);
  return with_sign(magnitude / (magnitude + broadcast(T(1))), x);
}

template <class T> CNET_INLINE Lanes<T> softsign_slope(Lanes<T> x) {
  const Lanes<T> one = broadcast(T(1)), divisor = absolute(x) + one;
  return one / divisor / divisor;
}

template <class T> CNET_INLINE Lanes<T> hard_sigmoid(Lanes<T> x) {
  return minimum(relu(x + broadcast(T(3))), T(6)) / broadcast(T(6));
}

template <class T> CNET_INLINE Lanes<T> hard_sigmoid_slope(Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0)), shifted = x + broadcast(T(3));
  return select(zero < shifted, select(shifted < broadcast(T(6)), broadcast(T(1) / T(6)), zero), zero);
}

} // namespace

} // namespace cnet::kernels::CNET_ISA
