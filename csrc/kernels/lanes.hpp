#pragma once

#include "kernels/table.hpp"

// Lanes<T>: one row of a panel, in the registers of the instruction set CNET_ISA. Every kernel family is written over
// it, and compiled once per instruction set with the flags of that set (CMakeLists.txt).
//
// Kernel files use no standard library and define everything in an unnamed namespace, so that they share nothing with
// other files but the tables they export. Otherwise the linker could keep a copy of a shared inline function that was
// compiled for an instruction set the CPU lacks.

#define CNET_INLINE __attribute__((always_inline)) inline
/// Forces a lambda inline; stands after its parameters. Otherwise its lanes would go through memory.
#define CNET_INLINED __attribute__((always_inline))
/// Out of line: long functions, where the cost of a call is negligible.
#define CNET_NOINLINE __attribute__((noinline))
/// Inline, but out of line in the scalar table (simd/scalar.hpp), where each copy is slow to compile.
#define CNET_INLINE_LONG CNET_INLINE

#if defined(__SANITIZE_ADDRESS__)
#define CNET_UNROLL // unrolled, the checks of every access take minutes to compile
#elif defined(__clang__)
#define CNET_UNROLL _Pragma("unroll")
#else
#define CNET_UNROLL _Pragma("GCC unroll 16")
#endif

// Before a short loop that should be vectorized: GCC would unroll it first and then not vectorize it.
#if defined(__clang__)
#define CNET_VECTORIZE
#else
#define CNET_VECTORIZE _Pragma("GCC unroll 1")
#endif

/// Exports a family's tables for float and double, made by name##_members<T>().
#define CNET_EXPORT(Family, name)                                                                                      \
  extern const Family<float> name##_float;                                                                             \
  extern const Family<double> name##_double;                                                                           \
  const Family<float> name##_float = name##_members<float>();                                                          \
  const Family<double> name##_double = name##_members<double>();

namespace cnet::kernels::CNET_ISA {

namespace {

/// Constants of a floating-point format, and of exp and log in it.
template <class T> struct Format;

template <> struct Format<float> {
  using Bits = unsigned int;
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr float min_normal = 0x1p-126f;
  static constexpr float log2_e = 0x1.715476p+0f, ln2_high = 0x1.62e43p-1f, ln2_low = -0x1.05c610ca86c38p-29f;
  static constexpr float exp_min = -105, exp_max = 89;
  static constexpr int exp_degree = 7, log_terms = 5;
};

template <> struct Format<double> {
  using Bits = unsigned long long;
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr double min_normal = 0x1p-1022;
  static constexpr double log2_e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42fefa39efp-1,
                          ln2_low = 0x1.abc9e3b39803fp-56;
  static constexpr double exp_min = -746, exp_max = 710;
  static constexpr int exp_degree = 13, log_terms = 10;
};

template <class T> CNET_INLINE typename Format<T>::Bits to_bits(T x) {
  typename Format<T>::Bits bits;
  __builtin_memcpy(&bits, &x, sizeof(x));
  return bits;
}

CNET_INLINE float from_bits(unsigned int bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

CNET_INLINE double from_bits(unsigned long long bits) {
  double x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

CNET_INLINE float fma(float x, float y, float z) {
  return __builtin_fmaf(x, y, z);
}

CNET_INLINE double fma(double x, double y, double z) {
  return __builtin_fma(x, y, z);
}

} // namespace

} // namespace cnet::kernels::CNET_ISA

#include CNET_SIMD // Simd<T>: the operations on one register, and the sizes of the register tiles in products.cpp

namespace cnet::kernels::CNET_ISA {

namespace {

/// Two registers used as one of twice the size.
template <class R> struct Pair {
  struct Register {
    typename R::Register low, high;
  };
  struct Mask {
    typename R::Mask low, high;
  };
  static constexpr int size = 2 * R::size;

  template <class T> CNET_INLINE static Register load(const T* from) {
    return {R::load(from), R::load(from + R::size)};
  }
  template <class T> CNET_INLINE static void store(T* to, Register x) {
    R::store(to, x.low);
    R::store(to + R::size, x.high);
  }
  template <class T> CNET_INLINE static Register broadcast(T value) {
    const typename R::Register both = R::broadcast(value);
    return {both, both};
  }
  CNET_INLINE static Register select(Mask mask, Register x, Register y) {
    return {R::select(mask.low, x.low, y.low), R::select(mask.high, x.high, y.high)};
  }
  CNET_INLINE static Register sqrt(Register x) { return {R::sqrt(x.low), R::sqrt(x.high)}; }
  CNET_INLINE static Register fma(Register x, Register y, Register z) {
    return {R::fma(x.low, y.low, z.low), R::fma(x.high, y.high, z.high)};
  }
  CNET_INLINE static Register interleave_low(Register x, Register y) {
    return {R::interleave_low(x.low, y.low), R::interleave_high(x.low, y.low)};
  }
  CNET_INLINE static Register interleave_high(Register x, Register y) {
    return {R::interleave_low(x.high, y.high), R::interleave_high(x.high, y.high)};
  }
  template <int Bits> CNET_INLINE static Register shift_left(Register x) {
    return {R::template shift_left<Bits>(x.low), R::template shift_left<Bits>(x.high)};
  }
  template <int Bits> CNET_INLINE static Register shift_right(Register x) {
    return {R::template shift_right<Bits>(x.low), R::template shift_right<Bits>(x.high)};
  }
#define CNET_BINARY(Result, name)                                                                                      \
  CNET_INLINE static Result name(Register x, Register y) {                                                             \
    return {R::name(x.low, y.low), R::name(x.high, y.high)};                                                           \
  }
  CNET_BINARY(Register, add)
  CNET_BINARY(Register, subtract)
  CNET_BINARY(Register, multiply)
  CNET_BINARY(Register, divide)
  CNET_BINARY(Register, bit_and)
  CNET_BINARY(Register, bit_or)
  CNET_BINARY(Register, bit_xor)
  CNET_BINARY(Register, multiply_even_u32)
  CNET_BINARY(Mask, less)
  CNET_BINARY(Mask, less_equal)
  CNET_BINARY(Mask, equal)
#undef CNET_BINARY
};

/// Enough registers for `size` lanes.
template <class R, int size, bool = R::size == size> struct Widened : Widened<Pair<R>, size> {};
template <class R, int size> struct Widened<R, size, true> : R {};

/// One row of a panel (64 bytes). The number of lanes does not depend on the CPU, and so neither do the bits.
template <class T> struct Lanes {
  using R = Widened<Simd<T>, panel_width<T>>;
  static constexpr int width = panel_width<T>;

  typename R::Register registers;
};

template <class T> struct LaneMask {
  typename Lanes<T>::R::Mask masks;
};

template <class T> CNET_INLINE Lanes<T> load(const T* from) {
  return {Lanes<T>::R::load(from)};
}

template <class T> CNET_INLINE void store(T* to, Lanes<T> x) {
  Lanes<T>::R::store(to, x.registers);
}

template <class T> CNET_INLINE Lanes<T> broadcast(T value) {
  return {Lanes<T>::R::broadcast(value)};
}

#define CNET_BINARY(Result, name, operation)                                                                           \
  template <class T> CNET_INLINE Result<T> name(Lanes<T> x, Lanes<T> y) {                                              \
    return {Lanes<T>::R::operation(x.registers, y.registers)};                                                         \
  }
CNET_BINARY(Lanes, operator+, add)
CNET_BINARY(Lanes, operator-, subtract)
CNET_BINARY(Lanes, operator*, multiply)
CNET_BINARY(Lanes, operator/, divide)
CNET_BINARY(Lanes, operator&, bit_and)
CNET_BINARY(Lanes, operator|, bit_or)
CNET_BINARY(Lanes, operator^, bit_xor)
/// Multiplies the low 32 bits of each 64-bit lane as integers.
CNET_BINARY(Lanes, multiply_even_u32, multiply_even_u32)
CNET_BINARY(LaneMask, operator<, less)
CNET_BINARY(LaneMask, operator<=, less_equal)
CNET_BINARY(LaneMask, operator==, equal)
#undef CNET_BINARY

/// −x, also of a zero.
template <class T> CNET_INLINE Lanes<T> operator-(Lanes<T> x) {
  return broadcast(T(-0.0)) - x;
}

template <class T> CNET_INLINE Lanes<T> select(LaneMask<T> mask, Lanes<T> x, Lanes<T> y) {
  return {Lanes<T>::R::select(mask.masks, x.registers, y.registers)};
}

template <class T> CNET_INLINE Lanes<T> sqrt(Lanes<T> x) {
  return {Lanes<T>::R::sqrt(x.registers)};
}

template <class T> CNET_INLINE Lanes<T> fma(Lanes<T> x, Lanes<T> y, Lanes<T> z) {
  return {Lanes<T>::R::fma(x.registers, y.registers, z.registers)};
}

template <int Bits, class T> CNET_INLINE Lanes<T> shift_left(Lanes<T> x) {
  return {Lanes<T>::R::template shift_left<Bits>(x.registers)};
}

template <int Bits, class T> CNET_INLINE Lanes<T> shift_right(Lanes<T> x) {
  return {Lanes<T>::R::template shift_right<Bits>(x.registers)};
}

/// x₀ y₀ x₁ y₁ …: the first half in low, the second in high.
template <class T> CNET_INLINE void interleave(Lanes<T> x, Lanes<T> y, Lanes<T>& low, Lanes<T>& high) {
  low = {Lanes<T>::R::interleave_low(x.registers, y.registers)};
  high = {Lanes<T>::R::interleave_high(x.registers, y.registers)};
}

/// 0, 1, …, width − 1.
template <class T> CNET_INLINE Lanes<T> iota() {
  alignas(64) static constexpr T indices[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load(indices);
}

} // namespace

} // namespace cnet::kernels::CNET_ISA
