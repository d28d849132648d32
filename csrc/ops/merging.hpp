#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

namespace cnet::ops {

// Functions of two matrices of the same number of rows. Each works on the given rows, padding included.

using kernels::Merge;

/// Elementwise; `out` may be an operand.
template <class T> void merge(Merge, PanelView<const T> x, PanelView<const T> y, RowRange rows, PanelView<T> out);
/// The gradient with respect to operand 0, x, or 1, y. Where both are the maximum, it is that of x, as in TensorFlow.
template <class T>
void merge_backward(Merge, std::size_t operand, PanelView<const T> grad, PanelView<const T> x, PanelView<const T> y,
                    RowRange rows, PanelView<T> out);

/// The dot product of each pair of rows, in the only column of `out`.
template <class T> void dot(PanelView<const T> x, PanelView<const T> y, RowRange rows, PanelView<T> out);
/// The gradient with respect to the operand that is not `other`.
template <class T>
void dot_backward(PanelView<const T> grad, PanelView<const T> other, RowRange rows, PanelView<T> out);

/// Copies x to the columns of `out` from `first` on.
template <class T> void write_columns(PanelView<const T> x, Index first, RowRange rows, PanelView<T> out);
/// Copies the columns of x from `first` on to `out`.
template <class T> void read_columns(PanelView<const T> x, Index first, RowRange rows, PanelView<T> out);

} // namespace cnet::ops
