#include "bind/arguments.hpp"

#include <string_view>

namespace cnet::bind {

namespace {

/// What Python is left to convert: of NumPy's arrays and scalars those of one real number, but none that is masked.
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

py::array Arguments::any_array(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::array>(value)) refuse(name, py::str("an array"), value);
  return py::reinterpret_borrow<py::array>(value);
}

std::optional<double> Arguments::optional_number(const char* name) {
  const py::object value = object();
  return value.is_none() ? std::nullopt : std::optional<double>(as_number(name, value));
}

std::map<std::string, double> Arguments::numbers(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::dict>(value)) refuse(name, py::str("a dict"), value);
  std::map<std::string, double> numbers;
  for (const auto& [key, number] : py::reinterpret_borrow<py::dict>(value)) {
    numbers[py::str(key)] = as_number(name, number);
  }
  return numbers;
}

std::vector<double> Arguments::list_of_numbers(const char* name) {
  std::vector<double> numbers;
  for (const py::handle value : list(name)) numbers.push_back(as_number(name, value));
  return numbers;
}

Index Arguments::integer(const char* name) {
  const Index number = PyLong_AsSsize_t(whole(name).ptr());
  check(name);
  return number;
}

std::uint64_t Arguments::unsigned_integer(const char* name) {
  const std::uint64_t number = PyLong_AsUnsignedLongLong(whole(name).ptr());
  check(name);
  return number;
}

bool Arguments::flag(const char* name) {
  const bool is_true = PyObject_IsTrue(object().ptr()) != 0;
  check(name);
  return is_true;
}

std::string Arguments::text(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::str>(value)) refuse(name, py::str("a str"), value);
  return py::str(value);
}

py::list Arguments::list(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::list>(value) && !py::isinstance<py::tuple>(value)) refuse(name, py::str("a list"), value);
  return py::list(value);
}

py::object Arguments::whole(const char* name) {
  const py::object value = object();
  if (!may_be_number(value)) refuse(name, py::str("a whole number"), value);
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
  const std::string text = std::string(call) + ": " + name + ": " + std::string(py::str(error.value()));
  if (error.matches(PyExc_OverflowError)) throw py::value_error(text);
  if (error.matches(PyExc_TypeError)) throw py::type_error(text);
  throw error;
}

void Arguments::refuse(const char* name, const py::object& expected, py::handle value) const {
  const auto told = [](const py::object& kind) {
    return std::string(py::str(py::isinstance<py::type>(kind) ? kind.attr("__name__") : kind));
  };
  const bool has_wrong_dtype = py::isinstance<py::dtype>(expected) && py::isinstance<py::array>(value);
  const py::object got = has_wrong_dtype ? py::object(value.attr("dtype")) : py::type::of(value);
  throw py::type_error(std::string(call) + ": " + name + ": expected " + told(expected) + ", got " + told(got));
}

void define(py::module_& m, const Operation& operation) {
  m.def(operation.name, [&operation](const py::args& values) {
    Arguments arguments(operation.name, values, operation.arguments);
    const bool is_double = py::isinstance<py::array_t<double>>(py::object(values[operation.decides]));
    return is_double ? operation.float64(arguments) : operation.float32(arguments);
  });
}

} // namespace cnet::bind
