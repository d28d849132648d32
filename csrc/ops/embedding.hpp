#pragma once

#include "core/panels.hpp"

#include <cstdint>
#include <vector>

namespace cnet::ops {

/// The product of a one-hot matrix and a table: row i of out is row ids[i] of the table.
template <class T> void embedding_forward(PanelView<const T> table, const Index* ids, RowRange rows, PanelView<T> out);

inline constexpr Index max_table_rows = Index(1) << 32;

/// The rows of a batch that name each id: those of ids[n] are rows[starts[n]] to rows[starts[n + 1] − 1].
struct RowsOfIds {
  std::vector<std::uint32_t> ids; ///< increasing
  std::vector<std::uint32_t> starts;
  std::vector<std::uint32_t> rows; ///< increasing for each id
};

void group_rows(const Index* ids, Index rows, RowsOfIds& grouped);

/// A block of the gradient of the table, its panels `stride` apart. The sums are those of dense_backward_kernel() for
/// the one-hot matrix: in k-blocks of increasing row.
template <class T>
void embedding_backward(PanelView<const T> grad, const RowsOfIds& grouped, Block, T* out, Index stride);

/// table −= learning_rate · gradient, for the ids whose rows begin in [first, last) of grouped.rows.
template <class T>
void embedding_fused_sgd(PanelView<const T> grad, const RowsOfIds& grouped, Index first, Index last, T learning_rate,
                         PanelView<T> table);

} // namespace cnet::ops
