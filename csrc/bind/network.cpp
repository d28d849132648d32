#include "bind/network.hpp"
#include "bind/arguments.hpp"
#include "core/errors.hpp"
#include "train/lock_sets.hpp"
#include "train/predict.hpp"

#include <functional>
#include <memory>
#include <pybind11/stl.h>
#include <string>
#include <utility>
#include <vector>

namespace cnet::bind {

namespace {

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
  NetworkClass<T> network(m, ("Network" + suffix).c_str());
  enter<T>(m, "Network", network);
  network.def(py::init<>())
      .def("ends_in_softmax", &Network<T>::ends_in_softmax, py::arg("output"))
      .def("try_predict", &try_predict<T>); // not a Method, whose tuple of arguments takes 50 ns
  static const Method<Network<T>> methods[] = {
      {"shape", 1, shape<T>},       {"finish", 1, finish<T>},
      {"predict", 2, predict<T>},   {"forward_training", 1, forward_training<T>},
      {"snapshot", 0, snapshot<T>},
  };
  for (const auto& method : methods) define(network, method);
  define_nodes<T>(network);
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
