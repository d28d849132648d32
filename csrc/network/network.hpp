#pragma once

#include "ops/activations.hpp"
#include "ops/dense.hpp"
#include "ops/losses.hpp"
#include "ops/optimizers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace cnet {

enum class LayerKind { dense, activation, softmax, log_softmax, rescaling };

template <class T> struct Layer {
  LayerKind kind;
  std::string name; ///< for messages
  Index outputs;

  // dense
  std::shared_ptr<ops::DenseParameters<T>> parameters = nullptr;
  kernels::Epilogue epilogue = kernels::Epilogue::none; ///< or relu
  bool trainable = false;

  ops::Activation<T> activation = {};

  // rescaling
  T scale = 1;
  T offset = 0;
};

/// Layers in order. Parameters are shared with whoever else holds them: a layer may be part of
/// several networks.
template <class T> class Network {
public:
  explicit Network(Index inputs) : inputs_(inputs) {
    if (inputs < 1) throw std::invalid_argument("Network: expected at least one input");
  }

  void add_dense(std::string name, std::shared_ptr<ops::DenseParameters<T>> parameters, bool trainable);
  /// Plain ReLU becomes part of the dense layer before it, where there is one.
  void add_activation(std::string name, const ops::Activation<T>& activation);
  void add_softmax(std::string name);
  void add_log_softmax(std::string name);
  /// As the first layer it becomes part of the reading of the data.
  void add_rescaling(std::string name, double scale, double offset);

  Index inputs() const { return inputs_; }
  Index outputs() const { return layers_.empty() ? inputs_ : layers_.back().outputs; }
  const std::vector<Layer<T>>& layers() const { return layers_; }
  bool ends_in_softmax() const { return !layers_.empty() && layers_.back().kind == LayerKind::softmax; }

  T input_scale() const { return input_scale_; }
  T input_offset() const { return input_offset_; }

private:
  Index inputs_;
  T input_scale_ = 1;
  T input_offset_ = 0;
  bool rescales_input_ = false;
  std::vector<Layer<T>> layers_;
};

/// Multiply-adds of one sample's way through the network.
template <class T> double multiply_adds(const Network<T>&);

/// What batches of up to `capacity` rows need on so many threads: each layer's output, and the loss's
/// gradient with respect to it (before its activation, where that is part of the layer).
template <class T> class Workspace {
public:
  Workspace() = default;
  /// Threads that read all of the input have a copy each, others share one.
  Workspace(const Network<T>& network, Index capacity, int threads, bool own_inputs);

  Index capacity() const { return capacity_; }
  std::size_t threads() const { return scratch_.size(); }
  bool own_inputs() const { return own_inputs_; }

private:
  template <class U> friend class Batch;
  Index capacity_ = 0;
  bool own_inputs_ = false;
  std::vector<PanelMatrix<T>> inputs_;
  std::vector<PanelMatrix<T>> outputs_;
  std::vector<PanelMatrix<T>> gradients_;
  std::vector<AlignedBuffer<T>> scratch_;
};

/// A batch of `rows` rows as one thread sees it.
template <class T> class Batch {
public:
  Batch(Workspace<T>& workspace, Index rows, int thread)
      : workspace_(workspace), rows_(rows), thread_(static_cast<std::size_t>(thread)) {}

  Index rows() const { return rows_; }
  /// The output of a layer; layer −1's is the input.
  PanelView<T> output(Index layer) const { return layer < 0 ? input() : view(workspace_.outputs_, layer); }
  PanelView<T> gradient(Index layer) const { return view(workspace_.gradients_, layer); }
  /// Room for a transposed piece of any layer's kernel, the thread's own.
  T* scratch() const { return workspace_.scratch_[thread_].data(); }

private:
  PanelView<T> input() const { return workspace_.inputs_[workspace_.own_inputs() ? thread_ : 0].view(rows_); }
  PanelView<T> view(std::vector<PanelMatrix<T>>& matrices, Index layer) const {
    return matrices[static_cast<std::size_t>(layer)].view(rows_);
  }

  Workspace<T>& workspace_;
  Index rows_;
  std::size_t thread_;
};

/// A block of one layer's output; x and out may be the same but for dense layers. Layers that are not
/// dense take blocks of whole rows.
template <class T> void forward(const Layer<T>& layer, PanelView<const T> x, Block, PanelView<T> out);

/// The lowest layer that has something to train: gradients below it are not needed.
template <class T> Index lowest_trainable(const Network<T>&);

/// Takes the gradient of layer l's output through the activation that is part of the layer.
template <class T> void backward_activation(const Network<T>&, const Batch<T>&, Index l, RowRange rows);

/// Given the gradient of layer l, a block of that of layer l − 1. Layers that are not dense take
/// blocks of whole rows.
template <class T> void backward(const Network<T>&, const Batch<T>&, Index l, Block);

} // namespace cnet
