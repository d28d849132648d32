#pragma once

#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "network/network.hpp"
#include "train/observer.hpp"

#include <memory>
#include <string>
#include <vector>

// Shared by the bindings of networks and of trainers.

namespace cnet::bind {

template <class T> std::vector<py::ssize_t> shape_of_variable(const Variable<T>& variable) {
  if (variable.is_vector()) return {variable.columns()};
  return {variable.rows(), variable.columns()};
}

/// The arrays of a network's inputs.
struct Inputs {
  Index rows;
  std::vector<Samples> samples;
};

/// Throws ValueError unless the network is finished and there is an array of (batch, columns) for each input, all with
/// the same number of rows; TypeError if an input of ids is not made of integers.
template <class T> Inputs inputs_of(Argument argument, const Network<T>& network, const std::vector<py::array>& x) {
  const std::size_t expected = network.inputs().size();
  if (!network.is_finished()) throw py::value_error(std::string(argument.call) + ": the network is not finished");
  if (x.size() != expected || x.empty()) {
    throw py::value_error(std::string(argument.call) + ": x: expected " + std::to_string(expected) + " arrays, got " +
                          std::to_string(x.size()));
  }
  Inputs inputs{-1, {}};
  for (std::size_t n = 0; n < expected; ++n) {
    expect_shape(argument, x[n], {inputs.rows, network.inputs()[n].columns});
    if (network.inputs()[n].is_ids && std::string("iu").find(x[n].dtype().kind()) == std::string::npos) {
      throw py::type_error(std::string(argument.call) + ": x: expected integer ids, got " +
                           std::string(py::str(x[n].dtype())));
    }
    inputs.samples.push_back(samples(argument, x[n]));
    inputs.rows = x[n].shape(0);
  }
  return inputs;
}

/// Return the loss and the number of right predictions of each head, as tuples.
py::list heads_of(const Totals& totals);

/// An observer that handles signals and calls on_progress(rows, batches, loss, heads), which may return True to stop.
/// To be called without the GIL.
Observer observer_of(const py::object& on_progress, FloatMode& mode, bool every_batch = false);

template <class T> using NetworkClass = py::class_<Network<T>, std::shared_ptr<Network<T>>>;

/// Defines the methods that add inputs and nodes.
template <class T> void define_nodes(NetworkClass<T>&);

/// Adds a class for elements of T to the module's dict `name`, by dtype.
template <class T, class Class> void enter(py::module_& m, const char* name, const Class& bound) {
  if (!py::hasattr(m, name)) m.attr(name) = py::dict();
  m.attr(name)[py::dtype::of<T>().attr("name")] = bound;
}

} // namespace cnet::bind
