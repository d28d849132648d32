#pragma once

#include "network/network.hpp"

#include <vector>

namespace cnet {

/// Which tensors a backward pass needs, and how the gradient of each is added up: first the parts from heads, in their
/// order, then those from the nodes that read it, from the last to the first.
template <class T> class GradientFlow {
public:
  /// A part of a tensor's gradient. The first is written to the gradient itself, each later one to a buffer, and then
  /// added.
  struct Part {
    bool is_needed = false;
    bool is_first = false;
    bool is_last = false;
    Index tensor = 0;
    std::size_t buffer = 0; ///< unless it is the first
  };

  GradientFlow() = default;
  /// From the gradients of some tensors to those of the variables, and of some inputs.
  GradientFlow(const Network<T>& network, const std::vector<Index>& heads, const std::vector<bool>& of_inputs)
      : inputs_(static_cast<Index>(network.inputs().size())), computed_(network.nodes().size()),
        needed_(network.inputs().size() + network.nodes().size()), of_nodes_(network.nodes().size()),
        of_heads_(heads.size()) {
    const auto nodes = static_cast<Index>(network.nodes().size());
    const auto mark = [&](Index tensor) {
      if (tensor >= 0) computed_[static_cast<std::size_t>(tensor)] = true;
    };
    for (const Index head : heads) mark(head);
    for (Index n = nodes - 1; n >= 0; --n) {
      if (!computes(n)) continue;
      for (const Index operand : network.node(n).operands) mark(operand);
    }
    for (std::size_t n = 0; n < of_inputs.size(); ++n) {
      needed_[position(-1 - static_cast<Index>(n))] = of_inputs[n] && !network.inputs()[n].is_ids;
    }
    for (Index n = 0; n < nodes; ++n) {
      const Node<T>& node = network.node(n);
      bool is_needed = node.has_trainable_variables();
      for (const Index operand : node.operands) is_needed = is_needed || needs(operand);
      needed_[position(n)] = is_needed;
    }

    std::vector<Part*> latest(needed_.size()); // part of each tensor's gradient
    const auto add = [&](Part& part, Index tensor) {
      part.tensor = tensor;
      part.is_needed = needs(tensor);
      if (!part.is_needed) return;
      Part*& before = latest[position(tensor)];
      part.is_first = before == nullptr;
      part.is_last = true;
      if (before) before->is_last = false;
      before = &part;
      if (part.is_first) return;
      part.buffer = buffered_.size();
      buffered_.push_back(tensor);
    };
    for (std::size_t h = 0; h < heads.size(); ++h) add(of_heads_[h], heads[h]);
    for (Index n = nodes - 1; n >= 0; --n) {
      const Node<T>& node = network.node(n);
      std::vector<Part>& parts = of_nodes_[static_cast<std::size_t>(n)];
      parts.resize(node.operands.size());
      if (!computes(n)) continue;
      for (std::size_t k = 0; k < parts.size(); ++k) add(parts[k], node.operands[k]);
    }
  }

  /// True if a head depends on a node.
  bool computes(Index node) const { return computed_[static_cast<std::size_t>(node)]; }
  /// True if a variable, or an input whose gradient is wanted, learns from the gradient of a tensor.
  bool needs(Index tensor) const { return needed_[position(tensor)]; }
  const Part& of_head(std::size_t head) const { return of_heads_[head]; }
  const Part& of_operand(Index node, std::size_t operand) const {
    return of_nodes_[static_cast<std::size_t>(node)][operand];
  }
  /// True if a backward pass goes through the node to one of its operands.
  bool passes_through(Index node) const {
    for (const Part& part : of_nodes_[static_cast<std::size_t>(node)]) {
      if (part.is_needed) return true;
    }
    return false;
  }
  /// The tensor of each buffer.
  const std::vector<Index>& buffered() const { return buffered_; }

private:
  std::size_t position(Index tensor) const { return static_cast<std::size_t>(tensor + inputs_); }

  Index inputs_ = 0;
  std::vector<bool> computed_;
  std::vector<bool> needed_;
  std::vector<std::vector<Part>> of_nodes_;
  std::vector<Part> of_heads_;
  std::vector<Index> buffered_;
};

} // namespace cnet
