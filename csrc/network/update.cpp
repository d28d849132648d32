#include "network/update.hpp"

#include <algorithm>
#include <array>

namespace cnet {

namespace {

/// Calls f(n, variable, block of it) for each of a layer's variables that a block of weights stands for.
template <class T, class F> void for_each_variable(const Layer<T>& layer, Block block, F f) {
  for (std::size_t n = 0; n < layer.variables.size(); ++n) {
    if (!layer.variables[n]) continue;
    if (n == 0) f(n, *layer.variables[n], block);
    if (n == 1 && block.first == 0) f(n, *layer.variables[n], Block{0, 1, block.first_panel, block.last_panel});
  }
}

template <class T, class F> void for_each_variable(const Layer<T>& layer, F f) {
  for_each_variable(layer, whole(weights(layer)), [&](std::size_t n, Variable<T>& variable, Block) { f(n, variable); });
}

/// Calls f(offset, size) for the contiguous memory of a block in each of its panels.
template <class T, class F> void for_each_range(Index rows, Block block, F f) {
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    f((p * rows + block.first) * panel_width<T>, (block.last - block.first) * panel_width<T>);
  }
}

/// Computes a block of a variable's gradient, its panels `stride` apart.
template <class T>
void compute(const Layer<T>& layer, const LayerView<T>& view, std::size_t n, const Variable<T>& variable, Block block,
             bool with_penalties, const ops::Prefetch<T>& prefetch, T* grad, Index stride) {
  variable_gradient<T>(layer, view, n, block, prefetch, grad, stride);
  if (!with_penalties || !variable.regularizer.is_on()) return;
  const T* values = variable.values().data;
  for_each_range<T>(variable.rows(), block, [&](Index offset, Index size) {
    ops::regularize(variable.regularizer, size, values + offset, grad);
    grad += stride;
  });
}

/// Applies a block of a gradient, its panels `stride` apart.
template <class T>
void apply(const ops::Update<T>& update, Variable<T>& variable, Block block, const T* grad, Index stride, double scale,
           std::vector<AlignedBuffer<T>>& slots) {
  T* values = variable.values().data;
  for_each_range<T>(variable.rows(), block, [&](Index offset, Index size) {
    std::array<T*, kernels::max_slots + 1> slot{};
    for (std::size_t n = 0; n < slots.size(); ++n) slot[n] = slots[n].data() + offset;
    if (update.steps()) update(size, values + offset, grad, slot.data(), static_cast<T>(scale));
    if (update.averages()) update.average(size, values + offset, slot[static_cast<std::size_t>(update.slots())]);
    grad += stride;
  });
}

/// The block's first element.
template <class T> T* start(PanelView<T> matrix, Block block) {
  return matrix.panel(block.first_panel) + block.first * panel_width<T>;
}

/// Calls f(n, variable, panel, number of columns) for each panel of a block.
template <class T, class F> void for_each_panel(const Layer<T>& layer, Block weights, F f) {
  for_each_variable(layer, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    for (Index p = block.first_panel; p < block.last_panel; ++p) {
      f(n, variable, p, std::min(panel_width<T>, variable.columns() - p * panel_width<T>));
    }
  });
}

template <class T, class Predicate> bool any_variable(const Layer<T>& layer, Predicate predicate) {
  return std::any_of(layer.variables.begin(), layer.variables.end(),
                     [&](const SharedVariable<T>& variable) { return variable && predicate(*variable); });
}

} // namespace

template <class T> PanelView<const T> weights(const Layer<T>& layer) {
  const Variable<T>& variable = *layer.variables[layer.kernel() ? 0 : 1];
  return variable.values();
}

template <class T>
Slots<T>::Slots(const Network<T>& network, const ops::Optimizer& optimizer)
    : layers(network.layers().size()), rule(optimizer.rule), has_averages(optimizer.averages) {
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer<T>& layer = network.layers()[l];
    if (!layer.has_trainable_variables()) continue;
    for_each_variable(layer, [&](std::size_t v, Variable<T>& variable) {
      const PanelView<T> values = variable.values();
      const Index size = values.panels() * values.stride();
      for (int n = 0; n < optimizer.slots(); ++n) {
        AlignedBuffer<T>& slot = layers[l][v].emplace_back(size);
        if (optimizer.initial_slot != 0) std::fill_n(slot.data(), size, static_cast<T>(optimizer.initial_slot));
      }
      if (optimizer.averages) std::copy_n(values.data, size, layers[l][v].back().data());
    });
  }
}

template <class T> Gradients<T>::Gradients(const Network<T>& network) : layers(network.layers().size()) {
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer<T>& layer = network.layers()[l];
    if (!layer.has_trainable_variables()) continue;
    for_each_variable(layer, [&](std::size_t v, Variable<T>& variable) {
      layers[l][v].values = PanelMatrix<T>(variable.rows(), variable.columns());
      layers[l][v].panel_squares.resize(static_cast<std::size_t>(variable.values().panels()));
    });
  }
}

template <class T>
void update(const Layer<T>& layer, const LayerView<T>& view, Block weights, const ops::Update<T>& update,
            LayerSlots<T>& slots) {
  alignas(cache_line) std::array<T, ops::most_panels * most_update_rows * panel_width<T>> grad;
  const bool is_fused_sgd = layer.template is<Dense>() && update.is_plain_sgd() && view.x.rows <= kernels::k_block_size;
  for_each_variable(layer, weights, [&](std::size_t n, Variable<T>& variable, Block block) {
    const PanelView<T> values = variable.values();
    if (n == 0 && is_fused_sgd && !variable.regularizer.is_on()) {
      return ops::dense_fused_sgd<T>(view.x, view.grad, block, update.learning_rate(), values);
    }
    const Index stride = (block.last - block.first) * panel_width<T>;
    ops::Prefetch<T> prefetch{{values.data, nullptr, nullptr}};
    const std::size_t prefetched_slots = std::min(slots[n].size(), std::size(prefetch.data) - 1);
    for (std::size_t s = 0; s < prefetched_slots; ++s) prefetch.data[s + 1] = slots[n][s].data();
    compute(layer, view, n, variable, block, true, prefetch, grad.data(), stride);
    apply(update, variable, block, grad.data(), stride, 1, slots[n]);
  });
}

template <class T>
void compute_gradient(const Layer<T>& layer, const LayerView<T>& view, Block weights, bool with_penalties,
                      LayerGradients<T>& gradients) {
  for_each_variable(layer, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    const PanelView<T> grad = gradients[n].values.view();
    compute(layer, view, n, variable, block, with_penalties, {}, start(grad, block), grad.stride());
  });
}

template <class T>
void apply_gradient(const Layer<T>& layer, Block weights, const LayerGradients<T>& gradients,
                    const ops::Update<T>& update, LayerSlots<T>& slots) {
  for_each_variable(layer, weights, [&](std::size_t n, Variable<T>& variable, Block block) {
    const PanelView<const T> grad = gradients[n].values.view();
    apply(update, variable, block, start(grad, block), grad.stride(), gradients[n].scale, slots[n]);
  });
}

template <class T>
void accumulate(const Layer<T>& layer, Block weights, bool ends_step, LayerGradients<T>& gradients,
                LayerGradients<T>& accumulated) {
  for_each_variable(layer, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    T* grad = gradients[n].values.view().data;
    T* sum = accumulated[n].values.view().data;
    for_each_range<T>(variable.rows(), block, [&](Index offset, Index size) {
      kernels::Step<T> add{}; // param −= −1 · grad
      add.size = size;
      add.param = (ends_step ? grad : sum) + offset;
      add.grad = (ends_step ? sum : grad) + offset;
      add.learning_rate = -1;
      kernels::table<T>().sgd_update(add);
      if (ends_step) std::fill_n(sum + offset, size, T(0));
    });
  });
}

template <class T> void sum_squares(const Layer<T>& layer, Block weights, LayerGradients<T>& gradients) {
  for_each_panel(layer, weights, [&](std::size_t n, const Variable<T>&, Index p, Index columns) {
    const PanelView<const T> grad = gradients[n].values.view();
    gradients[n].panel_squares[static_cast<std::size_t>(p)] = ops::sum_of_squares(grad.panel(p), grad.rows, columns);
  });
}

template <class T>
void compute_scales(const Network<T>& network, const ops::Optimizer& optimizer, Gradients<T>& gradients) {
  const double mean = 1 / static_cast<double>(optimizer.accumulation);
  const auto add = [&](double sum, const std::vector<double>& squares) {
    for (const double square : squares) sum += square * mean * mean;
    return sum;
  };
  double global_scale = 1;
  if (optimizer.global_clip_norm > 0) {
    double squares = 0;
    for (const auto& layer : gradients.layers) {
      for (const auto& gradient : layer) squares = add(squares, gradient.panel_squares);
    }
    // As in Keras, an infinite norm makes all gradients NaN.
    global_scale = ops::clipping_scale(squares, optimizer.global_clip_norm) + (squares - squares);
  }
  for (std::size_t l = 0; l < gradients.layers.size(); ++l) {
    if (!network.layers()[l].has_trainable_variables()) continue;
    for (auto& gradient : gradients.layers[l]) {
      const bool clips = optimizer.clip_norm > 0;
      gradient.scale =
          mean * (clips ? ops::clipping_scale(add(0, gradient.panel_squares), optimizer.clip_norm) : global_scale);
    }
  }
}

template <class T> bool is_regularized(const Layer<T>& layer) {
  return layer.has_trainable_variables() &&
         any_variable(layer, [](const Variable<T>& variable) { return variable.regularizer.is_on(); });
}

template <class T> bool is_constrained(const Layer<T>& layer) {
  return layer.has_trainable_variables() && any_variable(layer, [](const Variable<T>& variable) {
           return variable.constraint.kind != ops::Constraint::Kind::none;
         });
}

template <class T> Penalties make_penalties(const Network<T>& network) {
  Penalties penalties(network.layers().size());
  for (std::size_t l = 0; l < penalties.size(); ++l) {
    if (!is_regularized(network.layers()[l])) continue;
    for_each_variable(network.layers()[l], [&](std::size_t n, const Variable<T>& variable) {
      penalties[l][n].resize(static_cast<std::size_t>(variable.values().panels()));
    });
  }
  return penalties;
}

template <class T> void penalize(const Layer<T>& layer, Block weights, LayerPenalties& penalties) {
  for_each_panel(layer, weights, [&](std::size_t n, const Variable<T>& variable, Index p, Index) {
    penalties[n][static_cast<std::size_t>(p)] = ops::penalty(variable, p);
  });
}

double total(const Penalties& penalties) {
  double sum = 0;
  for (const LayerPenalties& layer : penalties) {
    for (const std::vector<double>& panels : layer) {
      for (const double penalty : panels) sum += penalty;
    }
  }
  return sum;
}

template <class T> void constrain(const Layer<T>& layer, Block weights) {
  for_each_variable(layer, weights, [&](std::size_t, Variable<T>& variable, Block block) {
    ops::constrain(variable, block.first_panel, block.last_panel);
  });
}

template <class T> void overwrite_with_averages(const Network<T>& network, const Slots<T>& slots) {
  for (std::size_t l = 0; l < slots.layers.size(); ++l) {
    const Layer<T>& layer = network.layers()[l];
    if (!layer.has_trainable_variables()) continue;
    for_each_variable(layer, [&](std::size_t n, Variable<T>& variable) {
      const AlignedBuffer<T>& average = slots.layers[l][n].back();
      std::copy_n(average.data(), average.size(), variable.values().data);
    });
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template PanelView<const T> weights(const Layer<T>&);                                                                \
  template struct Slots<T>;                                                                                            \
  template struct Gradients<T>;                                                                                        \
  template void update(const Layer<T>&, const LayerView<T>&, Block, const ops::Update<T>&, LayerSlots<T>&);            \
  template void compute_gradient(const Layer<T>&, const LayerView<T>&, Block, bool, LayerGradients<T>&);               \
  template void apply_gradient(const Layer<T>&, Block, const LayerGradients<T>&, const ops::Update<T>&,                \
                               LayerSlots<T>&);                                                                        \
  template void accumulate(const Layer<T>&, Block, bool, LayerGradients<T>&, LayerGradients<T>&);                      \
  template void sum_squares(const Layer<T>&, Block, LayerGradients<T>&);                                               \
  template void compute_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>&);                               \
  template bool is_regularized(const Layer<T>&);                                                                       \
  template bool is_constrained(const Layer<T>&);                                                                       \
  template Penalties make_penalties(const Network<T>&);                                                                \
  template void penalize(const Layer<T>&, Block, LayerPenalties&);                                                     \
  template void constrain(const Layer<T>&, Block);                                                                     \
  template void overwrite_with_averages(const Network<T>&, const Slots<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
