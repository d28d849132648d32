#include "network/update.hpp"

#include <algorithm>
#include <array>

namespace cnet {

namespace {

/// Calls f(n, variable, block of it) for each of a node's variables that a block of weights stands for.
template <class T, class F> void for_each_variable(const Node<T>& node, Block block, F f) {
  for (std::size_t n = 0; n < node.variables.size(); ++n) {
    if (!node.variables[n]) continue;
    if (n == 0) f(n, *node.variables[n], block);
    if (n == 1 && block.first == 0) f(n, *node.variables[n], Block{0, 1, block.first_panel, block.last_panel});
  }
}

template <class T, class F> void for_each_variable(const Node<T>& node, F f) {
  for_each_variable(node, whole(weights(node)), [&](std::size_t n, Variable<T>& variable, Block) { f(n, variable); });
}

/// Calls f(offset, size) for the contiguous memory of a block in each of its panels.
template <class T, class F> void for_each_range(Index rows, Block block, F f) {
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    f((p * rows + block.first) * panel_width<T>, (block.last - block.first) * panel_width<T>);
  }
}

/// Room for the gradient of a block of weights.
template <class T> using BlockBuffer = std::array<T, ops::most_panels * most_update_rows * panel_width<T>>;

/// sum += x
template <class T> void add(Index size, const T* x, T* sum) {
  kernels::table<T>().merge[static_cast<int>(ops::Merge::add)](size, sum, x, sum);
}

/// Computes a block of a variable's gradient, its panels `stride` apart: the sum over all uses.
template <class T>
void compute(Uses<T> uses, std::size_t n, const Variable<T>& variable, Block block, bool with_penalties,
             const ops::Prefetch<T>& prefetch, T* grad, Index stride) {
  variable_gradient<T>(uses.data[0].node, uses.data[0].view, n, block, prefetch, grad, stride);
  for (std::size_t use = 1; use < uses.size; ++use) {
    alignas(cache_line) BlockBuffer<T> other;
    const Index size = (block.last - block.first) * panel_width<T>;
    variable_gradient<T>(uses.data[use].node, uses.data[use].view, n, block, {}, other.data(), size);
    for (Index p = 0; p < block.last_panel - block.first_panel; ++p) {
      add(size, other.data() + p * size, grad + p * stride);
    }
  }
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
template <class T, class F> void for_each_panel(const Node<T>& node, Block weights, F f) {
  for_each_variable(node, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    for (Index p = block.first_panel; p < block.last_panel; ++p) {
      f(n, variable, p, std::min(panel_width<T>, variable.columns() - p * panel_width<T>));
    }
  });
}

template <class T, class Predicate> bool any_variable(const Node<T>& node, Predicate predicate) {
  return std::any_of(node.variables.begin(), node.variables.end(),
                     [&](const SharedVariable<T>& variable) { return variable && predicate(*variable); });
}

} // namespace

template <class T> PanelView<const T> weights(const Node<T>& node) {
  const Variable<T>& variable = *node.variables[node.kernel() ? 0 : 1];
  return variable.values();
}

template <class T>
Slots<T>::Slots(const Network<T>& network, const ops::Optimizer& optimizer)
    : nodes(network.nodes().size()), rule(optimizer.rule), has_averages(optimizer.averages) {
  for (std::size_t l = 0; l < nodes.size(); ++l) {
    const Node<T>& node = network.nodes()[l];
    if (!node.updates_variables()) continue;
    for_each_variable(node, [&](std::size_t v, Variable<T>& variable) {
      const PanelView<T> values = variable.values();
      const Index size = values.panels() * values.stride();
      for (int n = 0; n < optimizer.slots(); ++n) {
        AlignedBuffer<T>& slot = nodes[l][v].emplace_back(size);
        if (optimizer.initial_slot != 0) std::fill_n(slot.data(), size, static_cast<T>(optimizer.initial_slot));
      }
      if (optimizer.averages) std::copy_n(values.data, size, nodes[l][v].back().data());
    });
  }
}

template <class T> Gradients<T>::Gradients(const Network<T>& network) : nodes(network.nodes().size()) {
  for (std::size_t l = 0; l < nodes.size(); ++l) {
    const Node<T>& node = network.nodes()[l];
    if (!node.updates_variables()) continue;
    for_each_variable(node, [&](std::size_t v, Variable<T>& variable) {
      nodes[l][v].values = PanelMatrix<T>(variable.rows(), variable.columns());
      nodes[l][v].panel_squares.resize(static_cast<std::size_t>(variable.values().panels()));
    });
  }
}

template <class T> void update(Uses<T> uses, Block weights, const ops::Update<T>& update, NodeSlots<T>& slots) {
  alignas(cache_line) BlockBuffer<T> grad;
  const auto& [node, view] = uses.data[0];
  const bool is_fused_sgd =
      uses.size == 1 && node.template is<Dense>() && update.is_plain_sgd() && view.x.rows <= kernels::k_block_size;
  for_each_variable(node, weights, [&, &view = view](std::size_t n, Variable<T>& variable, Block block) {
    const PanelView<T> values = variable.values();
    if (n == 0 && is_fused_sgd && !variable.regularizer.is_on()) {
      return ops::dense_fused_sgd<T>(view.x, view.grad, block, update.learning_rate(), values);
    }
    const Index stride = (block.last - block.first) * panel_width<T>;
    ops::Prefetch<T> prefetch{{values.data, nullptr, nullptr}};
    const std::size_t prefetched_slots = std::min(slots[n].size(), std::size(prefetch.data) - 1);
    for (std::size_t s = 0; s < prefetched_slots; ++s) prefetch.data[s + 1] = slots[n][s].data();
    compute(uses, n, variable, block, true, prefetch, grad.data(), stride);
    apply(update, variable, block, grad.data(), stride, 1, slots[n]);
  });
}

template <class T>
void compute_gradient(Uses<T> uses, Block weights, bool with_penalties, NodeGradients<T>& gradients) {
  for_each_variable(uses.data[0].node, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
    const PanelView<T> grad = gradients[n].values.view();
    compute(uses, n, variable, block, with_penalties, {}, start(grad, block), grad.stride());
  });
}

template <class T> bool updates_named_rows(const Node<T>& node, std::size_t uses, const ops::Optimizer& optimizer) {
  return node.template is<Embedding>() && uses == 1 && ops::Update<T>(optimizer, 1).is_plain_sgd() &&
         !node.kernel()->regularizer.is_on();
}

template <class T> void update_rows(const Use<T>& use, Index first, Index last, const ops::Update<T>& update) {
  const NodeView<T>& view = use.view;
  ops::embedding_fused_sgd<T>(view.grad, *view.rows_of_ids, first, last, update.learning_rate(),
                              use.node.kernel()->values());
}

template <class T>
void apply_gradient(const Node<T>& node, Block weights, const NodeGradients<T>& gradients, const ops::Update<T>& update,
                    NodeSlots<T>& slots) {
  for_each_variable(node, weights, [&](std::size_t n, Variable<T>& variable, Block block) {
    const PanelView<const T> grad = gradients[n].values.view();
    apply(update, variable, block, start(grad, block), grad.stride(), gradients[n].scale, slots[n]);
  });
}

template <class T>
void accumulate(const Node<T>& node, Block weights, bool ends_step, NodeGradients<T>& gradients,
                NodeGradients<T>& accumulated) {
  for_each_variable(node, weights, [&](std::size_t n, const Variable<T>& variable, Block block) {
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

template <class T> void sum_squares(const Node<T>& node, Block weights, NodeGradients<T>& gradients) {
  for_each_panel(node, weights, [&](std::size_t n, const Variable<T>&, Index p, Index columns) {
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
    for (const auto& node : gradients.nodes) {
      for (const auto& gradient : node) squares = add(squares, gradient.panel_squares);
    }
    // As in Keras, an infinite norm makes all gradients NaN.
    global_scale = ops::clipping_scale(squares, optimizer.global_clip_norm) + (squares - squares);
  }
  for (std::size_t l = 0; l < gradients.nodes.size(); ++l) {
    if (!network.nodes()[l].updates_variables()) continue;
    for (auto& gradient : gradients.nodes[l]) {
      const bool clips = optimizer.clip_norm > 0;
      gradient.scale =
          mean * (clips ? ops::clipping_scale(add(0, gradient.panel_squares), optimizer.clip_norm) : global_scale);
    }
  }
}

template <class T> bool is_regularized(const Node<T>& node) {
  return node.updates_variables() &&
         any_variable(node, [](const Variable<T>& variable) { return variable.regularizer.is_on(); });
}

template <class T> bool is_constrained(const Node<T>& node) {
  return node.updates_variables() && any_variable(node, [](const Variable<T>& variable) {
           return variable.constraint.kind != ops::Constraint::Kind::none;
         });
}

template <class T> Penalties make_penalties(const Network<T>& network) {
  Penalties penalties(network.nodes().size());
  for (std::size_t l = 0; l < penalties.size(); ++l) {
    if (!is_regularized(network.nodes()[l])) continue;
    for_each_variable(network.nodes()[l], [&](std::size_t n, const Variable<T>& variable) {
      penalties[l][n].resize(static_cast<std::size_t>(variable.values().panels()));
    });
  }
  return penalties;
}

template <class T> void penalize(const Node<T>& node, Block weights, NodePenalties& penalties) {
  for_each_panel(node, weights, [&](std::size_t n, const Variable<T>& variable, Index p, Index) {
    penalties[n][static_cast<std::size_t>(p)] = ops::penalty(variable, p);
  });
}

double total(const Penalties& penalties) {
  double sum = 0;
  for (const NodePenalties& node : penalties) {
    for (const std::vector<double>& panels : node) {
      for (const double penalty : panels) sum += penalty;
    }
  }
  return sum;
}

template <class T> void constrain(const Node<T>& node, Block weights) {
  for_each_variable(node, weights, [&](std::size_t, Variable<T>& variable, Block block) {
    ops::constrain(variable, block.first_panel, block.last_panel);
  });
}

template <class T> void overwrite_with_averages(const Network<T>& network, const Slots<T>& slots) {
  for (std::size_t l = 0; l < slots.nodes.size(); ++l) {
    const Node<T>& node = network.nodes()[l];
    if (!node.updates_variables()) continue;
    for_each_variable(node, [&](std::size_t n, Variable<T>& variable) {
      const AlignedBuffer<T>& average = slots.nodes[l][n].back();
      std::copy_n(average.data(), average.size(), variable.values().data);
    });
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template PanelView<const T> weights(const Node<T>&);                                                                 \
  template struct Slots<T>;                                                                                            \
  template struct Gradients<T>;                                                                                        \
  template void update(Uses<T>, Block, const ops::Update<T>&, NodeSlots<T>&);                                          \
  template void compute_gradient(Uses<T>, Block, bool, NodeGradients<T>&);                                             \
  template bool updates_named_rows(const Node<T>&, std::size_t, const ops::Optimizer&);                                \
  template void update_rows(const Use<T>&, Index, Index, const ops::Update<T>&);                                       \
  template void apply_gradient(const Node<T>&, Block, const NodeGradients<T>&, const ops::Update<T>&, NodeSlots<T>&);  \
  template void accumulate(const Node<T>&, Block, bool, NodeGradients<T>&, NodeGradients<T>&);                         \
  template void sum_squares(const Node<T>&, Block, NodeGradients<T>&);                                                 \
  template void compute_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>&);                               \
  template bool is_regularized(const Node<T>&);                                                                        \
  template bool is_constrained(const Node<T>&);                                                                        \
  template Penalties make_penalties(const Network<T>&);                                                                \
  template void penalize(const Node<T>&, Block, NodePenalties&);                                                       \
  template void constrain(const Node<T>&, Block);                                                                      \
  template void overwrite_with_averages(const Network<T>&, const Slots<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
