#pragma once

#include "core/types.hpp"

namespace cnet {

/// A view of a contiguous row-major matrix, NumPy's default layout.
template <class T> struct MatrixView {
  T* data;
  Index rows;
  Index columns;
};

/// Rows [first, last) of a batch.
struct RowRange {
  Index first;
  Index last;
  Index count() const { return last - first; }
};

/// A thread's rank in a team of `size` threads.
struct TeamMember {
  int rank;
  int size;
};

} // namespace cnet
