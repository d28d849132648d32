#include "network/network.hpp"

#include "ops/activations.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace cnet {

template <class T>
void Network<T>::add_dense(std::string name, std::shared_ptr<ops::DenseParameters<T>> parameters, bool trainable) {
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

} // namespace

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
void update_panels(ops::DenseParameters<T>& parameters, PanelView<const T> x, PanelView<const T> gradient, Index first,
                   Index last, const ops::Optimizer& optimizer, Index step, typename Slots<T>::OfLayer& slots) {
  constexpr Index width = panel_width<T>;
  alignas(cache_line) std::array<T, block_panels * block_rows * width> block;
  std::array<T*, 2> slot{};
  const auto apply = [&](Index size, T* param, const T* grad, std::vector<AlignedBuffer<T>>& buffers, Index offset) {
    for (std::size_t n = 0; n < buffers.size(); ++n) slot[n] = buffers[n].data() + offset;
    ops::update(optimizer, step, size, param, grad, slot.data());
  };

  const PanelView<T> kernel = parameters.kernel();
  for (Index row = 0; row < kernel.rows; row += block_rows) {
    const Index rows = std::min(block_rows, kernel.rows - row);
    ops::dense_backward_kernel<T>(x, gradient, row, row + rows, first, last, block.data());
    for (Index p = first; p < last; ++p) {
      const Index offset = p * kernel.stride() + row * width;
      apply(rows * width, kernel.data + offset, block.data() + (p - first) * rows * width, slots.kernel, offset);
    }
  }
  parameters.kernel_changed(first, last);

  if (!parameters.use_bias()) return;
  ops::dense_backward_bias<T>(gradient, first, last, block.data());
  apply((last - first) * width, parameters.bias() + first * width, block.data(), slots.bias, first * width);
}

} // namespace

template <class T>
void update(const Network<T>& network, Workspace<T>& workspace, Index top, Index batch, const ops::Optimizer& optimizer,
            Slots<T>& slots) {
  slots.steps += 1;
  for (Index l = 0; l <= top; ++l) {
    const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
    if (!layer.trainable) continue;
    const Index panels = panel_count<T>(layer.outputs);
    for (Index first = 0; first < panels; first += block_panels) {
      update_panels<T>(*layer.parameters, workspace.output(l - 1, batch), workspace.gradient(l, batch), first,
                       std::min(first + block_panels, panels), optimizer, slots.steps,
                       slots.layers[static_cast<std::size_t>(l)]);
    }
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template class Workspace<T>;                                                                                         \
  template struct Slots<T>;                                                                                            \
  template void forward(const Layer<T>&, PanelView<const T>, RowRange, PanelView<T>);                                  \
  template void backward(const Network<T>&, Workspace<T>&, Index, Index, RowRange);                                    \
  template void update(const Network<T>&, Workspace<T>&, Index, Index, const ops::Optimizer&, Slots<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
