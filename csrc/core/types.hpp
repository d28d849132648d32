#pragma once

#include <cstddef>

#if defined(__FAST_MATH__)
#error "cnet does not build with -ffast-math: results must have the same bits on every CPU."
#endif

namespace cnet {

/// Signed, so that loops can count down and differences can be negative.
using Index = std::ptrdiff_t;

/// Columns of a panel: one cache line on every instruction set.
template <class T> inline constexpr Index panel_width = 64 / static_cast<Index>(sizeof(T));

/// Number of panels to take next of those that are left: at most 3, the width of the widest register tile. Four are
/// split into 2 + 2, because a tile of one panel is bound by latency.
[[gnu::always_inline]] constexpr Index next_panels(Index left) {
  return left == 4 ? 2 : left < 3 ? left : 3;
}

} // namespace cnet
