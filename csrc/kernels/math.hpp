#pragma once

#include "kernels/lanes.hpp"

// Elementwise functions used by several families.

namespace cnet::kernels::CNET_ISA {

namespace {

/// out[i] = f(in[i]…) for whole rows of lanes. Out of line, so that `map` compiles f once.
template <class T, class F, class... In> CNET_NOINLINE void map_rows(Index size, T* out, F f, const In*... in) {
  for (Index i = 0; i < size; i += panel_width<T>) store(out + i, f(load(in + i)...));
}

/// `count` elements, padded with zeros to a row of lanes.
template <class T> struct PaddedRow {
  T lanes[panel_width<T>] = {};
  CNET_INLINE PaddedRow(const T* from, Index count) {
    __builtin_memcpy(lanes, from, static_cast<unsigned long>(count) * sizeof(T));
  }
};

/// out[i] = f(in[i]…) for arrays of any length and alignment; out may be an input.
template <class T, class F, class... In> CNET_INLINE void map(Index size, T* out, F f, const In*... in) {
  const Index tail = size % panel_width<T>, whole = size - tail;
  map_rows(whole, out, f, in...);
  if (tail == 0) return;
  T results[panel_width<T>];
  map_rows(panel_width<T>, results, f, static_cast<const T*>(PaddedRow<T>(in + whole, tail).lanes)...);
  __builtin_memcpy(out + whole, results, static_cast<unsigned long>(tail) * sizeof(T));
}

/// Adding and subtracting this number rounds |x| < 2^(mantissa_bits − 1) to an integer; the sum holds
/// that integer in its lowest bits.
template <class T> inline constexpr T rounding_shift = T(3) * T(1ll << (Format<T>::mantissa_bits - 1));

template <class T> CNET_INLINE Lanes<T> round(Lanes<T> x) {
  const Lanes<T> shift = broadcast(rounding_shift<T>);
  return (x + shift) - shift;
}

/// 2ⁿ for an integer n whose result is a normal number: writes the exponent bits.
template <class T> CNET_INLINE Lanes<T> power_of_two(Lanes<T> n) {
  return shift_left<Format<T>::mantissa_bits>(n + broadcast(rounding_shift<T> + T(Format<T>::exponent_bias)));
}

template <class T> constexpr T inverse_factorial(int k) {
  double factorial = 1;
  for (int n = 2; n <= k; ++n) factorial *= n;
  return static_cast<T>(1 / factorial);
}

/// x · 2ⁿ for an integer n, in two steps, so that a subnormal result is rounded only once.
template <class T> CNET_INLINE Lanes<T> ldexp(Lanes<T> x, Lanes<T> n) {
  const Lanes<T> half = round(n * broadcast(T(0.5)));
  return x * power_of_two(half) * power_of_two(n - half);
}

/// eˣ = 2ⁿ · eʳ with n = round(x / ln 2), |r| ≤ ln 2 / 2, and eʳ by its Taylor series.
template <class T> CNET_INLINE_LONG Lanes<T> exp(Lanes<T> x) {
  const Lanes<T> low = broadcast(Format<T>::exp_min), high = broadcast(Format<T>::exp_max);
  x = select(x < low, low, select(high < x, high, x));
  const Lanes<T> n = round(x * broadcast(Format<T>::log2_e));
  Lanes<T> r = fma(n, broadcast(-Format<T>::ln2_high), x);
  r = fma(n, broadcast(-Format<T>::ln2_low), r);
  Lanes<T> series = broadcast(inverse_factorial<T>(Format<T>::exp_degree));
  CNET_UNROLL
  for (int k = Format<T>::exp_degree - 1; k >= 2; --k) series = fma(series, r, broadcast(inverse_factorial<T>(k)));
  return ldexp(fma(r * r, series, r) + broadcast(T(1)), n);
}

/// ln x = e · ln 2 + ln m with x = 2ᵉ · m and m in [√½, √2]; ln m by the series of artanh,
/// arranged as in FreeBSD's e_log.c.
template <class T> CNET_INLINE_LONG Lanes<T> log(Lanes<T> x) {
  using F = Format<T>;
  using Bits = typename F::Bits;
  const Lanes<T> zero = broadcast(T(0)), one = broadcast(T(1)), half = broadcast(T(0.5));
  const T subnormal_scale = T(1ll << F::mantissa_bits);
  const auto is_subnormal = x < broadcast(F::min_normal);
  const Lanes<T> normal = select(is_subnormal, x * broadcast(subnormal_scale), x);

  // The biased exponent, as an integer in the mantissa of 2^mantissa_bits.
  const T integer_base = T(1ll << F::mantissa_bits);
  Lanes<T> e =
      (shift_right<F::mantissa_bits>(normal) | broadcast(integer_base)) - broadcast(integer_base + T(F::exponent_bias));
  e = e - select(is_subnormal, broadcast(T(F::mantissa_bits)), zero);
  const T mantissa_mask = from_bits(static_cast<Bits>((Bits(1) << F::mantissa_bits) - 1));
  Lanes<T> m = (normal & broadcast(mantissa_mask)) | one;
  const auto is_large = broadcast(T(1.4142135623730951)) < m;
  m = select(is_large, m * half, m);
  e = select(is_large, e + one, e);

  const Lanes<T> f = m - one;
  const Lanes<T> s = f / (f + broadcast(T(2)));
  const Lanes<T> z = s * s;
  Lanes<T> series = broadcast(T(2.0 / (2 * F::log_terms + 1)));
  CNET_UNROLL
  for (int k = F::log_terms - 1; k >= 1; --k) series = fma(series, z, broadcast(T(2.0 / (2 * k + 1))));
  const Lanes<T> half_square = half * f * f;
  const Lanes<T> log_m = f - (half_square - s * fma(z, series, half_square));
  Lanes<T> result = fma(e, broadcast(F::ln2_high), fma(e, broadcast(F::ln2_low), log_m));

  const Lanes<T> infinity = broadcast(T(__builtin_inf()));
  result = select(x == infinity, x, result);
  result = select(x == zero, zero - infinity, result);
  result = select(x < zero, broadcast(T(__builtin_nan(""))), result);
  return select(x == x, result, x);
}

template <class T> CNET_INLINE Lanes<T> abs(Lanes<T> x) {
  using Bits = typename Format<T>::Bits;
  return x & broadcast(from_bits(static_cast<Bits>(~Bits(0) >> 1)));
}

template <class T> CNET_INLINE Lanes<T> relu(Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0));
  return select(x <= zero, zero, x); // keeps NaN
}

/// grad where x > 0, else 0.
template <class T> CNET_INLINE Lanes<T> relu_gradient(Lanes<T> grad, Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0));
  return select(zero < x, grad, zero);
}

} // namespace

} // namespace cnet::kernels::CNET_ISA
