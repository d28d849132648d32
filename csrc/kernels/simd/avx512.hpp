#pragma once

#include <immintrin.h>

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> struct Simd;

template <> struct Simd<float> {
  using Register = __m512;
  using Mask = __mmask16;
  static constexpr int size = 16;
  static constexpr int product_rows = 8, product_panels = 3;
  static constexpr int single_row_panels = 8;
  static constexpr int gradient_rows = 8, gradient_panels = 3;

  CNET_INLINE static __m512 load(const float* from) { return _mm512_loadu_ps(from); }
  CNET_INLINE static void store(float* to, __m512 x) { _mm512_storeu_ps(to, x); }
  CNET_INLINE static __m512 broadcast(float x) { return _mm512_set1_ps(x); }
  CNET_INLINE static __m512 add(__m512 x, __m512 y) { return _mm512_add_ps(x, y); }
  CNET_INLINE static __m512 subtract(__m512 x, __m512 y) { return _mm512_sub_ps(x, y); }
  CNET_INLINE static __m512 multiply(__m512 x, __m512 y) { return _mm512_mul_ps(x, y); }
  CNET_INLINE static __m512 divide(__m512 x, __m512 y) { return _mm512_div_ps(x, y); }
  CNET_INLINE static __m512 sqrt(__m512 x) { return _mm512_sqrt_ps(x); }
  CNET_INLINE static __m512 fma(__m512 x, __m512 y, __m512 z) { return _mm512_fmadd_ps(x, y, z); }
  CNET_INLINE static Mask less(__m512 x, __m512 y) { return _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ); }
  CNET_INLINE static Mask less_equal(__m512 x, __m512 y) { return _mm512_cmp_ps_mask(x, y, _CMP_LE_OQ); }
  CNET_INLINE static Mask equal(__m512 x, __m512 y) { return _mm512_cmp_ps_mask(x, y, _CMP_EQ_OQ); }
  CNET_INLINE static __m512 select(Mask mask, __m512 x, __m512 y) { return _mm512_mask_blend_ps(mask, y, x); }
  CNET_INLINE static __m512 interleave_low(__m512 x, __m512 y) {
    const __m512i from = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(x, from, y);
  }
  CNET_INLINE static __m512 interleave_high(__m512 x, __m512 y) {
    const __m512i from = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(x, from, y);
  }
  CNET_INLINE static __m512i bits(__m512 x) { return _mm512_castps_si512(x); }
  CNET_INLINE static __m512 value(__m512i x) { return _mm512_castsi512_ps(x); }
  template <int n> CNET_INLINE static __m512 shift_left(__m512 x) { return value(_mm512_slli_epi32(bits(x), n)); }
  template <int n> CNET_INLINE static __m512 shift_right(__m512 x) { return value(_mm512_srli_epi32(bits(x), n)); }
  CNET_INLINE static __m512 bit_and(__m512 x, __m512 y) { return _mm512_and_ps(x, y); }
  CNET_INLINE static __m512 bit_or(__m512 x, __m512 y) { return _mm512_or_ps(x, y); }
};

template <> struct Simd<double> {
  using Register = __m512d;
  using Mask = __mmask8;
  static constexpr int size = 8;
  static constexpr int product_rows = 8, product_panels = 3;
  static constexpr int single_row_panels = 8;
  static constexpr int gradient_rows = 8, gradient_panels = 3;

  CNET_INLINE static __m512d load(const double* from) { return _mm512_loadu_pd(from); }
  CNET_INLINE static void store(double* to, __m512d x) { _mm512_storeu_pd(to, x); }
  CNET_INLINE static __m512d broadcast(double x) { return _mm512_set1_pd(x); }
  CNET_INLINE static __m512d add(__m512d x, __m512d y) { return _mm512_add_pd(x, y); }
  CNET_INLINE static __m512d subtract(__m512d x, __m512d y) { return _mm512_sub_pd(x, y); }
  CNET_INLINE static __m512d multiply(__m512d x, __m512d y) { return _mm512_mul_pd(x, y); }
  CNET_INLINE static __m512d divide(__m512d x, __m512d y) { return _mm512_div_pd(x, y); }
  CNET_INLINE static __m512d sqrt(__m512d x) { return _mm512_sqrt_pd(x); }
  CNET_INLINE static __m512d fma(__m512d x, __m512d y, __m512d z) { return _mm512_fmadd_pd(x, y, z); }
  CNET_INLINE static Mask less(__m512d x, __m512d y) { return _mm512_cmp_pd_mask(x, y, _CMP_LT_OQ); }
  CNET_INLINE static Mask less_equal(__m512d x, __m512d y) { return _mm512_cmp_pd_mask(x, y, _CMP_LE_OQ); }
  CNET_INLINE static Mask equal(__m512d x, __m512d y) { return _mm512_cmp_pd_mask(x, y, _CMP_EQ_OQ); }
  CNET_INLINE static __m512d select(Mask mask, __m512d x, __m512d y) { return _mm512_mask_blend_pd(mask, y, x); }
  CNET_INLINE static __m512d interleave_low(__m512d x, __m512d y) {
    return _mm512_permutex2var_pd(x, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), y);
  }
  CNET_INLINE static __m512d interleave_high(__m512d x, __m512d y) {
    return _mm512_permutex2var_pd(x, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), y);
  }
  CNET_INLINE static __m512i bits(__m512d x) { return _mm512_castpd_si512(x); }
  CNET_INLINE static __m512d value(__m512i x) { return _mm512_castsi512_pd(x); }
  template <int n> CNET_INLINE static __m512d shift_left(__m512d x) { return value(_mm512_slli_epi64(bits(x), n)); }
  template <int n> CNET_INLINE static __m512d shift_right(__m512d x) { return value(_mm512_srli_epi64(bits(x), n)); }
  CNET_INLINE static __m512d bit_and(__m512d x, __m512d y) { return _mm512_and_pd(x, y); }
  CNET_INLINE static __m512d bit_or(__m512d x, __m512d y) { return _mm512_or_pd(x, y); }
  CNET_INLINE static __m512d bit_xor(__m512d x, __m512d y) { return _mm512_xor_pd(x, y); }
  CNET_INLINE static __m512d multiply_even_u32(__m512d x, __m512d y) {
    return value(_mm512_mul_epu32(bits(x), bits(y)));
  }
};

} // namespace

} // namespace cnet::kernels::CNET_ISA
