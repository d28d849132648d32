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

} // namespace cnet
