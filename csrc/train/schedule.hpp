#pragma once

#include "core/panels.hpp"
#include "core/thread_pool.hpp"
#include "core/work_stealing.hpp"
#include "network/update.hpp"

#include <algorithm>

namespace cnet {

/// How the elements that a stage writes are divided among threads. One thread computes each element completely, so that
/// its bits do not depend on the division.
enum class Split {
  rows,          ///< rows of the batch: a thread takes them through several stages without waiting
  columns,       ///< columns of the batch, after all threads have finished the stage before
  panels,        ///< the same for layers that need all rows of a column
  weights,       ///< blocks of a node's weights
  weight_panels, ///< whole panels of a node's weights
  grouped_rows,  ///< ranges of the rows of a batch, grouped by their ids
  whole,         ///< not divided
};

/// Rows are divided in groups of this size, so that most register tiles are full.
inline constexpr Index row_group = 8;

/// Rows per thread below which Split::rows does not pay: each thread reads all weights.
inline constexpr Index few_rows = 64;

/// Multiply-adds per thread that make up for waiting for it several times in a step, and for waking it for a single
/// prediction.
inline constexpr double worth_waiting = 2e6, worth_waking = 5e6;

/// Number of threads for some multiply-adds, at most thread_limit().
inline int threads_for(double multiply_adds, double worth_a_thread) {
  return std::max(1, static_cast<int>(std::min(multiply_adds / worth_a_thread, double(thread_limit()))));
}

/// The split of a product of `rows` rows.
///
/// Split::rows moves the weights to each thread; Split::columns moves the rows, and the weights stay with the thread
/// that updates them. In training the smaller of the two should move; in evaluations each core caches all weights. If
/// there are too few rows for the threads, the split is by columns.
template <class T> Split split_of(Index rows, Index columns, int threads, bool weights_change) {
  if (threads == 1 || panel_count<T>(columns) < threads) return Split::rows;
  const bool too_few = rows < threads * few_rows;
  return too_few || (weights_change && columns >= rows) ? Split::columns : Split::rows;
}

/// Maximum number of rows that a thread takes through the layers at a time, so that they stay in cache.
inline constexpr Index block_rows = 256;

/// A single piece, for the first thread that arrives.
inline constexpr Tiling whole_tiling{1, 1, 1, 1};

/// Whole samples, in few pieces that still balance the load. A sample has up to `most_rows` rows.
inline Tiling rows_tiling(Index samples, Index most_rows, int threads) {
  constexpr Index pieces = 4, fewest = 32; // pieces of each thread; minimum number of rows
  const Index most = std::max(block_rows / most_rows, Index(1));
  const Index wanted =
      threads == 1 ? most : std::max(samples / (threads * pieces), std::min(samples / threads, fewest));
  const Index rounded = (std::min(wanted, most) + row_group - 1) / row_group * row_group;
  return {samples, 1, std::max(rounded, row_group), std::max(samples, Index(1))};
}

/// Ranges of the rows of a batch, grouped by their ids: how many ids there are is not known to a thread that is late,
/// when others have begun the next batch.
inline Tiling grouped_rows_tiling(Index count) {
  constexpr Index piece = 256;
  return {count, 1, piece, std::max(count, Index(1))};
}

/// Elements of an operand that stay in the second-level cache while others pass through it: half a megabyte of floats.
inline constexpr Index resident_size = 1 << 17;

/// Pieces of a few panels and a few rows, if the rows of the operand, of `depth` elements each, stay in cache;
/// otherwise one piece for each thread, which the product blocks itself.
template <class T> Tiling columns_tiling(PanelView<T> matrix, Index depth) {
  constexpr Index piece_rows = 32;
  const Index all = std::max(matrix.rows, Index(1));
  const bool fits = depth <= resident_size / all;
  return {matrix.rows, matrix.panels(), fits ? piece_rows : all, all, fits};
}

/// Blocks of a kernel's gradient that stay in the first-level cache between product and optimizer, in an order that
/// keeps the layer's input in the second-level cache.
template <class T> Tiling weights_tiling(PanelView<T> kernel, Index batch) {
  constexpr Index rows = most_update_rows;
  return {kernel.rows, kernel.panels(), rows, std::max(rows, resident_size / batch / rows * rows)};
}

/// Whole panels, so that a panel's sums do not depend on the pieces.
template <class T> Tiling panels_tiling(PanelView<T> kernel) {
  return {kernel.rows, kernel.panels(), kernel.rows, kernel.rows};
}

} // namespace cnet
