#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace cnet {

/// Sets the IEEE defaults (round to nearest, no flush-to-zero) for its lifetime.
///
/// Another library in the process may have enabled flush-to-zero, which would change results.
class FloatMode {
public:
  FloatMode() : callers_(get()) { set(ieee); }
  ~FloatMode() { set(callers_); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

  /// Calls f in the caller's mode, and keeps what f changes of it.
  template <class F> auto suspended(F f) {
    struct Suspension {
      FloatMode& mode;
      explicit Suspension(FloatMode& suspended) : mode(suspended) { set(mode.callers_); }
      ~Suspension() {
        mode.callers_ = get();
        set(ieee);
      }
    } const suspension(*this);
    return f();
  }

private:
#if defined(__x86_64__)
  using Word = unsigned;
  static constexpr Word ieee = 0x1f80;
  static Word get() { return _mm_getcsr(); }
  static void set(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = std::uint64_t;
  static constexpr Word ieee = 0;
  static Word get() {
    Word word;
    asm volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void set(Word word) { asm volatile("msr fpcr, %0" : : "r"(word)); }
#endif
  Word callers_;
};

} // namespace cnet
