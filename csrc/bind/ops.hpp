#pragma once

#include "bind/arguments.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "core/panels.hpp"

// What the operations by themselves have in common: cnet.ops over NumPy arrays.

namespace cnet::bind {

/// Runs the arithmetic of a call: without the GIL, which it never needs, and with IEEE defaults.
template <class F> void compute(F f) {
  const WithoutGil without_gil;
  const FloatMode mode;
  f();
}

template <class T> PanelMatrix<T> packed(MatrixView<const T> from) {
  PanelMatrix<T> to(from.rows, from.columns);
  pack(from, to.view());
  return to;
}

template <class T> RowRange all_rows(const PanelMatrix<T>& matrix) {
  return {0, matrix.rows()};
}

/// The arrays that several results go to: those of the tuple `out`, or new ones if it is None. `names` are
/// those of the results: "(grad_x, grad_kernel)".
template <class T>
std::vector<Array<T>> outputs(const char* call, const char* names, const py::object& out,
                              const std::vector<std::vector<py::ssize_t>>& shapes, std::vector<py::array> taken) {
  if (!out.is_none() && (!py::isinstance<py::tuple>(out) || py::len(out) != shapes.size())) {
    throw py::type_error(std::string(call) + ": out: expected a tuple of " + std::to_string(shapes.size()) +
                         " arrays " + names);
  }
  std::vector<Array<T>> results;
  for (std::size_t n = 0; n < shapes.size(); ++n) {
    const py::object array = out.is_none() ? out : py::object(py::reinterpret_borrow<py::tuple>(out)[n]);
    results.push_back(output<T>({call, "out"}, array, shapes[n], taken));
    taken.push_back(results.back());
  }
  return results;
}

} // namespace cnet::bind
