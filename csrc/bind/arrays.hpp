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

/// An argument of a call, for messages: "dense_forward: kernel".
struct Argument {
  const char* call;
  const char* name;
};

/// A C-contiguous array of T; Python has converted it already (cnet.ops), so nothing else is taken.
template <class T> using Array = py::array_t<T, py::array::c_style>;

std::string shape_text(const std::vector<py::ssize_t>& shape);
std::vector<py::ssize_t> shape_of(const py::array& array);

/// Throws ValueError naming both shapes unless they are equal. −1 in `expected` stands for any size,
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

/// The array that a result goes to: `out`, or a new one if it is None. `out` is never converted:
/// TypeError unless it is an array of T, ValueError unless it has the shape, is C-contiguous,
/// aligned and writable, and shares no memory with the inputs.
template <class T>
Array<T> output(Argument, const py::object& out, const std::vector<py::ssize_t>& shape,
                const std::vector<py::array>& inputs);

/// An array that is updated in place; as `output`, but never None.
template <class T> Array<T> in_place(Argument, const py::object& array, const std::vector<py::array>& inputs);

/// Throws ValueError if there is no such loss.
kernels::PointwiseLoss pointwise_loss(const char* call, const std::string& name);

/// A reference that lets NumPy refuse to move or free an array's memory: `resize` asks for weak ones even
/// where it is told not to count the strong ones, and asks for nothing else that could be held.
py::weakref hold(const py::array& array);

/// A view of an array that holds its memory as long as it lives.
py::array held(const py::array& array);

/// A view of (samples, features) of any numeric type and stride.
Samples samples(Argument, const py::array& array);

} // namespace cnet::bind
