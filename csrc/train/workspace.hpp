#pragma once

#include "network/network.hpp"
#include "ops/optimizers.hpp"
#include "train/samples.hpp"

#include <algorithm>
#include <vector>

namespace cnet {

/// Buffers for batches of up to `capacity` rows.
template <class T> struct Workspace {
  Workspace() = default;
  /// If a layer needs all rows of the input, each thread gathers a copy of its own: `per_thread_input`.
  Workspace(const Network<T>& network, Index capacity_, int threads, bool per_thread_input_)
      : capacity(capacity_), per_thread_input(per_thread_input_), ids(capacity),
        distribution(capacity, network.outputs()), probabilities(capacity, network.outputs()), losses(capacity),
        correct(capacity) {
    Index scratch_size = 0;
    for (const Layer<T>& layer : network.layers()) {
      outputs.emplace_back(capacity, layer.outputs);
      gradients.emplace_back(capacity, layer.outputs);
      saved_for_backward.emplace_back(saved_size(layer, capacity));
      scratch_size = std::max(scratch_size, ops::transposed_size<T>(layer.outputs));
    }
    for (int n = 0; n < threads; ++n) scratch.emplace_back(scratch_size);
    for (int n = 0; n < (per_thread_input ? threads : 1); ++n) inputs.emplace_back(capacity, network.inputs());
  }

  Index capacity = 0;
  bool per_thread_input = false;
  std::vector<PanelMatrix<T>> inputs;
  std::vector<PanelMatrix<T>> outputs; ///< one for each layer, as the next two
  std::vector<PanelMatrix<T>> gradients;
  std::vector<AlignedBuffer<T>> saved_for_backward;
  std::vector<AlignedBuffer<T>> scratch; ///< one for each thread
  PanelMatrix<T> input_gradient;         ///< empty until it is asked for

  AlignedBuffer<Index> ids;    ///< labels that are class ids
  PanelMatrix<T> distribution; ///< other labels
  PanelMatrix<T> probabilities;
  AlignedBuffer<T> losses;
  AlignedBuffer<T> correct;
};

/// A batch as one thread sees it.
template <class T> struct BatchContext {
  const Network<T>& network;
  Workspace<T>& workspace;
  Index rows;
  Index number = 0; ///< of batches before it in the run
  int rank = 0;     ///< of the thread
  Selection selection{nullptr, 0};
  double divisor = 1; ///< of the sum of its losses
  ops::Update<T> update{ops::Optimizer{}, 1};

  /// The output of layer l; that of layer −1 is the network's input.
  PanelView<T> output(Index l) const {
    if (l >= 0) return workspace.outputs[static_cast<std::size_t>(l)].view(rows);
    return workspace.inputs[workspace.per_thread_input ? static_cast<std::size_t>(rank) : 0].view(rows);
  }
  /// The gradient with respect to output(l).
  PanelView<T> gradient(Index l) const {
    return (l < 0 ? workspace.input_gradient : workspace.gradients[static_cast<std::size_t>(l)]).view(rows);
  }
  LayerView<T> layer(Index l) const {
    const auto n = static_cast<std::size_t>(l);
    const ops::RandomState* random = network.layers()[n].random();
    const std::uint64_t step = random ? random->pass_start + static_cast<std::uint64_t>(number) : 0;
    T* scratch = workspace.scratch[static_cast<std::size_t>(rank)].data();
    T* saved = workspace.saved_for_backward[n].data();
    return {output(l - 1), output(l), gradient(l), gradient(l - 1), saved, scratch, step};
  }
};

} // namespace cnet
