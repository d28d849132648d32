#pragma once

// Portable C++: the reference that every other table must match, and the fallback for CPUs without one of those. A
// register is a 16-byte vector (an extension of GCC and Clang): every CPU has such registers, and ThreadSanitizer
// tracks their accesses.

// Unrolling and inlining are left out: they would make these kernels slow to compile.
#undef CNET_UNROLL
#define CNET_UNROLL
#undef CNET_INLINE_LONG
#define CNET_INLINE_LONG CNET_NOINLINE

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> struct Simd {
  typedef T Register __attribute__((vector_size(16)));
  typedef typename Format<T>::Bits Mask __attribute__((vector_size(16)));
  static constexpr int size = 16 / sizeof(T);
  static constexpr int product_rows = 1, product_panels = 1;
  static constexpr int single_row_panels = 1;
  static constexpr int gradient_rows = 1, gradient_panels = 1;

  CNET_INLINE static Register load(const T* from) {
    Register x;
    __builtin_memcpy(&x, from, sizeof(x));
    return x;
  }
  CNET_INLINE static void store(T* to, Register x) { __builtin_memcpy(to, &x, sizeof(x)); }
  CNET_INLINE static Register broadcast(T value) { return value - Register(); }
  CNET_INLINE static Register add(Register x, Register y) { return x + y; }
  CNET_INLINE static Register subtract(Register x, Register y) { return x - y; }
  CNET_INLINE static Register multiply(Register x, Register y) { return x * y; }
  CNET_INLINE static Register divide(Register x, Register y) { return x / y; }
  CNET_INLINE static Mask less(Register x, Register y) { return reinterpret_cast<Mask>(x < y); }
  CNET_INLINE static Mask less_equal(Register x, Register y) { return reinterpret_cast<Mask>(x <= y); }
  CNET_INLINE static Mask equal(Register x, Register y) { return reinterpret_cast<Mask>(x == y); }
  CNET_INLINE static Register select(Mask mask, Register x, Register y) {
    return value((bits(x) & mask) | (bits(y) & ~mask));
  }
  template <int n> CNET_INLINE static Register shift_left(Register x) { return value(bits(x) << n); }
  template <int n> CNET_INLINE static Register shift_right(Register x) { return value(bits(x) >> n); }
  CNET_INLINE static Register bit_and(Register x, Register y) { return value(bits(x) & bits(y)); }
  CNET_INLINE static Register bit_or(Register x, Register y) { return value(bits(x) | bits(y)); }
  CNET_INLINE static Register bit_xor(Register x, Register y) { return value(bits(x) ^ bits(y)); }
  CNET_INLINE static Register multiply_even_u32(Register x, Register y) {
    return value((bits(x) & 0xFFFFFFFF) * (bits(y) & 0xFFFFFFFF));
  }
  /// On a CPU without an fma instruction the C library rounds correctly.
  CNET_INLINE static Register fma(Register x, Register y, Register z) {
    for (int n = 0; n < size; ++n) z[n] = kernels::CNET_ISA::fma(x[n], y[n], z[n]);
    return z;
  }
  CNET_INLINE static Register sqrt(Register x) {
    for (int n = 0; n < size; ++n) x[n] = root(x[n]);
    return x;
  }
  CNET_INLINE static Register interleave_low(Register x, Register y) { return interleave(x, y, 0); }
  CNET_INLINE static Register interleave_high(Register x, Register y) { return interleave(x, y, size / 2); }

private:
  CNET_INLINE static Mask bits(Register x) { return reinterpret_cast<Mask>(x); }
  CNET_INLINE static Register value(Mask x) { return reinterpret_cast<Register>(x); }
  CNET_INLINE static float root(float x) { return __builtin_sqrtf(x); }
  CNET_INLINE static double root(double x) { return __builtin_sqrt(x); }
  CNET_INLINE static Register interleave(Register x, Register y, int first) {
    Register result = {};
    for (int n = 0; n < size / 2; ++n) {
      result[2 * n] = x[first + n];
      result[2 * n + 1] = y[first + n];
    }
    return result;
  }
};

} // namespace

} // namespace cnet::kernels::CNET_ISA
