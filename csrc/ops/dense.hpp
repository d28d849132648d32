#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

#include <limits>

namespace cnet::ops {

/// A block of out = epilogue(x · kernel + bias), where the epilogue is none or relu. The bias is padded to whole
/// panels, or null.
template <class T>
void dense_forward(PanelView<const T> x, PanelView<const T> kernel, const T* bias, kernels::Epilogue, Block,
                   PanelView<T> out);

/// Largest number of panels of a gradient that are computed at a time.
inline constexpr Index most_panels = next_panels(std::numeric_limits<Index>::max());

/// Number of elements of the buffer `transposed` of dense_backward_input.
template <class T> Index transposed_size(Index outputs) {
  return checked_product(panel_count<T>(outputs) * panel_width<T>, most_panels * panel_width<T>);
}

/// A block of out = grad · kernelᵀ. With relu_mask, out is zero where the mask is not positive: the gradient of a ReLU
/// whose output is this layer's input. The kernel is transposed a few rows at a time, into `transposed`: a permanent
/// transposed copy would have to be updated at every step.
template <class T>
void dense_backward_input(PanelView<const T> grad, PanelView<const T> kernel, const T* relu_mask, Block, T* transposed,
                          PanelView<T> out);

/// Up to three matrices in the layout of the kernel that are read next; unused entries are null.
template <class T> struct Prefetch {
  const T* data[3];
};

/// A block of xᵀ · grad, written to `out`, whose panels are `out_stride` apart. Prefetches the same block of the
/// matrices in `prefetch`.
template <class T>
void dense_backward_kernel(PanelView<const T> x, PanelView<const T> grad, Block, const Prefetch<T>& prefetch, T* out,
                           Index out_stride);

/// A block of kernel −= learning_rate · xᵀ · grad, for a batch of at most kernels::k_block_size rows.
template <class T>
void dense_fused_sgd(PanelView<const T> x, PanelView<const T> grad, Block, T learning_rate, PanelView<T> kernel);

/// Panels [first_panel, last_panel) of grad, summed over the rows.
template <class T> void dense_backward_bias(PanelView<const T> grad, Index first_panel, Index last_panel, T* out);

} // namespace cnet::ops
