#pragma once

#include "bind/arguments.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "core/panels.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

// Helpers of the operations of cnet.ops.

namespace cnet::bind {

/// Runs the arithmetic of a call without the GIL and with IEEE defaults.
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

template <class T> RowRange all_rows(PanelView<T> matrix) {
  return {0, matrix.rows};
}

/// The arrays other than None.
template <class T> std::vector<py::array> given(std::initializer_list<std::optional<Array<T>>> arrays) {
  std::vector<py::array> result;
  for (const auto& array : arrays) {
    if (array) result.push_back(*array);
  }
  return result;
}

/// Returns the result of an operation on the matrix x: f changes a copy of x, in panels, in place. `others` are the
/// other inputs, which `out` must not overlap.
template <class T, class F>
Array<T> map_matrix(const char* call, const Array<T>& x, std::vector<py::array> others, const py::object& out, F f) {
  others.push_back(x);
  Array<T> result = output<T>({call, "out"}, out, shape_of(x), others);
  const auto view = matrix(x);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(view);
    f(panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

/// The backward pass of an operation on rows: f(grad, saved, rows, grad_x), where the argument `name` is the matrix
/// that the forward pass returned for it.
template <class T>
py::object rows_backward(Arguments& arguments, const char* name, const char* axes,
                         void (*f)(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>)) {
  const Array<T> grad = arguments.array<T>("grad");
  const Array<T> saved = arguments.array<T>(name);
  const py::object out = arguments.object();
  expect_matrix({arguments.call, name}, saved, axes);
  expect_shape({arguments.call, "grad"}, grad, shape_of(saved));
  return map_matrix(arguments.call, grad, {saved}, out, [&, view = matrix(saved)](PanelView<T> panels) {
    const auto saved_panels = packed(view);
    f(panels, saved_panels.view(), all_rows(panels), panels);
  });
}

/// The arrays of several results: those of the tuple `out`, or new ones if it is None. `names` lists the results in
/// the error: "(grad_x, grad_kernel)".
template <class T>
std::vector<Array<T>> outputs(const char* call, const char* names, const py::object& out,
                              const std::vector<std::vector<py::ssize_t>>& shapes, std::vector<py::array> inputs) {
  if (!out.is_none() && (!py::isinstance<py::tuple>(out) || py::len(out) != shapes.size())) {
    throw py::type_error(std::string(call) + ": out: expected a tuple of " + std::to_string(shapes.size()) +
                         " arrays " + names);
  }
  std::vector<Array<T>> results;
  for (std::size_t n = 0; n < shapes.size(); ++n) {
    const py::object array = out.is_none() ? out : py::object(py::reinterpret_borrow<py::tuple>(out)[n]);
    results.push_back(output<T>({call, "out"}, array, shapes[n], inputs));
    inputs.push_back(results.back()); // results may not overlap either
  }
  return results;
}

} // namespace cnet::bind
