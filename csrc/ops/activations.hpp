#pragma once

#include "core/panels.hpp"

namespace cnet::ops {

/// Each works on the rows given, padding included; `out` may be the input.

/// max(x, 0); NaN stays.
template <class T> void relu_forward(PanelView<const T> x, RowRange rows, PanelView<T> out);
/// grad where x > 0, else 0.
template <class T> void relu_backward(PanelView<const T> grad, PanelView<const T> x, RowRange rows, PanelView<T> out);

/// x · scale + offset, rounded once.
template <class T> void rescaling_forward(PanelView<const T> x, T scale, T offset, RowRange rows, PanelView<T> out);
template <class T> void rescaling_backward(PanelView<const T> grad, T scale, RowRange rows, PanelView<T> out);

} // namespace cnet::ops
