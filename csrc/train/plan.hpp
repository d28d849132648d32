#pragma once

#include "train/schedule.hpp"
#include "train/workspace.hpp"

#include <vector>

namespace cnet {

/// A step in the processing of a batch.
struct Stage {
  enum class Kind {
    input,
    group_rows, ///< by the ids of an input, for the gradients of embeddings
    forward,
    labels,
    loss,
    loss_gradient,
    backward, ///< to the node's operands
    compute_gradient,
    penalize,
    accumulate_metrics, ///< also ends the run if the batch must not change the weights
    accumulate,         ///< gradients of several batches
    sum_squares,        ///< of gradients, for their norms
    compute_scales,     ///< of gradients
    apply_gradient,
    update,      ///< computes a gradient and applies it
    update_rows, ///< the same for the rows of a table that the batch names
    constrain,
    update_moving_statistics,
  } kind;
  Index subject; ///< an input or a node, as a tensor; of labels and losses a head
  Split split;

  /// Return true if a thread that has done its pieces of this stage may start with the next at once.
  bool flows_into(const Stage& next) const {
    const bool is_of_weights = split == Split::weights || split == Split::weight_panels || split == Split::grouped_rows;
    return split == next.split && (split == Split::rows || (is_of_weights && kind == next.kind));
  }
};

/// The matrix that a stage of columns or panels writes.
template <class T> PanelView<T> result(const Stage& stage, const BatchContext<T>& batch) {
  if (stage.kind == Stage::Kind::forward) return batch.tensor(stage.subject);
  return batch.gradient(batch.workspace.gradients.flow.of_operand(stage.subject, 0));
}

template <class T> Tiling tiling(const Stage& stage, const BatchContext<T>& batch, int threads) {
  const auto weights_of_node = [&] { return weights(batch.network.node(stage.subject)); };
  switch (stage.split) {
  case Split::rows: return rows_tiling(batch.rows, batch.network.most_rows(), threads);
  case Split::columns: break;
  case Split::panels: return panels_tiling(result(stage, batch));
  case Split::weights: return weights_tiling(weights_of_node(), batch.rows_of(stage.subject));
  case Split::weight_panels: return panels_tiling(weights_of_node());
  case Split::grouped_rows: return grouped_rows_tiling(batch.rows_of(stage.subject));
  case Split::whole: return whole_tiling;
  }
  const PanelView<T> matrix = result(stage, batch);
  // Each piece of a gradient transposes a part of the kernel, so that pieces have all rows.
  if (stage.kind == Stage::Kind::backward) return {matrix.rows, matrix.panels(), matrix.rows, matrix.rows};
  return columns_tiling(matrix, batch.tensor(batch.network.node(stage.subject).operands[0]).columns);
}

/// Builds the stages of a batch.
template <class T> class Plan {
public:
  using Kind = Stage::Kind;

  /// For the nodes that the flow computes.
  Plan(const Network<T>& network, const GradientFlow<T>& flow, Index batch_size, int threads, bool training)
      : network_(network), flow_(flow), batch_size_(batch_size), threads_(threads), training_(training) {}

  void add(Kind kind, Index subject, Split split) { stages.push_back({kind, subject, split}); }
  void add_heads(Kind kind, std::size_t heads) {
    for (std::size_t h = 0; h < heads; ++h) add(kind, static_cast<Index>(h), Split::rows);
  }
  /// Adds a stage for each node for which the predicate holds.
  template <class Predicate> void add_nodes(Kind kind, Split split, Predicate predicate) {
    for (Index n = 0; n < nodes(); ++n) {
      if (flow_.computes(n) && predicate(network_.node(n))) add(kind, n, split);
    }
  }
  void add_trainable(Kind kind, Split split = Split::weights) {
    add_nodes(kind, split, [](const Node<T>& node) { return node.updates_variables(); });
  }

  /// Omits the input stage if each thread needs all rows and may gather them itself, which takes no longer than
  /// reading them from another core's cache.
  void add_forward(bool may_gather_per_thread) {
    const auto inputs = static_cast<Index>(network_.inputs().size());
    const bool needs_all_rows =
        inputs == 1 && nodes() > 0 && flow_.computes(0) && split(0, network_.node(0).shape.columns) == Split::columns;
    if (!may_gather_per_thread || !needs_all_rows || network_.fan_out(-1) > 1) {
      for (Index input = 0; input < inputs; ++input) add(Kind::input, -1 - input, Split::rows);
    }
    for (Index n = 0; n < nodes(); ++n) {
      if (flow_.computes(n)) add(Kind::forward, n, split(n, network_.node(n).shape.columns));
    }
  }
  /// Adds the stages from the gradients of the heads to those of variables and inputs.
  void add_backward(std::size_t heads) {
    add_heads(Kind::loss_gradient, heads);
    for (Index n = nodes() - 1; n >= 0; --n) {
      if (!flow_.computes(n) || !flow_.passes_through(n)) continue;
      add(Kind::backward, n, split(n, network_.shape(network_.node(n).operands[0]).columns));
    }
    for (Index input = -static_cast<Index>(network_.inputs().size()); input < 0; ++input) {
      const auto reads = [&](const Node<T>& node) {
        return node.operands[0] == input && node.template is<Embedding>() && node.has_trainable_variables();
      };
      if (std::any_of(network_.nodes().begin(), network_.nodes().end(), reads))
        add(Kind::group_rows, input, Split::whole);
    }
  }
  /// Adds what the optimizer does to stored gradients before it applies them.
  void add_gradient_transformations(const ops::Optimizer& optimizer) {
    if (!optimizer.needs_whole_gradient()) return;
    if (optimizer.accumulation > 1) add_trainable(Kind::accumulate);
    if (optimizer.clips_norms()) add_trainable(Kind::sum_squares, Split::weight_panels);
    add(Kind::compute_scales, 0, Split::whole);
  }
  void add_updates(const ops::Optimizer& optimizer) {
    for (Index n = 0; n < nodes(); ++n) {
      const Node<T>& node = network_.node(n);
      if (!flow_.computes(n) || !node.updates_variables()) continue;
      const bool only_rows = updates_named_rows(node, network_.uses(n).size(), optimizer);
      add(only_rows ? Kind::update_rows : Kind::update, n, only_rows ? Split::grouped_rows : Split::weights);
    }
  }
  void add_constraints() { add_nodes(Kind::constrain, Split::weight_panels, is_constrained<T>); }
  void add_moving_statistics() {
    add_nodes(Kind::update_moving_statistics, Split::whole,
              [](const Node<T>& node) { return node.uses_batch_statistics(); });
  }

  std::vector<Stage> stages;

private:
  Index nodes() const { return static_cast<Index>(network_.nodes().size()); }
  Split split(Index n, Index columns) const {
    const Node<T>& node = network_.node(n);
    if (training_ && node.uses_batch_statistics()) return Split::panels;
    if (!node.template is<Dense>()) return Split::rows;
    return split_of<T>(batch_size_ * node.shape.rows, columns, threads_, training_);
  }

  const Network<T>& network_;
  const GradientFlow<T>& flow_;
  Index batch_size_;
  int threads_;
  bool training_;
};

} // namespace cnet
