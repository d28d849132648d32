#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

namespace cnet::ops {

/// Rows of a matrix as an argument for kernels.
template <class T> kernels::Rows<T> kernel_rows(PanelView<const T> x, RowRange rows) {
  return {rows.count(), x.columns, x.row(rows.first), x.stride()};
}

} // namespace cnet::ops
