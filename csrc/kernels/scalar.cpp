#include "kernels/table.hpp"

// The plain reference of the contract, and the table of last resort: fma is the compiler's or, on
// a CPU without one, the C library's correctly rounded function.
#define CNET_ISA scalar
#define CNET_ONE_LANE_REGISTERS
#include "kernels/isa_begin.inl"

template <class T> struct Simd {
  using Register = T;
  using Mask = bool;
  static constexpr int size = 1;
  static constexpr int product_rows = 1, product_panels = 1;
  static constexpr int single_row_panels = 1;
  static constexpr int gradient_rows = 1, gradient_panels = 1;

  CNET_INLINE static T load(const T* from) { return *from; }
  CNET_INLINE static void store(T* to, T x) { *to = x; }
  CNET_INLINE static T broadcast(T x) { return x; }
  CNET_INLINE static T add(T x, T y) { return x + y; }
  CNET_INLINE static T subtract(T x, T y) { return x - y; }
  CNET_INLINE static T multiply(T x, T y) { return x * y; }
  CNET_INLINE static T divide(T x, T y) { return x / y; }
  CNET_INLINE static float square_root(float x) { return __builtin_sqrtf(x); }
  CNET_INLINE static double square_root(double x) { return __builtin_sqrt(x); }
  CNET_INLINE static float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
  CNET_INLINE static double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
  CNET_INLINE static bool less(T x, T y) { return x < y; }
  CNET_INLINE static bool less_equal(T x, T y) { return x <= y; }
  CNET_INLINE static bool equal(T x, T y) { return x == y; }
  CNET_INLINE static T select(bool mask, T x, T y) { return mask ? x : y; }
  CNET_INLINE static T zip_low(T x, T) { return x; }
  CNET_INLINE static T zip_high(T, T y) { return y; }
  template <int Bits> CNET_INLINE static T shift_left(T x) { return from_bits(to_bits(x) << Bits); }
  template <int Bits> CNET_INLINE static T shift_right(T x) { return from_bits(to_bits(x) >> Bits); }
  CNET_INLINE static T bit_and(T x, T y) { return from_bits(to_bits(x) & to_bits(y)); }
  CNET_INLINE static T bit_or(T x, T y) { return from_bits(to_bits(x) | to_bits(y)); }
  CNET_INLINE static T bit_xor(T x, T y) { return from_bits(to_bits(x) ^ to_bits(y)); }
  CNET_INLINE static double multiply_words(double x, double y) {
    return from_bits((to_bits(x) & 0xFFFFFFFF) * (to_bits(y) & 0xFFFFFFFF));
  }
};

#include "kernels/isa_end.inl"
