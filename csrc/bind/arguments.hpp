#pragma once

#include "bind/arrays.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Calls from Python. All operations and methods have one C++ signature, because each new one takes pybind11 long to
// compile.

namespace cnet::bind {

/// The positional arguments of a call, read in order. Names, defaults and conversions stand in cnet's Python code.
/// Reading throws TypeError for an argument of another type, ValueError for a number that is too large.
class Arguments {
public:
  /// Throws TypeError unless there are `count` arguments.
  Arguments(const char* call, const py::args& values, std::size_t count);

  /// Any object. Arrays, also in a tuple, can't be resized until the call ends.
  py::object object();
  py::array any_array(const char* name);
  std::vector<py::array> any_arrays(const char* name);
  /// A C-contiguous array of exactly T.
  template <class T> Array<T> array(const char* name) { return as_array<T>(name, next()); }
  template <class T> std::optional<Array<T>> optional_array(const char* name) {
    const py::object value = next();
    return value.is_none() ? std::nullopt : std::optional<Array<T>>(as_array<T>(name, value));
  }
  template <class T> std::vector<Array<T>> arrays(const char* name) {
    std::vector<Array<T>> arrays;
    for (const py::handle value : items(name)) arrays.push_back(as_array<T>(name, value));
    return arrays;
  }
  /// None is no arrays; in a list it is a missing one.
  template <class T> std::vector<std::optional<Array<T>>> optional_arrays(const char* name) {
    std::vector<std::optional<Array<T>>> arrays;
    for (const py::handle value : items(name, true)) {
      arrays.push_back(value.is_none() ? std::nullopt : std::optional<Array<T>>(as_array<T>(name, value)));
    }
    return arrays;
  }
  /// An instance of a bound class.
  template <class Class> Class& instance(const char* name) { return as_instance<Class, Class&>(name, next()); }
  template <class Class> std::shared_ptr<Class> shared(const char* name) {
    return as_instance<Class, std::shared_ptr<Class>>(name, next());
  }
  template <class Class> std::shared_ptr<Class> optional_shared(const char* name) {
    const py::object value = next();
    return value.is_none() ? nullptr : as_instance<Class, std::shared_ptr<Class>>(name, value);
  }
  /// A list of instances, which are kept alive: other threads may change the list while the call waits.
  template <class Class> std::vector<std::shared_ptr<Class>> all_shared(const char* name) {
    std::vector<std::shared_ptr<Class>> all;
    for (const py::handle value : items(name)) all.push_back(as_instance<Class, std::shared_ptr<Class>>(name, value));
    return all;
  }
  double number(const char* name) { return as_number(name, next()); }
  std::optional<double> optional_number(const char* name);
  std::map<std::string, double> dict_of_numbers(const char* name);
  std::vector<double> list_of_numbers(const char* name);
  Index integer(const char* name) { return as_integer(name, next()); }
  std::vector<Index> integers(const char* name);
  std::uint64_t unsigned_integer(const char* name);
  bool flag(const char* name) { return as_flag(name, next()); }
  std::vector<bool> flags(const char* name);
  std::string text(const char* name);

  const char* const call;

private:
  py::object next() { return values_[next_++]; }
  /// A copy of a list, since converting its items may run code that changes it.
  py::tuple items(const char* name, bool may_be_none = false);
  bool as_flag(const char* name, py::handle value) const;
  py::object to_int(const char* name, py::handle value) const;
  Index as_integer(const char* name, py::handle value) const;
  double as_number(const char* name, py::handle value) const;
  template <class T> Array<T> as_array(const char* name, py::handle value) const {
    if (!py::isinstance<Array<T>>(value)) refuse(name, py::dtype::of<T>(), value);
    return py::reinterpret_borrow<Array<T>>(value);
  }
  template <class Class, class Reference> Reference as_instance(const char* name, py::handle value) const {
    py::detail::make_caster<Reference> caster;
    if (value.is_none() || !caster.load(value, false)) refuse(name, py::type::of<Class>(), value);
    return py::detail::cast_op<Reference>(caster);
  }
  /// Throws the error that Python's conversion of an argument raised.
  void check(const char* name) const;
  [[noreturn]] void refuse(const char* name, const py::object& expected, py::handle value) const;

  const py::args& values_;
  std::size_t next_ = 0;
  std::vector<py::weakref> unresizable_;
};

/// An operation of cnet.ops in both types.
struct Operation {
  const char* name;
  std::size_t arguments;
  std::size_t dtype_argument; ///< position of the argument that determines the dtype
  py::object (*float32)(Arguments&);
  py::object (*float64)(Arguments&);
};
#define CNET_OPERATION(name, arguments, dtype_argument) {#name, arguments, dtype_argument, name<float>, name<double>}

/// Registers it; keeps the reference.
void define(py::module_&, const Operation&);

/// A static method of a bound class.
struct StaticMethod {
  const char* name;
  std::size_t arguments;
  py::object (*call)(Arguments&);
};

/// Registers it; keeps the reference.
template <class Bound> void define(Bound& bound, const StaticMethod& function) {
  bound.def_static(function.name, [&function](const py::args& values) {
    Arguments arguments(function.name, values, function.arguments);
    return function.call(arguments);
  });
}

/// A method of a bound class.
template <class Self> struct Method {
  const char* name;
  std::size_t arguments;
  py::object (*call)(Self&, Arguments&);
};

/// Registers it; keeps the reference.
template <class Self, class Bound> void define(Bound& bound, const Method<Self>& method) {
  bound.def(method.name, [&method](Self& self, const py::args& values) {
    Arguments arguments(method.name, values, method.arguments);
    return method.call(self, arguments);
  });
}

} // namespace cnet::bind
