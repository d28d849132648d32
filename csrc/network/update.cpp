#include "network/update.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace cnet {

namespace {

template <class T> Index bias_size(const Layer<T>& layer) {
  return panel_count<T>(layer.outputs) * panel_width<T>;
}

} // namespace

template <class T>
Slots<T>::Slots(const Network<T>& network, const ops::Optimizer& optimizer)
    : rule(optimizer.rule), has_averages(optimizer.averages) {
  for (const Layer<T>& layer : network.layers()) {
    OfLayer& slots = layers.emplace_back();
    if (!layer.trainable) continue;
    for (int n = 0; n < optimizer.slots(); ++n) {
      for (auto* buffers : {&slots.kernel, &slots.bias}) {
        const Index rows = buffers == &slots.kernel ? layer.parameters->inputs() : 1;
        AlignedBuffer<T>& slot = buffers->emplace_back(checked_product(bias_size(layer), rows));
        if (optimizer.initial_slot == 0) continue;
        std::fill_n(slot.data(), slot.size(), static_cast<T>(optimizer.initial_slot));
      }
    }
    if (!optimizer.averages) continue;
    const PanelView<T> kernel = layer.parameters->kernel();
    std::copy_n(kernel.data, slots.kernel.back().size(), slots.kernel.back().data());
    std::copy_n(layer.parameters->bias(), slots.bias.back().size(), slots.bias.back().data());
  }
}

template <class T> Gradients<T>::Gradients(const Network<T>& network) {
  for (const Layer<T>& layer : network.layers()) {
    OfLayer& gradients = layers.emplace_back();
    if (!layer.trainable) continue;
    gradients.kernel = PanelMatrix<T>(layer.parameters->inputs(), layer.outputs);
    gradients.bias = AlignedBuffer<T>(bias_size(layer));
    const auto panels = static_cast<std::size_t>(panel_count<T>(layer.outputs));
    gradients.kernel_squares.resize(panels);
    gradients.bias_squares.resize(panels);
  }
}

namespace {

/// Whether the bias is updated along with a block of the kernel: each panel of it once.
template <class T> bool has_bias(const Layer<T>& layer, Block block) {
  return block.first == 0 && layer.parameters->use_bias();
}

template <class T>
void apply(const ops::Update<T>& update, Index size, T* param, const T* grad, double scale,
           std::vector<AlignedBuffer<T>>& slots, Index offset) {
  std::array<T*, kernels::most_slots + 1> slot{};
  for (std::size_t n = 0; n < slots.size(); ++n) slot[n] = slots[n].data() + offset;
  if (update.steps()) update(size, param + offset, grad, slot.data(), static_cast<T>(scale));
  if (update.averages()) update.average(size, param + offset, slot[static_cast<std::size_t>(update.slots())]);
}

/// `grad` is the block's first panel, `stride` from one to the next.
template <class T>
void apply_to_kernel(const ops::Update<T>& update, const Layer<T>& layer, Block block, const T* grad, Index stride,
                     double scale, typename Slots<T>::OfLayer& slots) {
  const PanelView<T> kernel = layer.parameters->kernel();
  const Index size = (block.last - block.first) * panel_width<T>;
  for (Index p = block.first_panel; p < block.last_panel; ++p, grad += stride) {
    apply(update, size, kernel.data, grad, scale, slots.kernel, p * kernel.stride() + block.first * panel_width<T>);
  }
}

template <class T>
void apply_to_bias(const ops::Update<T>& update, const Layer<T>& layer, Block block, const T* grad, double scale,
                   typename Slots<T>::OfLayer& slots) {
  const Index size = (block.last_panel - block.first_panel) * panel_width<T>;
  apply(update, size, layer.parameters->bias(), grad, scale, slots.bias, block.first_panel * panel_width<T>);
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
    const std::size_t slots_ahead = std::min(of_layer.kernel.size(), std::size(ahead.data) - 1);
    for (std::size_t n = 0; n < slots_ahead; ++n) ahead.data[n + 1] = of_layer.kernel[n].data();
    ops::dense_backward_kernel<T>(batch.output(l - 1), batch.gradient(l), block, ahead, grad.data(), stride);
    apply_to_kernel(update, layer, block, grad.data(), stride, 1, of_layer);
  }
  if (!has_bias(layer, block)) return;
  ops::dense_backward_bias<T>(batch.gradient(l), block.first_panel, block.last_panel, grad.data());
  apply_to_bias(update, layer, block, grad.data(), 1, of_layer);
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
                  grad.kernel_scale, of_layer);
  if (!has_bias(layer, block)) return;
  apply_to_bias(update, layer, block, grad.bias.data() + block.first_panel * panel_width<T>, grad.bias_scale, of_layer);
}

namespace {

template <class T> void accumulate(Index size, bool ends_step, T* grad, T* put_by) {
  kernels::Step<T> add{};
  add.size = size;
  add.param = ends_step ? grad : put_by;
  add.grad = ends_step ? put_by : grad;
  add.learning_rate = -1;
  kernels::table<T>().sgd_update(add);
  if (ends_step) std::fill_n(put_by, size, T(0));
}

} // namespace

template <class T>
void accumulate(const Network<T>& network, Index l, Block block, bool ends_step, Gradients<T>& gradients,
                Gradients<T>& put_by) {
  auto& of_layer = gradients.layers[static_cast<std::size_t>(l)];
  auto& put_by_of_layer = put_by.layers[static_cast<std::size_t>(l)];
  const PanelView<T> kernel = of_layer.kernel.view(), put_by_kernel = put_by_of_layer.kernel.view();
  const Index size = (block.last - block.first) * panel_width<T>;
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    const Index offset = p * kernel.stride() + block.first * panel_width<T>;
    accumulate(size, ends_step, kernel.data + offset, put_by_kernel.data + offset);
  }
  if (!has_bias(network.layers()[static_cast<std::size_t>(l)], block)) return;
  const Index offset = block.first_panel * panel_width<T>;
  accumulate((block.last_panel - block.first_panel) * panel_width<T>, ends_step, of_layer.bias.data() + offset,
             put_by_of_layer.bias.data() + offset);
}

template <class T> void measure(const Network<T>& network, Index l, Block block, Gradients<T>& gradients) {
  const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
  auto& of_layer = gradients.layers[static_cast<std::size_t>(l)];
  const PanelView<const T> kernel = of_layer.kernel.view();
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    const auto n = static_cast<std::size_t>(p);
    const Index columns = std::min(panel_width<T>, layer.outputs - p * panel_width<T>);
    of_layer.kernel_squares[n] = ops::sum_of_squares(kernel.panel(p), kernel.rows, columns);
    if (!layer.parameters->use_bias()) continue;
    const T* bias = of_layer.bias.data() + p * panel_width<T>;
    of_layer.bias_squares[n] = ops::sum_of_squares(bias, 1, columns);
  }
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
    for (const auto& of_layer : gradients.layers)
      squares = add(add(squares, of_layer.kernel_squares), of_layer.bias_squares);
    // An infinite norm leaves nothing that is a number, as it does in Keras.
    global_scale = ops::clipping_scale(squares, optimizer.global_clip_norm) + (squares - squares);
  }
  for (std::size_t l = 0; l < gradients.layers.size(); ++l) {
    if (!network.layers()[l].trainable) continue;
    auto& of_layer = gradients.layers[l];
    const auto scale = [&](const std::vector<double>& squares) {
      return optimizer.clip_norm > 0 ? ops::clipping_scale(add(0, squares), optimizer.clip_norm) : global_scale;
    };
    of_layer.kernel_scale = mean * scale(of_layer.kernel_squares);
    of_layer.bias_scale = mean * scale(of_layer.bias_squares);
  }
}

template <class T> void overwrite_by_average(const Network<T>& network, const Slots<T>& slots) {
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const auto& of_layer = slots.layers[l];
    if (of_layer.kernel.empty()) continue;
    ops::DenseParameters<T>& parameters = *network.layers()[l].parameters;
    std::copy_n(of_layer.kernel.back().data(), of_layer.kernel.back().size(), parameters.kernel().data);
    std::copy_n(of_layer.bias.back().data(), of_layer.bias.back().size(), parameters.bias());
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template struct Slots<T>;                                                                                            \
  template struct Gradients<T>;                                                                                        \
  template void update(const Network<T>&, const Batch<T>&, Index, Block, const ops::Update<T>&, Slots<T>&);            \
  template void make_gradient(const Network<T>&, const Batch<T>&, Index, Block, Gradients<T>&);                        \
  template void apply_gradient(const Network<T>&, Index, Block, const Gradients<T>&, const ops::Update<T>&,            \
                               Slots<T>&);                                                                             \
  template void accumulate(const Network<T>&, Index, Block, bool, Gradients<T>&, Gradients<T>&);                       \
  template void measure(const Network<T>&, Index, Block, Gradients<T>&);                                               \
  template void choose_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>&);                                \
  template void overwrite_by_average(const Network<T>&, const Slots<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
