#pragma once

#include "network/network.hpp"
#include "network/update.hpp"
#include "ops/optimizers.hpp"
#include "train/gradient_flow.hpp"
#include "train/samples.hpp"

#include <algorithm>
#include <vector>

namespace cnet {

/// Buffers of an output with a loss.
template <class T> struct HeadBuffers {
  HeadBuffers(Index capacity, Index columns)
      : ids(capacity), distribution(capacity, columns), probabilities(capacity, columns), losses(capacity),
        correct(capacity) {}

  AlignedBuffer<Index> ids;    ///< labels that are class ids
  PanelMatrix<T> distribution; ///< other labels
  PanelMatrix<T> probabilities;
  AlignedBuffer<T> losses;
  AlignedBuffer<T> correct;
};

/// Gradients of tensors.
template <class T> struct GradientBuffers {
  GradientBuffers() = default;
  GradientBuffers(const Network<T>& network, GradientFlow<T> flow_, Index capacity) : flow(std::move(flow_)) {
    const auto make = [&](Index tensor) {
      const SampleShape shape = network.shape(tensor);
      return PanelMatrix<T>(checked_product(capacity, shape.rows), shape.columns);
    };
    const auto inputs = static_cast<Index>(network.inputs().size()), nodes = static_cast<Index>(network.nodes().size());
    for (Index tensor = -inputs; tensor < nodes; ++tensor) {
      const bool has_gradient = flow.needs(tensor) && (tensor < 0 || flow.computes(tensor));
      tensors.push_back(has_gradient ? make(tensor) : PanelMatrix<T>());
    }
    for (const Index tensor : flow.buffered()) parts.push_back(make(tensor));
  }

  GradientFlow<T> flow;
  std::vector<PanelMatrix<T>> tensors; ///< the inputs from the last to the first, then the nodes
  std::vector<PanelMatrix<T>> parts;   ///< see GradientFlow::Part::buffer
};

/// Buffers for batches of up to `capacity` rows.
template <class T> struct Workspace {
  Workspace() = default;
  /// `heads` are the numbers of the outputs with a loss. If a node needs all rows of the input, each thread gathers a
  /// copy of its own: `per_thread_input`.
  Workspace(const Network<T>& network, const std::vector<std::size_t>& heads_, Index capacity_, int threads,
            bool per_thread_input_)
      : capacity(capacity_), per_thread_input(per_thread_input_) {
    Index scratch_size = 0;
    for (const Node<T>& node : network.nodes()) {
      const Index rows = checked_product(capacity, node.shape.rows);
      outputs.emplace_back(rows, node.shape.columns);
      saved_for_backward.emplace_back(saved_size(node, rows));
      scratch_size = std::max(scratch_size, ops::transposed_size<T>(node.shape.columns));
    }
    for (int n = 0; n < threads; ++n) {
      scratch.emplace_back(scratch_size);
      divisors.emplace_back(heads_.size());
      views.emplace_back(network.operands_before(static_cast<Index>(network.nodes().size())));
    }
    for (const Input<T>& input : network.inputs()) {
      const Index ids_size = input.is_ids ? checked_product(capacity, input.columns) : 0;
      ids.emplace_back(ids_size);
      rows_of_ids.emplace_back();
      for (int n = 0; n < (per_thread_input ? threads : 1); ++n) {
        inputs.push_back(input.is_ids ? PanelMatrix<T>() : PanelMatrix<T>(capacity, input.columns));
      }
    }
    for (const std::size_t head : heads_) heads.emplace_back(capacity, network.output_size(head));
  }

  Index capacity = 0;
  bool per_thread_input = false;
  std::vector<PanelMatrix<T>> inputs;      ///< of each input or, with per_thread_input, of the only one for each thread
  std::vector<AlignedBuffer<Index>> ids;   ///< of each input
  std::vector<ops::RowsOfIds> rows_of_ids; ///< the same
  std::vector<PanelMatrix<T>> outputs;     ///< of each node
  std::vector<AlignedBuffer<T>> saved_for_backward;
  std::vector<AlignedBuffer<T>> scratch;       ///< of each thread
  std::vector<std::vector<double>> divisors;   ///< of each thread, for each head
  std::vector<std::vector<NodeView<T>>> views; ///< of each thread, for each operand of each node
  std::vector<HeadBuffers<T>> heads;
  GradientBuffers<T> gradients;
};

/// The batches of a run as one thread sees them, one after the other.
template <class T> struct BatchContext {
  BatchContext(const Network<T>& network_, Workspace<T>& workspace_, int rank_, Index rows_ = 0)
      : network(network_), workspace(workspace_), rank(rank_), rows(rows_) {}
  BatchContext(const BatchContext&) = delete;
  BatchContext& operator=(const BatchContext&) = delete;

  const Network<T>& network;
  Workspace<T>& workspace;
  int rank; ///< of the thread
  Index rows;
  Index number = 0; ///< of batches before it in the run
  Selection selection{nullptr, 0};
  const double* divisors = nullptr; ///< of the sum of the losses of each head
  ops::Update<T> update{ops::Optimizer{}, 1};

  /// Makes what view() returns, for the number of rows. A run that computes no nodes may have no workspace.
  void make_views() {
    if (workspace.views.empty()) return;
    NodeView<T>* next = workspace.views[static_cast<std::size_t>(rank)].data();
    for (Index n = 0; n < static_cast<Index>(network.nodes().size()); ++n) {
      for (std::size_t k = 0; k < network.node(n).operands.size(); ++k) *next++ = make_view(n, k);
    }
  }
  Index rows_of(Index tensor) const { return tensor < 0 ? rows : rows * network.node(tensor).shape.rows; }
  /// The values of a tensor, which is not an input of ids.
  PanelView<T> tensor(Index t) const {
    if (t >= 0) return workspace.outputs[static_cast<std::size_t>(t)].view(rows_of(t));
    return workspace.inputs[static_cast<std::size_t>(workspace.per_thread_input ? rank : -1 - t)].view(rows);
  }
  PanelView<T> gradient(Index t) const {
    const auto position = static_cast<std::size_t>(t + static_cast<Index>(network.inputs().size()));
    return workspace.gradients.tensors[position].view(rows_of(t));
  }
  /// Where a part of a gradient is written.
  PanelView<T> gradient(const typename GradientFlow<T>::Part& part) const {
    if (part.is_first) return gradient(part.tensor);
    return workspace.gradients.parts[part.buffer].view(rows_of(part.tensor));
  }
  bool is_ids(Index t) const { return t < 0 && network.input(t).is_ids; }

  /// See make_views().
  const NodeView<T>& view(Index node, std::size_t operand = 0) const {
    return workspace.views[static_cast<std::size_t>(rank)][network.operands_before(node) + operand];
  }

private:
  NodeView<T> make_view(Index node, std::size_t operand) const {
    NodeView<T> view{};
    view.operand = operand;
    view.out = tensor(node);
    const std::vector<Index>& operands = network.node(node).operands;
    const Index x = operands[operand];
    if (is_ids(x)) {
      view.ids = workspace.ids[static_cast<std::size_t>(-1 - x)].data();
      view.rows_of_ids = &workspace.rows_of_ids[static_cast<std::size_t>(-1 - x)];
    } else {
      view.x = tensor(x);
    }
    if (operands.size() == 2) view.other = tensor(operands[1 - operand]);
    const GradientFlow<T>& flow = workspace.gradients.flow;
    if (!workspace.gradients.tensors.empty()) {
      if (flow.needs(node)) view.grad = gradient(node);
      const auto& part = flow.of_operand(node, operand);
      if (part.is_needed) view.grad_input = gradient(part);
    }
    view.saved_for_backward = workspace.saved_for_backward[static_cast<std::size_t>(node)].data();
    view.scratch = workspace.scratch[static_cast<std::size_t>(rank)].data();
    view.batch = &number;
    return view;
  }
};

} // namespace cnet
