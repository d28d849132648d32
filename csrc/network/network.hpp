#pragma once

#include "ops/dense.hpp"
#include "ops/losses.hpp"
#include "ops/optimizers.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace cnet {

enum class LayerKind { dense, relu, softmax, rescaling };

template <class T> struct Layer {
  LayerKind kind;
  std::string name; ///< for messages
  Index outputs;

  // dense
  std::shared_ptr<ops::DenseParameters<T>> parameters = nullptr;
  ops::Activation activation = ops::Activation::linear;
  bool trainable = false;

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
  /// Becomes part of the dense layer before it, where there is one.
  void add_relu(std::string name);
  void add_softmax(std::string name);
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

/// What one batch of training needs: the input, each layer's output, and the loss's gradient with
/// respect to it (before its activation, where that is part of the layer).
template <class T> class Workspace {
public:
  Workspace() = default;
  Workspace(const Network<T>& network, Index capacity);

  Index capacity() const { return capacity_; }
  /// Output of layer l of the current batch; l = −1 is the input.
  PanelView<T> output(Index layer, Index rows) { return outputs_[static_cast<std::size_t>(layer + 1)].view(rows); }
  PanelView<T> gradient(Index layer, Index rows) { return gradients_[static_cast<std::size_t>(layer)].view(rows); }

private:
  Index capacity_ = 0;
  std::vector<PanelMatrix<T>> outputs_;
  std::vector<PanelMatrix<T>> gradients_;
};

/// What the optimizer keeps: steps taken, and numbers for each parameter of each layer, in the
/// parameters' own layout.
template <class T> struct Slots {
  Slots() = default;
  Slots(const Network<T>& network, int count);

  struct OfLayer {
    std::vector<AlignedBuffer<T>> kernel;
    std::vector<AlignedBuffer<T>> bias;
  };
  std::vector<OfLayer> layers;
  int count = 0;
  Index steps = 0;
};

/// A block of one layer's output; x and out may be the same but for dense layers. Layers that are not
/// dense take blocks of whole rows.
template <class T> void forward(const Layer<T>& layer, PanelView<const T> x, Block, PanelView<T> out);

/// The lowest layer that has something to train: gradients below it are not needed.
template <class T> Index lowest_trainable(const Network<T>&);

/// Takes the gradient of layer l's output through the activation that is part of the layer.
template <class T> void backward_activation(const Network<T>&, Workspace<T>&, Index l, Index batch, RowRange rows);

/// Given the gradient of layer l, a block of that of layer l − 1. Layers that are not dense take
/// blocks of whole rows. `scratch` has room for scratch_size() numbers.
template <class T> void backward(const Network<T>&, Workspace<T>&, Index l, Index batch, Block, T* scratch);
template <class T> Index scratch_size(const Network<T>&);

/// Takes a share of a step: each trainable layer's gradient from the workspace, at once applied by
/// the optimizer, never stored whole.
template <class T>
void update(const Network<T>&, Workspace<T>&, Index top, Index batch, const ops::Update<T>&, Slots<T>&, Share);

} // namespace cnet
