#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

namespace cnet::ops {

// Each function works on the given rows, padding included; `out` may be an input.

/// An activation function with its parameters.
template <class T> struct Activation {
  kernels::Activation function = kernels::Activation::relu;
  kernels::ActivationParameters<T> parameters;

  /// max(x, 0), which a dense layer can apply as its epilogue.
  bool is_plain_relu() const;
};

template <class T> void activation_forward(const Activation<T>&, PanelView<const T> x, RowRange rows, PanelView<T> out);
/// grad · f′(x), where y = f(x).
template <class T>
void activation_backward(const Activation<T>&, PanelView<const T> grad, PanelView<const T> x, PanelView<const T> y,
                         RowRange rows, PanelView<T> out);

/// x · scale + offset, rounded once.
template <class T> void rescaling_forward(PanelView<const T> x, T scale, T offset, RowRange rows, PanelView<T> out);
template <class T> void rescaling_backward(PanelView<const T> grad, T scale, RowRange rows, PanelView<T> out);

} // namespace cnet::ops
