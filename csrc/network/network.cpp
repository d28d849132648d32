#include "network/network.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace cnet {

namespace {

[[noreturn]] void refuse(const char* call, const std::string& message) {
  throw std::invalid_argument(std::string(call) + ": " + message);
}

std::string text(SampleShape shape) {
  return std::to_string(shape.rows) + " × " + std::to_string(shape.columns);
}

template <class T> bool has_fused_relu(const Node<T>& node) {
  const Dense* dense = std::get_if<Dense>(&node.function);
  return dense && dense->epilogue == kernels::Epilogue::relu;
}

template <class T> bool is_plain_relu(const Node<T>& node) {
  const auto* activation = std::get_if<ops::Activation<T>>(&node.function);
  return activation && activation->is_plain_relu();
}

} // namespace

// -- Inputs and nodes ------------------------------------------------------------------------------

template <class T> Index Network<T>::add_input(Index columns) {
  if (columns < 1) refuse("add_input", "expected at least one column");
  if (!nodes_.empty()) refuse("add_input", "expected inputs before nodes");
  Input<T> input{};
  input.columns = columns;
  inputs_.push_back(input);
  return -static_cast<Index>(inputs_.size());
}

template <class T> Index Network<T>::add_ids(Index columns) {
  const Index tensor = add_input(columns);
  inputs_.back().is_ids = true;
  return tensor;
}

template <class T>
Index Network<T>::add(std::string name, std::vector<Index> operands, SampleShape shape,
                      typename Node<T>::Function function, SharedVariable<T> kernel, SharedVariable<T> bias,
                      bool trainable) {
  if (is_finished_) throw std::invalid_argument("the network is finished: nothing can be added");
  nodes_.push_back({std::move(name),
                    std::move(operands),
                    shape,
                    std::move(function),
                    {std::move(kernel), std::move(bias)},
                    trainable});
  return static_cast<Index>(nodes_.size()) - 1;
}

template <class T> Index Network<T>::add_elementwise(std::string name, Index x, typename Node<T>::Function function) {
  const SampleShape shape = expect_operand("add", x);
  return add(std::move(name), {x}, shape, std::move(function));
}

template <class T> SampleShape Network<T>::expect_operand(const char* call, Index tensor, bool is_ids) const {
  const SampleShape shape = checked_shape(tensor);
  if ((tensor < 0 && input(tensor).is_ids) != is_ids) {
    refuse(call, is_ids ? "expected an input of ids" : "ids can only be read by embeddings");
  }
  return shape;
}

template <class T> SampleShape Network<T>::checked_shape(Index tensor) const {
  const auto inputs = static_cast<Index>(inputs_.size()), nodes = static_cast<Index>(nodes_.size());
  if (tensor < -inputs || tensor >= nodes) refuse("Network", "there is no tensor " + std::to_string(tensor));
  return shape(tensor);
}

template <class T> void Network<T>::expect_vector(const char* call, Index x, const SharedVariable<T>& variable) const {
  const Index columns = expect_operand(call, x).columns;
  if (!variable || (variable->is_vector() && variable->columns() == columns)) return;
  refuse(call, "expected a vector of " + std::to_string(columns) + " elements, got " +
                   text({variable->rows(), variable->columns()}));
}

template <class T>
Index Network<T>::add_dense(std::string name, Index x, SharedVariable<T> kernel, SharedVariable<T> bias,
                            bool trainable) {
  const SampleShape shape = expect_operand("add_dense", x);
  if (kernel->rows() != shape.columns) {
    refuse("add_dense",
           "expected a kernel with " + std::to_string(shape.columns) + " rows, got " + std::to_string(kernel->rows()));
  }
  const Index units = kernel->columns();
  if (bias && (!bias->is_vector() || bias->columns() != units)) {
    refuse("add_dense",
           "expected a bias of " + std::to_string(units) + " elements, got " + std::to_string(bias->columns()));
  }
  return add(std::move(name), {x}, {shape.rows, units}, Dense{}, std::move(kernel), std::move(bias), trainable);
}

template <class T> Index Network<T>::add_activation(std::string name, Index x, const ops::Activation<T>& activation) {
  return add_elementwise(std::move(name), x, activation);
}

template <class T> Index Network<T>::add_softmax(std::string name, Index x) {
  return add_elementwise(std::move(name), x, Softmax{});
}

template <class T> Index Network<T>::add_log_softmax(std::string name, Index x) {
  return add_elementwise(std::move(name), x, LogSoftmax{});
}

template <class T> Index Network<T>::add_rescaling(std::string name, Index x, double scale, double offset) {
  return add_elementwise(std::move(name), x, Rescaling<T>{static_cast<T>(scale), static_cast<T>(offset)});
}

template <class T>
Index Network<T>::add_dropout(std::string name, Index x, double rate, std::shared_ptr<ops::RandomState> random) {
  if (!(rate >= 0 && rate <= 1)) refuse("add_dropout", "expected a rate in [0, 1]");
  return add_elementwise(std::move(name), x, Dropout{rate, std::move(random)});
}

template <class T>
Index Network<T>::add_gaussian_noise(std::string name, Index x, double deviation,
                                     std::shared_ptr<ops::RandomState> random) {
  return add_elementwise(std::move(name), x, GaussianNoise{deviation, std::move(random)});
}

template <class T>
Index Network<T>::add_batch_normalization(std::string name, Index x, SharedVariable<T> gamma, SharedVariable<T> beta,
                                          BatchNormalization<T> normalization, bool trainable) {
  for (const auto& variable : {gamma, beta, normalization.mean, normalization.variance}) {
    expect_vector("add_batch_normalization", x, variable);
  }
  return add(std::move(name), {x}, shape(x), std::move(normalization), std::move(gamma), std::move(beta), trainable);
}

template <class T>
Index Network<T>::add_layer_normalization(std::string name, Index x, SharedVariable<T> gamma, SharedVariable<T> beta,
                                          double epsilon, bool trainable) {
  for (const auto& variable : {gamma, beta}) expect_vector("add_layer_normalization", x, variable);
  return add(std::move(name), {x}, shape(x), LayerNormalization{epsilon}, std::move(gamma), std::move(beta), trainable);
}

template <class T>
Index Network<T>::add_embedding(std::string name, Index ids, SharedVariable<T> table, bool trainable) {
  const Index count = expect_operand("add_embedding", ids, true).columns;
  if (table->is_vector() || table->rows() > ops::max_table_rows) {
    refuse("add_embedding", "expected a table of at most 2³² rows, got " + text({table->rows(), table->columns()}));
  }
  Input<T>& input = inputs_[static_cast<std::size_t>(-1 - ids)];
  if (input.id_reader.empty() || table->rows() < input.id_bound) {
    input.id_bound = table->rows();
    input.id_reader = name;
  }
  const Index columns = table->columns();
  return add(std::move(name), {ids}, {count, columns}, Embedding{}, std::move(table), nullptr, trainable);
}

template <class T> Index Network<T>::add_concatenate(std::string name, std::vector<Index> operands) {
  if (operands.empty()) refuse("add_concatenate", "expected at least one operand");
  Concatenate concatenate;
  SampleShape shape{expect_operand("add_concatenate", operands[0]).rows, 0};
  for (const Index operand : operands) {
    const SampleShape part = expect_operand("add_concatenate", operand);
    if (part.rows != shape.rows) {
      refuse("add_concatenate", "expected " + std::to_string(shape.rows) + " rows, got " + text(part));
    }
    concatenate.first_columns.push_back(shape.columns);
    if (__builtin_add_overflow(shape.columns, part.columns, &shape.columns)) throw std::bad_alloc();
  }
  return add(std::move(name), std::move(operands), shape, std::move(concatenate));
}

template <class T> Index Network<T>::add_merge(std::string name, Index x, Index y, ops::Merge function) {
  const SampleShape shape = expect_operand("add_merge", x), other = expect_operand("add_merge", y);
  if (shape != other) refuse("add_merge", "expected operands of one shape, got " + text(shape) + " and " + text(other));
  return add(std::move(name), {x, y}, shape, Merge{function});
}

template <class T> Index Network<T>::add_dot(std::string name, Index x, Index y) {
  const SampleShape shape = expect_operand("add_dot", x), other = expect_operand("add_dot", y);
  if (shape != other) refuse("add_dot", "expected operands of one shape, got " + text(shape) + " and " + text(other));
  return add(std::move(name), {x, y}, {shape.rows, 1}, Dot{});
}

template <class T>
Index Network<T>::add_rearrangement(std::string name, Index x, const std::vector<Index>& source, SampleShape shape) {
  const SampleShape from = expect_operand("add_rearrangement", x);
  if (shape.rows < 1 || shape.columns < 1) refuse("add_rearrangement", "expected positive sizes, got " + text(shape));
  auto rearrangement = std::make_shared<const ops::Rearrangement<T>>(source, from, shape);
  return add(std::move(name), {x}, shape, Rearrange<T>{std::move(rearrangement)});
}

template <class T> Index Network<T>::add_global_pooling(std::string name, Index x, ops::Pooling pooling) {
  const SampleShape shape = expect_operand("add_global_pooling", x);
  return add(std::move(name), {x}, {1, shape.columns}, GlobalPooling{pooling, shape.rows});
}

template <class T>
Index Network<T>::add_parameters(std::string name, Index x, SharedVariable<T> variable, bool trainable) {
  const SampleShape shape = expect_operand("add_parameters", x);
  return add(std::move(name), {x}, shape, Parameters{}, std::move(variable), nullptr, trainable);
}

// -- The finished network --------------------------------------------------------------------------

template <class T> void Network<T>::finish(std::vector<Index> outputs) {
  if (is_finished_) throw std::invalid_argument("finish: the network is finished already");
  for (const Index output : outputs) expect_operand("finish", output);
  outputs_ = std::move(outputs);
  count_readers();
  remove_and_fuse();
  count_readers();
  assign_memory();
  assign_variables();
  operands_before_ = {0};
  for (const Node<T>& node : nodes_) {
    operands_before_.push_back(operands_before_.back() + node.operands.size());
    most_rows_ = std::max(most_rows_, node.shape.rows);
    if (!node.template is<Dense>()) continue;
    multiply_adds_ += static_cast<double>(node.kernel()->rows()) * static_cast<double>(node.shape.columns) *
                      static_cast<double>(node.shape.rows);
  }
  is_finished_ = true;
}

template <class T> void Network<T>::count_readers() {
  fan_out_.assign(inputs_.size() + nodes_.size(), 0);
  for (const Index output : outputs_) ++fan_out_[position(output)];
  for (auto n = static_cast<Index>(nodes_.size()) - 1; n >= 0; --n) {
    if (fan_out(n) == 0) continue; // no output needs it
    for (const Index operand : node(n).operands) ++fan_out_[position(operand)];
  }
}

template <class T> void Network<T>::remove_and_fuse() {
  std::vector<Node<T>> kept;
  std::vector<Index> renamed(inputs_.size() + nodes_.size());
  for (Index n = -static_cast<Index>(inputs_.size()); n < 0; ++n) renamed[position(n)] = n;
  const auto rename = [&](Index& tensor) { tensor = renamed[position(tensor)]; };
  for (Index n = 0; n < static_cast<Index>(nodes_.size()); ++n) {
    if (fan_out(n) == 0) continue;
    Node<T>& node = nodes_[static_cast<std::size_t>(n)];
    const bool is_only_reader = fan_out(node.operands[0]) == 1;
    std::for_each(node.operands.begin(), node.operands.end(), rename);
    const Index operand = node.operands[0];
    if (is_only_reader && operand >= 0 && is_plain_relu(node)) {
      if (Dense* dense = std::get_if<Dense>(&kept[static_cast<std::size_t>(operand)].function)) {
        dense->epilogue = kernels::Epilogue::relu; // a second one changes nothing
        renamed[position(n)] = operand;
        continue;
      }
    }
    const auto* rescaling = std::get_if<Rescaling<T>>(&node.function);
    if (is_only_reader && operand < 0 && rescaling && !input(operand).is_rescaled) {
      Input<T>& input = inputs_[static_cast<std::size_t>(-1 - operand)];
      input.is_rescaled = true;
      input.scale = rescaling->scale;
      input.offset = rescaling->offset;
      renamed[position(n)] = operand;
      continue;
    }
    renamed[position(n)] = static_cast<Index>(kept.size());
    kept.push_back(std::move(node));
  }
  std::for_each(outputs_.begin(), outputs_.end(), rename);
  nodes_ = std::move(kept);
}

/// Gives each tensor the first place that is free from its node to its last reader.
template <class T> void Network<T>::assign_memory() {
  constexpr Index never = std::numeric_limits<Index>::max();
  const auto first = -static_cast<Index>(inputs_.size()), last = static_cast<Index>(nodes_.size());
  std::vector<Index> last_reader(fan_out_.size(), first);
  for (Index n = 0; n < last; ++n) {
    for (const Index operand : node(n).operands) last_reader[position(operand)] = n;
  }
  for (const Index output : outputs_) last_reader[position(output)] = never;

  struct Place {
    Index size;
    Index free_after; ///< the last reader of the tensor that it has
  };
  std::vector<Place> places;
  std::vector<std::size_t> place_of(fan_out_.size());
  for (Index tensor = first; tensor < last; ++tensor) {
    const SampleShape shape = this->shape(tensor);
    const bool is_ids = tensor < 0 && input(tensor).is_ids; // which have buffers of their own
    const Index width = panel_count<T>(shape.columns) * panel_width<T>;
    const Index size = is_ids ? 0 : checked_product(shape.rows, width);
    // The operands of a node are read while its output is written.
    const auto is_free = [&](const Place& place) { return tensor >= 0 && place.free_after < tensor; };
    const auto place = std::find_if(places.begin(), places.end(), is_free);
    place_of[position(tensor)] = static_cast<std::size_t>(place - places.begin());
    if (place == places.end()) {
      places.push_back({size, last_reader[position(tensor)]});
    } else {
      *place = {std::max(place->size, size), last_reader[position(tensor)]};
    }
  }
  std::vector<Index> starts;
  memory_size_ = 0;
  for (const Place& place : places) {
    starts.push_back(memory_size_);
    if (__builtin_add_overflow(memory_size_, place.size, &memory_size_)) throw std::bad_alloc();
  }
  for (Index tensor = first; tensor < last; ++tensor) {
    layouts_.push_back({shape(tensor), starts[place_of[position(tensor)]]});
  }
}

template <class T> void Network<T>::assign_variables() {
  uses_.resize(nodes_.size());
  std::unordered_map<const Variable<T>*, std::size_t> owner_of;
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    Node<T>& node = nodes_[n];
    const std::vector<Variable<T>*> variables = node.all_variables();
    std::size_t owner = n;
    for (const Variable<T>* variable : variables) {
      if (const auto found = owner_of.find(variable); found != owner_of.end()) owner = std::min(owner, found->second);
    }
    if (owner != n) {
      const Node<T>& other = nodes_[owner];
      const bool is_same_layer = other.all_variables() == variables && other.variables == node.variables &&
                                 other.function.index() == node.function.index() && other.trainable == node.trainable;
      if (!is_same_layer) {
        refuse("finish", "'" + other.name + "' and '" + node.name + "' share some variables, but are not one layer");
      }
      node.owns_variables = false;
    } else {
      for (Variable<T>* variable : variables) {
        variable->lock.add(reader_count_);
        owner_of.emplace(variable, n);
      }
    }
    uses_[owner].push_back(static_cast<Index>(n));
  }
}

template <class T> void begin_random_steps(const Network<T>& network) {
  for (const Node<T>& node : network.nodes()) {
    if (ops::RandomState* random = node.random()) random->pass_start = random->steps;
  }
}

template <class T> void set_random_steps(const Network<T>& network, Index batches) {
  for (const Node<T>& node : network.nodes()) {
    if (ops::RandomState* random = node.random()) {
      random->steps = random->pass_start + static_cast<std::uint64_t>(batches);
    }
  }
}

// -- Gradients -------------------------------------------------------------------------------------

template <class T>
void backward_fused_relu(const Node<T>& node, PanelView<const T> out, PanelView<T> grad, Block block) {
  if (!has_fused_relu(node)) return;
  const PanelView<const T> y = panels_of(out, block.first_panel, block.last_panel);
  const PanelView<T> g = panels_of(grad, block.first_panel, block.last_panel);
  // The output is positive where the input was, so it stands for both.
  ops::activation_backward<T>({}, g, y, y, {block.first, block.last}, g);
}

template <class T>
void backward(const Network<T>& network, const Node<T>& node, const NodeView<T>& view, bool through_relu, Block block) {
  const Index operand = node.operands[view.operand];
  if (!through_relu || operand < 0) return backward<T>(node, view, nullptr, block);
  const Node<T>& before = network.node(operand);
  const bool applies_mask = node.template is<Dense>();
  backward<T>(node, view, applies_mask && has_fused_relu(before) ? view.x.data : nullptr, block);
  if (!applies_mask) backward_fused_relu<T>(before, view.x, view.grad_input, block);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Network<T>;                                                                                           \
  template void begin_random_steps(const Network<T>&);                                                                 \
  template void set_random_steps(const Network<T>&, Index batches);                                                    \
  template void backward_fused_relu(const Node<T>&, PanelView<const T>, PanelView<T>, Block);                          \
  template void backward(const Network<T>&, const Node<T>&, const NodeView<T>&, bool, Block);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
