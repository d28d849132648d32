#pragma once

#include <immintrin.h>

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> struct Simd;

template <> struct Simd<float> {
  using Register = __m256;
  using Mask = __m256;
  static constexpr int size = 8;
  static constexpr int product_rows = 6, product_panels = 1;
  static constexpr int single_row_panels = 4;
  static constexpr int gradient_rows = 6, gradient_panels = 1;

  CNET_INLINE static __m256 load(const float* from) { return _mm256_loadu_ps(from); }
  CNET_INLINE static void store(float* to, __m256 x) { _mm256_storeu_ps(to, x); }
  CNET_INLINE static __m256 broadcast(float x) { return _mm256_set1_ps(x); }
  CNET_INLINE static __m256 add(__m256 x, __m256 y) { return _mm256_add_ps(x, y); }
  CNET_INLINE static __m256 subtract(__m256 x, __m256 y) { return _mm256_sub_ps(x, y); }
  CNET_INLINE static __m256 multiply(__m256 x, __m256 y) { return _mm256_mul_ps(x, y); }
  CNET_INLINE static __m256 divide(__m256 x, __m256 y) { return _mm256_div_ps(x, y); }
  CNET_INLINE static __m256 sqrt(__m256 x) { return _mm256_sqrt_ps(x); }
  CNET_INLINE static __m256 fma(__m256 x, __m256 y, __m256 z) { return _mm256_fmadd_ps(x, y, z); }
  CNET_INLINE static Mask less(__m256 x, __m256 y) { return _mm256_cmp_ps(x, y, _CMP_LT_OQ); }
  CNET_INLINE static Mask less_equal(__m256 x, __m256 y) { return _mm256_cmp_ps(x, y, _CMP_LE_OQ); }
  CNET_INLINE static Mask equal(__m256 x, __m256 y) { return _mm256_cmp_ps(x, y, _CMP_EQ_OQ); }
  CNET_INLINE static __m256 select(Mask mask, __m256 x, __m256 y) { return _mm256_blendv_ps(y, x, mask); }
  CNET_INLINE static __m256 interleave_low(__m256 x, __m256 y) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y), 0x20);
  }
  CNET_INLINE static __m256 interleave_high(__m256 x, __m256 y) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y), 0x31);
  }
  CNET_INLINE static __m256i bits(__m256 x) { return _mm256_castps_si256(x); }
  CNET_INLINE static __m256 value(__m256i x) { return _mm256_castsi256_ps(x); }
  template <int n> CNET_INLINE static __m256 shift_left(__m256 x) { return value(_mm256_slli_epi32(bits(x), n)); }
  template <int n> CNET_INLINE static __m256 shift_right(__m256 x) { return value(_mm256_srli_epi32(bits(x), n)); }
  CNET_INLINE static __m256 bit_and(__m256 x, __m256 y) { return _mm256_and_ps(x, y); }
  CNET_INLINE static __m256 bit_or(__m256 x, __m256 y) { return _mm256_or_ps(x, y); }
};

template <> struct Simd<double> {
  using Register = __m256d;
  using Mask = __m256d;
  static constexpr int size = 4;
  static constexpr int product_rows = 6, product_panels = 1;
  static constexpr int single_row_panels = 4;
  static constexpr int gradient_rows = 6, gradient_panels = 1;

  CNET_INLINE static __m256d load(const double* from) { return _mm256_loadu_pd(from); }
  CNET_INLINE static void store(double* to, __m256d x) { _mm256_storeu_pd(to, x); }
  CNET_INLINE static __m256d broadcast(double x) { return _mm256_set1_pd(x); }
  CNET_INLINE static __m256d add(__m256d x, __m256d y) { return _mm256_add_pd(x, y); }
  CNET_INLINE static __m256d subtract(__m256d x, __m256d y) { return _mm256_sub_pd(x, y); }
  CNET_INLINE static __m256d multiply(__m256d x, __m256d y) { return _mm256_mul_pd(x, y); }
  CNET_INLINE static __m256d divide(__m256d x, __m256d y) { return _mm256_div_pd(x, y); }
  CNET_INLINE static __m256d sqrt(__m256d x) { return _mm256_sqrt_pd(x); }
  CNET_INLINE static __m256d fma(__m256d x, __m256d y, __m256d z) { return _mm256_fmadd_pd(x, y, z); }
  CNET_INLINE static Mask less(__m256d x, __m256d y) { return _mm256_cmp_pd(x, y, _CMP_LT_OQ); }
  CNET_INLINE static Mask less_equal(__m256d x, __m256d y) { return _mm256_cmp_pd(x, y, _CMP_LE_OQ); }
  CNET_INLINE static Mask equal(__m256d x, __m256d y) { return _mm256_cmp_pd(x, y, _CMP_EQ_OQ); }
  CNET_INLINE static __m256d select(Mask mask, __m256d x, __m256d y) { return _mm256_blendv_pd(y, x, mask); }
  CNET_INLINE static __m256d interleave_low(__m256d x, __m256d y) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y), 0x20);
  }
  CNET_INLINE static __m256d interleave_high(__m256d x, __m256d y) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y), 0x31);
  }
  CNET_INLINE static __m256i bits(__m256d x) { return _mm256_castpd_si256(x); }
  CNET_INLINE static __m256d value(__m256i x) { return _mm256_castsi256_pd(x); }
  template <int n> CNET_INLINE static __m256d shift_left(__m256d x) { return value(_mm256_slli_epi64(bits(x), n)); }
  template <int n> CNET_INLINE static __m256d shift_right(__m256d x) { return value(_mm256_srli_epi64(bits(x), n)); }
  CNET_INLINE static __m256d bit_and(__m256d x, __m256d y) { return _mm256_and_pd(x, y); }
  CNET_INLINE static __m256d bit_or(__m256d x, __m256d y) { return _mm256_or_pd(x, y); }
  CNET_INLINE static __m256d bit_xor(__m256d x, __m256d y) { return _mm256_xor_pd(x, y); }
  CNET_INLINE static __m256d multiply_even_u32(__m256d x, __m256d y) {
    return value(_mm256_mul_epu32(bits(x), bits(y)));
  }
};

} // namespace

} // namespace cnet::kernels::CNET_ISA
