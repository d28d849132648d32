#pragma once

#include "network/network.hpp"
#include "ops/optimizers.hpp"

#include <array>
#include <vector>

namespace cnet {

/// A value for each of a node's variables, in the order of Node::variables.
template <class U> using PerVariable = std::array<U, 2>;

/// The optimizer's slots for each variable, in the variable's layout.
template <class T> using NodeSlots = PerVariable<std::vector<AlignedBuffer<T>>>;

template <class T> struct Slots {
  Slots() = default;
  Slots(const Network<T>&, const ops::Optimizer&);

  std::vector<NodeSlots<T>> nodes;
  ops::Rule rule = ops::Rule::sgd;
  bool has_averages = false; ///< in the last slot
};

/// The gradient of a variable, in the variable's layout.
template <class T> struct Gradient {
  PanelMatrix<T> values;
  std::vector<double> panel_squares; ///< each panel's sum of squares, for clipping by norm
  double scale = 1;                  ///< factor of the values in the step
};
template <class T> using NodeGradients = PerVariable<Gradient<T>>;

template <class T> struct Gradients {
  Gradients() = default;
  explicit Gradients(const Network<T>&);

  std::vector<NodeGradients<T>> nodes;

  void reset_scales() {
    for (auto& node : nodes) {
      for (Gradient<T>& gradient : node) gradient.scale = 1;
    }
  }
};

/// The penalty of each panel of each regularized variable.
using NodePenalties = PerVariable<std::vector<double>>;
using Penalties = std::vector<NodePenalties>;

/// Maximum number of a kernel's rows in a block of update(), whose gradient then stays in the first-level cache.
inline constexpr Index most_update_rows = 32;

/// The kernel of a node, or the first vector if it has no kernel.
template <class T> PanelView<const T> weights(const Node<T>&);

// The following functions work on a block of weights() and, if the block starts with the first row, on the same panels
// of the layer's vector.

/// A node and its part of a batch.
template <class T> struct Use {
  const Node<T>& node;
  const NodeView<T>& view;
};
/// The nodes that share variables. Their gradients are added in this order.
template <class T> struct Uses {
  const Use<T>* data;
  std::size_t size;
};

/// Computes the gradient and applies it at once, without storing it.
template <class T> void update(Uses<T>, Block, const ops::Update<T>& update, NodeSlots<T>& slots);

/// Computes and stores the gradient, with the penalties' gradient if asked for.
template <class T> void compute_gradient(Uses<T>, Block, bool with_penalties, NodeGradients<T>& gradients);

/// Return true if update_rows() updates the node's table: only the rows that a batch names, with the bits of update().
template <class T> bool updates_named_rows(const Node<T>&, std::size_t uses, const ops::Optimizer&);
/// Updates the rows of the ids whose rows of the batch begin in [first, last), grouped by id.
template <class T> void update_rows(const Use<T>&, Index first, Index last, const ops::Update<T>& update);

/// Applies a stored gradient, with the same bits as update().
template <class T>
void apply_gradient(const Node<T>&, Block, const NodeGradients<T>& gradients, const ops::Update<T>& update,
                    NodeSlots<T>& slots);

/// Adds a gradient to the accumulated one. If the batch ends a step, stores the sum in `gradients` instead and sets
/// `accumulated` to zero.
template <class T>
void accumulate(const Node<T>&, Block, bool ends_step, NodeGradients<T>& gradients, NodeGradients<T>& accumulated);

/// Computes Gradient::panel_squares, for a block of whole panels.
template <class T> void sum_squares(const Node<T>&, Block, NodeGradients<T>& gradients);

/// Computes Gradient::scale from the number of accumulated batches and the norms. Norms are summed from the first
/// panel of the first node to the last of the last.
template <class T> void compute_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>& gradients);

template <class T> bool is_regularized(const Node<T>&);
template <class T> bool is_constrained(const Node<T>&);

template <class T> Penalties make_penalties(const Network<T>&);
/// Computes penalties, for a block of whole panels.
template <class T> void penalize(const Node<T>&, Block, NodePenalties& penalties);
double total(const Penalties& penalties);

/// Applies constraints, for a block of whole panels.
template <class T> void constrain(const Node<T>&, Block);

/// Sets variables to their running averages.
template <class T> void overwrite_with_averages(const Network<T>&, const Slots<T>& slots);

} // namespace cnet
