#pragma once

#include "core/panels.hpp"
#include "core/thread_pool.hpp"

#include <algorithm>

namespace cnet {

/// How the elements of a layer's output, or of the gradient of its input, are dealt out. Each is made
/// by one thread from start to end, so that nobody can see in its bits who made it.
enum class Split {
  rows,    ///< of the batch: a thread takes its rows from layer to layer and waits for nobody
  columns, ///< each thread makes its columns of every row, once all threads have made what it reads
  none,    ///< each thread makes all of it, for itself
};

/// Rows are dealt out in groups of this size, so that register tiles are seldom cut.
inline constexpr Index row_group = 8;

/// Threads that so many multiply-adds are worth: a thread more must have enough to do that waking it
/// and waiting for it is little beside.
inline int threads_for(double multiply_adds) {
  constexpr double worth_a_thread = 1e6;
  return std::max(1, static_cast<int>(std::min(multiply_adds / worth_a_thread, double(thread_limit()))));
}

/// The split of a product of `rows` rows.
///
/// By rows, weights travel to each thread; by columns the rows do, and weights stay with the thread
/// that updates them. Where weights change, whatever is less had better travel; where they do not,
/// each core has its copy of them. Rows too few for all threads are split by columns in any case.
template <class T> Split split_of(Index rows, Index columns, int threads, bool weights_change) {
  if (threads == 1 || panel_count<T>(columns) < threads) return Split::rows;
  const bool too_few = rows < threads * row_group;
  return too_few || (weights_change && columns >= rows) ? Split::columns : Split::rows;
}

/// The rows of a batch that are a thread's share.
inline RowRange rows_of(Index rows, Share share) {
  const Index groups = (rows + row_group - 1) / row_group;
  const auto bound = [&](Index n) { return std::min(groups * n / share.count * row_group, rows); };
  return {bound(share.index), bound(share.index + 1)};
}

/// Some rows of the columns that are a thread's share.
template <class T> Block columns_of(PanelView<T> matrix, RowRange rows, Share share) {
  const auto bound = [&](Index n) { return matrix.panels() * n / share.count; };
  return {rows.first, rows.last, bound(share.index), bound(share.index + 1)};
}

} // namespace cnet
