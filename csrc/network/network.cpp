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

template <class T>
Workspace<T>::Workspace(const Network<T>& network, Index capacity, int threads, bool own_inputs)
    : capacity_(capacity), own_inputs_(own_inputs) {
  Index scratch_size = 0;
  for (const Layer<T>& layer : network.layers()) {
    outputs_.emplace_back(capacity, layer.outputs);
    gradients_.emplace_back(capacity, layer.outputs);
    scratch_size = std::max(scratch_size, ops::transposed_size<T>(layer.outputs));
  }
  for (int n = 0; n < threads; ++n) scratch_.emplace_back(scratch_size);
  for (int n = 0; n < (own_inputs ? threads : 1); ++n) inputs_.emplace_back(capacity, network.inputs());
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

namespace {

RowRange rows_of(Block block) {
  return {block.first, block.last};
}

template <class T> bool gates(const Layer<T>& layer) {
  return layer.kind == LayerKind::dense && layer.activation == ops::Activation::relu;
}

} // namespace

template <class T> void forward(const Layer<T>& layer, PanelView<const T> x, Block block, PanelView<T> out) {
  switch (layer.kind) {
  case LayerKind::dense: return ops::dense_forward(x, *layer.parameters, layer.activation, block, out);
  case LayerKind::relu: return ops::relu_forward(x, rows_of(block), out);
  case LayerKind::softmax: return ops::softmax(x, rows_of(block), out);
  case LayerKind::rescaling: return ops::rescaling_forward(x, layer.scale, layer.offset, rows_of(block), out);
  }
}

template <class T> Index lowest_trainable(const Network<T>& network) {
  const auto& layers = network.layers();
  return std::find_if(layers.begin(), layers.end(), [](const Layer<T>& l) { return l.trainable; }) - layers.begin();
}

template <class T> void backward_activation(const Network<T>& network, const Batch<T>& batch, Index l, RowRange rows) {
  if (!gates(network.layers()[static_cast<std::size_t>(l)])) return;
  ops::relu_backward<T>(batch.gradient(l), batch.output(l), rows, batch.gradient(l));
}

template <class T> void backward(const Network<T>& network, const Batch<T>& batch, Index l, Block block) {
  const auto& layers = network.layers();
  const Layer<T>& layer = layers[static_cast<std::size_t>(l)];
  const PanelView<const T> gradient = batch.gradient(l);
  const PanelView<T> below = batch.gradient(l - 1);
  switch (layer.kind) {
  case LayerKind::dense: {
    const T* gate = gates(layers[static_cast<std::size_t>(l - 1)]) ? batch.output(l - 1).data : nullptr;
    return ops::dense_backward_input<T>(gradient, layer.parameters->kernel(), gate, block, batch.scratch(), below);
  }
  case LayerKind::relu: ops::relu_backward<T>(gradient, batch.output(l - 1), rows_of(block), below); break;
  case LayerKind::softmax: ops::softmax_backward<T>(gradient, batch.output(l), rows_of(block), below); break;
  case LayerKind::rescaling: ops::rescaling_backward<T>(gradient, layer.scale, rows_of(block), below); break;
  }
  backward_activation(network, batch, l - 1, rows_of(block));
}

namespace {

/// A gradient lives in a block of this size on its way from the product to the optimizer, within
/// the first-level cache.
constexpr Index block_rows = 32;

template <class T>
void update_block(ops::DenseParameters<T>& parameters, PanelView<const T> x, PanelView<const T> gradient, Block block,
                  const ops::Update<T>& update, typename Slots<T>::OfLayer& slots) {
  constexpr Index width = panel_width<T>;
  alignas(cache_line) std::array<T, ops::most_panels * block_rows * width> gradients;
  const auto apply = [&](Index size, T* param, const T* grad, std::vector<AlignedBuffer<T>>& buffers, Index offset) {
    std::array<T*, 2> slot{};
    for (std::size_t n = 0; n < buffers.size(); ++n) slot[n] = buffers[n].data() + offset;
    update(size, param, grad, slot.data());
  };

  const PanelView<T> kernel = parameters.kernel();
  if (update.is_descent()) {
    ops::dense_descend<T>(x, gradient, block, update.learning_rate(), kernel);
  } else {
    const Index size = (block.last - block.first) * width;
    ops::Ahead<T> ahead{{kernel.data, nullptr, nullptr}};
    for (std::size_t n = 0; n < slots.kernel.size(); ++n) ahead.data[n + 1] = slots.kernel[n].data();
    ops::dense_backward_kernel<T>(x, gradient, block, ahead, gradients.data());
    for (Index p = block.first_panel; p < block.last_panel; ++p) {
      const Index offset = p * kernel.stride() + block.first * width;
      apply(size, kernel.data + offset, gradients.data() + (p - block.first_panel) * size, slots.kernel, offset);
    }
  }

  if (block.first != 0 || !parameters.use_bias()) return;
  const Index offset = block.first_panel * width;
  ops::dense_backward_bias<T>(gradient, block.first_panel, block.last_panel, gradients.data());
  apply(block.last_panel * width - offset, parameters.bias() + offset, gradients.data(), slots.bias, offset);
}

/// Numbers of x that meet all gradients before the next do: half a megabyte of floats, which stays
/// in the second-level cache meanwhile.
constexpr Index resident_size = 1 << 17;

/// f(block) for a share of a kernel's blocks: about the panels that are the same share of them all,
/// so that a thread which works on these in the forward pass finds them in its cache.
template <class T, class F> void each_block(PanelView<T> kernel, Index batch, Share share, F f) {
  const Index total = kernel.rows * kernel.panels();
  const Index first = total * share.index / share.count, last = total * (share.index + 1) / share.count;
  const Index resident_rows = std::max(block_rows, resident_size / batch / block_rows * block_rows);
  for (Index start = 0; start < kernel.rows; start += resident_rows) {
    const Index end = std::min(start + resident_rows, kernel.rows);
    for (Index panel = 0, last_panel; panel < kernel.panels(); panel = last_panel) {
      last_panel = panel + kernels::next_panels(kernel.panels() - panel);
      for (Index row = start; row < end; row += block_rows) {
        const Index last_row = std::min(row + block_rows, end);
        // Where the block's middle is, counted panels first.
        const Index middle = panel * kernel.rows + (row + last_row) / 2 * (last_panel - panel);
        if (first <= middle && middle < last) f(Block{row, last_row, panel, last_panel});
      }
    }
  }
}

} // namespace

template <class T>
void update(const Network<T>& network, const Batch<T>& batch, Index top, const ops::Update<T>& update, Slots<T>& slots,
            Share share) {
  for (Index l = 0; l <= top; ++l) {
    const auto n = static_cast<std::size_t>(l);
    const Layer<T>& layer = network.layers()[n];
    if (!layer.trainable) continue;
    each_block(layer.parameters->kernel(), batch.rows(), share, [&](Block block) {
      update_block<T>(*layer.parameters, batch.output(l - 1), batch.gradient(l), block, update, slots.layers[n]);
    });
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template class Workspace<T>;                                                                                         \
  template struct Slots<T>;                                                                                            \
  template void forward(const Layer<T>&, PanelView<const T>, Block, PanelView<T>);                                     \
  template Index lowest_trainable(const Network<T>&);                                                                  \
  template void backward_activation(const Network<T>&, const Batch<T>&, Index, RowRange);                              \
  template void backward(const Network<T>&, const Batch<T>&, Index, Block);                                            \
  template void update(const Network<T>&, const Batch<T>&, Index, const ops::Update<T>&, Slots<T>&, Share);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
