#include "ops/embedding.hpp"

#include "kernels/table.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace cnet::ops {

namespace {

/// Counts of a digit's values stay in the first-level cache.
constexpr int most_digit_bits = 11;

template <class T>
kernels::RowSums<T> row_sums(PanelView<const T> grad, const RowsOfIds& grouped, Index first, Index last) {
  kernels::RowSums<T> task{};
  task.first = first;
  task.last = last;
  task.starts = grouped.starts.data();
  task.rows = grouped.rows.data();
  task.panels = grad.panels();
  task.x = grad.data;
  task.x_stride = grad.stride();
  task.to_rows = grouped.ids.data();
  return task;
}

/// The bits [first, last) of ids.
struct Digit {
  int first;
  int last;
  std::size_t of(Index id) const {
    return static_cast<std::size_t>(id >> first) & ((std::size_t(1) << (last - first)) - 1);
  }
};

/// Sorts rows by a digit of their ids; rows of the same digit stay in order.
void sort_by_digit(const Index* ids, Digit digit, const std::vector<std::uint32_t>& rows,
                   std::vector<std::uint32_t>& sorted) {
  std::vector<std::uint32_t> next(std::size_t(1) << (digit.last - digit.first));
  for (const std::uint32_t row : rows) ++next[digit.of(ids[row])];
  std::exclusive_scan(next.begin(), next.end(), next.begin(), 0U);
  for (const std::uint32_t row : rows) sorted[next[digit.of(ids[row])]++] = row;
}

} // namespace

template <class T> void embedding_forward(PanelView<const T> table, const Index* ids, RowRange rows, PanelView<T> out) {
  for (Index p = 0; p < out.panels(); ++p) {
    const T* from = table.panel(p);
    T* to = out.panel(p);
    for (Index i = rows.first; i < rows.last; ++i) {
      copy_lanes(from + ids[i] * panel_width<T>, panel_width<T>, to + i * panel_width<T>);
    }
  }
}

void group_rows(const Index* ids, Index rows, RowsOfIds& grouped) {
  grouped.rows.resize(static_cast<std::size_t>(rows));
  std::iota(grouped.rows.begin(), grouped.rows.end(), 0U);
  const Index largest = rows == 0 ? 0 : *std::max_element(ids, ids + rows);
  std::vector<std::uint32_t> sorted(grouped.rows.size());
  int bits = 0;
  while (largest >> bits > 0) ++bits;
  const int digits = (bits + most_digit_bits - 1) / most_digit_bits;
  for (int n = 0; n < digits; ++n) {
    sort_by_digit(ids, {n * bits / digits, (n + 1) * bits / digits}, grouped.rows, sorted);
    std::swap(grouped.rows, sorted);
  }
  const std::size_t size = grouped.rows.size();
  grouped.ids.resize(size);
  grouped.starts.resize(size + 1);
  std::size_t count = 0; // of distinct ids
  for (std::size_t i = 0; i < size; ++i) {
    const auto id = static_cast<std::uint32_t>(ids[grouped.rows[i]]);
    // Without a branch, which the CPU could not predict: the next id overwrites one that is not new.
    const bool is_new = i == 0 || id != grouped.ids[count - 1];
    grouped.ids[count] = id;
    grouped.starts[count] = static_cast<std::uint32_t>(i);
    count += is_new;
  }
  grouped.ids.resize(count);
  grouped.starts.resize(count + 1);
  grouped.starts[count] = static_cast<std::uint32_t>(size);
}

template <class T>
void embedding_backward(PanelView<const T> grad, const RowsOfIds& grouped, Block block, T* out, Index stride) {
  const auto number_of = [&](Index id) {
    return std::lower_bound(grouped.ids.begin(), grouped.ids.end(), id) - grouped.ids.begin();
  };
  for (Index p = 0; p < block.last_panel - block.first_panel; ++p) {
    std::fill_n(out + p * stride, (block.last - block.first) * panel_width<T>, T(0));
  }
  const PanelView<const T> some = panels_of(grad, block.first_panel, block.last_panel);
  kernels::RowSums<T> task = row_sums(some, grouped, number_of(block.first), number_of(block.last));
  task.out = out;
  task.first_row = block.first;
  task.out_stride = stride;
  kernels::table<T>().row_sums(task);
}

template <class T>
void embedding_fused_sgd(PanelView<const T> grad, const RowsOfIds& grouped, Index first, Index last, T learning_rate,
                         PanelView<T> table) {
  const auto number_of = [&](Index start) {
    return std::lower_bound(grouped.starts.begin(), grouped.starts.end() - 1, start) - grouped.starts.begin();
  };
  kernels::RowSums<T> task = row_sums(grad, grouped, number_of(first), number_of(last));
  task.out = table.data;
  task.out_stride = table.stride();
  task.fused_sgd = true;
  task.minus_learning_rate = -learning_rate;
  kernels::table<T>().row_sums(task);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void embedding_forward(PanelView<const T>, const Index*, RowRange, PanelView<T>);                           \
  template void embedding_backward(PanelView<const T>, const RowsOfIds&, Block, T*, Index);                            \
  template void embedding_fused_sgd(PanelView<const T>, const RowsOfIds&, Index, Index, T, PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
