#include "bind/arrays.hpp"

#include <cstdint>

namespace cnet::bind {

namespace {

std::string text(Argument argument) {
  return std::string(argument.call) + ": " + argument.name;
}

struct Extent {
  const std::byte* first;
  const std::byte* last;
};

Extent extent(const py::array& array) {
  const auto* first = static_cast<const std::byte*>(array.data());
  return {first, first + array.nbytes()};
}

template <class T>
Array<T> writable(Argument argument, const py::object& object, const std::vector<py::array>& inputs) {
  const py::dtype expected = py::dtype::of<T>();
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error(text(argument) + ": expected an array of " + std::string(py::str(expected)) + ", got " +
                         std::string(py::str(py::type::of(object).attr("__name__"))));
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!array.dtype().equal(expected)) {
    throw py::type_error(text(argument) + ": expected " + std::string(py::str(expected)) + ", got " +
                         std::string(py::str(array.dtype())));
  }
  const bool aligned = py::detail::check_flags(array.ptr(), py::detail::npy_api::NPY_ARRAY_ALIGNED_);
  const bool contiguous = (array.flags() & py::array::c_style) != 0;
  if (!contiguous || !aligned) throw py::value_error(text(argument) + ": expected a C-contiguous, aligned array");
  if (!array.writeable()) throw py::value_error(text(argument) + ": the array is read-only");
  const Extent own = extent(array);
  for (const py::array& input : inputs) {
    const Extent other = extent(input);
    if (own.first < other.last && other.first < own.last) {
      throw py::value_error(text(argument) + ": shares memory with an input");
    }
  }
  return py::reinterpret_borrow<Array<T>>(object);
}

ElementType element_type(Argument argument, const py::dtype& dtype) {
  struct Known {
    char kind;
    py::ssize_t size;
    ElementType type;
  };
  constexpr Known known[] = {
      {'f', 4, ElementType::float32}, {'f', 8, ElementType::float64}, {'u', 1, ElementType::uint8},
      {'b', 1, ElementType::uint8},   {'i', 1, ElementType::int8},    {'u', 2, ElementType::uint16},
      {'i', 2, ElementType::int16},   {'u', 4, ElementType::uint32},  {'i', 4, ElementType::int32},
      {'u', 8, ElementType::uint64},  {'i', 8, ElementType::int64},   {'f', 2, ElementType::float16},
  };
  if (dtype.byteorder() != '>') { // all supported CPUs are little-endian, so '<' is native
    for (const Known& each : known) {
      if (each.kind == dtype.kind() && each.size == dtype.itemsize()) return each.type;
    }
  }
  throw py::type_error(text(argument) + ": expected numbers in native byte order, got " + std::string(py::str(dtype)));
}

} // namespace

std::string shape_text(const std::vector<py::ssize_t>& shape) {
  std::string result = "(";
  for (const py::ssize_t size : shape) result += (size < 0 ? "batch" : std::to_string(size)) + ", ";
  if (shape.size() > 1)
    result.resize(result.size() - 2);
  else if (shape.size() == 1)
    result.resize(result.size() - 1);
  return result + ")";
}

std::vector<py::ssize_t> shape_of(const py::array& array) {
  return {array.shape(), array.shape() + array.ndim()};
}

void expect_shape(Argument argument, const py::array& array, const std::vector<py::ssize_t>& expected) {
  const std::vector<py::ssize_t> shape = shape_of(array);
  bool equal = shape.size() == expected.size();
  for (std::size_t n = 0; equal && n < shape.size(); ++n) equal = expected[n] < 0 || shape[n] == expected[n];
  if (equal) return;
  throw py::value_error(text(argument) + ": expected shape " + shape_text(expected) + ", got " + shape_text(shape));
}

void expect_matrix(Argument argument, const py::array& array, const char* axes) {
  if (array.ndim() == 2) return;
  throw py::value_error(text(argument) + ": expected shape " + axes + ", got " + shape_text(shape_of(array)));
}

template <class T>
Array<T> output(Argument argument, const py::object& out, const std::vector<py::ssize_t>& shape,
                const std::vector<py::array>& inputs) {
  if (out.is_none()) return Array<T>(shape);
  Array<T> array = writable<T>(argument, out, inputs);
  expect_shape(argument, array, shape);
  return array;
}

template <class T> Array<T> in_place(Argument argument, const py::object& array, const std::vector<py::array>& inputs) {
  return writable<T>(argument, array, inputs);
}

py::weakref prevent_resize(const py::array& array) {
  py::object owner = array;
  for (py::object base = array.base(); base && py::isinstance<py::array>(base);
       base = py::reinterpret_borrow<py::array>(base).base()) {
    owner = base;
  }
  return py::weakref(owner);
}

py::array unresizable_view(const py::array& array) {
  const py::tuple base = py::make_tuple(array, prevent_resize(array));
  py::array view(array.dtype(), shape_of(array), {array.strides(), array.strides() + array.ndim()}, array.data(), base);
  if (!array.writeable()) py::detail::array_proxy(view.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
  return view;
}

Samples samples(Argument argument, const py::array& array) {
  expect_matrix(argument, array, "(samples, features)");
  return {static_cast<const std::byte*>(array.data()),
          element_type(argument, array.dtype()),
          array.shape(0),
          array.shape(1),
          array.strides(0),
          array.strides(1)};
}

template Array<float> output(Argument, const py::object&, const std::vector<py::ssize_t>&,
                             const std::vector<py::array>&);
template Array<double> output(Argument, const py::object&, const std::vector<py::ssize_t>&,
                              const std::vector<py::array>&);
template Array<float> in_place(Argument, const py::object&, const std::vector<py::array>&);
template Array<double> in_place(Argument, const py::object&, const std::vector<py::array>&);

} // namespace cnet::bind
