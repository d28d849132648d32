#include "bind/arguments.hpp"
#include "bind/network.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <pybind11/stl.h>
#include <string>
#include <utility>
#include <vector>

namespace cnet::bind {

namespace {

template <class T> std::shared_ptr<Variable<T>> make_variable(const std::vector<Index>& shape) {
  if (shape.empty() || shape.size() > 2) throw py::value_error("Variable: expected a shape of one or two sizes");
  if (*std::min_element(shape.begin(), shape.end()) < 1) throw py::value_error("Variable: expected positive sizes");
  return shape.size() == 1 ? std::make_shared<Variable<T>>(shape[0])
                           : std::make_shared<Variable<T>>(shape[0], shape[1]);
}

template <class T> using Variables = std::vector<Variable<T>*>;

template <class T> Variables<T> pointers(const std::vector<SharedVariable<T>>& shared) {
  Variables<T> variables;
  for (const SharedVariable<T>& variable : shared) variables.push_back(variable.get());
  return variables;
}

/// The values of variables, read under one lock.
template <class T> py::list arrays_of(const Variables<T>& variables) {
  py::list arrays;
  std::vector<T*> data;
  LockSet locks;
  for (Variable<T>* variable : variables) {
    py::array_t<T> array(shape_of_variable(*variable));
    data.push_back(array.mutable_data());
    arrays.append(array);
    locks.read.push_back(&variable->lock);
  }
  std::optional<ScopedLockSet> held;
  wait_without_gil([&] { held.emplace(std::move(locks)); });
  for (std::size_t n = 0; n < variables.size(); ++n) {
    Variable<T>& variable = *variables[n];
    unpack<T>(variable.values(), {data[n], variable.rows(), variable.columns()});
  }
  return arrays;
}

/// Sets variables under one lock.
template <class T> py::object assign_to(const Variables<T>& variables, const std::vector<Array<T>>& values) {
  if (values.size() != variables.size()) throw py::value_error("assign: expected an array for each variable");
  LockSet locks;
  for (std::size_t n = 0; n < variables.size(); ++n) {
    expect_shape({"assign", "value"}, values[n], shape_of_variable(*variables[n]));
    locks.write.push_back(&variables[n]->lock);
  }
  std::optional<ScopedLockSet> held;
  wait_without_gil([&] { held.emplace(std::move(locks)); });
  for (std::size_t n = 0; n < variables.size(); ++n) {
    Variable<T>& variable = *variables[n];
    pack<T>({values[n].data(), variable.rows(), variable.columns()}, variable.values());
  }
  return py::none();
}

template <class T> py::object numpy(Variable<T>& self, Arguments&) {
  return arrays_of<T>({&self})[0];
}

template <class T> py::object assign(Variable<T>& self, Arguments& arguments) {
  return assign_to<T>({&self}, {arguments.array<T>("value")});
}

template <class T> py::object all_numpy(Arguments& arguments) {
  const auto variables = arguments.all_shared<Variable<T>>("variables");
  return arrays_of<T>(pointers(variables));
}

template <class T> py::object assign_all(Arguments& arguments) {
  const auto variables = arguments.all_shared<Variable<T>>("variables");
  return assign_to<T>(pointers(variables), arguments.arrays<T>("values"));
}

template <class T> py::object regularize(Variable<T>& self, Arguments& arguments) {
  const double l1 = arguments.number("l1");
  const double l2 = arguments.number("l2");
  self.regularizer = {l1, l2};
  return py::none();
}

template <class T> py::object constrain(Variable<T>& self, Arguments& arguments) {
  using Kind = ops::Constraint::Kind;
  const std::string kind = arguments.text("kind");
  const double least = arguments.number("least");
  const double most = arguments.number("most");
  const double rate = arguments.number("rate");
  static const std::map<std::string, Kind> kinds = {
      {"none", Kind::none}, {"non_negative", Kind::non_negative}, {"norm", Kind::norm}};
  if (kinds.count(kind) == 0) throw py::value_error("constrain: unknown constraint '" + kind + "'");
  self.constraint = {kinds.at(kind), least, most, rate};
  return py::none();
}

template <class T> void register_variable_of(py::module_& m, const std::string& suffix) {
  py::class_<Variable<T>, SharedVariable<T>> variable(m, ("Variable" + suffix).c_str());
  enter<T>(m, "Variable", variable);
  variable.def(py::init(&make_variable<T>), py::arg("shape"));
  static const Method<Variable<T>> methods[] = {
      {"numpy", 0, numpy<T>},
      {"assign", 1, assign<T>},
      {"regularize", 2, regularize<T>},
      {"constrain", 4, constrain<T>},
  };
  for (const auto& method : methods) define(variable, method);
  static const StaticMethod functions[] = {
      {"all_numpy", 1, all_numpy<T>},
      {"assign_all", 2, assign_all<T>},
  };
  for (const auto& function : functions) define(variable, function);
}

} // namespace

void register_variables(py::module_& m) {
  register_variable_of<float>(m, "Float32");
  register_variable_of<double>(m, "Float64");
}

} // namespace cnet::bind
