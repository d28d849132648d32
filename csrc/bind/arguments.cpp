#include "bind/arguments.hpp"

#include <string_view>

namespace cnet::bind {

namespace {

/// Returns true if Python may convert the value: a real number, also as an array without dimensions or mask.
bool may_be_number(py::handle value) {
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr()) || !py::hasattr(value, "dtype")) return true;
  const bool is_array = py::isinstance<py::array>(value);
  if (is_array && Py_TYPE(value.ptr()) != py::detail::npy_api::get().PyArray_Type_) return false;
  if (is_array && py::reinterpret_borrow<py::array>(value).ndim() != 0) return false;
  const auto dtype = value.attr("dtype");
  return !py::isinstance<py::dtype>(dtype) ||
         std::string_view("biuf").find(dtype.cast<py::dtype>().kind()) != std::string_view::npos;
}

} // namespace

Arguments::Arguments(const char* call_, const py::args& values, std::size_t count) : call(call_), values_(values) {
  if (values.size() == count) return;
  throw py::type_error(std::string(call) + ": expected " + std::to_string(count) + " arguments, got " +
                       std::to_string(values.size()));
}

py::object Arguments::object() {
  const py::object value = next();
  const auto protect = [&](py::handle each) {
    if (py::isinstance<py::array>(each))
      unresizable_.push_back(prevent_resize(py::reinterpret_borrow<py::array>(each)));
  };
  protect(value);
  if (py::isinstance<py::tuple>(value)) {
    for (const py::handle each : py::reinterpret_borrow<py::tuple>(value)) protect(each);
  }
  return value;
}

py::array Arguments::any_array(const char* name) {
  const py::object value = next();
  if (!py::isinstance<py::array>(value)) refuse(name, py::str("an array"), value);
  return py::reinterpret_borrow<py::array>(value);
}

std::vector<py::array> Arguments::any_arrays(const char* name) {
  std::vector<py::array> arrays;
  for (const py::handle value : items(name)) {
    if (!py::isinstance<py::array>(value)) refuse(name, py::str("an array"), value);
    arrays.push_back(py::reinterpret_borrow<py::array>(value));
  }
  return arrays;
}

std::optional<double> Arguments::optional_number(const char* name) {
  const py::object value = next();
  return value.is_none() ? std::nullopt : std::optional<double>(as_number(name, value));
}

std::map<std::string, double> Arguments::dict_of_numbers(const char* name) {
  const py::object value = next();
  if (!py::isinstance<py::dict>(value)) refuse(name, py::str("a dict"), value);
  std::map<std::string, double> numbers;
  const auto items =
      py::reinterpret_steal<py::list>(PyDict_Items(value.ptr())); // a copy: conversions may change the dict
  check(name);
  for (const py::handle item : items) {
    const auto pair = py::reinterpret_borrow<py::tuple>(item);
    numbers[py::str(pair[0])] = as_number(name, pair[1]);
  }
  return numbers;
}

std::vector<double> Arguments::list_of_numbers(const char* name) {
  std::vector<double> numbers;
  for (const py::handle value : items(name)) numbers.push_back(as_number(name, value));
  return numbers;
}

std::vector<Index> Arguments::integers(const char* name) {
  std::vector<Index> numbers;
  for (const py::handle value : items(name)) numbers.push_back(as_integer(name, value));
  return numbers;
}

Index Arguments::as_integer(const char* name, py::handle value) const {
  const Index number = PyLong_AsSsize_t(to_int(name, value).ptr());
  check(name);
  return number;
}

std::uint64_t Arguments::unsigned_integer(const char* name) {
  const std::uint64_t number = PyLong_AsUnsignedLongLong(to_int(name, next()).ptr());
  check(name);
  return number;
}

std::vector<bool> Arguments::flags(const char* name) {
  std::vector<bool> flags;
  for (const py::handle value : items(name)) flags.push_back(as_flag(name, value));
  return flags;
}

bool Arguments::as_flag(const char* name, py::handle value) const {
  if (PyBool_Check(value.ptr())) return value.is(py::bool_(true));
  const bool is_numpy_bool =
      !py::isinstance<py::array>(value) && py::dtype::of<bool>().equal(py::getattr(value, "dtype", py::none()));
  if (!PyLong_Check(value.ptr()) && !is_numpy_bool) refuse(name, py::str("a bool"), value);
  return PyObject_IsTrue(value.ptr()) != 0;
}

std::string Arguments::text(const char* name) {
  const py::object value = next();
  if (!py::isinstance<py::str>(value)) refuse(name, py::str("a str"), value);
  return py::str(value);
}

py::tuple Arguments::items(const char* name, bool may_be_none) {
  const py::object value = next();
  if (may_be_none && value.is_none()) return py::tuple();
  if (!py::isinstance<py::list>(value) && !py::isinstance<py::tuple>(value)) refuse(name, py::str("a list"), value);
  return py::tuple(value);
}

py::object Arguments::to_int(const char* name, py::handle value) const {
  if (!may_be_number(value)) refuse(name, py::str("an integer"), value);
  const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  check(name);
  return number;
}

double Arguments::as_number(const char* name, py::handle value) const {
  if (!may_be_number(value)) refuse(name, py::str("a number"), value);
  const double number = PyFloat_AsDouble(value.ptr());
  check(name);
  return number;
}

void Arguments::check(const char* name) const {
  if (PyErr_Occurred() == nullptr) return;
  const py::error_already_set error;
  const auto text = [&] { return std::string(call) + ": " + name + ": " + std::string(py::str(error.value())); };
  if (error.matches(PyExc_OverflowError) || error.matches(PyExc_ValueError)) throw py::value_error(text());
  if (error.matches(PyExc_TypeError)) throw py::type_error(text());
  throw error;
}

void Arguments::refuse(const char* name, const py::object& expected, py::handle value) const {
  const auto type_name = [](const py::object& kind) {
    return std::string(py::str(py::isinstance<py::type>(kind) ? kind.attr("__name__") : kind));
  };
  const bool has_wrong_dtype = py::isinstance<py::dtype>(expected) && py::isinstance<py::array>(value);
  const py::object got = has_wrong_dtype ? py::object(value.attr("dtype")) : py::type::of(value);
  const bool has_wrong_layout = has_wrong_dtype && got.equal(expected);
  throw py::type_error(std::string(call) + ": " + name + ": expected " + (has_wrong_layout ? "C-contiguous " : "") +
                       type_name(expected) + ", got " + type_name(got));
}

void define(py::module_& m, const Operation& operation) {
  m.def(operation.name, [&operation](const py::args& values) {
    Arguments arguments(operation.name, values, operation.arguments);
    const bool is_double = py::isinstance<py::array_t<double>>(py::object(values[operation.dtype_argument]));
    return is_double ? operation.float64(arguments) : operation.float32(arguments);
  });
}

} // namespace cnet::bind
