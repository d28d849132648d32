#include "ops/pooling.hpp"

#include <array>

namespace cnet::ops {

namespace {

/// Calls f(first of the pooled rows, row of the result) for each sample and panel; both are offsets of lanes.
template <class T, class F> void for_each_result(Index pooled, PanelView<const T> out, RowRange samples, F f) {
  for (Index p = 0; p < out.panels(); ++p) {
    for (Index i = samples.first; i < samples.last; ++i) {
      const Index row = p * out.stride() + i * panel_width<T>;
      f(row * pooled, row);
    }
  }
}

} // namespace

template <class T> void pool(Pooling pooling, Index pooled, PanelView<const T> x, RowRange samples, PanelView<T> out) {
  constexpr Index width = panel_width<T>;
  for_each_result<T>(pooled, out, samples, [&](Index first, Index row) {
    T* y = out.data + row;
    for (Index lane = 0; lane < width; ++lane) y[lane] = x.data[first + lane];
    for (Index from = first + width; from < first + pooled * width; from += width) {
      for (Index lane = 0; lane < width; ++lane) {
        const T value = x.data[from + lane];
        if (pooling == Pooling::average) {
          y[lane] += value;
        } else {
          y[lane] = y[lane] >= value || y[lane] != y[lane] ? y[lane] : value; // NaN stays
        }
      }
    }
    if (pooling == Pooling::maximum) return;
    for (Index lane = 0; lane < width; ++lane) y[lane] /= static_cast<T>(pooled);
  });
}

template <class T>
void pool_backward(Pooling pooling, Index pooled, PanelView<const T> grad, PanelView<const T> x, PanelView<const T> y,
                   RowRange samples, PanelView<T> out) {
  constexpr Index width = panel_width<T>;
  for_each_result<T>(pooled, grad, samples, [&](Index first, Index row) {
    const Index end = first + pooled * width;
    const T* g = grad.data + row;
    std::array<T, width> counts;
    counts.fill(pooling == Pooling::average ? static_cast<T>(pooled) : T(0));
    const auto is_maximum = [&](Index from, Index lane) { return x.data[from + lane] == y.data[row + lane]; };
    for (Index from = first; from < end && pooling == Pooling::maximum; from += width) {
      for (Index lane = 0; lane < width; ++lane) counts[static_cast<std::size_t>(lane)] += is_maximum(from, lane);
    }
    for (Index from = first; from < end; from += width) {
      for (Index lane = 0; lane < width; ++lane) {
        const bool counts_here = pooling == Pooling::average || is_maximum(from, lane);
        out.data[from + lane] = counts_here ? g[lane] / counts[static_cast<std::size_t>(lane)] : T(0);
      }
    }
  });
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void pool(Pooling, Index, PanelView<const T>, RowRange, PanelView<T>);                                      \
  template void pool_backward(Pooling, Index, PanelView<const T>, PanelView<const T>, PanelView<const T>, RowRange,    \
                              PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
