#pragma once

#include "core/panels.hpp"

#include <cstdint>
#include <vector>

namespace cnet::ops {

/// The product of a one-hot matrix and a table: row i of out is row ids[i] of the table.
template <class T> void embedding_forward(PanelView<const T> table, const Index* ids, RowRange rows, PanelView<T> out);

/// The rows of a batch, sorted by their ids: id · 2³² + row.
using SortedIds = std::vector<std::uint64_t>;
inline constexpr Index max_table_rows = Index(1) << 32;

void sort_ids(const Index* ids, Index rows, SortedIds& sorted);

/// A block of the gradient of the table, its panels `stride` apart. The sums are those of dense_backward_kernel() for
/// the one-hot matrix: in k-blocks of increasing row.
template <class T>
void embedding_backward(PanelView<const T> grad, const SortedIds& sorted, Block, T* out, Index stride);

/// table −= learning_rate · gradient, for the ids that begin in [first, last) of `sorted`.
template <class T>
void embedding_fused_sgd(PanelView<const T> grad, const SortedIds& sorted, Index first, Index last, T learning_rate,
                         PanelView<T> table);

} // namespace cnet::ops
