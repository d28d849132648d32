#pragma once

#include "train/schedule.hpp"
#include "train/workspace.hpp"

#include <vector>

namespace cnet {

/// A step in the processing of a batch.
struct Stage {
  enum class Kind {
    input,
    forward,
    labels,
    loss,
    loss_gradient,
    backward, ///< to the layer's input
    compute_gradient,
    penalize,
    accumulate_metrics, ///< also ends the run if the batch must not change the weights
    accumulate,         ///< gradients of several batches
    sum_squares,        ///< of gradients, for their norms
    compute_scales,     ///< of gradients
    apply_gradient,
    update, ///< computes a gradient and applies it
    constrain,
    update_moving_statistics,
  } kind;
  Index layer;
  Split split;

  /// Return true if a thread that has done its pieces of this stage may start with the next at once.
  bool flows_into(const Stage& next) const {
    const bool is_of_weights = split == Split::weights || split == Split::weight_panels;
    return split == next.split && (split == Split::rows || (is_of_weights && kind == next.kind));
  }
};

/// The matrix that a stage of rows, columns or panels writes.
template <class T> PanelView<T> result(const Stage& stage, const BatchContext<T>& batch) {
  return stage.kind == Stage::Kind::backward ? batch.gradient(stage.layer - 1) : batch.output(stage.layer);
}

template <class T> Tiling tiling(const Stage& stage, const BatchContext<T>& batch, int threads) {
  const auto weights_of_layer = [&] { return weights(batch.network.layers()[static_cast<std::size_t>(stage.layer)]); };
  switch (stage.split) {
  case Split::rows: return rows_tiling(batch.rows, threads);
  case Split::columns: break;
  case Split::panels: return panels_tiling(result(stage, batch));
  case Split::weights: return weights_tiling(weights_of_layer(), batch.rows);
  case Split::weight_panels: return panels_tiling(weights_of_layer());
  case Split::whole: return whole_tiling;
  }
  const PanelView<T> matrix = result(stage, batch);
  // Each piece of a gradient transposes a part of the kernel, so that pieces have all rows.
  if (stage.kind == Stage::Kind::backward) return {matrix.rows, matrix.panels(), batch.rows, batch.rows};
  return columns_tiling(matrix, batch.output(stage.layer - 1).columns);
}

/// Builds the stages of a batch.
template <class T> class Plan {
public:
  using Kind = Stage::Kind;

  /// For the layers up to `last_layer`.
  Plan(const Network<T>& network, Index last_layer, Index batch_size, int threads, bool training)
      : network_(network), last_layer_(last_layer), batch_size_(batch_size), threads_(threads), training_(training) {}

  void add(Kind kind, Index l, Split split) { stages.push_back({kind, l, split}); }
  /// Adds a stage for each layer for which the predicate holds.
  void add_layers(Kind kind, Split split, bool (*predicate)(const Layer<T>&)) {
    for (Index l = 0; l <= last_layer_; ++l) {
      if (predicate(layer(l))) add(kind, l, split);
    }
  }
  void add_trainable(Kind kind, Split split = Split::weights) {
    add_layers(kind, split, [](const Layer<T>& layer) { return layer.has_trainable_variables(); });
  }

  /// Omits the input stage if each thread needs all rows and may gather them itself, which takes no longer than
  /// reading them from another core's cache.
  void add_forward(bool may_gather_per_thread) {
    const bool needs_all_rows = last_layer_ >= 0 && split(0, layer(0).outputs) == Split::columns;
    if (!may_gather_per_thread || !needs_all_rows) add(Kind::input, -1, Split::rows);
    for (Index l = 0; l <= last_layer_; ++l) add(Kind::forward, l, split(l, layer(l).outputs));
  }
  /// Adds the stages from the gradient of the loss to that of the output of layer `first`, or of the input, −1.
  void add_backward(Index first) {
    add(Kind::loss_gradient, last_layer_, Split::rows);
    for (Index l = last_layer_; l > first; --l) {
      add(Kind::backward, l, split(l, l > 0 ? layer(l - 1).outputs : network_.inputs()));
    }
  }
  /// Adds what the optimizer does to stored gradients before it applies them.
  void add_gradient_transformations(const ops::Optimizer& optimizer) {
    if (!optimizer.needs_whole_gradient()) return;
    if (optimizer.accumulation > 1) add_trainable(Kind::accumulate);
    if (optimizer.clips_norms()) add_trainable(Kind::sum_squares, Split::weight_panels);
    add(Kind::compute_scales, -1, Split::whole);
  }
  void add_constraints() { add_layers(Kind::constrain, Split::weight_panels, is_constrained<T>); }
  void add_moving_statistics() {
    add_layers(Kind::update_moving_statistics, Split::whole,
               [](const Layer<T>& layer) { return layer.uses_batch_statistics(); });
  }

  std::vector<Stage> stages;

private:
  const Layer<T>& layer(Index l) const { return network_.layers()[static_cast<std::size_t>(l)]; }
  Split split(Index l, Index columns) const {
    if (training_ && layer(l).uses_batch_statistics()) return Split::panels;
    return layer(l).template is<Dense>() ? split_of<T>(batch_size_, columns, threads_, training_) : Split::rows;
  }

  const Network<T>& network_;
  Index last_layer_;
  Index batch_size_;
  int threads_;
  bool training_;
};

} // namespace cnet
