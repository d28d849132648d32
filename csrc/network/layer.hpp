#pragma once

#include "ops/activations.hpp"
#include "ops/dense.hpp"
#include "ops/dropout.hpp"
#include "ops/losses.hpp"
#include "ops/normalization.hpp"
#include "ops/variable.hpp"

#include <array>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace cnet {

using ops::Variable;
template <class T> using SharedVariable = std::shared_ptr<Variable<T>>;

// The functions of layers. Their kernel and bias are in Layer::variables.

struct Dense {
  kernels::Epilogue epilogue = kernels::Epilogue::none; ///< or a fused relu
};
struct Softmax {};
struct LogSoftmax {};
template <class T> struct Rescaling {
  T scale;
  T offset;
};
struct Dropout {
  double rate;
  std::shared_ptr<ops::RandomState> random;
};
struct GaussianNoise {
  double deviation;
  std::shared_ptr<ops::RandomState> random;
};
/// Normalizes columns by the batch's moments if the layer is trainable, otherwise by the moving ones.
template <class T> struct BatchNormalization {
  SharedVariable<T> mean;
  SharedVariable<T> variance;
  double momentum; ///< moving = momentum · moving + (1 − momentum) · batch
  double epsilon;
};
struct LayerNormalization {
  double epsilon;
};
/// The identity: an optimizer updates the variables, which are used outside of the network.
struct Parameters {};

template <class T> struct Layer {
  using Function = std::variant<Dense, ops::Activation<T>, Softmax, LogSoftmax, Rescaling<T>, Dropout, GaussianNoise,
                                BatchNormalization<T>, LayerNormalization, Parameters>;

  std::string name; ///< for error messages
  Index outputs;
  Function function;
  /// Kernel and bias, or the vectors gamma and beta; null where the layer has none.
  std::array<SharedVariable<T>, 2> variables = {};
  bool trainable = false;

  template <class F> bool is() const { return std::holds_alternative<F>(function); }
  const SharedVariable<T>& kernel() const { return variables[0]; }
  const SharedVariable<T>& bias() const { return variables[1]; }
  bool has_trainable_variables() const { return trainable && (kernel() || bias()); }
  /// Includes a batch normalization's moving mean and variance.
  std::vector<Variable<T>*> all_variables() const;
  /// Return true if a column of the output depends on all rows of the batch.
  bool uses_batch_statistics() const { return trainable && is<BatchNormalization<T>>(); }
  /// The source of its random numbers, or null.
  ops::RandomState* random() const;
};

/// One layer's part of a batch in training. `grad` and `grad_input` are the gradients of the loss with respect to `out`
/// and `x`; where the layer has a fused ReLU, `grad` is with respect to the ReLU's input.
template <class T> struct LayerView {
  PanelView<T> x;
  PanelView<T> out;
  PanelView<T> grad;
  PanelView<T> grad_input;
  T* saved_for_backward; ///< saved_size() numbers
  T* scratch;            ///< room for a transposed piece of a kernel
  std::uint64_t step;    ///< number of batches before, for random numbers
};

/// Number of elements that forward() saves for backward().
template <class T> Index saved_size(const Layer<T>&, Index rows);

// A block has all rows if the layer uses batch statistics, otherwise all panels unless the layer is dense.

/// Computes a block of the layer's output for prediction; x and out may be the same unless the layer is dense.
template <class T> void infer(const Layer<T>&, PanelView<const T> x, Block, PanelView<T> out);

/// Computes a block of the layer's output in training.
template <class T> void forward(const Layer<T>&, const LayerView<T>&, Block);

/// Computes a block of `grad_input` from `grad`. A dense layer makes it zero where `relu_mask`, if not null, is not
/// positive.
template <class T> void backward(const Layer<T>&, const LayerView<T>&, const T* relu_mask, Block);

/// Writes a block of the gradient of variables[variable] to `out`, its panels `stride` apart.
template <class T>
void variable_gradient(const Layer<T>&, const LayerView<T>&, std::size_t variable, Block,
                       const ops::Prefetch<T>& prefetch, T* out, Index stride);

/// Moves a batch normalization's moving mean and variance towards those of the batch.
template <class T> void update_moving_statistics(const Layer<T>&, const LayerView<T>&);

} // namespace cnet
