#pragma once

#include <cstddef>

#if defined(__FAST_MATH__)
#error "cnet's results are the same bits everywhere; -ffast-math would break that."
#endif

namespace cnet {

/// Signed, so that loops may count down and differences may be taken.
using Index = std::ptrdiff_t;

/// Columns of a panel: one cache line, whatever the instruction set.
template <class T> inline constexpr Index panel_width = 64 / static_cast<Index>(sizeof(T));

/// How many of the panels that are left to take next: as many as the widest register tile has, but
/// rather two and two than three and a single one, whose multiply-adds would wait for their operands.
[[gnu::always_inline]] constexpr Index next_panels(Index left) {
  return left == 4 ? 2 : left < 3 ? left : 3;
}

} // namespace cnet
