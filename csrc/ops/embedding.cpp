#include "ops/embedding.hpp"

#include "kernels/table.hpp"

#include <algorithm>
#include <array>

namespace cnet::ops {

namespace {

constexpr int row_bits = 32;

Index id_of(std::uint64_t entry) {
  return static_cast<Index>(entry >> row_bits);
}
Index row_of(std::uint64_t entry) {
  return static_cast<Index>(entry & ((std::uint64_t(1) << row_bits) - 1));
}

/// The end of the entries of the id that begins at `first`.
std::size_t end_of_id(const SortedIds& sorted, std::size_t first) {
  std::size_t end = first;
  while (end < sorted.size() && id_of(sorted[end]) == id_of(sorted[first])) ++end;
  return end;
}

template <class T> using Lanes = std::array<T, panel_width<T>>;

template <class T> void add(const T* x, Lanes<T>& sum) {
  for (std::size_t lane = 0; lane < sum.size(); ++lane) sum[lane] += x[lane];
}

/// The sum of the rows of a panel that the entries [first, last) name.
template <class T> Lanes<T> sum_rows(const T* panel, const SortedIds& sorted, std::size_t first, std::size_t last) {
  alignas(cache_line) Lanes<T> total{}, block{};
  Index number = row_of(sorted[first]) / kernels::k_block_size;
  for (std::size_t n = first; n < last; ++n) {
    const Index row = row_of(sorted[n]);
    if (row / kernels::k_block_size != number) {
      number = row / kernels::k_block_size;
      add(block.data(), total);
      block = {};
    }
    add(panel + row * panel_width<T>, block);
  }
  add(block.data(), total);
  return total;
}

} // namespace

template <class T> void embedding_forward(PanelView<const T> table, const Index* ids, RowRange rows, PanelView<T> out) {
  for (Index p = 0; p < out.panels(); ++p) {
    const T* from = table.panel(p);
    T* to = out.panel(p);
    for (Index i = rows.first; i < rows.last; ++i) {
      std::copy_n(from + ids[i] * panel_width<T>, panel_width<T>, to + i * panel_width<T>);
    }
  }
}

void sort_ids(const Index* ids, Index rows, SortedIds& sorted) {
  sorted.resize(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) {
    sorted[static_cast<std::size_t>(i)] =
        static_cast<std::uint64_t>(ids[i]) << row_bits | static_cast<std::uint64_t>(i);
  }
  std::sort(sorted.begin(), sorted.end());
}

template <class T>
void embedding_backward(PanelView<const T> grad, const SortedIds& sorted, Block block, T* out, Index stride) {
  const auto begin =
      std::lower_bound(sorted.begin(), sorted.end(), static_cast<std::uint64_t>(block.first) << row_bits);
  for (Index p = block.first_panel; p < block.last_panel; ++p, out += stride) {
    std::fill_n(out, (block.last - block.first) * panel_width<T>, T(0));
    for (auto n = static_cast<std::size_t>(begin - sorted.begin()); n < sorted.size();) {
      const Index id = id_of(sorted[n]);
      if (id >= block.last) break;
      const std::size_t end = end_of_id(sorted, n);
      const Lanes<T> sum = sum_rows(grad.panel(p), sorted, n, end);
      std::copy(sum.begin(), sum.end(), out + (id - block.first) * panel_width<T>);
      n = end;
    }
  }
}

template <class T>
void embedding_fused_sgd(PanelView<const T> grad, const SortedIds& sorted, Index first, Index last, T learning_rate,
                         PanelView<T> table) {
  auto n = static_cast<std::size_t>(first);
  while (n > 0 && n < static_cast<std::size_t>(last) && id_of(sorted[n]) == id_of(sorted[n - 1])) ++n;
  while (n < static_cast<std::size_t>(last)) {
    const std::size_t end = end_of_id(sorted, n);
    for (Index p = 0; p < grad.panels(); ++p) {
      alignas(cache_line) const Lanes<T> sum = sum_rows(grad.panel(p), sorted, n, end);
      kernels::Step<T> step{};
      step.size = panel_width<T>;
      step.param = table.panel(p) + id_of(sorted[n]) * panel_width<T>;
      step.grad = sum.data();
      step.learning_rate = learning_rate;
      kernels::table<T>().sgd_update(step);
    }
    n = end;
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void embedding_forward(PanelView<const T>, const Index*, RowRange, PanelView<T>);                           \
  template void embedding_backward(PanelView<const T>, const SortedIds&, Block, T*, Index);                            \
  template void embedding_fused_sgd(PanelView<const T>, const SortedIds&, Index, Index, T, PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
