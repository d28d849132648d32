#pragma once

#include "core/types.hpp"

namespace cnet {

/// A view of a row-major matrix without gaps: how NumPy hands arrays in and takes them back.
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

/// One thread's share of the work.
struct Share {
  int index;
  int count;
};

} // namespace cnet
