#pragma once

#include "core/deal.hpp"
#include "core/panels.hpp"
#include "core/thread_pool.hpp"
#include "network/update.hpp"

#include <algorithm>

namespace cnet {

/// How the elements of what a stage writes are dealt out. Each is made by one thread from start to end,
/// so that nobody can see in its bits who made it.
enum class Split {
  rows,          ///< of the batch: a thread takes its rows from stage to stage and waits for nobody
  columns,       ///< each thread makes its columns of every row, once all that it reads is there
  panels,        ///< the same where all rows of a column make each of them
  weights,       ///< blocks of a layer's weights
  weight_panels, ///< whole columns of them
  whole,         ///< one thread does all of it
};

/// Rows are dealt out in groups of this size, so that register tiles are seldom cut.
inline constexpr Index row_group = 8;

/// A thread that has fewer rows than these reads all weights for too little.
inline constexpr Index few_rows = 64;

/// Multiply-adds for which a thread more is worth waiting for, several times in each step; and for
/// which it is worth waking, for a single prediction.
inline constexpr double worth_waiting = 2e6, worth_waking = 5e6;

/// Threads that so many multiply-adds are worth.
inline int threads_for(double multiply_adds, double worth_a_thread) {
  return std::max(1, static_cast<int>(std::min(multiply_adds / worth_a_thread, double(thread_limit()))));
}

/// The split of a product of `rows` rows.
///
/// By rows, weights travel to each thread; by columns the rows do, and weights stay with the thread
/// that updates them. Where weights change, whatever is less had better travel; where they do not,
/// each core has its copy of them. Rows too few for all threads are split by columns in any case.
template <class T> Split split_of(Index rows, Index columns, int threads, bool weights_change) {
  if (threads == 1 || panel_count<T>(columns) < threads) return Split::rows;
  const bool too_few = rows < threads * few_rows;
  return too_few || (weights_change && columns >= rows) ? Split::columns : Split::rows;
}

/// Rows that a thread takes through the layers at a time, so that they stay in cache.
inline constexpr Index block_rows = 256;

/// For what one thread does alone, whichever comes first.
inline constexpr Tiling whole_tiling{1, 1, 1, 1};

/// Whole rows, in pieces that are few but enough for threads to come out even.
inline Tiling rows_tiling(Index rows, int threads) {
  constexpr Index pieces = 4, fewest = 32; // pieces of each thread; rows for which a piece is worth it
  const Index wanted =
      threads == 1 ? block_rows : std::max(rows / (threads * pieces), std::min(rows / threads, fewest));
  const Index rounded = (std::min(wanted, block_rows) + row_group - 1) / row_group * row_group;
  return {rows, 1, std::max(rounded, row_group), std::max(rows, Index(1))};
}

/// Numbers of an operand that stay in the second-level cache while others pass through it: half a
/// megabyte of floats.
inline constexpr Index resident_size = 1 << 17;

/// A few columns each, of a few rows if the rows of the operand, `depth` long, stay in cache; a share's
/// columns as one piece if they do not, for the product knows how to block them.
template <class T> Tiling columns_tiling(PanelView<T> matrix, Index depth) {
  constexpr Index piece_rows = 32;
  const Index all = std::max(matrix.rows, Index(1));
  const bool fits = depth <= resident_size / all;
  return {matrix.rows, matrix.panels(), fits ? piece_rows : all, all, fits};
}

/// Blocks of a kernel's gradient that stay in the first-level cache on their way from the product to the
/// optimizer, in an order in which what they read of the layer's input stays in the second-level cache.
template <class T> Tiling weights_tiling(PanelView<T> kernel, Index batch) {
  constexpr Index rows = most_update_rows;
  return {kernel.rows, kernel.panels(), rows, std::max(rows, resident_size / batch / rows * rows)};
}

/// Whole panels of a kernel, one each, so that what is summed up in a panel does not depend on pieces.
template <class T> Tiling panels_tiling(PanelView<T> kernel) {
  return {kernel.rows, kernel.panels(), kernel.rows, kernel.rows};
}

} // namespace cnet
