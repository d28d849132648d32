#include "network/update.hpp"

#include <algorithm>
#include <array>

namespace cnet {

namespace {

template <class T> const Layer<T>& layer_of(const Network<T>& network, Index l) {
  return network.layers()[static_cast<std::size_t>(l)];
}
template <class Of> auto& of_layer(Of& layers, Index l) {
  return layers[static_cast<std::size_t>(l)];
}

/// f(n, variable, block) for the block of each of a layer's variables that a block of weights stands for.
template <class T, class F> void each_variable(const Layer<T>& layer, Block block, F f) {
  for (std::size_t n = 0; n < layer.variables.size(); ++n) {
    if (!layer.variables[n]) continue;
    if (n == 0) f(n, *layer.variables[n], block);
    if (n == 1 && block.first == 0) f(n, *layer.variables[n], Block{0, 1, block.first_panel, block.last_panel});
  }
}

/// f(n, variable) for each variable whole.
template <class T, class F> void each_variable(const Layer<T>& layer, F f) {
  each_variable(layer, whole(weights(layer)), [&](std::size_t n, Variable<T>& variable, Block) { f(n, variable); });
}

/// f(offset, size) for the stretch of memory that a block takes in each of its panels, all of `rows` rows.
template <class T, class F> void each_stretch(Index rows, Block block, F f) {
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    f((p * rows + block.first) * panel_width<T>, (block.last - block.first) * panel_width<T>);
  }
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
    if (!layer.learns()) continue;
    each_variable(layer, [&](std::size_t v, Variable<T>& variable) {
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
    if (!layer.learns()) continue;
    each_variable(layer, [&](std::size_t v, Variable<T>& variable) {
      layers[l][v].values = PanelMatrix<T>(variable.rows(), variable.columns());
      layers[l][v].squares.resize(static_cast<std::size_t>(variable.values().panels()));
    });
  }
}

namespace {

/// A block of a variable's gradient, `stride` from a panel to the next.
template <class T>
void make(const Layer<T>& layer, const Batch<T>& batch, Index l, std::size_t n, const Variable<T>& variable,
          Block block, bool penalized, const ops::Prefetch<T>& ahead, T* grad, Index stride) {
  variable_gradient<T>(layer, batch.place(l), batch.gradient(l), n, block, ahead, grad, stride);
  if (!penalized || !variable.regularizer.is_on()) return;
  const T* values = variable.values().data;
  each_stretch<T>(variable.rows(), block, [&](Index offset, Index size) {
    ops::regularize(variable.regularizer, size, values + offset, grad);
    grad += stride;
  });
}

/// `grad` is the block's first panel, `stride` from one to the next.
template <class T>
void apply(const ops::Update<T>& update, Variable<T>& variable, Block block, const T* grad, Index stride, double scale,
           std::vector<AlignedBuffer<T>>& slots) {
  T* values = variable.values().data;
  each_stretch<T>(variable.rows(), block, [&](Index offset, Index size) {
    std::array<T*, kernels::max_slots + 1> slot{};
    for (std::size_t n = 0; n < slots.size(); ++n) slot[n] = slots[n].data() + offset;
    if (update.steps()) update(size, values + offset, grad, slot.data(), static_cast<T>(scale));
    if (update.averages()) update.average(size, values + offset, slot[static_cast<std::size_t>(update.slots())]);
    grad += stride;
  });
}

/// Where a block of a gradient stands.
template <class T> T* start(PanelView<T> gradient, Block block) {
  return gradient.panel(block.first_panel) + block.first * panel_width<T>;
}

} // namespace

template <class T>
void update(const Network<T>& network, const Batch<T>& batch, Index l, Block weights, const ops::Update<T>& update,
            Slots<T>& slots) {
  alignas(cache_line) std::array<T, ops::most_panels * most_update_rows * panel_width<T>> grad;
  const Layer<T>& layer = layer_of(network, l);
  const bool descends = layer.template is<Dense>() && update.is_plain_sgd() && batch.rows() <= kernels::k_block_size;
  each_variable(layer, weights, [&](std::size_t n, Variable<T>& variable, Block block) {
    const PanelView<T> values = variable.values();
    auto& of_variable = of_layer(slots.layers, l)[n];
    if (n == 0 && descends && !variable.regularizer.is_on()) {
      return ops::dense_fused_sgd<T>(batch.output(l - 1), batch.gradient(l), block, update.learning_rate(), values);
    }
    const Index stride = (block.last - block.first) * panel_width<T>;
    ops::Prefetch<T> ahead{{values.data, nullptr, nullptr}};
    const std::size_t slots_ahead = std::min(of_variable.size(), std::size(ahead.data) - 1);
    for (std::size_t s = 0; s < slots_ahead; ++s) ahead.data[s + 1] = of_variable[s].data();
    make(layer, batch, l, n, variable, block, true, ahead, grad.data(), stride);
    apply(update, variable, block, grad.data(), stride, 1, of_variable);
  });
}

template <class T>
void make_gradient(const Network<T>& network, const Batch<T>& batch, Index l, Block weights, bool penalized,
                   Gradients<T>& gradients) {
  const Layer<T>& layer = layer_of(network, l);
  each_variable(layer, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    const PanelView<T> grad = of_layer(gradients.layers, l)[n].values.view();
    make(layer, batch, l, n, variable, block, penalized, {}, start(grad, block), grad.stride());
  });
}

template <class T>
void apply_gradient(const Network<T>& network, Index l, Block weights, const Gradients<T>& gradients,
                    const ops::Update<T>& update, Slots<T>& slots) {
  each_variable(layer_of(network, l), weights, [&](std::size_t n, Variable<T>& variable, Block block) {
    const auto& gradient = of_layer(gradients.layers, l)[n];
    const PanelView<const T> grad = gradient.values.view();
    apply(update, variable, block, start(grad, block), grad.stride(), gradient.scale, of_layer(slots.layers, l)[n]);
  });
}

template <class T>
void accumulate(const Network<T>& network, Index l, Block weights, bool ends_step, Gradients<T>& gradients,
                Gradients<T>& put_by) {
  each_variable(layer_of(network, l), weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    T* grad = of_layer(gradients.layers, l)[n].values.view().data;
    T* sum = of_layer(put_by.layers, l)[n].values.view().data;
    each_stretch<T>(variable.rows(), block, [&](Index offset, Index size) {
      kernels::Step<T> add{}; // a step down the other, at a rate of −1
      add.size = size;
      add.param = (ends_step ? grad : sum) + offset;
      add.grad = (ends_step ? sum : grad) + offset;
      add.learning_rate = -1;
      kernels::table<T>().sgd_update(add);
      if (ends_step) std::fill_n(sum + offset, size, T(0));
    });
  });
}

namespace {

/// f(n, variable, p, columns) for each panel of a block, and how many columns it has.
template <class T, class F> void each_panel(const Network<T>& network, Index l, Block weights, F f) {
  each_variable(layer_of(network, l), weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    for (Index p = block.first_panel; p < block.last_panel; ++p) {
      f(n, variable, p, std::min(panel_width<T>, variable.columns() - p * panel_width<T>));
    }
  });
}

} // namespace

template <class T> void measure(const Network<T>& network, Index l, Block weights, Gradients<T>& gradients) {
  each_panel(network, l, weights, [&](std::size_t n, const Variable<T>&, Index p, Index columns) {
    auto& gradient = of_layer(gradients.layers, l)[n];
    const PanelView<const T> grad = gradient.values.view();
    gradient.squares[static_cast<std::size_t>(p)] = ops::sum_of_squares(grad.panel(p), grad.rows, columns);
  });
}

template <class T>
void choose_scales(const Network<T>& network, const ops::Optimizer& optimizer, Gradients<T>& gradients) {
  const double mean = 1 / static_cast<double>(optimizer.accumulation);
  const auto add = [&](double sum, const std::vector<double>& squares) {
    for (const double square : squares) sum += square * mean * mean;
    return sum;
  };
  double global_scale = 1;
  if (optimizer.global_clip_norm > 0) {
    double squares = 0;
    for (const auto& of_layer : gradients.layers) {
      for (const auto& gradient : of_layer) squares = add(squares, gradient.squares);
    }
    // An infinite norm leaves nothing that is a number, as it does in Keras.
    global_scale = ops::clipping_scale(squares, optimizer.global_clip_norm) + (squares - squares);
  }
  for (std::size_t l = 0; l < gradients.layers.size(); ++l) {
    if (!network.layers()[l].learns()) continue;
    for (auto& gradient : gradients.layers[l]) {
      const bool clips = optimizer.clip_norm > 0;
      gradient.scale =
          mean * (clips ? ops::clipping_scale(add(0, gradient.squares), optimizer.clip_norm) : global_scale);
    }
  }
}

namespace {

template <class T, class Predicate> bool any_variable(const Layer<T>& layer, Predicate predicate) {
  return std::any_of(layer.variables.begin(), layer.variables.end(),
                     [&](const SharedVariable<T>& variable) { return variable && predicate(*variable); });
}

} // namespace

template <class T> bool is_regularized(const Layer<T>& layer) {
  return layer.learns() &&
         any_variable(layer, [](const Variable<T>& variable) { return variable.regularizer.is_on(); });
}

template <class T> bool is_constrained(const Layer<T>& layer) {
  return layer.learns() && any_variable(layer, [](const Variable<T>& variable) {
           return variable.constraint.kind != ops::Constraint::Kind::none;
         });
}

template <class T> Penalties make_penalties(const Network<T>& network) {
  Penalties penalties(network.layers().size());
  for (std::size_t l = 0; l < penalties.size(); ++l) {
    if (!is_regularized(network.layers()[l])) continue;
    each_variable(network.layers()[l], [&](std::size_t n, const Variable<T>& variable) {
      penalties[l][n].resize(static_cast<std::size_t>(variable.values().panels()));
    });
  }
  return penalties;
}

template <class T> void penalize(const Network<T>& network, Index l, Block weights, Penalties& penalties) {
  each_panel(network, l, weights, [&](std::size_t n, const Variable<T>& variable, Index p, Index) {
    of_layer(penalties, l)[n][static_cast<std::size_t>(p)] = ops::penalty(variable, p);
  });
}

double total(const Penalties& penalties) {
  double sum = 0;
  for (const auto& of_layer : penalties) {
    for (const std::vector<double>& of_variable : of_layer) {
      for (const double penalty : of_variable) sum += penalty;
    }
  }
  return sum;
}

template <class T> void constrain(const Network<T>& network, Index l, Block weights) {
  each_variable(layer_of(network, l), weights, [&](std::size_t, Variable<T>& variable, Block block) {
    ops::constrain(variable, block.first_panel, block.last_panel);
  });
}

template <class T> void overwrite_by_average(const Network<T>& network, const Slots<T>& slots) {
  for (std::size_t l = 0; l < slots.layers.size(); ++l) {
    const Layer<T>& layer = network.layers()[l];
    if (!layer.learns()) continue;
    each_variable(layer, [&](std::size_t n, Variable<T>& variable) {
      const AlignedBuffer<T>& average = slots.layers[l][n].back();
      std::copy_n(average.data(), average.size(), variable.values().data);
    });
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template PanelView<const T> weights(const Layer<T>&);                                                                \
  template struct Slots<T>;                                                                                            \
  template struct Gradients<T>;                                                                                        \
  template void update(const Network<T>&, const Batch<T>&, Index, Block, const ops::Update<T>&, Slots<T>&);            \
  template void make_gradient(const Network<T>&, const Batch<T>&, Index, Block, bool, Gradients<T>&);                  \
  template void apply_gradient(const Network<T>&, Index, Block, const Gradients<T>&, const ops::Update<T>&,            \
                               Slots<T>&);                                                                             \
  template void accumulate(const Network<T>&, Index, Block, bool, Gradients<T>&, Gradients<T>&);                       \
  template void measure(const Network<T>&, Index, Block, Gradients<T>&);                                               \
  template void choose_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>&);                                \
  template bool is_regularized(const Layer<T>&);                                                                       \
  template bool is_constrained(const Layer<T>&);                                                                       \
  template Penalties make_penalties(const Network<T>&);                                                                \
  template void penalize(const Network<T>&, Index, Block, Penalties&);                                                 \
  template void constrain(const Network<T>&, Index, Block);                                                            \
  template void overwrite_by_average(const Network<T>&, const Slots<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
