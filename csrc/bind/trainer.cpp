#include "train/trainer.hpp"
#include "bind/network.hpp"

#include <algorithm>
#include <optional>
#include <pybind11/stl.h>
#include <string>
#include <utility>
#include <vector>

namespace cnet::bind {

namespace {

py::tuple totals_tuple(const Totals& totals) {
  return py::make_tuple(totals.rows, totals.loss(), totals.correct);
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

/// By Keras's names, of which two are the mean.
Loss::Reduction reduction_named(const std::string& name) {
  if (name == "sum_over_batch_size" || name == "mean") return Loss::Reduction::mean;
  if (name == "mean_with_sample_weight") return Loss::Reduction::weighted_mean;
  if (name == "sum") return Loss::Reduction::sum;
  throw py::value_error("Loss: unknown reduction '" + name + "'");
}

template <class T> void register_trainer_of(py::module_& m, const std::string& suffix) {
  using py::arg;
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
  register_trainer_of<float>(m, "Float32");
  register_trainer_of<double>(m, "Float64");
}

} // namespace cnet::bind
