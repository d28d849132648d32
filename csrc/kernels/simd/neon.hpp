#pragma once

#include <arm_neon.h>

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> struct Simd;

template <> struct Simd<float> {
  using Register = float32x4_t;
  using Mask = uint32x4_t;
  static constexpr int size = 4;
  static constexpr int product_rows = 6, product_panels = 1;
  static constexpr int single_row_panels = 4;
  static constexpr int gradient_rows = 6, gradient_panels = 1;

  CNET_INLINE static float32x4_t load(const float* from) { return vld1q_f32(from); }
  CNET_INLINE static void store(float* to, float32x4_t x) { vst1q_f32(to, x); }
  CNET_INLINE static float32x4_t broadcast(float x) { return vdupq_n_f32(x); }
  CNET_INLINE static float32x4_t add(float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); }
  CNET_INLINE static float32x4_t subtract(float32x4_t x, float32x4_t y) { return vsubq_f32(x, y); }
  CNET_INLINE static float32x4_t multiply(float32x4_t x, float32x4_t y) { return vmulq_f32(x, y); }
  CNET_INLINE static float32x4_t divide(float32x4_t x, float32x4_t y) { return vdivq_f32(x, y); }
  CNET_INLINE static float32x4_t sqrt(float32x4_t x) { return vsqrtq_f32(x); }
  CNET_INLINE static float32x4_t fma(float32x4_t x, float32x4_t y, float32x4_t z) { return vfmaq_f32(z, x, y); }
  CNET_INLINE static Mask less(float32x4_t x, float32x4_t y) { return vcltq_f32(x, y); }
  CNET_INLINE static Mask less_equal(float32x4_t x, float32x4_t y) { return vcleq_f32(x, y); }
  CNET_INLINE static Mask equal(float32x4_t x, float32x4_t y) { return vceqq_f32(x, y); }
  CNET_INLINE static float32x4_t select(Mask mask, float32x4_t x, float32x4_t y) { return vbslq_f32(mask, x, y); }
  CNET_INLINE static float32x4_t interleave_low(float32x4_t x, float32x4_t y) { return vzip1q_f32(x, y); }
  CNET_INLINE static float32x4_t interleave_high(float32x4_t x, float32x4_t y) { return vzip2q_f32(x, y); }
  CNET_INLINE static uint32x4_t bits(float32x4_t x) { return vreinterpretq_u32_f32(x); }
  CNET_INLINE static float32x4_t value(uint32x4_t x) { return vreinterpretq_f32_u32(x); }
  template <int n> CNET_INLINE static float32x4_t shift_left(float32x4_t x) { return value(vshlq_n_u32(bits(x), n)); }
  template <int n> CNET_INLINE static float32x4_t shift_right(float32x4_t x) { return value(vshrq_n_u32(bits(x), n)); }
  CNET_INLINE static float32x4_t bit_and(float32x4_t x, float32x4_t y) { return value(vandq_u32(bits(x), bits(y))); }
  CNET_INLINE static float32x4_t bit_or(float32x4_t x, float32x4_t y) { return value(vorrq_u32(bits(x), bits(y))); }
};

template <> struct Simd<double> {
  using Register = float64x2_t;
  using Mask = uint64x2_t;
  static constexpr int size = 2;
  static constexpr int product_rows = 6, product_panels = 1;
  static constexpr int single_row_panels = 4;
  static constexpr int gradient_rows = 6, gradient_panels = 1;

  CNET_INLINE static float64x2_t load(const double* from) { return vld1q_f64(from); }
  CNET_INLINE static void store(double* to, float64x2_t x) { vst1q_f64(to, x); }
  CNET_INLINE static float64x2_t broadcast(double x) { return vdupq_n_f64(x); }
  CNET_INLINE static float64x2_t add(float64x2_t x, float64x2_t y) { return vaddq_f64(x, y); }
  CNET_INLINE static float64x2_t subtract(float64x2_t x, float64x2_t y) { return vsubq_f64(x, y); }
  CNET_INLINE static float64x2_t multiply(float64x2_t x, float64x2_t y) { return vmulq_f64(x, y); }
  CNET_INLINE static float64x2_t divide(float64x2_t x, float64x2_t y) { return vdivq_f64(x, y); }
  CNET_INLINE static float64x2_t sqrt(float64x2_t x) { return vsqrtq_f64(x); }
  CNET_INLINE static float64x2_t fma(float64x2_t x, float64x2_t y, float64x2_t z) { return vfmaq_f64(z, x, y); }
  CNET_INLINE static Mask less(float64x2_t x, float64x2_t y) { return vcltq_f64(x, y); }
  CNET_INLINE static Mask less_equal(float64x2_t x, float64x2_t y) { return vcleq_f64(x, y); }
  CNET_INLINE static Mask equal(float64x2_t x, float64x2_t y) { return vceqq_f64(x, y); }
  CNET_INLINE static float64x2_t select(Mask mask, float64x2_t x, float64x2_t y) { return vbslq_f64(mask, x, y); }
  CNET_INLINE static float64x2_t interleave_low(float64x2_t x, float64x2_t y) { return vzip1q_f64(x, y); }
  CNET_INLINE static float64x2_t interleave_high(float64x2_t x, float64x2_t y) { return vzip2q_f64(x, y); }
  CNET_INLINE static uint64x2_t bits(float64x2_t x) { return vreinterpretq_u64_f64(x); }
  CNET_INLINE static float64x2_t value(uint64x2_t x) { return vreinterpretq_f64_u64(x); }
  template <int n> CNET_INLINE static float64x2_t shift_left(float64x2_t x) { return value(vshlq_n_u64(bits(x), n)); }
  template <int n> CNET_INLINE static float64x2_t shift_right(float64x2_t x) { return value(vshrq_n_u64(bits(x), n)); }
  CNET_INLINE static float64x2_t bit_and(float64x2_t x, float64x2_t y) { return value(vandq_u64(bits(x), bits(y))); }
  CNET_INLINE static float64x2_t bit_or(float64x2_t x, float64x2_t y) { return value(vorrq_u64(bits(x), bits(y))); }
  CNET_INLINE static float64x2_t bit_xor(float64x2_t x, float64x2_t y) { return value(veorq_u64(bits(x), bits(y))); }
  CNET_INLINE static float64x2_t multiply_even_u32(float64x2_t x, float64x2_t y) {
    return value(vmull_u32(vmovn_u64(bits(x)), vmovn_u64(bits(y))));
  }
};

} // namespace

} // namespace cnet::kernels::CNET_ISA
