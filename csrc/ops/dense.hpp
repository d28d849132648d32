#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

#include <limits>

namespace cnet::ops {

/// A block of out = x · kernel + bias, the epilogue applied on the way: none or relu. The bias is padded
/// to whole panels, or null.
template <class T>
void dense_forward(PanelView<const T> x, PanelView<const T> kernel, const T* bias, kernels::Epilogue, Block,
                   PanelView<T> out);

/// Panels of a gradient that are made at a time.
inline constexpr Index most_panels = next_panels(std::numeric_limits<Index>::max());

/// Numbers that dense_backward_input needs room for, for a layer of so many outputs.
template <class T> Index transposed_size(Index outputs) {
  return checked_product(panel_count<T>(outputs) * panel_width<T>, most_panels * panel_width<T>);
}

/// A block of out = grad · kernelᵀ; with a gate, zero where the gate is not positive: the gradient of
/// a ReLU that made this layer's inputs. The kernel is transposed on the way, a few of its rows at a
/// time, into `transposed`: a second copy that is kept would have to be written at every step.
template <class T>
void dense_backward_input(PanelView<const T> grad, PanelView<const T> kernel, const T* gate, Block, T* transposed,
                          PanelView<T> out);

/// What is laid out as a kernel and will be read next, up to three of it.
template <class T> struct Ahead {
  const T* data[3];
};

/// A block of xᵀ · grad, written to out, its panels `out_stride` apart; the same block of what lies
/// ahead is prefetched.
template <class T>
void dense_backward_kernel(PanelView<const T> x, PanelView<const T> grad, Block, const Ahead<T>& ahead, T* out,
                           Index out_stride);

/// A block of kernel −= learning_rate · xᵀ · grad, of a batch that makes a single chain.
template <class T>
void dense_descend(PanelView<const T> x, PanelView<const T> grad, Block, T learning_rate, PanelView<T> kernel);

/// Panels [first_panel, last_panel) of grad summed over its rows.
template <class T> void dense_backward_bias(PanelView<const T> grad, Index first_panel, Index last_panel, T* out);

} // namespace cnet::ops
