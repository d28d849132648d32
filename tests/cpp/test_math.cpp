// exp and log of every table against a wider type: how many units in the last place they are off.

#include "check.hpp"
#include "kernels/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace cnet;

namespace {

/// The error in units of the last place of the exact result, subnormal results included.
template <class T, class Wide> double error_in_ulp(T actual, Wide exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(exact)) return std::isnan(actual) ? 0 : HUGE_VAL;
  if (std::isinf(rounded) || std::isinf(actual)) return actual == rounded ? 0 : 1;
  int exponent;
  std::frexp(exact, &exponent);
  const int lowest = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
  const Wide ulp = std::ldexp(Wide(1), std::max(exponent - std::numeric_limits<T>::digits, lowest));
  return static_cast<double>(std::fabs(Wide(actual) - exact) / ulp);
}

template <class T> T from_bits(std::uint64_t bits) {
  T x;
  if constexpr (sizeof(T) == 4) {
    const auto narrow = static_cast<std::uint32_t>(bits);
    std::memcpy(&x, &narrow, sizeof(x));
  } else {
    std::memcpy(&x, &bits, sizeof(x));
  }
  return x;
}

/// Numbers of every sign and exponent, infinities, NaN and subnormals among them, by even steps
/// through the bit patterns; f(numbers) for a few of them at a time.
template <class T, class F> void each_pattern(std::uint64_t step, F f) {
  std::vector<T> x{T(0), -T(0), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                   std::numeric_limits<T>::quiet_NaN()};
  const std::uint64_t last = sizeof(T) == 4 ? 0xffffffffu : ~std::uint64_t{0};
  for (std::uint64_t bits = 0;; bits += step) {
    x.push_back(from_bits<T>(bits));
    const bool ends = bits > last - step;
    if (ends || x.size() == 1 << 16) f(x), x.clear();
    if (ends) return;
  }
}

template <class T, class Wide>
void check(const char* what, std::uint64_t step, void (*function)(Index, const T*, T*), Wide (*exact)(Wide),
           double bound) {
  std::vector<T> y(1 << 16);
  double worst = 0;
  T at = 0;
  std::uint64_t count = 0;
  each_pattern<T>(step, [&](const std::vector<T>& x) {
    function(static_cast<Index>(x.size()), x.data(), y.data());
    count += x.size();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = error_in_ulp(y[i], exact(x[i]));
      if (error > worst) worst = error, at = x[i];
    }
  });
  std::printf("%-12s %.4f ulp at %a, the worst of %llu\n", what, worst, static_cast<double>(at),
              static_cast<unsigned long long>(count));
  CHECK(worst <= bound, "%s: %g ulp at %a, promised %g", what, worst, static_cast<double>(at), bound);
}

} // namespace

int main(int argc, char**) {
  // With an argument, all 2³² floats by the table in use, which takes minutes; else about two million by each.
  const std::uint64_t floats = argc > 1 ? 1 : 2003, doubles = 0x0000040000001f7bu;
  int count;
  const kernels::InstructionSet* isas = kernels::built_isas(count);
  for (int n = 0; n < count; ++n) {
    if (!isas[n].supported() || (argc > 1 && std::strcmp(isas[n].name, kernels::chosen_isa()) != 0)) continue;
    std::printf("%s\n", isas[n].name);
    check<float, double>("float exp", floats, isas[n].float_table->exp, std::exp, 1.1);
    check<float, double>("float log", floats, isas[n].float_table->log, std::log, 1.0);
    check<double, long double>("double exp", doubles, isas[n].double_table->exp, std::exp, 1.1);
    check<double, long double>("double log", doubles, isas[n].double_table->log, std::log, 1.2);
  }
}
