// What every instruction set's file opens with. Nothing in such a file may be seen by the linker
// but its two tables: an inline function shared with other files could be kept in the copy that was
// compiled for a newer CPU. So: no standard library, and everything in an unnamed namespace.

#define CNET_INLINE __attribute__((always_inline)) inline
/// One copy for all callers, of what is long and called where a call more is nothing.
#define CNET_OUTLINED __attribute__((noinline))
/// For long functions of lanes. Where a register holds one lane only, each copy of them is sixteen.
#ifdef CNET_ONE_LANE_REGISTERS
#define CNET_INLINE_LONG __attribute__((noinline))
#else
#define CNET_INLINE_LONG CNET_INLINE
#endif
/// The same behind a lambda's parameters; else its lanes, of several registers, would go through memory.
#define CNET_INLINED __attribute__((always_inline))

#if defined(__SANITIZE_ADDRESS__)
#define CNET_UNROLL // checks of every unrolled access would take minutes to compile
#elif defined(__clang__)
#define CNET_UNROLL _Pragma("unroll")
#else
#define CNET_UNROLL _Pragma("GCC unroll 16")
#endif

// Before a short loop that is to become vectors: GCC would unroll it before it looks for them.
#if defined(__clang__)
#define CNET_VECTORIZE
#else
#define CNET_VECTORIZE _Pragma("GCC unroll 1")
#endif

namespace cnet::kernels::CNET_ISA {

extern const Table<float> float_table;
extern const Table<double> double_table;

namespace {

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
