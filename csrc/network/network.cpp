#include "network/network.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace cnet {

template <class T>
void Network<T>::add(std::string name, Index outputs, typename Layer<T>::Function function, SharedVariable<T> kernel,
                     SharedVariable<T> bias, bool trainable) {
  Layer<T> layer{std::move(name), outputs, std::move(function), {std::move(kernel), std::move(bias)}, trainable};
  for (Variable<T>* variable : layer.all_variables()) variable->lock.add(reader_count_);
  layers_.push_back(std::move(layer));
}

template <class T> void Network<T>::expect_vector(const char* call, const SharedVariable<T>& variable) const {
  if (!variable || (variable->is_vector() && variable->columns() == outputs())) return;
  throw std::invalid_argument(std::string(call) + ": expected a vector of " + std::to_string(outputs()) +
                              " elements, got " + std::to_string(variable->rows()) + " × " +
                              std::to_string(variable->columns()));
}

template <class T>
void Network<T>::add_dense(std::string name, SharedVariable<T> kernel, SharedVariable<T> bias, bool trainable) {
  if (kernel->rows() != outputs()) {
    throw std::invalid_argument("add_dense: expected a kernel with " + std::to_string(outputs()) + " rows, got " +
                                std::to_string(kernel->rows()));
  }
  const Index units = kernel->columns();
  if (bias && (!bias->is_vector() || bias->columns() != units)) {
    throw std::invalid_argument("add_dense: expected a bias of " + std::to_string(units) + " elements, got " +
                                std::to_string(bias->columns()));
  }
  add(std::move(name), units, Dense{}, std::move(kernel), std::move(bias), trainable);
}

template <class T> void Network<T>::add_activation(std::string name, const ops::Activation<T>& activation) {
  Dense* dense = layers_.empty() ? nullptr : std::get_if<Dense>(&layers_.back().function);
  if (dense && activation.is_plain_relu()) {
    dense->epilogue = kernels::Epilogue::relu; // a second one changes nothing
  } else {
    add(std::move(name), outputs(), activation);
  }
}

template <class T> void Network<T>::add_softmax(std::string name) {
  add(std::move(name), outputs(), Softmax{});
}

template <class T> void Network<T>::add_log_softmax(std::string name) {
  add(std::move(name), outputs(), LogSoftmax{});
}

template <class T> void Network<T>::add_rescaling(std::string name, double scale, double offset) {
  const Rescaling<T> rescaling{static_cast<T>(scale), static_cast<T>(offset)};
  if (layers_.empty() && !rescales_input_) {
    rescales_input_ = true;
    input_scale_ = rescaling.scale;
    input_offset_ = rescaling.offset;
    return;
  }
  add(std::move(name), outputs(), rescaling);
}

template <class T>
void Network<T>::add_dropout(std::string name, double rate, std::shared_ptr<ops::RandomState> random) {
  if (!(rate >= 0 && rate <= 1)) throw std::invalid_argument("add_dropout: expected a rate in [0, 1]");
  add(std::move(name), outputs(), Dropout{rate, std::move(random)});
}

template <class T>
void Network<T>::add_gaussian_noise(std::string name, double deviation, std::shared_ptr<ops::RandomState> random) {
  add(std::move(name), outputs(), GaussianNoise{deviation, std::move(random)});
}

template <class T>
void Network<T>::add_batch_normalization(std::string name, SharedVariable<T> gamma, SharedVariable<T> beta,
                                         BatchNormalization<T> normalization, bool trainable) {
  for (const auto& variable : {gamma, beta, normalization.mean, normalization.variance}) {
    expect_vector("add_batch_normalization", variable);
  }
  add(std::move(name), outputs(), std::move(normalization), std::move(gamma), std::move(beta), trainable);
}

template <class T>
void Network<T>::add_layer_normalization(std::string name, SharedVariable<T> gamma, SharedVariable<T> beta,
                                         double epsilon, bool trainable) {
  expect_vector("add_layer_normalization", gamma);
  expect_vector("add_layer_normalization", beta);
  add(std::move(name), outputs(), LayerNormalization{epsilon}, std::move(gamma), std::move(beta), trainable);
}

template <class T> void Network<T>::add_parameters(std::string name, SharedVariable<T> variable, bool trainable) {
  add(std::move(name), outputs(), Parameters{}, std::move(variable), nullptr, trainable);
}

template <class T> double multiply_adds(const Network<T>& network) {
  double count = 0;
  for (const Layer<T>& layer : network.layers()) {
    if (layer.template is<Dense>()) count += static_cast<double>(layer.kernel()->rows() * layer.outputs);
  }
  return count;
}

template <class T> void begin_random_steps(const Network<T>& network) {
  for (const Layer<T>& layer : network.layers()) {
    if (ops::RandomState* random = layer.random()) random->pass_start = random->steps;
  }
}

template <class T> void set_random_steps(const Network<T>& network, Index batches) {
  for (const Layer<T>& layer : network.layers()) {
    if (ops::RandomState* random = layer.random()) {
      random->steps = random->pass_start + static_cast<std::uint64_t>(batches);
    }
  }
}

template <class T> Index first_trainable_layer(const Network<T>& network) {
  const auto& layers = network.layers();
  const auto is_trainable = [](const Layer<T>& layer) { return layer.has_trainable_variables(); };
  return std::find_if(layers.begin(), layers.end(), is_trainable) - layers.begin();
}

namespace {

template <class T> bool has_fused_relu(const Layer<T>& layer) {
  const Dense* dense = std::get_if<Dense>(&layer.function);
  return dense && dense->epilogue == kernels::Epilogue::relu;
}

} // namespace

template <class T> void backward_fused_relu(const Layer<T>& layer, PanelView<T> out, PanelView<T> grad, Block block) {
  if (!has_fused_relu(layer)) return;
  const auto panels = [&](PanelView<T> matrix) { return panels_of(matrix, block.first_panel, block.last_panel); };
  // The output is positive where the input was, so it stands for both.
  ops::activation_backward<T>({}, panels(grad), panels(out), panels(out), {block.first, block.last}, panels(grad));
}

template <class T> void backward(const Network<T>& network, Index l, const LayerView<T>& view, Block block) {
  const Layer<T>* layer = &network.layers()[static_cast<std::size_t>(l)];
  if (l == 0) return backward<T>(*layer, view, nullptr, block);
  const bool applies_mask = layer->template is<Dense>();
  backward<T>(*layer, view, applies_mask && has_fused_relu(layer[-1]) ? view.x.data : nullptr, block);
  if (!applies_mask) backward_fused_relu(layer[-1], view.x, view.grad_input, block);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template double multiply_adds(const Network<T>&);                                                                    \
  template void begin_random_steps(const Network<T>&);                                                                 \
  template void set_random_steps(const Network<T>&, Index);                                                            \
  template Index first_trainable_layer(const Network<T>&);                                                             \
  template void backward_fused_relu(const Layer<T>&, PanelView<T>, PanelView<T>, Block);                               \
  template void backward(const Network<T>&, Index, const LayerView<T>&, Block);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
