#pragma once

#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "network/network.hpp"
#include "train/observer.hpp"

#include <vector>

// Shared by the bindings of networks and of trainers.

namespace cnet::bind {

template <class T> std::vector<py::ssize_t> shape_of_variable(const Variable<T>& variable) {
  if (variable.is_vector()) return {variable.columns()};
  return {variable.rows(), variable.columns()};
}

/// An observer that handles signals and calls on_progress(rows, batches, loss, correct), which may return True to stop.
/// To be called without the GIL.
Observer observer_of(const py::object& on_progress, FloatMode& mode, bool every_batch = false);

/// Adds a class for elements of T to the module's dict `name`, by dtype.
template <class T, class Class> void enter(py::module_& m, const char* name, const Class& bound) {
  if (!py::hasattr(m, name)) m.attr(name) = py::dict();
  m.attr(name)[py::dtype::of<T>().attr("name")] = bound;
}

} // namespace cnet::bind
