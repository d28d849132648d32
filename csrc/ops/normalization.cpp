#include "ops/normalization.hpp"

#include "ops/kernel_rows.hpp"

#include <array>

namespace cnet::ops {

namespace {

template <class T> const T* panel_of(const T* row, Index panel) {
  return row ? row + panel * panel_width<T> : nullptr;
}

template <class T> kernels::Standardized<T> standardized(PanelView<const T> x, Moments<const T> moments, Block block) {
  return {block.last - block.first,
          block.last_panel - block.first_panel,
          x.panel(block.first_panel) + block.first * panel_width<T>,
          x.stride(),
          panel_of(moments.mean, block.first_panel),
          panel_of(moments.inverse, block.first_panel)};
}

template <class T> Block some_panels(PanelView<const T> x, Index first, Index last) {
  return {0, x.rows, first, last};
}

} // namespace

template <class T>
void standardize(PanelView<const T> x, const T* mean, const T* variance, T epsilon, Affine<T> affine, Block block,
                 PanelView<T> out) {
  const auto& table = kernels::table<T>();
  alignas(cache_line) std::array<T, panel_width<T>> inverse;
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    table.inverse_deviation(panel_width<T>, panel_of(variance, p), epsilon, inverse.data());
    auto task = standardized<T>(x, {mean, nullptr}, {block.first, block.last, p, p + 1});
    task.inverse = inverse.data();
    table.standardize(task, panel_of(affine.gamma, p), panel_of(affine.beta, p),
                      out.panel(p) + block.first * panel_width<T>, 0);
  }
}

template <class T>
void standardize_backward(PanelView<const T> grad, const T* variance, T epsilon, const T* gamma, Block block,
                          PanelView<T> out) {
  const auto& table = kernels::table<T>();
  alignas(cache_line) std::array<T, panel_width<T>> inverse;
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    table.inverse_deviation(panel_width<T>, panel_of(variance, p), epsilon, inverse.data());
    const Index first = block.first * panel_width<T>;
    table.scale_columns(block.last - block.first, 1, grad.panel(p) + first, 0, inverse.data(), panel_of(gamma, p),
                        out.panel(p) + first, 0);
  }
}

template <class T>
void batch_normalization_forward(PanelView<const T> x, T epsilon, Affine<T> affine, Block block, Moments<T> moments,
                                 T* variance, PanelView<T> out) {
  const auto& table = kernels::table<T>();
  const Index at = block.first_panel * panel_width<T>, panels = block.last_panel - block.first_panel;
  table.column_moments(x.rows, panels, x.panel(block.first_panel), x.stride(), moments.mean + at, variance + at);
  table.inverse_deviation(panels * panel_width<T>, variance + at, epsilon, moments.inverse + at);
  table.standardize(standardized<T>(x, moments, block), panel_of(affine.gamma, block.first_panel),
                    panel_of(affine.beta, block.first_panel), out.panel(block.first_panel), out.stride());
}

template <class T>
void batch_normalization_backward(PanelView<const T> grad, PanelView<const T> x, Moments<const T> moments,
                                  const T* gamma, Block block, PanelView<T> out) {
  kernels::table<T>().standardize_backward(standardized(x, moments, block), grad.panel(block.first_panel),
                                           grad.stride(), panel_of(gamma, block.first_panel),
                                           out.panel(block.first_panel), out.stride());
}

template <class T>
void batch_normalization_gradient(PanelView<const T> grad, PanelView<const T> x, Moments<const T> moments,
                                  Index first_panel, Index last_panel, T* out) {
  kernels::table<T>().standardized_gradient(standardized(x, moments, some_panels(x, first_panel, last_panel)),
                                            grad.panel(first_panel), grad.stride(), out);
}

template <class T>
void layer_normalization_forward(PanelView<const T> x, T epsilon, Affine<T> affine, RowRange rows, Moments<T> moments,
                                 PanelView<T> out) {
  kernels::table<T>().standardize_rows(kernel_rows(x, rows), epsilon, affine.gamma, affine.beta, moments.mean,
                                       moments.inverse, out.row(rows.first), out.stride());
}

template <class T>
void layer_normalization_backward(PanelView<const T> grad, PanelView<const T> x, Moments<const T> moments,
                                  const T* gamma, RowRange rows, PanelView<T> out) {
  kernels::table<T>().standardize_rows_backward(kernel_rows(x, rows), moments.mean, moments.inverse,
                                                grad.row(rows.first), grad.stride(), gamma, out.row(rows.first),
                                                out.stride());
}

template <class T>
void layer_normalization_gradient(PanelView<const T> grad, PanelView<const T> x, Moments<const T> moments,
                                  Index first_panel, Index last_panel, T* out) {
  kernels::table<T>().standardized_rows_gradient(x.rows, last_panel - first_panel, x.panel(first_panel), x.stride(),
                                                 moments.mean, moments.inverse, grad.panel(first_panel), grad.stride(),
                                                 out);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void standardize(PanelView<const T>, const T*, const T*, T, Affine<T>, Block, PanelView<T>);                \
  template void standardize_backward(PanelView<const T>, const T*, T, const T*, Block, PanelView<T>);                  \
  template void batch_normalization_forward(PanelView<const T>, T, Affine<T>, Block, Moments<T>, T*, PanelView<T>);    \
  template void batch_normalization_backward(PanelView<const T>, PanelView<const T>, Moments<const T>, const T*,       \
                                             Block, PanelView<T>);                                                     \
  template void batch_normalization_gradient(PanelView<const T>, PanelView<const T>, Moments<const T>, Index, Index,   \
                                             T*);                                                                      \
  template void layer_normalization_forward(PanelView<const T>, T, Affine<T>, RowRange, Moments<T>, PanelView<T>);     \
  template void layer_normalization_backward(PanelView<const T>, PanelView<const T>, Moments<const T>, const T*,       \
                                             RowRange, PanelView<T>);                                                  \
  template void layer_normalization_gradient(PanelView<const T>, PanelView<const T>, Moments<const T>, Index, Index,   \
                                             T*);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
