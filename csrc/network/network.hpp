#pragma once

#include "core/locks.hpp"
#include "network/layer.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace cnet {

/// A sequence of layers. Variables are shared pointers, because a layer may be part of several networks.
template <class T> class Network {
public:
  explicit Network(Index inputs) : inputs_(inputs) {
    if (inputs < 1) throw std::invalid_argument("Network: expected at least one input");
  }

  void add_dense(std::string name, SharedVariable<T> kernel, SharedVariable<T> bias, bool trainable);
  /// Fuses a plain ReLU into a dense layer before it.
  void add_activation(std::string name, const ops::Activation<T>& activation);
  void add_softmax(std::string name);
  void add_log_softmax(std::string name);
  /// As the first layer it is applied while data are gathered: see input_scale().
  void add_rescaling(std::string name, double scale, double offset);

  void add_dropout(std::string name, double rate, std::shared_ptr<ops::RandomState> random);
  void add_gaussian_noise(std::string name, double deviation, std::shared_ptr<ops::RandomState> random);
  /// gamma and beta may be null.
  void add_batch_normalization(std::string name, SharedVariable<T> gamma, SharedVariable<T> beta,
                               BatchNormalization<T> normalization, bool trainable);
  void add_layer_normalization(std::string name, SharedVariable<T> gamma, SharedVariable<T> beta, double epsilon,
                               bool trainable);
  /// Adds a variable that the network does not compute with: see Parameters.
  void add_parameters(std::string name, SharedVariable<T> variable, bool trainable);

  Index inputs() const { return inputs_; }
  Index outputs() const { return layers_.empty() ? inputs_ : layers_.back().outputs; }
  const std::vector<Layer<T>>& layers() const { return layers_; }
  ReaderCount& reader_count() const { return *reader_count_; }
  bool ends_in_softmax() const { return !layers_.empty() && layers_.back().template is<Softmax>(); }

  // The network's input is data · scale + offset.
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
  std::shared_ptr<ReaderCount> reader_count_ = std::make_shared<ReaderCount>();
};

/// Number of multiply-adds of a forward pass of one sample.
template <class T> double multiply_adds(const Network<T>&);

/// Starts a run: batch n of it draws the random numbers of step `steps + n`.
template <class T> void begin_random_steps(const Network<T>&);
/// Sets the number of steps to those before the run plus `batches`.
template <class T> void set_random_steps(const Network<T>&, Index batches);

/// Index of the first layer with trainable variables: gradients of earlier layers are not needed.
template <class T> Index first_trainable_layer(const Network<T>&);

/// Takes a block of the gradient of a layer's output through the layer's fused ReLU, if it has one.
template <class T> void backward_fused_relu(const Layer<T>&, PanelView<T> out, PanelView<T> grad, Block);

/// Computes a block of the gradient of layer l's input, and takes it through a ReLU fused into layer l − 1.
template <class T> void backward(const Network<T>&, Index l, const LayerView<T>&, Block);

} // namespace cnet
