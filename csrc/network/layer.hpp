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

// What layers compute, beside the variables that they learn.

struct Dense {
  kernels::Epilogue epilogue = kernels::Epilogue::none; ///< or relu
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
/// Columns by the moments of the batch if the layer trains, else by the moving ones.
template <class T> struct BatchNormalization {
  SharedVariable<T> mean;
  SharedVariable<T> variance;
  double momentum; ///< moving = momentum · moving + (1 − momentum) · the batch's
  double epsilon;
};
struct LayerNormalization {
  double epsilon;
};
/// Nothing: the variables are there for an optimizer, and others compute with them.
struct Parameters {};

template <class T> struct Layer {
  using Function = std::variant<Dense, ops::Activation<T>, Softmax, LogSoftmax, Rescaling<T>, Dropout, GaussianNoise,
                                BatchNormalization<T>, LayerNormalization, Parameters>;

  std::string name; ///< for messages
  Index outputs;
  Function function;
  /// What it learns: kernel and bias, or a vector gamma and beta; null where it has none.
  std::array<SharedVariable<T>, 2> variables = {};
  bool trainable = false;

  template <class F> bool is() const { return std::holds_alternative<F>(function); }
  const SharedVariable<T>& kernel() const { return variables[0]; }
  const SharedVariable<T>& bias() const { return variables[1]; }
  bool learns() const { return trainable && (kernel() || bias()); }
  /// Those that it learns and those that it keeps beside.
  std::vector<Variable<T>*> all_variables() const;
  /// Whether a column of its output depends on all rows of the batch.
  bool mixes_rows() const { return trainable && is<BatchNormalization<T>>(); }
  /// Where its random numbers come from, if it draws any.
  ops::RandomState* random() const;
};

/// A layer's place in a batch that trains.
template <class T> struct Place {
  PanelView<T> x;
  PanelView<T> out;
  T* kept;            ///< what forward keeps for backward: kept_size() numbers
  std::uint64_t step; ///< batches that the layer has trained on before
};

/// Numbers that a layer keeps of a batch of so many rows.
template <class T> Index kept_size(const Layer<T>&, Index rows);

// Blocks are of all rows where the layer mixes them, of all panels where it is not dense and does not.

/// A block of the layer's output for prediction; x and out may be the same but for dense layers.
template <class T> void infer(const Layer<T>&, PanelView<const T> x, Block, PanelView<T> out);

/// The same for a batch that trains.
template <class T> void forward(const Layer<T>&, const Place<T>&, Block);

/// A block of the gradient of x, given that of the output; for dense layers, with a gate, zero where that
/// is not positive; `scratch` has room for a transposed piece of a kernel.
template <class T>
void backward(const Layer<T>&, const Place<T>&, PanelView<const T> gradient, const T* gate, Block, T* scratch,
              PanelView<T> below);

/// A block of the gradient of one of the variables, written to out, its panels `stride` apart.
template <class T>
void variable_gradient(const Layer<T>&, const Place<T>&, PanelView<const T> gradient, std::size_t variable, Block,
                       const ops::Prefetch<T>& ahead, T* out, Index stride);

/// What a layer remembers of a batch when it has trained on it.
template <class T> void remember(const Layer<T>&, const Place<T>&);

} // namespace cnet
