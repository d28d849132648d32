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

// The methods add_… return the tensor that they add.

template <class T> py::object add_input(Network<T>& self, Arguments& arguments) {
  return py::int_(self.add_input(arguments.integer("columns")));
}

template <class T> py::object add_ids(Network<T>& self, Arguments& arguments) {
  return py::int_(self.add_ids(arguments.integer("columns")));
}

template <class T> py::object add_dense(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto kernel = arguments.shared<Variable<T>>("kernel");
  const auto bias = arguments.optional_shared<Variable<T>>("bias");
  return py::int_(self.add_dense(name, x, kernel, bias, arguments.flag("trainable")));
}

template <class T> py::object add_activation(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const std::string function = arguments.text("function");
  const auto activation = activation_of<T>(function, arguments.dict_of_numbers("parameters"));
  return py::int_(self.add_activation(name, x, activation));
}

template <class T> py::object add_softmax(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  return py::int_(self.add_softmax(name, arguments.integer("x")));
}

template <class T> py::object add_log_softmax(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  return py::int_(self.add_log_softmax(name, arguments.integer("x")));
}

template <class T> py::object add_rescaling(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const double scale = arguments.number("scale");
  return py::int_(self.add_rescaling(name, x, scale, arguments.number("offset")));
}

template <class T> py::object add_dropout(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const double rate = arguments.number("rate");
  return py::int_(self.add_dropout(name, x, rate, arguments.shared<ops::RandomState>("random")));
}

template <class T> py::object add_gaussian_noise(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const double deviation = arguments.number("deviation");
  return py::int_(self.add_gaussian_noise(name, x, deviation, arguments.shared<ops::RandomState>("random")));
}

template <class T> py::object add_batch_normalization(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto gamma = arguments.optional_shared<Variable<T>>("gamma");
  const auto beta = arguments.optional_shared<Variable<T>>("beta");
  const auto mean = arguments.shared<Variable<T>>("mean");
  const auto variance = arguments.shared<Variable<T>>("variance");
  const double momentum = arguments.number("momentum");
  const double epsilon = arguments.number("epsilon");
  const bool trainable = arguments.flag("trainable");
  return py::int_(self.add_batch_normalization(name, x, gamma, beta, {mean, variance, momentum, epsilon}, trainable));
}

template <class T> py::object add_layer_normalization(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto gamma = arguments.optional_shared<Variable<T>>("gamma");
  const auto beta = arguments.optional_shared<Variable<T>>("beta");
  const double epsilon = arguments.number("epsilon");
  return py::int_(self.add_layer_normalization(name, x, gamma, beta, epsilon, arguments.flag("trainable")));
}

template <class T> py::object add_embedding(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index ids = arguments.integer("ids");
  const auto table = arguments.shared<Variable<T>>("table");
  return py::int_(self.add_embedding(name, ids, table, arguments.flag("trainable")));
}

template <class T> py::object add_concatenate(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  return py::int_(self.add_concatenate(name, arguments.integers("operands")));
}

template <class T> py::object add_merge(Network<T>& self, Arguments& arguments) {
  using ops::Merge;
  static const std::map<std::string, Merge> functions = {{"add", Merge::add},           {"subtract", Merge::subtract},
                                                         {"multiply", Merge::multiply}, {"divide", Merge::divide},
                                                         {"maximum", Merge::maximum},   {"minimum", Merge::minimum}};
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const Index y = arguments.integer("y");
  const std::string function = arguments.text("function");
  if (functions.count(function) == 0) throw py::value_error("add_merge: unknown function '" + function + "'");
  return py::int_(self.add_merge(name, x, y, functions.at(function)));
}

template <class T> py::object add_dot(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  return py::int_(self.add_dot(name, x, arguments.integer("y")));
}

template <class T> py::object add_rearrangement(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto source = arguments.array<std::int64_t>("source");
  const Index rows = arguments.integer("rows");
  const Index columns = arguments.integer("columns");
  const std::vector<Index> elements(source.data(), source.data() + source.size());
  return py::int_(self.add_rearrangement(name, x, elements, {rows, columns}));
}

template <class T> py::object add_global_pooling(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const std::string pooling = arguments.text("pooling");
  if (pooling != "average" && pooling != "maximum") {
    throw py::value_error("add_global_pooling: expected 'average' or 'maximum', got '" + pooling + "'");
  }
  return py::int_(
      self.add_global_pooling(name, x, pooling == "average" ? ops::Pooling::average : ops::Pooling::maximum));
}

template <class T> py::object add_parameters(Network<T>& self, Arguments& arguments) {
  const std::string name = arguments.text("name");
  const Index x = arguments.integer("x");
  const auto variable = arguments.shared<Variable<T>>("variable");
  return py::int_(self.add_parameters(name, x, variable, arguments.flag("trainable")));
}

/// Return the rows and columns of a sample.
template <class T> py::object shape(Network<T>& self, Arguments& arguments) {
  const SampleShape shape = self.checked_shape(arguments.integer("tensor"));
  return py::make_tuple(shape.rows, shape.columns);
}

template <class T> py::object finish(Network<T>& self, Arguments& arguments) {
  self.finish(arguments.integers("outputs"));
  return py::none();
}

/// New arrays for the outputs of some samples.
template <class T> struct Outputs {
  Outputs(const Network<T>& network, Index rows) {
    for (std::size_t n = 0; n < network.outputs().size(); ++n) {
      Array<T> array({rows, network.output_size(n)});
      data.push_back(array.mutable_data());
      arrays.append(array);
    }
  }
  py::list arrays;
  std::vector<T*> data;
};

template <class T> py::object predict(Network<T>& self, Arguments& arguments) {
  const Inputs x = inputs_of<T>({"predict", "x"}, self, arguments.any_arrays("x"));
  const py::object on_progress = arguments.object();
  Outputs<T> out(self, x.rows);
  FloatMode mode;
  const Observer observer = observer_of(on_progress, mode);
  const WithoutGil without_gil;
  predict(self, x.rows, x.samples.data(), out.data.data(), observer);
  return std::move(out.arrays);
}

template <class T> py::object forward_training(Network<T>& self, Arguments& arguments) {
  const Inputs x = inputs_of<T>({"forward_training", "x"}, self, arguments.any_arrays("x"));
  Outputs<T> out(self, x.rows);
  const FloatMode mode;
  wait_without_gil([&] { forward_training<T>(self, x.rows, x.samples.data(), out.data.data()); });
  return std::move(out.arrays);
}

/// Return the network's only output if x is a matrix of T with the columns of its only input, otherwise None: a fast
/// path for model(x).
template <class T> py::object try_predict(const Network<T>& self, const py::object& x) {
  // Not a subclass, such as a masked array.
  if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
  if (!py::isinstance<py::array_t<T>>(x)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(x);
  if (self.inputs().size() != 1 || self.inputs()[0].is_ids || self.outputs().size() != 1) return py::none();
  if (array.ndim() != 2 || array.shape(1) != self.inputs()[0].columns) return py::none();
  const py::weakref no_resize = prevent_resize(array);
  const Samples view = samples({"predict", "x"}, array);
  Array<T> out({view.rows, self.output_size(0)});
  T* data = out.mutable_data();
  FloatMode mode;
  const Observer observer = observer_of(py::none(), mode);
  const WithoutGil without_gil;
  predict(self, view.rows, &view, &data, observer);
  return std::move(out);
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
  network.def(py::init<>())
      .def("ends_in_softmax", &Network<T>::ends_in_softmax, py::arg("output"))
      .def("try_predict", &try_predict<T>); // not a Method, whose tuple of arguments takes 50 ns
  static const Method<Network<T>> methods[] = {
      {"add_input", 1, add_input<T>},
      {"add_ids", 1, add_ids<T>},
      {"add_dense", 5, add_dense<T>},
      {"add_activation", 4, add_activation<T>},
      {"add_softmax", 2, add_softmax<T>},
      {"add_log_softmax", 2, add_log_softmax<T>},
      {"add_rescaling", 4, add_rescaling<T>},
      {"add_dropout", 4, add_dropout<T>},
      {"add_gaussian_noise", 4, add_gaussian_noise<T>},
      {"add_batch_normalization", 9, add_batch_normalization<T>},
      {"add_layer_normalization", 6, add_layer_normalization<T>},
      {"add_embedding", 4, add_embedding<T>},
      {"add_concatenate", 2, add_concatenate<T>},
      {"add_merge", 4, add_merge<T>},
      {"add_dot", 3, add_dot<T>},
      {"add_rearrangement", 5, add_rearrangement<T>},
      {"add_global_pooling", 3, add_global_pooling<T>},
      {"add_parameters", 4, add_parameters<T>},
      {"shape", 1, shape<T>},
      {"finish", 1, finish<T>},
      {"predict", 2, predict<T>},
      {"forward_training", 1, forward_training<T>},
      {"snapshot", 0, snapshot<T>},
  };
  for (const auto& method : methods) define(network, method);
}

} // namespace

py::list heads_of(const Totals& totals) {
  py::list heads;
  for (const Totals::Head& head : totals.heads) heads.append(py::make_tuple(head.loss, head.correct));
  return heads;
}

Observer observer_of(const py::object& on_progress, FloatMode& mode, bool every_batch) {
  const auto tell = [callback = py::handle(on_progress), &mode](const Totals& totals) {
    return mode.suspended([&] {
      const WithGil with_gil;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (callback.is_none()) return true;
      const auto progress = py::make_tuple(totals.rows, totals.batches, totals.loss(), heads_of(totals));
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
