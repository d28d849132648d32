#include "network/network.hpp"
#include "bind/activations.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "train/predict.hpp"
#include "train/trainer.hpp"

#include <optional>
#include <pybind11/stl.h>
#include <string>
#include <utility>
#include <vector>

namespace cnet::bind {

namespace {

template <class T> py::array_t<T> kernel_array(const ops::DenseParameters<T>& parameters) {
  py::array_t<T> array({parameters.inputs(), parameters.outputs()});
  unpack<T>(parameters.kernel(), {array.mutable_data(), parameters.inputs(), parameters.outputs()});
  return array;
}

template <class T> void set_kernel(ops::DenseParameters<T>& parameters, const Array<T>& kernel) {
  expect_shape({"set_kernel", "kernel"}, kernel, {parameters.inputs(), parameters.outputs()});
  pack(matrix(kernel), parameters.kernel());
}

template <class T> py::array_t<T> bias_array(const ops::DenseParameters<T>& parameters) {
  return py::array_t<T>(parameters.outputs(), parameters.bias());
}

template <class T> void set_bias(ops::DenseParameters<T>& parameters, const Array<T>& bias) {
  expect_shape({"set_bias", "bias"}, bias, {parameters.outputs()});
  std::copy_n(bias.data(), parameters.outputs(), parameters.bias());
}

/// Lets Ctrl-C through and tells on_progress, which may answer True to stop; called without the GIL.
Observer observer_of(const py::object& on_progress, FloatMode& mode, bool every_batch = false) {
  const auto tell = [callback = py::handle(on_progress), &mode](const Totals& totals) {
    return mode.suspended([&] {
      const WithGil with_gil;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      if (callback.is_none()) return true;
      return !callback(totals.rows, totals.batches, totals.loss, totals.correct).is(py::bool_(true));
    });
  };
  return {tell, every_batch};
}

py::tuple totals_tuple(const Totals& totals) {
  return py::make_tuple(totals.rows, totals.loss, totals.correct);
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

/// The network's output for x if that is a matrix of T as wide as the network, else None: what
/// everything else that may be asked of a model costs is then saved.
template <class T> py::object try_predict(const Network<T>& network, const py::object& x) {
  // Exactly NumPy's own class: subclasses, masked arrays among them, have meanings of their own.
  if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
  if (!py::isinstance<py::array_t<T>>(x)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(x);
  if (array.ndim() != 2 || array.shape(1) != network.inputs()) return py::none();
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
                        std::vector<double> learning_rates) {
    const Dataset<T> data = dataset(network, "train_epoch", x, y, sparse, sample_weight);
    if (batch_size < 1) throw py::value_error("train_epoch: expected a batch_size of at least 1");
    const EpochOptions options{batch_size, shuffle, seed, epoch, optimizer, staged, std::move(learning_rates)};
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
                     const std::optional<Array<T>>& sample_weight) {
    const Dataset<T> data = dataset(network, "evaluate", x, y, sparse, sample_weight);
    if (batch_size < 1) throw py::value_error("evaluate: expected a batch_size of at least 1");
    FloatMode mode;
    const Observer observer = observer_of(on_progress, mode);
    Totals totals;
    {
      const WithoutGil without_gil;
      totals = trainer.evaluate(data, batch_size, observer);
    }
    return totals_tuple(totals);
  }
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
  using Parameters = ops::DenseParameters<T>;
  py::class_<Parameters, std::shared_ptr<Parameters>> parameters(m, ("DenseParameters" + suffix).c_str());
  enter<T>(m, "DenseParameters", parameters);
  parameters
      .def(py::init([](Index inputs, Index outputs, bool use_bias) {
             if (inputs < 1 || outputs < 1) throw py::value_error("DenseParameters: expected positive sizes");
             return std::make_shared<Parameters>(inputs, outputs, use_bias);
           }),
           arg("inputs"), arg("outputs"), arg("use_bias"))
      .def("kernel", &kernel_array<T>)
      .def("set_kernel", &set_kernel<T>, arg("kernel").noconvert())
      .def("bias", &bias_array<T>)
      .def("set_bias", &set_bias<T>, arg("bias").noconvert());

  py::class_<Network<T>, std::shared_ptr<Network<T>>> network(m, ("Network" + suffix).c_str());
  enter<T>(m, "Network", network);
  network.def(py::init<Index>(), arg("inputs"))
      .def("add_dense", &Network<T>::add_dense, arg("name"), arg("parameters").none(false), arg("trainable"))
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
      .def("predict", &predict_samples<T>, arg("x"), arg("on_progress"))
      .def("try_predict", &try_predict<T>, arg("x"));

  using Bound = BoundTrainer<T>;
  py::class_<Bound> trainer(m, ("Trainer" + suffix).c_str());
  enter<T>(m, "Trainer", trainer);
  trainer.def(py::init<const Network<T>&, const Loss&, bool>(), arg("network").none(false), arg("loss"), arg("sparse"))
      .def("check", &Bound::check, arg("x"), arg("y"))
      .def("train_epoch", &Bound::train_epoch, arg("x"), arg("y"), arg("batch_size"), arg("shuffle"), arg("seed"),
           arg("epoch"), arg("optimizer"), arg("on_progress"), arg("every_batch"),
           arg("sample_weight").noconvert() = py::none(), arg("staged") = false,
           arg("learning_rates") = std::vector<double>())
      .def("finish", [](Bound& bound) { bound.trainer.finish(); })
      .def("evaluate", &Bound::evaluate, arg("x"), arg("y"), arg("batch_size"), arg("on_progress"),
           arg("sample_weight").noconvert() = py::none())
      .def_property_readonly("steps", [](const Bound& bound) { return bound.trainer.steps(); });
}

} // namespace

void register_network(py::module_& m) {
  using py::arg;
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
           arg("overwrite_frequency") = 0);
  py::class_<Loss>(m, "Loss").def(
      py::init([](const std::string& name, double delta, double gamma, double positive_weight, double negative_weight,
                  double target_scale, double target_offset, const std::string& reduction,
                  std::optional<Index> ignored_class) {
        Loss loss{Loss::Kind::pointwise};
        if (name == "cross_entropy") {
          loss.kind = Loss::Kind::cross_entropy;
        } else if (name == "cross_entropy_from_logits") {
          loss.kind = Loss::Kind::cross_entropy_from_logits;
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
