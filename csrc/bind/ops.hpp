#pragma once

#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "core/panels.hpp"

#include <map>

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

/// The arguments of a call, which an operation takes in their order. All are positional: `cnet.ops` has the
/// names, the defaults and the conversions. TypeError if one is of another kind, ValueError if a number is too large.
class Arguments {
public:
  Arguments(const char* call_, const py::args& values) : call(call_), values_(values) {}

  py::object object();
  py::array any_array(const char* name);
  /// A C-contiguous array of exactly T.
  template <class T> Array<T> array(const char* name) { return array_of<T>(name, object()); }
  template <class T> std::optional<Array<T>> optional_array(const char* name) {
    const py::object value = object();
    return value.is_none() ? std::nullopt : std::optional<Array<T>>(array_of<T>(name, value));
  }
  double number(const char* name);
  std::optional<double> optional_number(const char* name);
  std::map<std::string, double> numbers(const char* name);
  Index integer(const char* name);
  std::uint64_t unsigned_integer(const char* name);
  bool flag(const char* name);
  std::string text(const char* name);
  const char* const call;

private:
  /// What Python's own conversion has made of an argument, unless it has raised an exception.
  template <class Number> Number checked(const char* name, Number number) const {
    check(name);
    return number;
  }
  void check(const char* name) const;
  py::object whole(const char* name);
  [[noreturn]] void refuse(const char* name, const char* expected, const py::object& value) const;
  template <class T> Array<T> array_of(const char* name, const py::object& value) const {
    if (!py::isinstance<Array<T>>(value)) refuse(name, sizeof(T) == 4 ? "float32" : "float64", value);
    return py::reinterpret_borrow<Array<T>>(value);
  }

  const py::args& values_;
  std::size_t next_ = 0;
};

/// An operation of cnet.ops in both types.
struct Operation {
  const char* name;
  std::size_t arguments;
  std::size_t decides; ///< the argument whose type is the operation's
  py::object (*float32)(Arguments&);
  py::object (*float64)(Arguments&);
};
#define CNET_OPERATION(name, arguments, decides) {#name, arguments, decides, name<float>, name<double>}

/// Registers an operation, which is kept by reference. All have one signature, since pybind11 takes long to compile
/// each.
void define(py::module_&, const Operation&);

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
