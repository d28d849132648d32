#include "bind/ops.hpp"

namespace cnet::bind {

py::object Arguments::object() {
  return values_[next_++];
}

py::array Arguments::any_array(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::array>(value)) refuse(name, "an array", value);
  return py::reinterpret_borrow<py::array>(value);
}

double Arguments::number(const char* name) {
  return checked(name, PyFloat_AsDouble(object().ptr()));
}

std::optional<double> Arguments::optional_number(const char* name) {
  const py::object value = object();
  return value.is_none() ? std::nullopt : std::optional<double>(checked(name, PyFloat_AsDouble(value.ptr())));
}

std::map<std::string, double> Arguments::numbers(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::dict>(value)) refuse(name, "a dict", value);
  std::map<std::string, double> numbers;
  for (const auto& [key, number] : py::reinterpret_borrow<py::dict>(value)) {
    numbers[py::str(key)] = checked(name, PyFloat_AsDouble(number.ptr()));
  }
  return numbers;
}

Index Arguments::integer(const char* name) {
  return checked(name, PyLong_AsSsize_t(whole(name).ptr()));
}

std::uint64_t Arguments::unsigned_integer(const char* name) {
  return checked(name, PyLong_AsUnsignedLongLong(whole(name).ptr()));
}

bool Arguments::flag(const char* name) {
  return checked(name, PyObject_IsTrue(object().ptr())) != 0;
}

std::string Arguments::text(const char* name) {
  const py::object value = object();
  if (!py::isinstance<py::str>(value)) refuse(name, "a str", value);
  return py::str(value);
}

py::object Arguments::whole(const char* name) {
  return py::reinterpret_steal<py::object>(checked(name, PyNumber_Index(object().ptr())));
}

void Arguments::check(const char* name) const {
  if (PyErr_Occurred() == nullptr) return;
  const py::error_already_set error;
  const std::string text = std::string(call) + ": " + name + ": " + std::string(py::str(error.value()));
  if (error.matches(PyExc_OverflowError)) throw py::value_error(text);
  if (error.matches(PyExc_TypeError)) throw py::type_error(text);
  throw error;
}

void Arguments::refuse(const char* name, const char* expected, const py::object& value) const {
  const py::object kind = py::isinstance<py::array>(value) ? value.attr("dtype") : py::type::of(value).attr("__name__");
  throw py::type_error(std::string(call) + ": " + name + ": expected " + expected + ", got " +
                       std::string(py::str(kind)));
}

void define(py::module_& m, const Operation& operation) {
  m.def(operation.name, [&operation](const py::args& values) {
    if (values.size() != operation.arguments) {
      throw py::type_error(std::string(operation.name) + ": expected " + std::to_string(operation.arguments) +
                           " arguments, got " + std::to_string(values.size()));
    }
    Arguments arguments(operation.name, values);
    const bool is_double = py::isinstance<py::array_t<double>>(py::object(values[operation.decides]));
    return is_double ? operation.float64(arguments) : operation.float32(arguments);
  });
}

} // namespace cnet::bind
