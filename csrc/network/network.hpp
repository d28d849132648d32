#pragma once

#include "core/locks.hpp"
#include "network/node.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cnet {

/// An input of a network: `columns` numbers per sample, or as many ids of rows of tables.
template <class T> struct Input {
  Index columns;
  bool is_ids = false;
  Index id_bound = max_ids; ///< ids are in [0, id_bound)
  std::string id_reader;    ///< the embedding with this bound
  // The network reads numbers · scale + offset: a rescaling that is applied while they are gathered.
  T scale = 1;
  T offset = 0;
  bool is_rescaled = false;

  static constexpr Index max_ids = ops::max_table_rows;
};

/// Functions of inputs, in topological order. A chain is a case of it.
///
/// A tensor is the output of a node, given by the node's index, or an input: −1 − n is input n. Variables are shared
/// pointers, because a layer may be part of several networks, or several times of one.
///
/// The functions add_… add inputs and nodes, and return their tensor. finish() says which tensors are outputs; nothing
/// can be added afterwards, and only then can the network be computed.
template <class T> class Network {
public:
  /// Throws std::invalid_argument unless columns ≥ 1.
  Index add_input(Index columns);
  Index add_ids(Index columns);

  // Each throws std::invalid_argument if an operand does not exist or does not fit. One of ids is for embeddings only.
  Index add_dense(std::string name, Index x, SharedVariable<T> kernel, SharedVariable<T> bias, bool trainable);
  Index add_activation(std::string name, Index x, const ops::Activation<T>& activation);
  Index add_softmax(std::string name, Index x);
  Index add_log_softmax(std::string name, Index x);
  Index add_rescaling(std::string name, Index x, double scale, double offset);
  Index add_dropout(std::string name, Index x, double rate, std::shared_ptr<ops::RandomState> random);
  Index add_gaussian_noise(std::string name, Index x, double deviation, std::shared_ptr<ops::RandomState> random);
  /// gamma and beta may be null.
  Index add_batch_normalization(std::string name, Index x, SharedVariable<T> gamma, SharedVariable<T> beta,
                                BatchNormalization<T> normalization, bool trainable);
  Index add_layer_normalization(std::string name, Index x, SharedVariable<T> gamma, SharedVariable<T> beta,
                                double epsilon, bool trainable);
  /// A sample's ids become its rows.
  Index add_embedding(std::string name, Index ids, SharedVariable<T> table, bool trainable);
  Index add_concatenate(std::string name, std::vector<Index> operands);
  Index add_merge(std::string name, Index x, Index y, ops::Merge function);
  Index add_dot(std::string name, Index x, Index y);
  /// See ops::Rearrangement.
  Index add_rearrangement(std::string name, Index x, const std::vector<Index>& source, SampleShape shape);
  Index add_global_pooling(std::string name, Index x, ops::Pooling pooling);
  /// Adds a variable that the network does not compute with: see Parameters.
  Index add_parameters(std::string name, Index x, SharedVariable<T> variable, bool trainable);

  /// Fuses plain ReLUs into dense nodes, and rescalings into inputs, that nothing else reads; removes nodes that no
  /// output needs.
  void finish(std::vector<Index> outputs);
  bool is_finished() const { return is_finished_; }

  const std::vector<Input<T>>& inputs() const { return inputs_; }
  const std::vector<Node<T>>& nodes() const { return nodes_; }
  const Node<T>& node(Index n) const { return nodes_[static_cast<std::size_t>(n)]; }
  const Input<T>& input(Index tensor) const { return inputs_[static_cast<std::size_t>(-1 - tensor)]; }
  /// The tensors that are outputs.
  const std::vector<Index>& outputs() const { return outputs_; }
  SampleShape shape(Index tensor) const {
    return tensor < 0 ? SampleShape{1, input(tensor).columns} : node(tensor).shape;
  }
  /// The same; throws std::invalid_argument if there is no such tensor.
  SampleShape checked_shape(Index tensor) const;
  /// Numbers of a sample in an output.
  Index output_size(std::size_t output) const {
    const SampleShape shape = this->shape(outputs_[output]);
    return shape.rows * shape.columns;
  }
  /// Number of nodes and outputs that read a tensor.
  Index fan_out(Index tensor) const { return fan_out_[position(tensor)]; }
  /// True if a softmax ends output `output` and nothing else reads it.
  bool ends_in_softmax(std::size_t output) const {
    const Index tensor = outputs_[output];
    return tensor >= 0 && fan_out(tensor) == 1 && node(tensor).template is<Softmax>();
  }
  /// The nodes that share the variables of a node that owns them.
  const std::vector<Index>& uses(Index node) const { return uses_[static_cast<std::size_t>(node)]; }
  /// Number of operands of the nodes before a node; of all nodes, given their number.
  std::size_t operands_before(Index node) const { return operands_before_[static_cast<std::size_t>(node)]; }
  /// Largest number of rows of a sample.
  Index most_rows() const { return most_rows_; }

  /// Number of multiply-adds of a forward pass of one sample.
  double multiply_adds() const { return multiply_adds_; }

  // In prediction, tensors that are not needed at the same time share memory.

  /// The numbers of a tensor for one sample.
  struct Layout {
    SampleShape shape;
    Index offset; ///< of the first in the memory
  };
  const Layout& layout(Index tensor) const { return layouts_[position(tensor)]; }
  /// Elements of the memory for all tensors, per sample.
  Index memory_size() const { return memory_size_; }

  ReaderCount& reader_count() const { return *reader_count_; }

private:
  Index add(std::string name, std::vector<Index> operands, SampleShape shape, typename Node<T>::Function function,
            SharedVariable<T> kernel = nullptr, SharedVariable<T> bias = nullptr, bool trainable = false);
  Index add_elementwise(std::string name, Index x, typename Node<T>::Function function);
  /// The shape of an operand; throws std::invalid_argument unless it exists and has the kind.
  SampleShape expect_operand(const char* call, Index tensor, bool is_ids = false) const;
  void expect_vector(const char* call, Index x, const SharedVariable<T>& variable) const;
  void remove_and_fuse();
  void count_readers();
  void assign_memory();
  void assign_variables();
  std::size_t position(Index tensor) const {
    return static_cast<std::size_t>(tensor + static_cast<Index>(inputs_.size()));
  }

  std::vector<Input<T>> inputs_;
  std::vector<Node<T>> nodes_;
  std::vector<Index> outputs_;
  bool is_finished_ = false;
  // By position().
  std::vector<Index> fan_out_;
  std::vector<Layout> layouts_;
  Index memory_size_ = 0;
  double multiply_adds_ = 0;
  Index most_rows_ = 1;
  std::vector<std::vector<Index>> uses_;     ///< by node
  std::vector<std::size_t> operands_before_; ///< by node, then of all
  std::shared_ptr<ReaderCount> reader_count_ = std::make_shared<ReaderCount>();
};

/// Starts a run: batch n of it draws the random numbers of step `steps + n`.
template <class T> void begin_random_steps(const Network<T>&);
/// Sets the number of steps to those before the run plus `batches`.
template <class T> void set_random_steps(const Network<T>&, Index batches);

/// Takes a block of the gradient of a node's output through the node's fused ReLU, if it has one.
template <class T> void backward_fused_relu(const Node<T>&, PanelView<const T> out, PanelView<T> grad, Block);

/// Computes a block of the gradient of a node's operand. If `through_relu`, takes it through the ReLU fused into the
/// node that the operand comes from.
template <class T> void backward(const Network<T>&, const Node<T>&, const NodeView<T>&, bool through_relu, Block);

} // namespace cnet
