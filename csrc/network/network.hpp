#pragma once

#include "core/access.hpp"
#include "network/layer.hpp"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace cnet {

/// Layers in order. Variables are shared with whoever else holds them: a layer may be part of several
/// networks.
template <class T> class Network {
public:
  explicit Network(Index inputs) : inputs_(inputs) {
    if (inputs < 1) throw std::invalid_argument("Network: expected at least one input");
  }

  void add_dense(std::string name, SharedVariable<T> kernel, SharedVariable<T> bias, bool trainable);
  /// Plain ReLU becomes part of the dense layer before it, where there is one.
  void add_activation(std::string name, const ops::Activation<T>& activation);
  void add_softmax(std::string name);
  void add_log_softmax(std::string name);
  /// As the first layer it becomes part of the reading of the data.
  void add_rescaling(std::string name, double scale, double offset);

  void add_dropout(std::string name, double rate, std::shared_ptr<ops::RandomState> random);
  void add_gaussian_noise(std::string name, double deviation, std::shared_ptr<ops::RandomState> random);
  /// gamma and beta may be null.
  void add_batch_normalization(std::string name, SharedVariable<T> gamma, SharedVariable<T> beta,
                               BatchNormalization<T> normalization, bool trainable);
  void add_layer_normalization(std::string name, SharedVariable<T> gamma, SharedVariable<T> beta, double epsilon,
                               bool trainable);
  /// A variable that no layer of this network computes with.
  void add_parameters(std::string name, SharedVariable<T> variable, bool trainable);

  Index inputs() const { return inputs_; }
  Index outputs() const { return layers_.empty() ? inputs_ : layers_.back().outputs; }
  const std::vector<Layer<T>>& layers() const { return layers_; }
  /// Of those who read its variables.
  Gate& gate() const { return *gate_; }
  bool ends_in_softmax() const { return !layers_.empty() && layers_.back().template is<Softmax>(); }

  T input_scale() const { return input_scale_; }
  T input_offset() const { return input_offset_; }

private:
  void add(std::string name, Index outputs, typename Layer<T>::Function function, SharedVariable<T> kernel = nullptr,
           SharedVariable<T> bias = nullptr, bool trainable = false);
  void expect_vector(const char* call, const SharedVariable<T>& variable) const;

  Index inputs_;
  T input_scale_ = 1;
  T input_offset_ = 0;
  bool rescales_input_ = false;
  std::vector<Layer<T>> layers_;
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

/// Multiply-adds of one sample's way through the network.
template <class T> double multiply_adds(const Network<T>&);

/// Says that a pass begins, for the layers that draw random numbers.
template <class T> void begin_random_steps(const Network<T>&);
/// Says how many batches of that pass have been learnt from.
template <class T> void count_random_steps(const Network<T>&, Index batches);

/// What batches of up to `capacity` rows need on so many threads: each layer's output, the loss's gradient
/// with respect to it (before its activation, where that is part of the layer), and what it keeps.
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
  std::vector<AlignedBuffer<T>> kept_;
  std::vector<AlignedBuffer<T>> scratch_;
};

/// A batch of `rows` rows as one thread sees it: the `number`th of a pass, from 0.
template <class T> class Batch {
public:
  Batch(const Network<T>& network, Workspace<T>& workspace, Index rows, int thread, Index number)
      : network_(network), workspace_(workspace), rows_(rows), number_(static_cast<std::uint64_t>(number)),
        thread_(static_cast<std::size_t>(thread)) {}

  Index rows() const { return rows_; }
  /// The output of a layer; layer −1's is the input.
  PanelView<T> output(Index layer) const { return layer < 0 ? input() : view(workspace_.outputs_, layer); }
  PanelView<T> gradient(Index layer) const { return view(workspace_.gradients_, layer); }
  Place<T> place(Index layer) const;
  /// Room for a transposed piece of any layer's kernel, the thread's own.
  T* scratch() const { return workspace_.scratch_[thread_].data(); }

private:
  PanelView<T> input() const { return workspace_.inputs_[workspace_.own_inputs() ? thread_ : 0].view(rows_); }
  PanelView<T> view(std::vector<PanelMatrix<T>>& matrices, Index layer) const {
    return matrices[static_cast<std::size_t>(layer)].view(rows_);
  }

  const Network<T>& network_;
  Workspace<T>& workspace_;
  Index rows_;
  std::uint64_t number_;
  std::size_t thread_;
};

/// The lowest layer that has something to train: gradients below it are not needed.
template <class T> Index lowest_trainable(const Network<T>&);

/// Takes the gradient of layer l's output through the activation that is part of the layer.
template <class T> void backward_activation(const Network<T>&, const Batch<T>&, Index l, Block);

/// Given the gradient of layer l, a block of that of layer l − 1.
template <class T> void backward(const Network<T>&, const Batch<T>&, Index l, Block);

} // namespace cnet
