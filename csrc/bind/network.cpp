#include "bind/network.hpp"
#include "bind/activations.hpp"
#include "bind/arguments.hpp"
#include "core/errors.hpp"
#include "train/lock_sets.hpp"
#include "train/predict.hpp"

#include <algorithm>
#include <functional>
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

template <class T> py::object add_dense(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const auto kernel = arguments.shared<Variable<T>>("kernel");
  const auto bias = arguments.optional_shared<Variable<T>>("bias");
  self.add_dense(name, kernel, bias, arguments.flag("trainable"));
  return py::none();
}

template <class T> py::object add_activation(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const std::string function = arguments.text("function");
  self.add_activation(name, activation_of<T>(function, arguments.dict_of_numbers("parameters")));
  return py::none();
}

template <class T> py::object add_softmax(Network<T>& self, Arguments& arguments) {
  self.add_softmax(arguments.text("name"));
  return py::none();
}

template <class T> py::object add_log_softmax(Network<T>& self, Arguments& arguments) {
  self.add_log_softmax(arguments.text("name"));
  return py::none();
}

template <class T> py::object add_rescaling(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const double scale = arguments.number("scale");
  self.add_rescaling(name, scale, arguments.number("offset"));
  return py::none();
}

template <class T> py::object add_dropout(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const double rate = arguments.number("rate");
  self.add_dropout(name, rate, arguments.shared<ops::RandomState>("random"));
  return py::none();
}

template <class T> py::object add_gaussian_noise(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const double deviation = arguments.number("deviation");
  self.add_gaussian_noise(name, deviation, arguments.shared<ops::RandomState>("random"));
  return py::none();
}

template <class T> py::object add_batch_normalization(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const auto gamma = arguments.optional_shared<Variable<T>>("gamma");
  const auto beta = arguments.optional_shared<Variable<T>>("beta");
  const auto mean = arguments.shared<Variable<T>>("mean");
  const auto variance = arguments.shared<Variable<T>>("variance");
  const double momentum = arguments.number("momentum");
  const double epsilon = arguments.number("epsilon");
  self.add_batch_normalization(name, gamma, beta, {mean, variance, momentum, epsilon}, arguments.flag("trainable"));
  return py::none();
}

template <class T> py::object add_layer_normalization(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const auto gamma = arguments.optional_shared<Variable<T>>("gamma");
  const auto beta = arguments.optional_shared<Variable<T>>("beta");
  const double epsilon = arguments.number("epsilon");
  self.add_layer_normalization(name, gamma, beta, epsilon, arguments.flag("trainable"));
  return py::none();
}

template <class T> py::object add_parameters(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const auto variable = arguments.shared<Variable<T>>("variable");
  self.add_parameters(name, variable, arguments.flag("trainable"));
  return py::none();
}

template <class T>
Array<T> predict_samples(const Network<T>& network, const py::array& x, const py::object& on_progress) {
  const Samples view = samples({"predict", "x"}, x);
  Array<T> out({x.shape(0), network.outputs()});
  T* data = out.mutable_data();
  FloatMode mode;
  const Observer observer = observer_of(on_progress, mode);
  const WithoutGil without_gil;
  predict(network, view, data, observer);
  return out;
}

template <class T> py::object predict(Network<T>& self, Arguments& arguments) {
  const py::array x = arguments.any_array("x");
  expect_shape({"predict", "x"}, x, {-1, self.inputs()});
  return predict_samples<T>(self, x, arguments.object());
}

template <class T> py::object forward_training(Network<T>& self, Arguments& arguments) {
  const py::array x = arguments.any_array("x");
  expect_shape({"forward_training", "x"}, x, {-1, self.inputs()});
  const Samples view = samples({"forward_training", "x"}, x);
  Array<T> out({x.shape(0), self.outputs()});
  T* data = out.mutable_data();
  const FloatMode mode;
  wait_without_gil([&] { forward_training<T>(self, view, data); });
  return out;
}

/// Return the network's output if x is a matrix of T with the right number of columns, otherwise None: a fast path for
/// model(x).
template <class T> py::object try_predict(const Network<T>& self, const py::object& x) {
  // Not a subclass, such as a masked array.
  if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
  if (!py::isinstance<py::array_t<T>>(x)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(x);
  if (array.ndim() != 2 || array.shape(1) != self.inputs()) return py::none();
  const py::weakref no_resize = prevent_resize(array);
  return predict_samples<T>(self, array, py::none());
}

/// A context manager in which a network's variables and random states do not change.
class Snapshot {
public:
  explicit Snapshot(std::function<LockSet()> locks) : locks_(std::move(locks)) {}
  void enter() {
    wait_without_gil([&] { held_ = std::make_unique<ScopedLockSet>(locks_()); });
  }
  void exit(const py::args&) { held_.reset(); }

private:
  const std::function<LockSet()> locks_;
  std::unique_ptr<ScopedLockSet> held_;
};

template <class T> py::object snapshot(Network<T>& self, Arguments&) {
  const auto locks = [network = self] { return snapshot_locks(network); };
  return py::cast(std::make_unique<Snapshot>(locks));
}

template <class T> void register_network_of(py::module_& m, const std::string& suffix) {
  py::class_<Variable<T>, SharedVariable<T>> variable(m, ("Variable" + suffix).c_str());
  enter<T>(m, "Variable", variable);
  variable.def(py::init(&make_variable<T>), py::arg("shape"));
  static const Method<Variable<T>> methods_of_variables[] = {
      {"numpy", 0, numpy<T>},
      {"assign", 1, assign<T>},
      {"regularize", 2, regularize<T>},
      {"constrain", 4, constrain<T>},
  };
  for (const auto& method : methods_of_variables) define(variable, method);
  static const StaticMethod functions_of_variables[] = {
      {"all_numpy", 1, all_numpy<T>},
      {"assign_all", 2, assign_all<T>},
  };
  for (const auto& function : functions_of_variables) define(variable, function);

  py::class_<Network<T>, std::shared_ptr<Network<T>>> network(m, ("Network" + suffix).c_str());
  enter<T>(m, "Network", network);
  network.def(py::init<Index>(), py::arg("inputs"))
      .def_property_readonly("ends_in_softmax", &Network<T>::ends_in_softmax)
      .def("try_predict", &try_predict<T>); // not a Method, whose tuple of arguments takes 50 ns
  static const Method<Network<T>> methods[] = {
      {"add_dense", 4, add_dense<T>},
      {"add_activation", 3, add_activation<T>},
      {"add_softmax", 1, add_softmax<T>},
      {"add_log_softmax", 1, add_log_softmax<T>},
      {"add_rescaling", 3, add_rescaling<T>},
      {"add_dropout", 3, add_dropout<T>},
      {"add_gaussian_noise", 3, add_gaussian_noise<T>},
      {"add_batch_normalization", 8, add_batch_normalization<T>},
      {"add_layer_normalization", 5, add_layer_normalization<T>},
      {"add_parameters", 3, add_parameters<T>},
      {"predict", 2, predict<T>},
      {"forward_training", 1, forward_training<T>},
      {"snapshot", 0, snapshot<T>},
  };
  for (const auto& method : methods) define(network, method);
}

} // namespace

Observer observer_of(const py::object& on_progress, FloatMode& mode, bool every_batch) {
  const auto tell = [callback = py::handle(on_progress), &mode](const Totals& totals) {
    return mode.suspended([&] {
      const WithGil with_gil;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (callback.is_none()) return true;
      const auto progress = py::make_tuple(totals.rows, totals.batches, totals.loss(), totals.correct);
      return !call_python(callback, progress).is(py::bool_(true));
    });
  };
  return {tell, every_batch};
}

/// Return true if Python is shutting down, so that other threads never take the GIL again.
bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

/// A context manager that reserves a model; nested calls of the same thread are refused with Busy, too.
class Use {
public:
  void enter() {
    wait_without_gil([&] { held_ = std::make_unique<ScopedLockSet>(reserving(lock_)); });
  }
  void exit(const py::args&) { held_.reset(); }
  bool is_of_this_thread() const { return held_ && held_->is_held_by_this_thread(); }

private:
  ResourceLock lock_;
  std::unique_ptr<ScopedLockSet> held_;
};

void register_network(py::module_& m) {
  using py::arg;
  set_waiting_hook([] {
    const WithGil with_gil;
    if (is_finalizing()) throw Busy("the model is in use by another call, and Python is shutting down");
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  });
  py::class_<Use>(m, "Use")
      .def(py::init<>())
      .def("__enter__", &Use::enter)
      .def("__exit__", &Use::exit)
      .def_property_readonly("is_of_this_thread", &Use::is_of_this_thread);
  const auto before = py::cpp_function([] { wait_without_gil(prepare_fork); });
  const auto after = py::cpp_function(end_fork);
  py::module_::import("os").attr("register_at_fork")(arg("before") = before, arg("after_in_parent") = after);
  py::class_<ops::RandomState, std::shared_ptr<ops::RandomState>>(m, "RandomState")
      .def(py::init<std::uint64_t>(), arg("seed"))
      .def_property(
          "seed", [](const ops::RandomState& state) { return state.seed.load(); },
          [](ops::RandomState& state, std::uint64_t seed) { state.seed = seed; })
      .def_property(
          "steps", [](const ops::RandomState& state) { return state.steps.load(); },
          [](ops::RandomState& state, std::uint64_t steps) { state.steps = steps; });
  py::class_<Snapshot>(m, "Snapshot").def("__enter__", &Snapshot::enter).def("__exit__", &Snapshot::exit);
  register_network_of<float>(m, "Float32");
  register_network_of<double>(m, "Float64");
}

} // namespace cnet::bind
