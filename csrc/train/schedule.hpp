#pragma once

#include "core/matrix.hpp"
#include "core/thread_pool.hpp"

#include <algorithm>

namespace cnet {

/// Rows are dealt out in groups of this size, so that register tiles are seldom cut.
inline constexpr Index row_group = 8;

/// Threads that a task of so many multiply-adds on so many rows is worth: a thread more must have
/// enough to do that waking it and waiting for it is little beside.
inline int threads_for(double multiply_adds, Index rows) {
  constexpr double worth_a_thread = 1e6;
  const double by_work = multiply_adds / worth_a_thread;
  const double by_rows = static_cast<double>((rows + row_group - 1) / row_group);
  return std::max(1, static_cast<int>(std::min({by_work, by_rows, static_cast<double>(thread_limit())})));
}

/// The rows of a batch that are thread number `thread`'s among `threads`.
inline RowRange rows_of(Index rows, int thread, int threads) {
  const Index groups = (rows + row_group - 1) / row_group;
  const auto bound = [&](Index n) { return std::min(groups * n / threads * row_group, rows); };
  return {bound(thread), bound(thread + 1)};
}

} // namespace cnet
