#include "train/trainer.hpp"
#include "bind/arguments.hpp"
#include "bind/losses.hpp"
#include "bind/network.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <pybind11/stl.h>
#include <string>
#include <utility>
#include <vector>

namespace cnet::bind {

namespace {

py::tuple totals_tuple(const Totals& totals) {
  return py::make_tuple(totals.rows, totals.loss(), heads_of(totals));
}

/// A head, and whether its labels are class ids.
struct BoundHead {
  Head head;
  bool sparse;
};

std::vector<Head> heads_without_labels(const std::vector<BoundHead>& bound) {
  std::vector<Head> heads;
  for (const BoundHead& each : bound) heads.push_back(each.head);
  return heads;
}

/// The network as it must be for a trainer with these heads.
template <class T> const Network<T>& checked(const Network<T>& network, const std::vector<BoundHead>& heads) {
  if (!network.is_finished()) throw py::value_error("Trainer: the network is not finished");
  for (const BoundHead& each : heads) {
    if (each.head.output >= network.outputs().size()) throw py::value_error("Trainer: there is no such output");
    if (each.sparse && each.head.loss.kind == Loss::Kind::pointwise)
      throw py::value_error("Trainer: this loss does not take class ids");
  }
  return network;
}

template <class T> struct BoundTrainer {
  const Network<T> network;
  const std::vector<BoundHead> heads;
  Trainer<T> trainer;

  BoundTrainer(const Network<T>& network_, const std::vector<BoundHead>& heads_)
      : network(checked(network_, heads_)), heads(heads_), trainer(network, heads_without_labels(heads)) {}

  /// The arrays of the labels: one for each head. Weights are None, or an array or None for each head.
  Dataset<T> dataset(const char* call, const std::vector<py::array>& x, const std::vector<py::array>& y,
                     const std::vector<std::optional<Array<T>>>& weights) const {
    Inputs inputs = inputs_of<T>({call, "x"}, network, x);
    if (y.size() != heads.size()) throw py::value_error(std::string(call) + ": y: expected an array for each head");
    if (!weights.empty() && weights.size() != heads.size())
      throw py::value_error(std::string(call) + ": sample_weight: expected an array for each head");
    Dataset<T> data{inputs.rows, std::move(inputs.samples), {}};
    for (std::size_t h = 0; h < heads.size(); ++h) {
      const bool sparse = heads[h].sparse;
      expect_shape({call, "y"}, y[h], {inputs.rows, sparse ? 1 : network.output_size(heads[h].head.output)});
      if (sparse && y[h].dtype().kind() == 'f')
        throw py::type_error(std::string(call) + ": y: expected integer class ids");
      const bool weighted = !weights.empty() && weights[h];
      if (weighted) expect_shape({call, "sample_weight"}, *weights[h], {inputs.rows});
      data.y.push_back({samples({call, "y"}, y[h]), sparse, weighted ? weights[h]->data() : nullptr});
    }
    return data;
  }
};

/// Calls f(observer) without the GIL.
template <class F> auto observed(const py::object& on_progress, bool every_batch, F f) {
  FloatMode mode;
  const Observer observer = observer_of(on_progress, mode, every_batch);
  const WithoutGil without_gil;
  return f(observer);
}

void check_batch_size(const char* call, Index batch_size) {
  if (batch_size < 1) throw py::value_error(std::string(call) + ": expected a batch_size of at least 1");
}

template <class T> py::object check(BoundTrainer<T>& self, Arguments& arguments) {
  const auto x = arguments.any_arrays("x");
  const auto y = arguments.any_arrays("y");
  const Dataset<T> data = self.dataset("fit", x, y, {});
  wait_without_gil([&] { self.trainer.check(data); });
  return py::none();
}

template <class T> py::object train_epoch(BoundTrainer<T>& self, Arguments& arguments) {
  const auto x = arguments.any_arrays("x");
  const auto y = arguments.any_arrays("y");
  const EpochOptions options = arguments.instance<EpochOptions>("options");
  const py::object on_progress = arguments.object();
  const auto sample_weight = arguments.optional_arrays<T>("sample_weight");
  const bool every_batch = arguments.flag("every_batch");
  const Dataset<T> data = self.dataset(arguments.call, x, y, sample_weight);
  return totals_tuple(observed(on_progress, every_batch, [&](const Observer& observer) {
    return self.trainer.train_epoch(data, options, observer);
  }));
}

template <class T> py::object finish(BoundTrainer<T>& self, Arguments&) {
  self.trainer.finish();
  return py::none();
}

template <class T> py::object evaluate(BoundTrainer<T>& self, Arguments& arguments) {
  const auto x = arguments.any_arrays("x");
  const auto y = arguments.any_arrays("y");
  const Index batch_size = arguments.integer("batch_size");
  check_batch_size(arguments.call, batch_size);
  const py::object on_progress = arguments.object();
  const auto sample_weight = arguments.optional_arrays<T>("sample_weight");
  const bool every_batch = arguments.flag("every_batch");
  const Dataset<T> data = self.dataset(arguments.call, x, y, sample_weight);
  return totals_tuple(observed(on_progress, every_batch, [&](const Observer& observer) {
    return self.trainer.evaluate(data, batch_size, observer);
  }));
}

template <class T> py::array_t<T> array_of(PanelView<const T> panels) {
  py::array_t<T> array({panels.rows, panels.columns});
  unpack<T>(panels, {array.mutable_data(), panels.rows, panels.columns});
  return array;
}

/// Return the output of each head for the latest batch.
template <class T> py::object outputs(BoundTrainer<T>& self, Arguments&) {
  py::list arrays;
  for (std::size_t h = 0; h < self.heads.size(); ++h) arrays.append(array_of<T>(self.trainer.outputs(h)));
  return std::move(arrays);
}

template <class T> py::object forward(BoundTrainer<T>& self, Arguments& arguments) {
  const auto x = arguments.any_arrays("x");
  const Inputs inputs = inputs_of<T>({"forward", "x"}, self.network, x);
  std::vector<py::weakref> no_resize;
  for (const py::array& array : x) no_resize.push_back(prevent_resize(array));
  if (inputs.rows < 1) throw py::value_error("forward: expected at least one sample");
  observed(py::none(), false, [&](const Observer& observer) { self.trainer.forward(inputs.samples, observer); });
  return outputs(self, arguments);
}

/// Return a list of the gradient of each trainable variable, and then of each input, or None.
template <class T> py::object backward(BoundTrainer<T>& self, Arguments& arguments) {
  const auto output_gradients = arguments.any_arrays("gradients");
  const std::vector<bool> of_inputs = arguments.flags("of_inputs");
  const std::vector<Input<T>>& network_inputs = self.network.inputs();
  if (output_gradients.size() != self.heads.size())
    throw py::value_error("backward: expected a gradient of each output");
  if (of_inputs.size() != network_inputs.size()) throw py::value_error("backward: expected a flag for each input");
  std::vector<Samples> views;
  Index rows = 0;
  for (std::size_t h = 0; h < self.heads.size(); ++h) {
    const PanelView<const T> latest = self.trainer.outputs(h);
    rows = latest.rows;
    expect_shape({"backward", "gradient"}, output_gradients[h], {latest.rows, latest.columns});
    views.push_back(samples({"backward", "gradient"}, output_gradients[h]));
  }
  py::list gradients;
  std::vector<T*> data;
  const auto add = [&](py::array_t<T> array) {
    data.push_back(array.mutable_data());
    gradients.append(array);
  };
  self.trainer.for_each_trainable(
      [&](const Variable<T>& variable, auto...) { add(py::array_t<T>(shape_of_variable(variable))); });
  for (std::size_t n = 0; n < of_inputs.size(); ++n) {
    if (of_inputs[n]) {
      add(py::array_t<T>({rows, network_inputs[n].columns}));
    } else {
      gradients.append(py::none());
    }
  }
  const auto read = [&] {
    auto next = data.begin();
    self.trainer.for_each_gradient([&](const Variable<T>& variable, PanelView<const T> values) {
      unpack<T>(values, {*next++, variable.rows(), variable.columns()});
    });
    for (std::size_t n = 0; n < of_inputs.size(); ++n) {
      if (!of_inputs[n]) continue;
      const Index size = rows * network_inputs[n].columns;
      const T scale = network_inputs[n].scale; // of a first layer that rescales
      unpack<T>(self.trainer.input_gradient(n), {*next, rows, network_inputs[n].columns});
      if (scale != 1) std::transform(*next, *next + size, *next, [scale](T g) { return g * scale; });
      ++next;
    }
  };
  observed(py::none(), false,
           [&](const Observer& observer) { self.trainer.backward(views, of_inputs, observer, read); });
  return std::move(gradients);
}

template <class T> py::object apply(BoundTrainer<T>& self, Arguments& arguments) {
  const std::vector<Array<T>> gradients = arguments.arrays<T>("gradients");
  const auto& optimizer = arguments.instance<ops::Optimizer>("optimizer");
  const std::optional<double> learning_rate = arguments.optional_number("learning_rate");
  std::size_t count = 0;
  self.trainer.for_each_trainable([&](const Variable<T>& variable, auto...) {
    if (count < gradients.size()) expect_shape({"apply", "gradient"}, gradients[count], shape_of_variable(variable));
    ++count;
  });
  if (count != gradients.size()) throw py::value_error("apply: expected a gradient for each trainable variable");
  const auto fill = [&, n = std::size_t(0)](const Variable<T>& variable, PanelView<T> values) mutable {
    pack<T>({gradients[n++].data(), variable.rows(), variable.columns()}, values);
  };
  const FloatMode mode;
  wait_without_gil([&] { self.trainer.apply(optimizer, learning_rate.value_or(optimizer.learning_rate), fill); });
  return py::none();
}

/// Return the names of the slots of each trainable variable, and a list of their values.
template <class T> py::object slots(BoundTrainer<T>& self, Arguments&) {
  std::optional<ScopedLockSet> held; // so that all are of the same step
  wait_without_gil([&] { held.emplace(snapshot_locks(self.network)); });
  py::list arrays;
  self.trainer.for_each_slot([&](const Variable<T>& variable, PanelView<const T> values) {
    py::array_t<T> array(shape_of_variable(variable));
    unpack<T>(values, {array.mutable_data(), variable.rows(), variable.columns()});
    arrays.append(array);
  });
  const auto optimizer = self.trainer.optimizer();
  return py::make_tuple(optimizer ? optimizer->slot_names() : std::vector<std::string>(), arrays);
}

/// Sets the optimizer, its number of batches and its slots; an empty list of arrays keeps their initial values.
template <class T> py::object set_slots(BoundTrainer<T>& self, Arguments& arguments) {
  const auto& optimizer = arguments.instance<ops::Optimizer>("optimizer");
  const Index batches = arguments.integer("batches");
  const std::vector<Array<T>> arrays = arguments.arrays<T>("arrays");
  std::vector<std::vector<py::ssize_t>> shapes;
  self.trainer.for_each_trainable([&](const Variable<T>& variable, auto...) {
    shapes.insert(shapes.end(), optimizer.slot_names().size(), shape_of_variable(variable));
  });
  if (!arrays.empty() && arrays.size() != shapes.size()) {
    throw py::value_error("set_slots: expected " + std::to_string(shapes.size()) + " arrays, got " +
                          std::to_string(arrays.size()));
  }
  for (std::size_t n = 0; n < arrays.size(); ++n) expect_shape({"set_slots", "arrays"}, arrays[n], shapes[n]);
  auto array = arrays.begin();
  self.trainer.write_slots(optimizer, batches, [&](const Variable<T>& variable, PanelView<T> values) {
    if (array != arrays.end()) pack<T>({(array++)->data(), variable.rows(), variable.columns()}, values);
  });
  return py::none();
}

/// By Keras's names, of which two are the mean.
Loss::Reduction reduction_named(const std::string& name) {
  if (name == "sum_over_batch_size" || name == "mean") return Loss::Reduction::mean;
  if (name == "mean_with_sample_weight") return Loss::Reduction::weighted_mean;
  if (name == "sum") return Loss::Reduction::sum;
  throw py::value_error("Loss: unknown reduction '" + name + "'");
}

template <class T> void register_trainer_of(py::module_& m, const std::string& suffix) {
  using Bound = BoundTrainer<T>;
  py::class_<Bound> trainer(m, ("Trainer" + suffix).c_str());
  enter<T>(m, "Trainer", trainer);
  trainer
      .def(py::init<const Network<T>&, const std::vector<BoundHead>&>(), py::arg("network").none(false),
           py::arg("heads"))
      .def_property_readonly("depends_on_batch", [](const Bound& bound) { return bound.trainer.depends_on_batch(); })
      .def_property_readonly("steps", [](const Bound& bound) { return bound.trainer.steps(); });
  static const Method<Bound> methods[] = {
      {"check", 2, check<T>},       {"train_epoch", 6, train_epoch<T>},
      {"finish", 0, finish<T>},     {"evaluate", 6, evaluate<T>},
      {"outputs", 0, outputs<T>},   {"forward", 1, forward<T>},
      {"backward", 2, backward<T>}, {"apply", 3, apply<T>},
      {"slots", 0, slots<T>},       {"set_slots", 3, set_slots<T>},
  };
  for (const auto& method : methods) define(trainer, method);
}

} // namespace

void register_trainer(py::module_& m) {
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
           arg("overwrite_frequency") = 0)
      .def_property_readonly("slot_names", &ops::Optimizer::slot_names);
  py::class_<EpochOptions>(m, "EpochOptions")
      .def(
          py::init([](Index batch_size, bool shuffle, std::uint64_t seed, std::uint64_t epoch,
                      const ops::Optimizer& optimizer, bool staged, const py::list& learning_rates, Index first_batch) {
            check_batch_size("EpochOptions", batch_size);
            if (epoch > std::numeric_limits<std::uint32_t>::max()) {
              throw py::value_error("EpochOptions: expected an epoch below 2³²");
            }
            std::vector<double> rates;
            for (const py::handle rate : py::tuple(learning_rates)) { // a copy: __float__ may change the list
              rates.push_back(PyFloat_AsDouble(rate.ptr()));
              if (PyErr_Occurred() != nullptr) throw py::error_already_set();
            }
            return EpochOptions{batch_size, shuffle, seed,  static_cast<std::uint32_t>(epoch),
                                optimizer,  staged,  rates, first_batch};
          }),
          py::kw_only(), arg("batch_size"), arg("shuffle") = false, arg("seed") = 0, arg("epoch") = 0, arg("optimizer"),
          arg("staged") = false, arg("learning_rates") = py::list(), arg("first_batch") = 0)
      .def_readonly("batch_size", &EpochOptions::batch_size)
      .def_readonly("shuffle", &EpochOptions::shuffle)
      .def_readonly("seed", &EpochOptions::seed)
      .def_readonly("epoch", &EpochOptions::epoch)
      .def_readonly("optimizer", &EpochOptions::optimizer)
      .def_readonly("learning_rates", &EpochOptions::learning_rates)
      .def_readonly("first_batch", &EpochOptions::first_batch);
  py::class_<Loss>(m, "Loss").def(
      py::init([](const std::string& name, double delta, double gamma, double positive_weight, double negative_weight,
                  double target_scale, double target_offset, const std::string& reduction,
                  std::optional<Index> ignored_class) {
        Loss loss{Loss::Kind::pointwise};
        if (name == "cross_entropy") {
          loss.kind = Loss::Kind::cross_entropy;
        } else if (name == "cross_entropy_from_logits") {
          loss.kind = Loss::Kind::cross_entropy_from_logits;
        } else if (name == "external") {
          loss.kind = Loss::Kind::external;
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
  py::class_<BoundHead>(m, "Head").def(
      py::init([](std::size_t output, const Loss& loss, double weight, bool sparse, bool counts_correct) {
        return BoundHead{{output, loss, weight, counts_correct}, sparse};
      }),
      arg("output"), arg("loss"), arg("weight") = 1.0, arg("sparse") = false, arg("counts_correct") = true);
  register_trainer_of<float>(m, "Float32");
  register_trainer_of<double>(m, "Float64");
}

} // namespace cnet::bind
