#include "network/network.hpp"

#include "ops/activations.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace cnet {

template <class T>
void Network<T>::add_dense(std::string name, std::shared_ptr<ops::DenseParameters<T>> parameters, bool trainable) {
  if (parameters->inputs() != outputs()) {
    throw std::invalid_argument("add_dense: expected a kernel of " + std::to_string(outputs()) + " inputs, got " +
                                std::to_string(parameters->inputs()));
  }
  Layer<T> layer{LayerKind::dense, std::move(name), parameters->outputs()};
  layer.parameters = std::move(parameters);
  layer.trainable = trainable;
  layers_.push_back(std::move(layer));
}

template <class T> void Network<T>::add_relu(std::string name) {
  const bool fuses = !layers_.empty() && layers_.back().kind == LayerKind::dense;
  if (fuses) {
    layers_.back().activation = ops::Activation::relu; // twice is as good as once
  } else {
    layers_.push_back({LayerKind::relu, std::move(name), outputs()});
  }
}

template <class T> void Network<T>::add_softmax(std::string name) {
  layers_.push_back({LayerKind::softmax, std::move(name), outputs()});
}

template <class T> void Network<T>::add_rescaling(std::string name, double scale, double offset) {
  if (layers_.empty() && !rescales_input_) {
    rescales_input_ = true;
    input_scale_ = static_cast<T>(scale);
    input_offset_ = static_cast<T>(offset);
    return;
  }
  Layer<T> layer{LayerKind::rescaling, std::move(name), outputs()};
  layer.scale = static_cast<T>(scale);
  layer.offset = static_cast<T>(offset);
  layers_.push_back(std::move(layer));
}

template <class T> Workspace<T>::Workspace(const Network<T>& network, Index capacity) : capacity_(capacity) {
  outputs_.emplace_back(capacity, network.inputs());
  for (const Layer<T>& layer : network.layers()) {
    outputs_.emplace_back(capacity, layer.outputs);
    gradients_.emplace_back(capacity, layer.outputs);
  }
}

template <class T> Slots<T>::Slots(const Network<T>& network, int slot_count) : count(slot_count) {
  for (const Layer<T>& layer : network.layers()) {
    OfLayer& slots = layers.emplace_back();
    if (!layer.trainable) continue;
    const Index bias_size = panel_count<T>(layer.outputs) * panel_width<T>;
    for (int n = 0; n < count; ++n) {
      slots.kernel.emplace_back(checked_product(bias_size, layer.parameters->inputs()));
      slots.bias.emplace_back(bias_size);
    }
  }
}

template <class T> void forward(const Layer<T>& layer, PanelView<const T> x, RowRange rows, PanelView<T> out) {
  switch (layer.kind) {
  case LayerKind::dense: return ops::dense_forward(x, *layer.parameters, layer.activation, rows, out);
  case LayerKind::relu: return ops::relu_forward(x, rows, out);
  case LayerKind::softmax: return ops::softmax(x, rows, out);
  case LayerKind::rescaling: return ops::rescaling_forward(x, layer.scale, layer.offset, rows, out);
  }
}

namespace {

template <class T> bool gates(const Layer<T>& layer) {
  return layer.kind == LayerKind::dense && layer.activation == ops::Activation::relu;
}

template <class T> Index lowest_trainable(const Network<T>& network) {
  const auto& layers = network.layers();
  return std::find_if(layers.begin(), layers.end(), [](const Layer<T>& l) { return l.trainable; }) - layers.begin();
}

} // namespace

template <class T> void prepare_backward(const Network<T>& network, Index top) {
  for (Index l = lowest_trainable(network) + 1; l <= top; ++l) {
    const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
    if (layer.kind == LayerKind::dense) layer.parameters->transposed();
  }
}

template <class T>
void backward(const Network<T>& network, Workspace<T>& workspace, Index top, Index batch, RowRange rows) {
  const auto& layers = network.layers();
  const auto trainable = std::find_if(layers.begin(), layers.end(), [](const Layer<T>& l) { return l.trainable; });
  const Index lowest = trainable - layers.begin();

  const auto gate_in_place = [&](Index l) {
    const PanelView<T> gradient = workspace.gradient(l, batch);
    if (gates(layers[static_cast<std::size_t>(l)])) {
      ops::relu_backward<T>(gradient, workspace.output(l, batch), rows, gradient);
    }
  };

  if (top >= 0) gate_in_place(top);
  for (Index l = top; l > lowest; --l) {
    const Layer<T>& layer = layers[static_cast<std::size_t>(l)];
    const PanelView<T> gradient = workspace.gradient(l, batch);
    const PanelView<T> below = workspace.gradient(l - 1, batch);
    switch (layer.kind) {
    case LayerKind::dense: {
      const T* gate = gates(layers[static_cast<std::size_t>(l - 1)]) ? workspace.output(l - 1, batch).data : nullptr;
      ops::dense_backward_input<T>(gradient, layer.parameters->transposed(), gate, rows, below);
      continue; // gated already
    }
    case LayerKind::relu: ops::relu_backward<T>(gradient, workspace.output(l - 1, batch), rows, below); break;
    case LayerKind::softmax: ops::softmax_backward<T>(gradient, workspace.output(l, batch), rows, below); break;
    case LayerKind::rescaling: ops::rescaling_backward<T>(gradient, layer.scale, rows, below); break;
    }
    gate_in_place(l - 1);
  }
}

namespace {

/// A gradient lives in a block of this size on its way from the product to the optimizer, within
/// the first-level cache.
constexpr Index block_panels = 3;
constexpr Index block_rows = 64;

template <class T>
void update_block(ops::DenseParameters<T>& parameters, PanelView<const T> x, PanelView<const T> gradient, Block block,
                  const ops::Optimizer& optimizer, Index step, typename Slots<T>::OfLayer& slots) {
  constexpr Index width = panel_width<T>;
  alignas(cache_line) std::array<T, block_panels * block_rows * width> gradients;
  const auto apply = [&](Index size, T* param, const T* grad, std::vector<AlignedBuffer<T>>& buffers, Index offset) {
    std::array<T*, 2> slot{};
    for (std::size_t n = 0; n < buffers.size(); ++n) slot[n] = buffers[n].data() + offset;
    ops::update(optimizer, step, size, param, grad, slot.data());
  };

  const PanelView<T> kernel = parameters.kernel();
  const Index size = (block.last - block.first) * width;
  ops::dense_backward_kernel<T>(x, gradient, block, gradients.data());
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    const Index offset = p * kernel.stride() + block.first * width;
    apply(size, kernel.data + offset, gradients.data() + (p - block.first_panel) * size, slots.kernel, offset);
  }
  parameters.kernel_changed(block);

  if (block.first != 0 || !parameters.use_bias()) return;
  const Index offset = block.first_panel * width;
  ops::dense_backward_bias<T>(gradient, block.first_panel, block.last_panel, gradients.data());
  apply(block.last_panel * width - offset, parameters.bias() + offset, gradients.data(), slots.bias, offset);
}

/// f(layer, block) for each block of each layer that is trained, always in the same order.
template <class T, class F> void each_block(const Network<T>& network, Index top, F f) {
  for (Index l = 0; l <= top; ++l) {
    const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
    if (!layer.trainable) continue;
    const PanelView<T> kernel = layer.parameters->kernel();
    for (Index panel = 0; panel < kernel.panels(); panel += block_panels) {
      for (Index row = 0; row < kernel.rows; row += block_rows) {
        f(l,
          Block{row, std::min(row + block_rows, kernel.rows), panel, std::min(panel + block_panels, kernel.panels())});
      }
    }
  }
}

Index cost(Block block) {
  return (block.last - block.first) * (block.last_panel - block.first_panel);
}

} // namespace

template <class T>
void update(const Network<T>& network, Workspace<T>& workspace, Index top, Index batch, const ops::Optimizer& optimizer,
            Slots<T>& slots, Index step, Share share) {
  Index total = 0, before = 0;
  each_block(network, top, [&](Index, Block block) { total += cost(block); });
  each_block(network, top, [&](Index l, Block block) {
    const Index middle = before + cost(block) / 2;
    before += cost(block);
    if (middle * share.count / total != share.index) return;
    const auto n = static_cast<std::size_t>(l);
    update_block<T>(*network.layers()[n].parameters, workspace.output(l - 1, batch), workspace.gradient(l, batch),
                    block, optimizer, step, slots.layers[n]);
  });
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template class Workspace<T>;                                                                                         \
  template struct Slots<T>;                                                                                            \
  template void forward(const Layer<T>&, PanelView<const T>, RowRange, PanelView<T>);                                  \
  template void backward(const Network<T>&, Workspace<T>&, Index, Index, RowRange);                                    \
  template void prepare_backward(const Network<T>&, Index);                                                            \
  template void update(const Network<T>&, Workspace<T>&, Index, Index, const ops::Optimizer&, Slots<T>&, Index, Share);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
