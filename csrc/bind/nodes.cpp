#include "bind/activations.hpp"
#include "bind/arguments.hpp"
#include "bind/network.hpp"

#include <cstdint>
#include <map>
#include <pybind11/stl.h>
#include <string>
#include <vector>

// The inputs and nodes of networks.

namespace cnet::bind {

namespace {

// The methods add_… return the tensor that they add.

template <class T> py::object add_input(Network<T>& self, Arguments& arguments) {
  return py::int_(self.add_input(arguments.integer("columns")));
}

template <class T> py::object add_ids(Network<T>& self, Arguments& arguments) {
  return py::int_(self.add_ids(arguments.integer("columns")));
}

template <class T> py::object add_dense(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto kernel = arguments.shared<Variable<T>>("kernel");
  const auto bias = arguments.optional_shared<Variable<T>>("bias");
  return py::int_(self.add_dense(name, x, kernel, bias, arguments.flag("trainable")));
}

template <class T> py::object add_activation(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const std::string function = arguments.text("function");
  const auto activation = activation_of<T>(function, arguments.dict_of_numbers("parameters"));
  return py::int_(self.add_activation(name, x, activation));
}

template <class T> py::object add_softmax(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  return py::int_(self.add_softmax(name, arguments.integer("x")));
}

template <class T> py::object add_log_softmax(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  return py::int_(self.add_log_softmax(name, arguments.integer("x")));
}

template <class T> py::object add_rescaling(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const double scale = arguments.number("scale");
  return py::int_(self.add_rescaling(name, x, scale, arguments.number("offset")));
}

template <class T> py::object add_dropout(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const double rate = arguments.number("rate");
  return py::int_(self.add_dropout(name, x, rate, arguments.shared<ops::RandomState>("random")));
}

template <class T> py::object add_gaussian_noise(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const double deviation = arguments.number("deviation");
  return py::int_(self.add_gaussian_noise(name, x, deviation, arguments.shared<ops::RandomState>("random")));
}

template <class T> py::object add_batch_normalization(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto gamma = arguments.optional_shared<Variable<T>>("gamma");
  const auto beta = arguments.optional_shared<Variable<T>>("beta");
  const auto mean = arguments.shared<Variable<T>>("mean");
  const auto variance = arguments.shared<Variable<T>>("variance");
  const double momentum = arguments.number("momentum");
  const double epsilon = arguments.number("epsilon");
  const bool trainable = arguments.flag("trainable");
  return py::int_(self.add_batch_normalization(name, x, gamma, beta, {mean, variance, momentum, epsilon}, trainable));
}

template <class T> py::object add_layer_normalization(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto gamma = arguments.optional_shared<Variable<T>>("gamma");
  const auto beta = arguments.optional_shared<Variable<T>>("beta");
  const double epsilon = arguments.number("epsilon");
  return py::int_(self.add_layer_normalization(name, x, gamma, beta, epsilon, arguments.flag("trainable")));
}

template <class T> py::object add_embedding(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index ids = arguments.integer("ids");
  const auto table = arguments.shared<Variable<T>>("table");
  return py::int_(self.add_embedding(name, ids, table, arguments.flag("trainable")));
}

template <class T> py::object add_concatenate(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  return py::int_(self.add_concatenate(name, arguments.integers("operands")));
}

template <class T> py::object add_merge(Network<T>& self, Arguments& arguments) {
  using ops::Merge;
  static const std::map<std::string, Merge> functions = {{"add", Merge::add},           {"subtract", Merge::subtract},
                                                         {"multiply", Merge::multiply}, {"divide", Merge::divide},
                                                         {"maximum", Merge::maximum},   {"minimum", Merge::minimum}};
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const Index y = arguments.integer("y");
  const std::string function = arguments.text("function");
  if (functions.count(function) == 0) throw py::value_error("add_merge: unknown function '" + function + "'");
  return py::int_(self.add_merge(name, x, y, functions.at(function)));
}

template <class T> py::object add_dot(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  return py::int_(self.add_dot(name, x, arguments.integer("y")));
}

template <class T> py::object add_rearrangement(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto source = arguments.array<std::int64_t>("source");
  const Index rows = arguments.integer("rows");
  const Index columns = arguments.integer("columns");
  const std::vector<Index> elements(source.data(), source.data() + source.size());
  return py::int_(self.add_rearrangement(name, x, elements, {rows, columns}));
}

template <class T> py::object add_global_pooling(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const std::string pooling = arguments.text("pooling");
  if (pooling != "average" && pooling != "maximum") {
    throw py::value_error("add_global_pooling: expected 'average' or 'maximum', got '" + pooling + "'");
  }
  return py::int_(
      self.add_global_pooling(name, x, pooling == "average" ? ops::Pooling::average : ops::Pooling::maximum));
}

template <class T> py::object add_parameters(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto variable = arguments.shared<Variable<T>>("variable");
  return py::int_(self.add_parameters(name, x, variable, arguments.flag("trainable")));
}

} // namespace

template <class T> void define_nodes(NetworkClass<T>& network) {
  static const Method<Network<T>> methods[] = {
      {"add_input", 1, add_input<T>},
      {"add_ids", 1, add_ids<T>},
      {"add_dense", 5, add_dense<T>},
      {"add_activation", 4, add_activation<T>},
      {"add_softmax", 2, add_softmax<T>},
      {"add_log_softmax", 2, add_log_softmax<T>},
      {"add_rescaling", 4, add_rescaling<T>},
      {"add_dropout", 4, add_dropout<T>},
      {"add_gaussian_noise", 4, add_gaussian_noise<T>},
      {"add_batch_normalization", 9, add_batch_normalization<T>},
      {"add_layer_normalization", 6, add_layer_normalization<T>},
      {"add_embedding", 4, add_embedding<T>},
      {"add_concatenate", 2, add_concatenate<T>},
      {"add_merge", 4, add_merge<T>},
      {"add_dot", 3, add_dot<T>},
      {"add_rearrangement", 5, add_rearrangement<T>},
      {"add_global_pooling", 3, add_global_pooling<T>},
      {"add_parameters", 4, add_parameters<T>},
  };
  for (const auto& method : methods) define(network, method);
}

template void define_nodes(NetworkClass<float>&);
template void define_nodes(NetworkClass<double>&);

} // namespace cnet::bind
