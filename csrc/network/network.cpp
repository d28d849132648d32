#include "network/network.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace cnet {

template <class T>
void Network<T>::add(std::string name, Index outputs, typename Layer<T>::Function function, SharedVariable<T> kernel,
                     SharedVariable<T> bias, bool trainable) {
  Layer<T> layer{std::move(name), outputs, std::move(function), {std::move(kernel), std::move(bias)}, trainable};
  for (Variable<T>* variable : layer.all_variables()) variable->guard.add(gate_);
  layers_.push_back(std::move(layer));
}

template <class T> void Network<T>::expect_vector(const char* call, const SharedVariable<T>& variable) const {
  if (!variable || (variable->is_vector() && variable->columns() == outputs())) return;
  throw std::invalid_argument(std::string(call) + ": expected a vector of " + std::to_string(outputs()) +
                              " numbers, got " + std::to_string(variable->rows()) + " × " +
                              std::to_string(variable->columns()));
}

template <class T>
void Network<T>::add_dense(std::string name, SharedVariable<T> kernel, SharedVariable<T> bias, bool trainable) {
  if (kernel->rows() != outputs()) {
    throw std::invalid_argument("add_dense: expected a kernel of " + std::to_string(outputs()) + " inputs, got " +
                                std::to_string(kernel->rows()));
  }
  const Index units = kernel->columns();
  if (bias && (!bias->is_vector() || bias->columns() != units)) {
    throw std::invalid_argument("add_dense: expected a bias of " + std::to_string(units) + " numbers, got " +
                                std::to_string(bias->columns()));
  }
  add(std::move(name), units, Dense{}, std::move(kernel), std::move(bias), trainable);
}

template <class T> void Network<T>::add_activation(std::string name, const ops::Activation<T>& activation) {
  Dense* dense = layers_.empty() ? nullptr : std::get_if<Dense>(&layers_.back().function);
  if (dense && activation.is_plain_relu()) {
    dense->epilogue = kernels::Epilogue::relu; // twice is as good as once
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

template <class T> void count_random_steps(const Network<T>& network, Index batches) {
  for (const Layer<T>& layer : network.layers()) {
    if (ops::RandomState* random = layer.random()) {
      random->steps = random->pass_start + static_cast<std::uint64_t>(batches);
    }
  }
}

template <class T>
Workspace<T>::Workspace(const Network<T>& network, Index capacity, int threads, bool own_inputs)
    : capacity_(capacity), own_inputs_(own_inputs) {
  Index scratch_size = 0;
  for (const Layer<T>& layer : network.layers()) {
    outputs_.emplace_back(capacity, layer.outputs);
    gradients_.emplace_back(capacity, layer.outputs);
    kept_.emplace_back(kept_size(layer, capacity));
    scratch_size = std::max(scratch_size, ops::transposed_size<T>(layer.outputs));
  }
  for (int n = 0; n < threads; ++n) scratch_.emplace_back(scratch_size);
  for (int n = 0; n < (own_inputs ? threads : 1); ++n) inputs_.emplace_back(capacity, network.inputs());
}

template <class T> Place<T> Batch<T>::place(Index l) const {
  const auto n = static_cast<std::size_t>(l);
  const ops::RandomState* random = network_.layers()[n].random();
  return {output(l - 1), output(l), workspace_.kept_[n].data(), random ? random->pass_start + number_ : 0};
}

template <class T> Index lowest_trainable(const Network<T>& network) {
  const auto& layers = network.layers();
  return std::find_if(layers.begin(), layers.end(), [](const Layer<T>& l) { return l.learns(); }) - layers.begin();
}

namespace {

template <class T> bool gates(const Layer<T>& layer) {
  const Dense* dense = std::get_if<Dense>(&layer.function);
  return dense && dense->epilogue == kernels::Epilogue::relu;
}

} // namespace

template <class T> void backward_activation(const Network<T>& network, const Batch<T>& batch, Index l, Block block) {
  if (!gates(network.layers()[static_cast<std::size_t>(l)])) return;
  const auto some = [&](PanelView<T> matrix) { return panels_of(matrix, block.first_panel, block.last_panel); };
  const PanelView<T> gradient = some(batch.gradient(l)), output = some(batch.output(l));
  ops::activation_backward<T>({}, gradient, output, output, {block.first, block.last},
                              gradient); // positive where its input was
}

template <class T> void backward(const Network<T>& network, const Batch<T>& batch, Index l, Block block) {
  const auto& layers = network.layers();
  const Layer<T>& layer = layers[static_cast<std::size_t>(l)];
  const bool is_gated = gates(layers[static_cast<std::size_t>(l - 1)]), gates_itself = layer.template is<Dense>();
  const T* gate = is_gated && gates_itself ? batch.output(l - 1).data : nullptr;
  backward<T>(layer, batch.place(l), batch.gradient(l), gate, block, batch.scratch(), batch.gradient(l - 1));
  if (!gates_itself) backward_activation(network, batch, l - 1, block);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template double multiply_adds(const Network<T>&);                                                                    \
  template void begin_random_steps(const Network<T>&);                                                                 \
  template void count_random_steps(const Network<T>&, Index);                                                          \
  template class Workspace<T>;                                                                                         \
  template class Batch<T>;                                                                                             \
  template Index lowest_trainable(const Network<T>&);                                                                  \
  template void backward_activation(const Network<T>&, const Batch<T>&, Index, Block);                                 \
  template void backward(const Network<T>&, const Batch<T>&, Index, Block);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
