#include "network/update.hpp"

#include <array>

namespace cnet {

namespace {

template <class T> Index bias_size(const Layer<T>& layer) {
  return panel_count<T>(layer.outputs) * panel_width<T>;
}

} // namespace

template <class T> Slots<T>::Slots(const Network<T>& network, int slot_count) : count(slot_count) {
  for (const Layer<T>& layer : network.layers()) {
    OfLayer& slots = layers.emplace_back();
    if (!layer.trainable) continue;
    for (int n = 0; n < count; ++n) {
      slots.kernel.emplace_back(checked_product(bias_size(layer), layer.parameters->inputs()));
      slots.bias.emplace_back(bias_size(layer));
    }
  }
}

template <class T> Gradients<T>::Gradients(const Network<T>& network) {
  for (const Layer<T>& layer : network.layers()) {
    OfLayer& gradients = layers.emplace_back();
    if (!layer.trainable) continue;
    gradients.kernel = PanelMatrix<T>(layer.parameters->inputs(), layer.outputs);
    gradients.bias = AlignedBuffer<T>(bias_size(layer));
  }
}

namespace {

/// Whether the bias is updated along with a block of the kernel: each panel of it once.
template <class T> bool has_bias(const Layer<T>& layer, Block block) {
  return block.first == 0 && layer.parameters->use_bias();
}

template <class T>
void apply(const ops::Update<T>& update, Index size, T* param, const T* grad, std::vector<AlignedBuffer<T>>& slots,
           Index offset) {
  std::array<T*, 2> slot{};
  for (std::size_t n = 0; n < slots.size(); ++n) slot[n] = slots[n].data() + offset;
  update(size, param + offset, grad, slot.data());
}

/// `grad` is the block's first panel, `stride` from one to the next.
template <class T>
void apply_to_kernel(const ops::Update<T>& update, const Layer<T>& layer, Block block, const T* grad, Index stride,
                     typename Slots<T>::OfLayer& slots) {
  const PanelView<T> kernel = layer.parameters->kernel();
  const Index size = (block.last - block.first) * panel_width<T>;
  for (Index p = block.first_panel; p < block.last_panel; ++p, grad += stride) {
    apply(update, size, kernel.data, grad, slots.kernel, p * kernel.stride() + block.first * panel_width<T>);
  }
}

template <class T>
void apply_to_bias(const ops::Update<T>& update, const Layer<T>& layer, Block block, const T* grad,
                   typename Slots<T>::OfLayer& slots) {
  const Index size = (block.last_panel - block.first_panel) * panel_width<T>;
  apply(update, size, layer.parameters->bias(), grad, slots.bias, block.first_panel * panel_width<T>);
}

} // namespace

template <class T>
void update(const Network<T>& network, const Batch<T>& batch, Index l, Block block, const ops::Update<T>& update,
            Slots<T>& slots) {
  alignas(cache_line) std::array<T, ops::most_panels * most_update_rows * panel_width<T>> grad;
  const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
  auto& of_layer = slots.layers[static_cast<std::size_t>(l)];
  const PanelView<T> kernel = layer.parameters->kernel();
  if (update.is_descent() && batch.rows() <= kernels::chain_length) {
    ops::dense_descend<T>(batch.output(l - 1), batch.gradient(l), block, update.learning_rate(), kernel);
  } else {
    const Index stride = (block.last - block.first) * panel_width<T>;
    ops::Ahead<T> ahead{{kernel.data, nullptr, nullptr}};
    for (std::size_t n = 0; n < of_layer.kernel.size(); ++n) ahead.data[n + 1] = of_layer.kernel[n].data();
    ops::dense_backward_kernel<T>(batch.output(l - 1), batch.gradient(l), block, ahead, grad.data(), stride);
    apply_to_kernel(update, layer, block, grad.data(), stride, of_layer);
  }
  if (!has_bias(layer, block)) return;
  ops::dense_backward_bias<T>(batch.gradient(l), block.first_panel, block.last_panel, grad.data());
  apply_to_bias(update, layer, block, grad.data(), of_layer);
}

template <class T>
void make_gradient(const Network<T>& network, const Batch<T>& batch, Index l, Block block, Gradients<T>& gradients) {
  auto& of_layer = gradients.layers[static_cast<std::size_t>(l)];
  const PanelView<T> kernel = of_layer.kernel.view();
  T* grad = kernel.panel(block.first_panel) + block.first * panel_width<T>;
  ops::dense_backward_kernel<T>(batch.output(l - 1), batch.gradient(l), block, {}, grad, kernel.stride());
  if (!has_bias(network.layers()[static_cast<std::size_t>(l)], block)) return;
  ops::dense_backward_bias<T>(batch.gradient(l), block.first_panel, block.last_panel,
                              of_layer.bias.data() + block.first_panel * panel_width<T>);
}

template <class T>
void apply_gradient(const Network<T>& network, Index l, Block block, const Gradients<T>& gradients,
                    const ops::Update<T>& update, Slots<T>& slots) {
  const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
  const auto& grad = gradients.layers[static_cast<std::size_t>(l)];
  auto& of_layer = slots.layers[static_cast<std::size_t>(l)];
  const PanelView<const T> kernel = grad.kernel.view();
  apply_to_kernel(update, layer, block, kernel.panel(block.first_panel) + block.first * panel_width<T>, kernel.stride(),
                  of_layer);
  if (!has_bias(layer, block)) return;
  apply_to_bias(update, layer, block, grad.bias.data() + block.first_panel * panel_width<T>, of_layer);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template struct Slots<T>;                                                                                            \
  template struct Gradients<T>;                                                                                        \
  template void update(const Network<T>&, const Batch<T>&, Index, Block, const ops::Update<T>&, Slots<T>&);            \
  template void make_gradient(const Network<T>&, const Batch<T>&, Index, Block, Gradients<T>&);                        \
  template void apply_gradient(const Network<T>&, Index, Block, const Gradients<T>&, const ops::Update<T>&, Slots<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
