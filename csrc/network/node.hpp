#pragma once

#include "ops/activations.hpp"
#include "ops/dense.hpp"
#include "ops/dropout.hpp"
#include "ops/embedding.hpp"
#include "ops/losses.hpp"
#include "ops/merging.hpp"
#include "ops/normalization.hpp"
#include "ops/pooling.hpp"
#include "ops/rearrangement.hpp"
#include "ops/variable.hpp"

#include <array>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace cnet {

using ops::Variable;
template <class T> using SharedVariable = std::shared_ptr<Variable<T>>;

// The functions of nodes. Their kernel and bias are in Node::variables.

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
/// Normalizes columns by the batch's moments if the node is trainable, otherwise by the moving ones.
template <class T> struct BatchNormalization {
  SharedVariable<T> mean;
  SharedVariable<T> variance;
  double momentum; ///< moving = momentum · moving + (1 − momentum) · batch
  double epsilon;
};
struct LayerNormalization {
  double epsilon;
};
/// The rows of the kernel, a table, that the ids of an input name.
struct Embedding {};
/// The operands side by side.
struct Concatenate {
  std::vector<Index> first_columns; ///< of each operand in the output
};
/// An elementwise function of two operands.
struct Merge {
  ops::Merge function;
};
/// The dot product of the rows of two operands.
struct Dot {};
template <class T> struct Rearrange {
  std::shared_ptr<const ops::Rearrangement<T>> rearrangement;
};
/// The rows of a sample become one.
struct GlobalPooling {
  ops::Pooling pooling;
  Index pooled; ///< rows of a sample
};
/// The identity: an optimizer updates the variables, which are used outside of the network.
struct Parameters {};

/// A function in a network, whose output is a tensor. Several nodes may share variables.
template <class T> struct Node {
  using Function = std::variant<Dense, ops::Activation<T>, Softmax, LogSoftmax, Rescaling<T>, Dropout, GaussianNoise,
                                BatchNormalization<T>, LayerNormalization, Embedding, Concatenate, Merge, Dot,
                                Rearrange<T>, GlobalPooling, Parameters>;

  std::string name;            ///< that of the layer, for error messages
  std::vector<Index> operands; ///< tensors: see Network
  SampleShape shape;           ///< of the output
  Function function;
  /// Kernel and bias, or the vectors gamma and beta; null where the node has none.
  std::array<SharedVariable<T>, 2> variables = {};
  bool trainable = false;
  bool owns_variables = true; ///< false if a node before it has the same

  template <class F> bool is() const { return std::holds_alternative<F>(function); }
  const SharedVariable<T>& kernel() const { return variables[0]; }
  const SharedVariable<T>& bias() const { return variables[1]; }
  bool has_trainable_variables() const { return trainable && (kernel() || bias()); }
  /// True for one of the nodes that share trainable variables: for the other nodes it updates them, too.
  bool updates_variables() const { return owns_variables && has_trainable_variables(); }
  /// Includes a batch normalization's moving mean and variance.
  std::vector<Variable<T>*> all_variables() const;
  /// Return true if a column of the output depends on all rows of the batch.
  bool uses_batch_statistics() const { return trainable && is<BatchNormalization<T>>(); }
  /// The source of its random numbers, or null.
  ops::RandomState* random() const;
  /// The number of operands that the functions below take one by one; of others the first gives all.
  std::size_t passes() const { return is<Concatenate>() ? operands.size() : 1; }
};

/// What a node reads and writes in prediction.
template <class T> struct ForwardView {
  std::size_t operand; ///< number of the operand x
  PanelView<const T> x;
  PanelView<const T> other; ///< the other operand of two
  const Index* ids;         ///< in place of x, if the operand is an input of ids
  PanelView<T> out;
};

/// One node's part of a batch in training, seen from one of its operands. `grad` and `grad_input` are the gradients of
/// the loss with respect to `out` and `x`; where the node has a fused ReLU, `grad` is with respect to the ReLU's input.
template <class T> struct NodeView : ForwardView<T> {
  PanelView<T> grad;
  PanelView<T> grad_input;
  const ops::RowsOfIds* rows_of_ids;
  T* saved_for_backward; ///< saved_size() numbers
  T* scratch;            ///< room for a transposed piece of a kernel
  const Index* batch;    ///< number of batches before it in the run, for random numbers
};

/// Number of elements that forward() saves for backward(), for some rows of the output.
template <class T> Index saved_size(const Node<T>&, Index rows);

// A block has all rows if the node uses batch statistics, otherwise all panels unless the node is dense. Its rows are
// those of whole samples where a sample's rows are not independent.

/// Computes a block of the node's output for prediction; x and out may be the same if the function is elementwise.
template <class T> void infer(const Node<T>&, const ForwardView<T>&, Block);

/// Computes a block of the node's output in training.
template <class T> void forward(const Node<T>&, const NodeView<T>&, Block);

/// Computes a block of `grad_input` from `grad`. A dense node makes it zero where `relu_mask`, if not null, is not
/// positive.
template <class T> void backward(const Node<T>&, const NodeView<T>&, const T* relu_mask, Block);

/// Writes a block of the gradient of variables[variable] to `out`, its panels `stride` apart.
template <class T>
void variable_gradient(const Node<T>&, const NodeView<T>&, std::size_t variable, Block,
                       const ops::Prefetch<T>& prefetch, T* out, Index stride);

/// Moves a batch normalization's moving mean and variance towards those of the batch.
template <class T> void update_moving_statistics(const Node<T>&, const NodeView<T>&);

} // namespace cnet
