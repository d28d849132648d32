#pragma once

// Compares the kernels of every instruction set that this CPU supports with the scalar ones, byte for byte. NaNs are
// equal whatever their payload, which is unspecified.

#include "check.hpp"
#include "core/panels.hpp"
#include "core/philox.hpp"
#include "kernels/table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace cnet {

/// Sizes around multiples of the lanes and of the register tiles.
inline constexpr Index sizes[] = {0, 1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 24, 25, 31, 33, 47, 48, 49, 100};

/// Numbers in [−2, 2), one in eight of them zero, in unaligned memory.
template <class T> class Numbers {
public:
  explicit Numbers(Index size, std::uint32_t seed) : buffer_(size + 1) {
    for (Index i = 0; i <= size; ++i) {
      const auto words = philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {seed, 0});
      buffer_.data()[i] = words[1] % 8 == 0 ? T(0) : T(words[0]) / T(1u << 30) - T(2);
    }
  }
  T* data() { return buffer_.data() + 1; }

private:
  AlignedBuffer<T> buffer_;
};

/// Runs a kernel of the given table, writing to `results`.
template <class T> using Run = std::function<void(const kernels::Table<T>&, std::vector<T>& results)>;

template <class T> const kernels::Table<T>& table_of(const kernels::InstructionSet& isa) {
  if constexpr (sizeof(T) == 4)
    return *isa.float_table;
  else
    return *isa.double_table;
}

inline int comparisons = 0;

/// The results of a kernel, with all NaNs replaced by the same one.
template <class T> std::vector<T> result_of(const kernels::InstructionSet& isa, Index size, const Run<T>& run) {
  std::vector<T> result(static_cast<std::size_t>(size), T(-7));
  run(table_of<T>(isa), result);
  for (T& x : result) {
    if (std::isnan(x)) x = std::numeric_limits<T>::quiet_NaN();
  }
  return result;
}

template <class T> void compare(const std::string& what, Index size, const Run<T>& run) {
  int count;
  const kernels::InstructionSet* isas = kernels::built_isas(count);
  const std::vector<T> expected = result_of<T>(isas[0], size, run);
  for (int n = 1; n < count; ++n) {
    if (!isas[n].supported()) continue;
    const std::vector<T> actual = result_of<T>(isas[n], size, run);
    const bool equal = size == 0 || std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)) == 0;
    CHECK(equal, "%s of %zu-byte elements: %s differs from scalar", what.c_str(), sizeof(T), isas[n].name);
    ++comparisons;
  }
}

template <class T> Index padded(Index columns) {
  return panel_count<T>(columns) * panel_width<T>;
}

} // namespace cnet
