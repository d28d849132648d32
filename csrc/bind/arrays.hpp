#pragma once

#include "core/matrix.hpp"
#include "train/samples.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

namespace cnet::bind {

namespace py = pybind11;

/// The name of an argument in errors: "dense_forward: kernel".
struct Argument {
  const char* call;
  const char* name;
};

/// A C-contiguous array of T. cnet's Python code converts to it; nothing else is accepted.
template <class T> using Array = py::array_t<T, py::array::c_style>;

std::string shape_text(const std::vector<py::ssize_t>& shape);
std::vector<py::ssize_t> shape_of(const py::array& array);

/// Throws ValueError, naming both shapes, unless they are equal. −1 in `expected` matches any size and is
/// written as `batch` in the message.
void expect_shape(Argument, const py::array& array, const std::vector<py::ssize_t>& expected);

/// Throws ValueError unless the array has two dimensions; `axes` names them: "(batch, classes)".
void expect_matrix(Argument, const py::array& array, const char* axes);

template <class T> MatrixView<const T> matrix(const Array<T>& array) {
  return {array.data(), array.shape(0), array.shape(1)};
}
template <class T> MatrixView<T> mutable_matrix(Array<T>& array) {
  return {array.mutable_data(), array.shape(0), array.shape(1)};
}

/// The array for a result: `out`, or a new one if it is None. `out` is never converted: throws TypeError
/// unless it is an array of T, ValueError unless it has the shape, is C-contiguous, aligned and writable,
/// and shares no memory with the inputs.
template <class T>
Array<T> output(Argument, const py::object& out, const std::vector<py::ssize_t>& shape,
                const std::vector<py::array>& inputs);

/// An array that is updated in place, checked like `out`.
template <class T> Array<T> in_place(Argument, const py::object& array, const std::vector<py::array>& inputs);

/// Makes `ndarray.resize` refuse to move or free the array's memory while the weak reference exists: NumPy checks
/// for weak references even with refcheck=False.
py::weakref prevent_resize(const py::array& array);

/// A view of an array that can't be resized while the view exists.
py::array unresizable_view(const py::array& array);

/// A view of (samples, features) of any numeric type and stride.
Samples samples(Argument, const py::array& array);

} // namespace cnet::bind
