#include "ops/merging.hpp"

#include <algorithm>
#include <array>

namespace cnet::ops {

namespace {

/// Calls f(panel of `wide`, its first lane, panel of `narrow`, its first lane, number of lanes) for the columns of a
/// narrow matrix in a wide one, from column `first` on.
template <class T, class F> void for_each_part(Index first, Index columns, F f) {
  constexpr Index width = panel_width<T>;
  for (Index column = 0; column < columns;) {
    const Index wide = first + column;
    const Index count = std::min({width - wide % width, width - column % width, columns - column});
    f(wide / width, wide % width, column / width, column % width, count);
    column += count;
  }
}

/// Copies some lanes of each row of a panel to lanes of another.
template <class T> void copy_columns(const T* from, Index count, RowRange rows, T* to) {
  constexpr Index width = panel_width<T>;
  with_lane_count<T>(count, [&](auto lanes) {
    for (Index i = rows.first * width; i < rows.last * width; i += width) copy_lanes(from + i, lanes, to + i);
  });
}

} // namespace

template <class T> void merge(Merge kind, PanelView<const T> x, PanelView<const T> y, RowRange rows, PanelView<T> out) {
  const auto kernel = kernels::table<T>().merge[static_cast<int>(kind)];
  for (Index p = 0; p < out.panels(); ++p) {
    const Index at = p * out.stride() + rows.first * panel_width<T>;
    kernel(rows.count() * panel_width<T>, x.data + at, y.data + at, out.data + at);
  }
}

template <class T>
void merge_backward(Merge kind, std::size_t operand, PanelView<const T> grad, PanelView<const T> x,
                    PanelView<const T> y, RowRange rows, PanelView<T> out) {
  const auto kernel = kernels::table<T>().merge_backward[static_cast<int>(kind)][operand];
  for (Index p = 0; p < out.panels(); ++p) {
    const Index at = p * out.stride() + rows.first * panel_width<T>;
    kernel(rows.count() * panel_width<T>, grad.data + at, x.data + at, y.data + at, out.data + at);
  }
}

template <class T> void dot(PanelView<const T> x, PanelView<const T> y, RowRange rows, PanelView<T> out) {
  constexpr Index some = 64;
  std::array<T, some> products;
  for (Index first = rows.first; first < rows.last; first += some) {
    const Index count = std::min(some, rows.last - first);
    kernels::table<T>().dot({count, x.columns, x.row(first), x.stride()}, y.row(first), y.stride(), products.data());
    for (Index i = 0; i < count; ++i) *out.row(first + i) = products[static_cast<std::size_t>(i)];
  }
}

template <class T>
void dot_backward(PanelView<const T> grad, PanelView<const T> other, RowRange rows, PanelView<T> out) {
  for (Index p = 0; p < out.panels(); ++p) {
    for (Index i = rows.first; i < rows.last; ++i) {
      const T* from = other.panel(p) + i * panel_width<T>;
      T* to = out.panel(p) + i * panel_width<T>;
      std::transform(from, from + panel_width<T>, to, [g = *grad.row(i)](T value) { return g * value; });
    }
  }
}

template <class T> void write_columns(PanelView<const T> x, Index first, RowRange rows, PanelView<T> out) {
  for_each_part<T>(first, x.columns, [&](Index panel, Index lane, Index from_panel, Index from_lane, Index count) {
    copy_columns(x.panel(from_panel) + from_lane, count, rows, out.panel(panel) + lane);
  });
}

template <class T> void read_columns(PanelView<const T> x, Index first, RowRange rows, PanelView<T> out) {
  for_each_part<T>(first, out.columns, [&](Index panel, Index lane, Index to_panel, Index to_lane, Index count) {
    copy_columns(x.panel(panel) + lane, count, rows, out.panel(to_panel) + to_lane);
  });
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void merge(Merge, PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                          \
  template void merge_backward(Merge, std::size_t, PanelView<const T>, PanelView<const T>, PanelView<const T>,         \
                               RowRange, PanelView<T>);                                                                \
  template void dot(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                                   \
  template void dot_backward(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                          \
  template void write_columns(PanelView<const T>, Index, RowRange, PanelView<T>);                                      \
  template void read_columns(PanelView<const T>, Index, RowRange, PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
