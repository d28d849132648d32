#include "bind/network.hpp"
#include "bind/activations.hpp"
#include "core/errors.hpp"
#include "train/predict.hpp"
#include "train/uses.hpp"

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

template <class T> using Variables = std::vector<SharedVariable<T>>;

/// What variables hold, all at one moment.
template <class T> std::vector<py::array_t<T>> arrays_of(const Variables<T>& variables) {
  std::vector<py::array_t<T>> arrays;
  Uses uses;
  for (const SharedVariable<T>& variable : variables) {
    arrays.emplace_back(shape_of_variable(*variable));
    uses.read.push_back(&variable->guard);
  }
  std::optional<Hold> hold;
  wait_without_gil([&] { hold.emplace(std::move(uses)); });
  for (std::size_t n = 0; n < variables.size(); ++n) {
    Variable<T>& variable = *variables[n];
    unpack<T>(variable.values(), {arrays[n].mutable_data(), variable.rows(), variable.columns()});
  }
  return arrays;
}

/// Puts numbers into variables, into all at one moment.
template <class T> void assign(const Variables<T>& variables, const std::vector<Array<T>>& values) {
  if (values.size() != variables.size()) throw py::value_error("assign: expected an array for each variable");
  Uses uses;
  for (std::size_t n = 0; n < variables.size(); ++n) {
    expect_shape({"assign", "value"}, values[n], shape_of_variable(*variables[n]));
    uses.written.push_back(&variables[n]->guard);
  }
  std::optional<Hold> hold;
  wait_without_gil([&] { hold.emplace(std::move(uses)); });
  for (std::size_t n = 0; n < variables.size(); ++n) {
    Variable<T>& variable = *variables[n];
    pack<T>({values[n].data(), variable.rows(), variable.columns()}, variable.values());
  }
}

void constrain(ops::Constraint& constraint, const std::string& kind, double least, double most, double rate) {
  using Kind = ops::Constraint::Kind;
  if (kind == "non_negative") {
    constraint = {Kind::non_negative, least, most, rate};
  } else if (kind == "norm") {
    constraint = {Kind::norm, least, most, rate};
  } else {
    throw py::value_error("constrain: unknown constraint '" + kind + "'");
  }
}

template <class T>
Array<T> predict_samples(const Network<T>& network, const py::array& x, const py::object& on_progress) {
  expect_shape({"predict", "x"}, x, {-1, network.inputs()});
  const Samples view = samples({"predict", "x"}, x);
  Array<T> out({x.shape(0), network.outputs()});
  T* data = out.mutable_data();
  FloatMode mode;
  const Observer observer = observer_of(on_progress, mode);
  const WithoutGil without_gil;
  predict(network, view, data, observer);
  return out;
}

template <class T> Array<T> predict_samples_in_training(const Network<T>& network, const py::array& x) {
  expect_shape({"predict_in_training", "x"}, x, {-1, network.inputs()});
  const Samples view = samples({"predict_in_training", "x"}, x);
  Array<T> out({x.shape(0), network.outputs()});
  T* data = out.mutable_data();
  const FloatMode mode;
  const WithoutGil without_gil;
  predict_in_training(network, view, data);
  return out;
}

/// The network's output for x if that is a matrix of T as wide as the network, else None: what
/// everything else that may be asked of a model costs is then saved.
template <class T> py::object try_predict(const Network<T>& network, const py::object& x) {
  // Exactly NumPy's own class: subclasses, masked arrays among them, have meanings of their own.
  if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
  if (!py::isinstance<py::array_t<T>>(x)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(x);
  if (array.ndim() != 2 || array.shape(1) != network.inputs()) return py::none();
  const py::weakref held = hold(array);
  return predict_samples<T>(network, array, py::none());
}

/// A time in which nobody trains a network: what is read of it then is of one step.
template <class T> class Snapshot {
public:
  explicit Snapshot(const Network<T>& network) : network_(network) {}
  void enter() {
    wait_without_gil([&] { hold_ = std::make_unique<Hold>(uses_of_snapshot(network_)); });
  }
  void exit(const py::args&) { hold_.reset(); }

private:
  const Network<T> network_; // layers that are added later have not been trained with it
  std::unique_ptr<Hold> hold_;
};

template <class T> void register_network_of(py::module_& m, const std::string& suffix) {
  using py::arg;
  py::class_<Variable<T>, SharedVariable<T>> variable(m, ("Variable" + suffix).c_str());
  enter<T>(m, "Variable", variable);
  variable.def(py::init(&make_variable<T>), arg("shape"))
      .def("numpy", [](const SharedVariable<T>& self) { return arrays_of<T>({self})[0]; })
      .def(
          "assign", [](const SharedVariable<T>& self, const Array<T>& value) { assign<T>({self}, {value}); },
          arg("value").noconvert())
      .def_static("all_numpy", &arrays_of<T>, arg("variables"))
      .def_static("assign_all", &assign<T>, arg("variables"), arg("values"))
      .def(
          "regularize", [](Variable<T>& self, double l1, double l2) { self.regularizer = {l1, l2}; }, arg("l1"),
          arg("l2"))
      .def(
          "constrain",
          [](Variable<T>& self, const std::string& kind, double least, double most, double rate) {
            constrain(self.constraint, kind, least, most, rate);
          },
          arg("kind"), arg("least"), arg("most"), arg("rate"));

  py::class_<Network<T>, std::shared_ptr<Network<T>>> network(m, ("Network" + suffix).c_str());
  enter<T>(m, "Network", network);
  network.def(py::init<Index>(), arg("inputs"))
      .def("add_dense", &Network<T>::add_dense, arg("name"), arg("kernel").none(false), arg("bias").none(true),
           arg("trainable"))
      .def(
          "add_activation",
          [](Network<T>& self, const std::string& name, const std::string& function,
             const std::map<std::string, double>& parameters) {
            self.add_activation(name, activation_of<T>(function, parameters));
          },
          arg("name"), arg("function"), arg("parameters"))
      .def("add_softmax", &Network<T>::add_softmax, arg("name"))
      .def("add_log_softmax", &Network<T>::add_log_softmax, arg("name"))
      .def("add_rescaling", &Network<T>::add_rescaling, arg("name"), arg("scale"), arg("offset"))
      .def("add_dropout", &Network<T>::add_dropout, arg("name"), arg("rate"), arg("random").none(false))
      .def("add_gaussian_noise", &Network<T>::add_gaussian_noise, arg("name"), arg("deviation"),
           arg("random").none(false))
      .def(
          "add_batch_normalization",
          [](Network<T>& self, const std::string& name, SharedVariable<T> gamma, SharedVariable<T> beta,
             SharedVariable<T> mean, SharedVariable<T> variance, double momentum, double epsilon, bool trainable) {
            self.add_batch_normalization(name, std::move(gamma), std::move(beta),
                                         {std::move(mean), std::move(variance), momentum, epsilon}, trainable);
          },
          arg("name"), arg("gamma").none(true), arg("beta").none(true), arg("mean").none(false),
          arg("variance").none(false), arg("momentum"), arg("epsilon"), arg("trainable"))
      .def("add_layer_normalization", &Network<T>::add_layer_normalization, arg("name"), arg("gamma").none(true),
           arg("beta").none(true), arg("epsilon"), arg("trainable"))
      .def("add_parameters", &Network<T>::add_parameters, arg("name"), arg("variable").none(false), arg("trainable"))
      .def_property_readonly("ends_in_softmax", &Network<T>::ends_in_softmax)
      .def("predict", &predict_samples<T>, arg("x"), arg("on_progress"))
      .def("predict_in_training", &predict_samples_in_training<T>, arg("x"))
      .def("try_predict", &try_predict<T>, arg("x"))
      .def("snapshot", [](const Network<T>& self) { return std::make_unique<Snapshot<T>>(self); });
  py::class_<Snapshot<T>>(m, ("Snapshot" + suffix).c_str())
      .def("__enter__", &Snapshot<T>::enter)
      .def("__exit__", &Snapshot<T>::exit);
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

/// Whether other threads will never take the GIL again.
bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0;
#else
  return _Py_IsFinalizing() != 0;
#endif
}

/// A call that keeps a model to itself, or more of them: one within the other, as Python calls them.
class Use {
public:
  void enter() {
    wait_without_gil([&] { hold_ = std::make_unique<Hold>(owning(guard_)); });
  }
  void exit(const py::args&) { hold_.reset(); }
  bool is_of_this_thread() const { return hold_ && hold_->is_of_this_thread(); }

private:
  Guard guard_;
  std::unique_ptr<Hold> hold_;
};

void register_network(py::module_& m) {
  using py::arg;
  set_waiting_hook([] {
    const WithGil with_gil;
    if (is_finalizing()) throw Busy("the model is in use by another call, which will not go on: Python ends");
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
  register_network_of<float>(m, "Float32");
  register_network_of<double>(m, "Float64");
}

} // namespace cnet::bind
