#include "ops/activations.hpp"

#include "kernels/table.hpp"

namespace cnet::ops {

namespace {

/// f(offset, size) for the stretch of memory that the rows take in each panel.
template <class T, class F> void each_stretch(PanelView<T> out, RowRange rows, F f) {
  for (Index p = 0; p < out.panels(); ++p) {
    f(p * out.stride() + rows.first * panel_width<T>, rows.count() * panel_width<T>);
  }
}

} // namespace

template <class T> void relu_forward(PanelView<const T> x, RowRange rows, PanelView<T> out) {
  each_stretch(out, rows, [&](Index offset, Index size) {
    kernels::table<T>().relu_forward(size, x.data + offset, out.data + offset);
  });
}

template <class T> void relu_backward(PanelView<const T> grad, PanelView<const T> x, RowRange rows, PanelView<T> out) {
  each_stretch(out, rows, [&](Index offset, Index size) {
    kernels::table<T>().relu_backward(size, grad.data + offset, x.data + offset, out.data + offset);
  });
}

template <class T> void rescaling_forward(PanelView<const T> x, T scale, T offset, RowRange rows, PanelView<T> out) {
  each_stretch(out, rows, [&](Index start, Index size) {
    kernels::table<T>().rescale(size, x.data + start, scale, offset, out.data + start);
  });
}

template <class T> void rescaling_backward(PanelView<const T> grad, T scale, RowRange rows, PanelView<T> out) {
  rescaling_forward(grad, scale, T(0), rows, out);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void relu_forward(PanelView<const T>, RowRange, PanelView<T>);                                              \
  template void relu_backward(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                         \
  template void rescaling_forward(PanelView<const T>, T, T, RowRange, PanelView<T>);                                   \
  template void rescaling_backward(PanelView<const T>, T, RowRange, PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
