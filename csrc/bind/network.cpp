#include "network/network.hpp"
#include "bind/activations.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/errors.hpp"
#include "core/float_mode.hpp"
#include "train/predict.hpp"
#include "train/trainer.hpp"
#include "train/uses.hpp"

#include <algorithm>
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

template <class T> std::vector<py::ssize_t> shape_of_variable(const Variable<T>& variable) {
  if (variable.is_vector()) return {variable.columns()};
  return {variable.rows(), variable.columns()};
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

/// Lets Ctrl-C through and tells on_progress, which may answer True to stop; called without the GIL.
Observer observer_of(const py::object& on_progress, FloatMode& mode, bool every_batch = false) {
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

py::tuple totals_tuple(const Totals& totals) {
  return py::make_tuple(totals.rows, totals.loss(), totals.correct);
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

template <class T>
Dataset<T> dataset(const Network<T>& network, const char* call, const py::array& x, const py::array& y, bool ids,
                   const std::optional<Array<T>>& weights) {
  expect_shape({call, "x"}, x, {-1, network.inputs()});
  expect_shape({call, "y"}, y, {x.shape(0), ids ? 1 : network.outputs()});
  if (ids && y.dtype().kind() == 'f') throw py::type_error(std::string(call) + ": y: expected integer class ids");
  if (weights) expect_shape({call, "sample_weight"}, *weights, {x.shape(0)});
  return {samples({call, "x"}, x), samples({call, "y"}, y), ids, weights ? weights->data() : nullptr};
}

template <class T> struct BoundTrainer {
  const Network<T> network; // as it was then: layers that are added later are another network's
  const bool sparse;
  Trainer<T> trainer;

  BoundTrainer(const Network<T>& network_, const Loss& loss, bool sparse_)
      : network(network_), sparse(sparse_), trainer(network, loss) {
    if (sparse && loss.kind == Loss::Kind::pointwise) throw py::value_error("Trainer: the loss takes no class ids");
  }

  void check(const py::array& x, const py::array& y) {
    const Dataset<T> data = dataset(network, "fit", x, y, sparse, {});
    const WithoutGil without_gil;
    trainer.check(data);
  }

  py::tuple train_epoch(const py::array& x, const py::array& y, Index batch_size, bool shuffle, std::uint64_t seed,
                        std::uint32_t epoch, const ops::Optimizer& optimizer, const py::object& on_progress,
                        bool every_batch, const std::optional<Array<T>>& sample_weight, bool staged,
                        std::vector<double> learning_rates, Index first_batch) {
    const Dataset<T> data = dataset(network, "train_epoch", x, y, sparse, sample_weight);
    if (batch_size < 1) throw py::value_error("train_epoch: expected a batch_size of at least 1");
    const EpochOptions options{batch_size, shuffle, seed, epoch, optimizer, staged, std::move(learning_rates),
                               first_batch};
    FloatMode mode;
    const Observer observer = observer_of(on_progress, mode, every_batch);
    Totals totals;
    {
      const WithoutGil without_gil;
      totals = trainer.train_epoch(data, options, observer);
    }
    return totals_tuple(totals);
  }

  py::tuple evaluate(const py::array& x, const py::array& y, Index batch_size, const py::object& on_progress,
                     const std::optional<Array<T>>& sample_weight, bool every_batch) {
    const Dataset<T> data = dataset(network, "evaluate", x, y, sparse, sample_weight);
    if (batch_size < 1) throw py::value_error("evaluate: expected a batch_size of at least 1");
    FloatMode mode;
    const Observer observer = observer_of(on_progress, mode, every_batch);
    Totals totals;
    {
      const WithoutGil without_gil;
      totals = trainer.evaluate(data, batch_size, observer);
    }
    return totals_tuple(totals);
  }

  py::array_t<T> forward(const py::array& x) {
    expect_shape({"forward", "x"}, x, {-1, network.inputs()});
    const py::weakref held = hold(x);
    const Samples view = samples({"forward", "x"}, x);
    if (view.rows < 1) throw py::value_error("forward: expected a sample at least");
    FloatMode mode;
    const Observer observer = observer_of(py::none(), mode);
    {
      const WithoutGil without_gil;
      trainer.forward(view, observer);
    }
    return outputs();
  }

  /// The gradient of each variable that learns, and last that of x, or None.
  py::list backward(const py::array& gradient, bool of_input) {
    const PanelView<const T> latest = trainer.outputs();
    expect_shape({"backward", "gradient"}, gradient, {latest.rows, latest.columns});
    const Samples view = samples({"backward", "gradient"}, gradient);
    FloatMode mode;
    const Observer observer = observer_of(py::none(), mode);
    py::list gradients;
    std::vector<T*> data;
    const auto add = [&](py::array_t<T> array) {
      data.push_back(array.mutable_data());
      gradients.append(array);
    };
    trainer.each_learning(
        [&](const Variable<T>& variable, auto...) { add(py::array_t<T>(shape_of_variable(variable))); });
    if (of_input) {
      add(py::array_t<T>({view.rows, network.inputs()}));
    } else {
      gradients.append(py::none());
    }
    const auto read = [&] {
      auto next = data.begin();
      trainer.read_gradients([&](const Variable<T>& variable, PanelView<const T> values) {
        unpack<T>(values, {*next++, variable.rows(), variable.columns()});
      });
      if (!of_input) return;
      unpack<T>(trainer.input_gradient(), {*next, view.rows, network.inputs()});
      const T scale = network.input_scale(); // of a rescaling that is part of the reading
      if (scale == 1) return;
      std::transform(*next, *next + view.rows * network.inputs(), *next, [scale](T g) { return g * scale; });
    };
    {
      const WithoutGil without_gil;
      trainer.backward(view, of_input, observer, read);
    }
    return gradients;
  }

  void apply(const std::vector<Array<T>>& gradients, const ops::Optimizer& optimizer,
             std::optional<double> learning_rate) {
    std::size_t count = 0;
    trainer.each_learning([&](const Variable<T>& variable, auto...) {
      if (count < gradients.size()) expect_shape({"apply", "gradient"}, gradients[count], shape_of_variable(variable));
      ++count;
    });
    if (count != gradients.size()) throw py::value_error("apply: expected a gradient for each variable that learns");
    FloatMode mode;
    const WithoutGil without_gil;
    trainer.apply(optimizer, learning_rate.value_or(optimizer.learning_rate),
                  [&, n = std::size_t(0)](const Variable<T>& variable, PanelView<T> values) mutable {
                    pack<T>({gradients[n++].data(), variable.rows(), variable.columns()}, values);
                  });
  }

  /// The names of what is kept for each variable that learns, and the numbers.
  py::tuple slots() {
    std::optional<Hold> hold; // so that they are those of one step
    wait_without_gil([&] { hold.emplace(uses_of_snapshot(network)); });
    py::list arrays;
    trainer.read_slots([&](const Variable<T>& variable, PanelView<const T> values) {
      py::array_t<T> array(shape_of_variable(variable));
      unpack<T>(values, {array.mutable_data(), variable.rows(), variable.columns()});
      arrays.append(array);
    });
    return py::make_tuple(trainer.optimizer() ? trainer.optimizer()->slot_names() : std::vector<std::string>(), arrays);
  }

  /// Goes on from another's; without arrays with slots that begin anew.
  void set_slots(const ops::Optimizer& optimizer, Index batches, const std::vector<Array<T>>& arrays) {
    std::vector<std::vector<py::ssize_t>> shapes;
    for (const Layer<T>& layer : network.layers()) {
      for (const auto& variable : layer.variables) {
        if (layer.learns() && variable)
          shapes.insert(shapes.end(), optimizer.slot_names().size(), shape_of_variable(*variable));
      }
    }
    if (!arrays.empty() && arrays.size() != shapes.size()) {
      throw py::value_error("set_slots: expected " + std::to_string(shapes.size()) + " arrays, got " +
                            std::to_string(arrays.size()));
    }
    for (std::size_t n = 0; n < arrays.size(); ++n) expect_shape({"set_slots", "arrays"}, arrays[n], shapes[n]);
    auto array = arrays.begin();
    trainer.write_slots(optimizer, batches, [&](const Variable<T>& variable, PanelView<T> values) {
      if (array != arrays.end()) pack<T>({(array++)->data(), variable.rows(), variable.columns()}, values);
    });
  }

  py::array_t<T> outputs() {
    const PanelView<const T> latest = trainer.outputs();
    py::array_t<T> array({latest.rows, latest.columns});
    unpack<T>(latest, {array.mutable_data(), latest.rows, latest.columns});
    return array;
  }
};

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

/// By Keras's names, of which two are the mean.
Loss::Reduction reduction_named(const std::string& name) {
  if (name == "sum_over_batch_size" || name == "mean") return Loss::Reduction::mean;
  if (name == "mean_with_sample_weight") return Loss::Reduction::weighted_mean;
  if (name == "sum") return Loss::Reduction::sum;
  throw py::value_error("Loss: unknown reduction '" + name + "'");
}

/// Registers a class for elements of T, and enters it in the module's table m.name[dtype].
template <class T, class Class> void enter(py::module_& m, const char* name, const Class& bound) {
  if (!py::hasattr(m, name)) m.attr(name) = py::dict();
  m.attr(name)[py::dtype::of<T>().attr("name")] = bound;
}

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

  using Bound = BoundTrainer<T>;
  py::class_<Bound> trainer(m, ("Trainer" + suffix).c_str());
  enter<T>(m, "Trainer", trainer);
  trainer.def(py::init<const Network<T>&, const Loss&, bool>(), arg("network").none(false), arg("loss"), arg("sparse"))
      .def("check", &Bound::check, arg("x"), arg("y"))
      .def("train_epoch", &Bound::train_epoch, arg("x"), arg("y"), arg("batch_size"), arg("shuffle"), arg("seed"),
           arg("epoch"), arg("optimizer"), arg("on_progress"), arg("every_batch"),
           arg("sample_weight").noconvert() = py::none(), arg("staged") = false,
           arg("learning_rates") = std::vector<double>(), arg("first_batch") = 0)
      .def("finish", [](Bound& bound) { bound.trainer.finish(); })
      .def("evaluate", &Bound::evaluate, arg("x"), arg("y"), arg("batch_size"), arg("on_progress"),
           arg("sample_weight").noconvert() = py::none(), arg("every_batch") = false)
      .def("outputs", &Bound::outputs)
      .def("forward", &Bound::forward, arg("x"))
      .def("backward", &Bound::backward, arg("gradient"), arg("of_input"))
      .def("apply", &Bound::apply, arg("gradients"), arg("optimizer"), arg("learning_rate") = py::none())
      .def_property_readonly("depends_on_batch", [](const Bound& bound) { return bound.trainer.depends_on_batch(); })
      .def_property_readonly("steps", [](const Bound& bound) { return bound.trainer.steps(); })
      .def("slots", &Bound::slots)
      .def("set_slots", &Bound::set_slots, arg("optimizer"), arg("batches"), arg("arrays"));
}

} // namespace

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
  py::class_<ops::Optimizer>(m, "Optimizer")
      .def(py::init([](const std::string& rule, double learning_rate, double momentum, bool nesterov, double rho,
                       double beta_1, double beta_2, double epsilon, double initial_slot, double weight_decay,
                       double clip_value, double clip_norm, double global_clip_norm, Index accumulation, bool averages,
                       double average_momentum, Index overwrite_frequency) {
             if (accumulation < 1) throw py::value_error("Optimizer: expected an accumulation of at least 1");
             return ops::Optimizer{ops::rule_named(rule),
                                   learning_rate,
                                   momentum,
                                   nesterov,
                                   rho,
                                   beta_1,
                                   beta_2,
                                   epsilon,
                                   initial_slot,
                                   weight_decay,
                                   clip_value,
                                   clip_norm,
                                   global_clip_norm,
                                   accumulation,
                                   averages,
                                   average_momentum,
                                   overwrite_frequency};
           }),
           arg("rule"), py::kw_only(), arg("learning_rate"), arg("momentum") = 0.0, arg("nesterov") = false,
           arg("rho") = 0.0, arg("beta_1") = 0.0, arg("beta_2") = 0.0, arg("epsilon") = 0.0, arg("initial_slot") = 0.0,
           arg("weight_decay") = 0.0, arg("clip_value") = 0.0, arg("clip_norm") = 0.0, arg("global_clip_norm") = 0.0,
           arg("accumulation") = 1, arg("averages") = false, arg("average_momentum") = 0.0,
           arg("overwrite_frequency") = 0)
      .def_property_readonly("slot_names", &ops::Optimizer::slot_names);
  py::class_<Loss>(m, "Loss").def(
      py::init([](const std::string& name, double delta, double gamma, double positive_weight, double negative_weight,
                  double target_scale, double target_offset, const std::string& reduction,
                  std::optional<Index> ignored_class) {
        Loss loss{Loss::Kind::pointwise};
        if (name == "cross_entropy") {
          loss.kind = Loss::Kind::cross_entropy;
        } else if (name == "cross_entropy_from_logits") {
          loss.kind = Loss::Kind::cross_entropy_from_logits;
        } else if (name == "elsewhere") {
          loss.kind = Loss::Kind::elsewhere;
        } else {
          loss.pointwise = pointwise_loss("Loss", name);
        }
        loss.parameters = {delta, gamma, positive_weight, negative_weight};
        loss.target_scale = target_scale;
        loss.target_offset = target_offset;
        loss.reduction = reduction_named(reduction);
        loss.ignored_class = ignored_class;
        return loss;
      }),
      arg("name"), py::kw_only(), arg("delta") = 1.0, arg("gamma") = 2.0, arg("positive_weight") = 1.0,
      arg("negative_weight") = 1.0, arg("target_scale") = 1.0, arg("target_offset") = 0.0,
      arg("reduction") = "sum_over_batch_size", arg("ignored_class") = py::none());
  register_network_of<float>(m, "Float32");
  register_network_of<double>(m, "Float64");
}

} // namespace cnet::bind
