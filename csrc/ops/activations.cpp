#include "ops/activations.hpp"

#include <limits>

namespace cnet::ops {

namespace {

/// f(offset, size) for the contiguous elements of the rows in each panel.
template <class T, class F> void each_panel_range(PanelView<T> out, RowRange rows, F f) {
  for (Index p = 0; p < out.panels(); ++p) {
    f(p * out.stride() + rows.first * panel_width<T>, rows.count() * panel_width<T>);
  }
}

} // namespace

template <class T> bool Activation<T>::is_plain_relu() const {
  return function == kernels::Activation::relu && parameters.negative_slope == 0 && parameters.threshold == 0 &&
         parameters.max_value == std::numeric_limits<T>::infinity();
}

template <class T>
void activation_forward(const Activation<T>& activation, PanelView<const T> x, RowRange rows, PanelView<T> out) {
  const auto kernel = kernels::table<T>().activation_forward[static_cast<int>(activation.function)];
  each_panel_range(out, rows, [&](Index offset, Index size) {
    kernel(size, activation.parameters, x.data + offset, out.data + offset);
  });
}

template <class T>
void activation_backward(const Activation<T>& activation, PanelView<const T> grad, PanelView<const T> x,
                         PanelView<const T> y, RowRange rows, PanelView<T> out) {
  const auto kernel = kernels::table<T>().activation_backward[static_cast<int>(activation.function)];
  each_panel_range(out, rows, [&](Index offset, Index size) {
    kernel(size, activation.parameters, grad.data + offset, x.data + offset, y.data + offset, out.data + offset);
  });
}

template <class T> void rescaling_forward(PanelView<const T> x, T scale, T offset, RowRange rows, PanelView<T> out) {
  each_panel_range(out, rows, [&](Index start, Index size) {
    kernels::table<T>().rescale(size, x.data + start, scale, offset, out.data + start);
  });
}

template <class T> void rescaling_backward(PanelView<const T> grad, T scale, RowRange rows, PanelView<T> out) {
  rescaling_forward(grad, scale, T(0), rows, out);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template struct Activation<T>;                                                                                       \
  template void activation_forward(const Activation<T>&, PanelView<const T>, RowRange, PanelView<T>);                  \
  template void activation_backward(const Activation<T>&, PanelView<const T>, PanelView<const T>, PanelView<const T>,  \
                                    RowRange, PanelView<T>);                                                           \
  template void rescaling_forward(PanelView<const T>, T, T, RowRange, PanelView<T>);                                   \
  template void rescaling_backward(PanelView<const T>, T, RowRange, PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
