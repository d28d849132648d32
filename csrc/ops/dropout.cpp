#include "ops/dropout.hpp"

#include "kernels/table.hpp"

#include <algorithm>
#include <cmath>

namespace cnet::ops {

namespace {

kernels::Draw draw(RandomStep random, RowRange rows, Index columns) {
  const auto low = [](std::uint64_t x) { return static_cast<unsigned>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<unsigned>(x >> 32); };
  return {
      {low(random.seed), high(random.seed)}, {low(random.step), high(random.step)}, rows.first, rows.count(), columns};
}

} // namespace

template <class T>
void dropout_forward(PanelView<const T> x, double rate, RandomStep random, RowRange rows, PanelView<T> mask,
                     PanelView<T> out) {
  // If all elements are dropped, no threshold is high enough, but the mask is zero anyway.
  const bool drops_all = rate >= 1;
  const auto threshold = drops_all ? 0u : static_cast<unsigned>(std::llrint(std::min(rate * 0x1p32, 0x1p32 - 1)));
  const T scale = drops_all ? T(0) : static_cast<T>(1 / (1 - rate));
  kernels::table<T>().dropout(draw(random, rows, x.columns), threshold, scale, x.row(rows.first), mask.row(rows.first),
                              out.row(rows.first), out.stride());
}

template <class T>
void dropout_backward(PanelView<const T> grad, PanelView<const T> mask, RowRange rows, PanelView<T> out) {
  for (Index p = 0; p < out.panels(); ++p) {
    const Index at = p * out.stride() + rows.first * panel_width<T>;
    kernels::table<T>().mask(rows.count() * panel_width<T>, grad.data + at, mask.data + at, out.data + at);
  }
}

template <class T>
void add_noise(PanelView<const T> x, double deviation, RandomStep random, RowRange rows, PanelView<T> out) {
  kernels::table<T>().add_noise(draw(random, rows, x.columns), static_cast<T>(deviation), x.row(rows.first),
                                out.row(rows.first), out.stride());
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void dropout_forward(PanelView<const T>, double, RandomStep, RowRange, PanelView<T>, PanelView<T>);         \
  template void dropout_backward(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                      \
  template void add_noise(PanelView<const T>, double, RandomStep, RowRange, PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
