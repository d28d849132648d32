#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

#include <atomic>
#include <mutex>

namespace cnet::ops {

/// Writes a block of `from` to its place in the transpose: to[j, i] = from[i, j].
template <class T> void transpose(PanelView<const T> from, Block block, PanelView<T> to);

/// Kernel (inputs × outputs) and bias of a dense layer, in the layout that the products read.
template <class T> class DenseParameters {
public:
  DenseParameters(Index inputs, Index outputs, bool use_bias);

  Index inputs() const { return kernel_.rows(); }
  Index outputs() const { return kernel_.columns(); }
  bool use_bias() const { return use_bias_; }

  PanelView<T> kernel() { return kernel_.view(); }
  void set_kernel(MatrixView<const T> kernel);
  PanelView<const T> kernel() const { return kernel_.view(); }
  T* bias() { return bias_.data(); } ///< padded to whole panels; zeros without a bias
  const T* bias() const { return bias_.data(); }

  /// The kernel's transpose (outputs × inputs), which the gradient of the inputs reads. Kept beside
  /// the kernel from its first use on: an update writes both.
  PanelView<const T> transposed();
  /// To be called after training has changed a part of the kernel.
  void kernel_changed(Block);

  /// Taken by whoever trains: a layer may be part of several models.
  std::atomic_flag in_training = ATOMIC_FLAG_INIT;

private:
  PanelMatrix<T> kernel_;
  PanelMatrix<T> transposed_; ///< empty until it is needed
  std::mutex setting_;        ///< of the kernel as a whole, against the transpose being made
  AlignedBuffer<T> bias_;
  bool use_bias_;
};

enum class Activation { linear, relu };

/// out = activation(x · kernel + bias) for the rows given.
template <class T>
void dense_forward(PanelView<const T> x, const DenseParameters<T>& parameters, Activation, RowRange rows,
                   PanelView<T> out);

/// out = grad · kernelᵀ for the rows given; with a gate, zero where the gate is not positive: the
/// gradient of a ReLU that made this layer's inputs.
template <class T>
void dense_backward_input(PanelView<const T> grad, PanelView<const T> transposed, const T* gate, RowRange rows,
                          PanelView<T> out);

/// A block of xᵀ · grad, written to out panel after panel.
template <class T> void dense_backward_kernel(PanelView<const T> x, PanelView<const T> grad, Block, T* out);

/// Panels [first_panel, last_panel) of grad summed over its rows.
template <class T> void dense_backward_bias(PanelView<const T> grad, Index first_panel, Index last_panel, T* out);

} // namespace cnet::ops
