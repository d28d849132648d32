#pragma once

#include "core/panels.hpp"

namespace cnet::ops {

// Global pooling: a sample's `pooled` rows become one. `samples` are rows of out.

enum class Pooling { average, maximum };

/// The rows are added in order, then divided by their number.
template <class T> void pool(Pooling, Index pooled, PanelView<const T> x, RowRange samples, PanelView<T> out);
/// The rows that have the maximum share its gradient equally, as in TensorFlow.
template <class T>
void pool_backward(Pooling, Index pooled, PanelView<const T> grad, PanelView<const T> x, PanelView<const T> y,
                   RowRange samples, PanelView<T> out);

} // namespace cnet::ops
