#include "network/network.hpp"

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

template <class T> void Network<T>::add_activation(std::string name, const ops::Activation<T>& activation) {
  const bool fuses = activation.is_plain_relu() && !layers_.empty() && layers_.back().kind == LayerKind::dense;
  if (fuses) {
    layers_.back().epilogue = kernels::Epilogue::relu; // twice is as good as once
  } else {
    Layer<T> layer{LayerKind::activation, std::move(name), outputs()};
    layer.activation = activation;
    layers_.push_back(std::move(layer));
  }
}

template <class T> void Network<T>::add_softmax(std::string name) {
  layers_.push_back({LayerKind::softmax, std::move(name), outputs()});
}

template <class T> void Network<T>::add_log_softmax(std::string name) {
  layers_.push_back({LayerKind::log_softmax, std::move(name), outputs()});
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

template <class T> double multiply_adds(const Network<T>& network) {
  double count = 0;
  for (const Layer<T>& layer : network.layers()) {
    if (layer.parameters) count += static_cast<double>(layer.parameters->inputs() * layer.outputs);
  }
  return count;
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

namespace {

RowRange rows_of(Block block) {
  return {block.first, block.last};
}

template <class T> bool gates(const Layer<T>& layer) {
  return layer.kind == LayerKind::dense && layer.epilogue == kernels::Epilogue::relu;
}

} // namespace

template <class T> void forward(const Layer<T>& layer, PanelView<const T> x, Block block, PanelView<T> out) {
  switch (layer.kind) {
  case LayerKind::dense: return ops::dense_forward(x, *layer.parameters, layer.epilogue, block, out);
  case LayerKind::activation: return ops::activation_forward(layer.activation, x, rows_of(block), out);
  case LayerKind::softmax: return ops::softmax(x, rows_of(block), out);
  case LayerKind::log_softmax: return ops::log_softmax(x, rows_of(block), out);
  case LayerKind::rescaling: return ops::rescaling_forward(x, layer.scale, layer.offset, rows_of(block), out);
  }
}

template <class T> Index lowest_trainable(const Network<T>& network) {
  const auto& layers = network.layers();
  return std::find_if(layers.begin(), layers.end(), [](const Layer<T>& l) { return l.trainable; }) - layers.begin();
}

template <class T> void backward_activation(const Network<T>& network, const Batch<T>& batch, Index l, RowRange rows) {
  if (!gates(network.layers()[static_cast<std::size_t>(l)])) return;
  const PanelView<T> gradient = batch.gradient(l), output = batch.output(l);
  ops::activation_backward<T>({}, gradient, output, output, rows, gradient); // positive where its input was
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
  case LayerKind::activation:
    ops::activation_backward<T>(layer.activation, gradient, batch.output(l - 1), batch.output(l), rows_of(block),
                                below);
    break;
  case LayerKind::softmax: ops::softmax_backward<T>(gradient, batch.output(l), rows_of(block), below); break;
  case LayerKind::log_softmax: ops::log_softmax_backward<T>(gradient, batch.output(l), rows_of(block), below); break;
  case LayerKind::rescaling: ops::rescaling_backward<T>(gradient, layer.scale, rows_of(block), below); break;
  }
  backward_activation(network, batch, l - 1, rows_of(block));
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template double multiply_adds(const Network<T>&);                                                                    \
  template class Workspace<T>;                                                                                         \
  template void forward(const Layer<T>&, PanelView<const T>, Block, PanelView<T>);                                     \
  template Index lowest_trainable(const Network<T>&);                                                                  \
  template void backward_activation(const Network<T>&, const Batch<T>&, Index, RowRange);                              \
  template void backward(const Network<T>&, const Batch<T>&, Index, Block);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
