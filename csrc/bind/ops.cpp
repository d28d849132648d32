#include "bind/activations.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"
#include "kernels/table.hpp"
#include "ops/dense.hpp"
#include "ops/losses.hpp"
#include "ops/optimizers.hpp"

namespace cnet::bind {

namespace {

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

template <class T>
Array<T> dense_forward(const Array<T>& x, const Array<T>& kernel, const std::optional<Array<T>>& bias,
                       const py::object& out) {
  constexpr const char* call = "dense_forward";
  expect_matrix({call, "kernel"}, kernel, "(in, out)");
  expect_shape({call, "x"}, x, {-1, kernel.shape(0)});
  if (bias) expect_shape({call, "bias"}, *bias, {kernel.shape(1)});
  std::vector<py::array> inputs{x, kernel};
  if (bias) inputs.push_back(*bias);
  Array<T> result = output<T>({call, "out"}, out, {x.shape(0), kernel.shape(1)}, inputs);
  const auto x_view = matrix(x), kernel_view = matrix(kernel);
  const T* bias_data = bias ? bias->data() : nullptr;
  const auto result_view = mutable_matrix(result);
  compute([&] {
    const auto x_panels = packed(x_view), kernel_panels = packed(kernel_view);
    PanelMatrix<T> bias_panels(1, kernel_view.columns), panels(x_view.rows, kernel_view.columns);
    if (bias_data) pack<T>({bias_data, 1, kernel_view.columns}, bias_panels.view());
    ops::dense_forward<T>(x_panels.view(), kernel_panels.view(), bias_panels.view().data, kernels::Epilogue::none,
                          whole(panels.view()), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

template <class T>
py::tuple dense_backward(const Array<T>& grad, const Array<T>& x, const Array<T>& kernel, const py::object& out) {
  constexpr const char* call = "dense_backward";
  expect_matrix({call, "kernel"}, kernel, "(in, out)");
  expect_shape({call, "x"}, x, {-1, kernel.shape(0)});
  expect_shape({call, "grad"}, grad, {x.shape(0), kernel.shape(1)});
  py::tuple outs = py::make_tuple(py::none(), py::none(), py::none());
  if (!out.is_none()) {
    if (!py::isinstance<py::tuple>(out) || py::len(out) != 3) {
      throw py::type_error("dense_backward: out: expected a tuple of three arrays (grad_x, grad_kernel, grad_bias)");
    }
    outs = py::reinterpret_borrow<py::tuple>(out);
  }
  std::vector<py::array> taken{grad, x, kernel};
  const auto next = [&](std::size_t n, const std::vector<py::ssize_t>& shape) {
    Array<T> array = output<T>({call, "out"}, outs[n], shape, taken);
    taken.push_back(array);
    return array;
  };
  Array<T> grad_x = next(0, shape_of(x));
  Array<T> grad_kernel = next(1, shape_of(kernel));
  Array<T> grad_bias = next(2, {kernel.shape(1)});
  const auto grad_view = matrix(grad), x_view = matrix(x), kernel_view = matrix(kernel);
  const auto grad_x_view = mutable_matrix(grad_x), grad_kernel_view = mutable_matrix(grad_kernel);
  T* grad_bias_data = grad_bias.mutable_data();
  compute([&] {
    const auto grad_panels = packed(grad_view), x_panels = packed(x_view), kernel_panels = packed(kernel_view);
    PanelMatrix<T> grad_x_panels(x_view.rows, x_view.columns);
    AlignedBuffer<T> transposed(ops::transposed_size<T>(kernel_view.columns));
    ops::dense_backward_input<T>(grad_panels.view(), kernel_panels.view(), nullptr, whole(grad_x_panels.view()),
                                 transposed.data(), grad_x_panels.view());
    unpack<T>(grad_x_panels.view(), grad_x_view);

    PanelMatrix<T> grad_kernel_panels(kernel_view.rows, kernel_view.columns);
    const Index panels = grad_kernel_panels.view().panels();
    ops::dense_backward_kernel<T>(x_panels.view(), grad_panels.view(), whole(grad_kernel_panels.view()), {},
                                  grad_kernel_panels.view().data, grad_kernel_panels.view().stride());
    unpack<T>(grad_kernel_panels.view(), grad_kernel_view);

    PanelMatrix<T> grad_bias_panels(1, kernel_view.columns);
    ops::dense_backward_bias(grad_panels.view(), 0, panels, grad_bias_panels.view().data);
    unpack<T>(grad_bias_panels.view(), {grad_bias_data, 1, kernel_view.columns});
  });
  return py::make_tuple(grad_x, grad_kernel, grad_bias);
}

/// out = f(x…) element by element; `out` may be one of the inputs, but not overlap one otherwise.
template <class T, class F>
Array<T> elementwise(const char* call, const std::vector<Array<T>>& inputs, const py::object& out, F f) {
  std::vector<py::array> others;
  for (const Array<T>& input : inputs) {
    const bool same = py::isinstance<py::array>(out) && py::reinterpret_borrow<py::array>(out).data() == input.data() &&
                      py::reinterpret_borrow<py::array>(out).nbytes() == input.nbytes();
    if (!same) others.push_back(input);
  }
  Array<T> result = output<T>({call, "out"}, out, shape_of(inputs[0]), others);
  const Index size = result.size();
  T* data = result.mutable_data();
  compute([&] { f(size, data); });
  return result;
}

using Parameters = std::map<std::string, double>;

template <class T>
Array<T> activate(const char* call, const ops::Activation<T>& activation, const Array<T>& x, const py::object& out) {
  const auto kernel = kernels::table<T>().activation_forward[static_cast<int>(activation.function)];
  const T* data = x.data();
  return elementwise<T>(call, {x}, out, [=](Index size, T* to) { kernel(size, activation.parameters, data, to); });
}

template <class T>
Array<T> activate_backward(const char* call, const ops::Activation<T>& activation, const Array<T>& grad,
                           const Array<T>& x, const Array<T>& y, const py::object& out) {
  expect_shape({call, "x"}, x, shape_of(grad));
  expect_shape({call, "y"}, y, shape_of(grad));
  const auto kernel = kernels::table<T>().activation_backward[static_cast<int>(activation.function)];
  const T *grad_data = grad.data(), *data = x.data(), *result = y.data();
  return elementwise<T>(call, {grad, x, y}, out,
                        [=](Index size, T* to) { kernel(size, activation.parameters, grad_data, data, result, to); });
}

template <class T>
Array<T> activation_forward(const Array<T>& x, const std::string& activation, const py::object& out,
                            const Parameters& parameters) {
  return activate("activation_forward", activation_of<T>(activation, parameters), x, out);
}

template <class T>
Array<T> activation_backward(const Array<T>& grad, const Array<T>& x, const Array<T>& y, const std::string& activation,
                             const py::object& out, const Parameters& parameters) {
  return activate_backward("activation_backward", activation_of<T>(activation, parameters), grad, x, y, out);
}

template <class T> Array<T> relu_forward(const Array<T>& x, const py::object& out) {
  return activate<T>("relu_forward", {}, x, out);
}

template <class T> Array<T> relu_backward(const Array<T>& grad, const Array<T>& x, const py::object& out) {
  return activate_backward<T>("relu_backward", {}, grad, x, x, out);
}

template <class T> Array<T> rescaling_forward(const Array<T>& x, double scale, double offset, const py::object& out) {
  const T* data = x.data();
  return elementwise<T>("rescaling_forward", {x}, out, [=](Index size, T* to) {
    kernels::table<T>().rescale(size, data, static_cast<T>(scale), static_cast<T>(offset), to);
  });
}

template <class T> Array<T> rescaling_backward(const Array<T>& grad, double scale, const py::object& out) {
  const T* data = grad.data();
  return elementwise<T>("rescaling_backward", {grad}, out, [=](Index size, T* to) {
    kernels::table<T>().rescale(size, data, static_cast<T>(scale), T(0), to);
  });
}

/// A function of each row of logits.
template <class T, class F>
Array<T> row_function(const char* call, const Array<T>& logits, const py::object& out, F f) {
  expect_matrix({call, "logits"}, logits, "(batch, classes)");
  Array<T> result = output<T>({call, "out"}, out, shape_of(logits), {logits});
  const auto view = matrix(logits);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(view);
    f(panels.view(), all_rows(panels), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

/// Its backward pass, by its result.
template <class T, class F>
Array<T> row_function_backward(Argument result_argument, const Array<T>& grad, const Array<T>& forward_result,
                               const py::object& out, F f) {
  const char* call = result_argument.call;
  expect_matrix(result_argument, forward_result, "(batch, classes)");
  expect_shape({call, "grad"}, grad, shape_of(forward_result));
  Array<T> result = output<T>({call, "out"}, out, shape_of(grad), {grad, forward_result});
  const auto grad_view = matrix(grad), view = matrix(forward_result);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto grad_panels = packed(grad_view);
    const auto panels = packed(view);
    f(grad_panels.view(), panels.view(), all_rows(panels), grad_panels.view());
    unpack<T>(grad_panels.view(), result_view);
  });
  return result;
}

template <class T> Array<T> softmax(const Array<T>& logits, const py::object& out) {
  return row_function("softmax", logits, out, ops::softmax<T>);
}

template <class T>
Array<T> softmax_backward(const Array<T>& grad, const Array<T>& probabilities, const py::object& out) {
  return row_function_backward({"softmax_backward", "probabilities"}, grad, probabilities, out,
                               ops::softmax_backward<T>);
}

template <class T> Array<T> log_softmax(const Array<T>& logits, const py::object& out) {
  return row_function("log_softmax", logits, out, ops::log_softmax<T>);
}

template <class T>
Array<T> log_softmax_backward(const Array<T>& grad, const Array<T>& log_probabilities, const py::object& out) {
  return row_function_backward({"log_softmax_backward", "log_probabilities"}, grad, log_probabilities, out,
                               ops::log_softmax_backward<T>);
}

/// Labels as the ops take them: class ids (batch,), checked, or distributions (batch, classes).
template <class T> struct Labels {
  std::vector<Index> ids;
  PanelMatrix<T> distribution;
  bool has_ids;

  Labels(const char* call, const py::array& labels, Argument rows_argument, const py::array& rows) {
    expect_matrix(rows_argument, rows, "(batch, classes)");
    has_ids = labels.ndim() != 2;
    if (labels.ndim() == 2) {
      expect_shape({call, "labels"}, labels, shape_of(rows));
      if (!py::isinstance<Array<T>>(labels)) throw py::type_error(std::string(call) + ": labels: unexpected dtype");
      distribution = packed(matrix(py::reinterpret_borrow<Array<T>>(labels)));
      return;
    }
    expect_shape({call, "labels"}, labels, {rows.shape(0)});
    ids.resize(static_cast<std::size_t>(labels.shape(0)));
    const py::array column = labels.attr("reshape")(-1, 1);
    gather_ids(samples({call, "labels"}, column), {nullptr, 0}, rows.shape(1), std::nullopt, {0, labels.shape(0)},
               ids.data());
  }
  ops::Targets<T> targets() const {
    if (!has_ids) return {nullptr, distribution.view()};
    static constexpr Index none = 0;
    return {ids.empty() ? &none : ids.data(), {}};
  }
};

template <class T>
py::tuple softmax_cross_entropy_forward(const Array<T>& logits, const py::array& labels, const py::object& out) {
  constexpr const char* call = "softmax_cross_entropy_forward";
  const Labels<T> checked(call, labels, {call, "logits"}, logits);
  Array<T> result = output<T>({call, "out"}, out, shape_of(logits), {logits, labels});
  const auto view = matrix(logits);
  const auto result_view = mutable_matrix(result);
  Array<T> losses(view.rows);
  T* losses_data = losses.mutable_data();
  compute([&] {
    const auto panels = packed(view);
    PanelMatrix<T> probabilities(view.rows, view.columns);
    ops::softmax_cross_entropy_forward<T>(panels.view(), checked.targets(), all_rows(panels), probabilities.view(),
                                          losses_data);
    unpack<T>(probabilities.view(), result_view);
  });
  return py::make_tuple(losses, result);
}

template <class T> Array<T> cross_entropy_forward(const Array<T>& probabilities, const py::array& labels) {
  constexpr const char* call = "cross_entropy_forward";
  const Labels<T> checked(call, labels, {call, "probabilities"}, probabilities);
  const auto view = matrix(probabilities);
  Array<T> losses(view.rows);
  T* data = losses.mutable_data();
  compute([&] {
    const auto panels = packed(view);
    ops::cross_entropy_forward<T>(panels.view(), checked.targets(), all_rows(panels), data);
  });
  return losses;
}

template <class T, class F>
Array<T> loss_backward(const char* call, const Array<T>& probabilities, const py::array& labels, const py::object& out,
                       F backward) {
  const Labels<T> checked(call, labels, {call, "probabilities"}, probabilities);
  Array<T> result = output<T>({call, "out"}, out, shape_of(probabilities), {probabilities, labels});
  const auto view = matrix(probabilities);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(view);
    backward(panels.view(), checked.targets(), static_cast<double>(view.rows), all_rows(panels), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

template <class T>
Array<T> softmax_cross_entropy_backward(const Array<T>& probabilities, const py::array& labels, const py::object& out) {
  return loss_backward<T>("softmax_cross_entropy_backward", probabilities, labels, out,
                          ops::softmax_cross_entropy_backward<T>);
}

template <class T>
Array<T> cross_entropy_backward(const Array<T>& probabilities, const py::array& labels, const py::object& out) {
  return loss_backward<T>("cross_entropy_backward", probabilities, labels, out, ops::cross_entropy_backward<T>);
}

template <class T>
Array<T> pointwise_loss_forward(const std::string& name, const Array<T>& predictions, const Array<T>& targets,
                                double delta, double gamma, double positive_weight, double negative_weight) {
  const ops::LossParameters parameters{delta, gamma, positive_weight, negative_weight};
  constexpr const char* call = "pointwise_loss_forward";
  const kernels::PointwiseLoss loss = pointwise_loss(call, name);
  expect_matrix({call, "predictions"}, predictions, "(batch, outputs)");
  expect_shape({call, "targets"}, targets, shape_of(predictions));
  Array<T> losses(predictions.shape(0));
  const auto view = matrix(predictions), targets_view = matrix(targets);
  T* data = losses.mutable_data();
  compute([&] {
    const auto panels = packed(view), targets_panels = packed(targets_view);
    ops::pointwise_loss_forward<T>(loss, parameters, panels.view(), targets_panels.view(), all_rows(panels), data);
  });
  return losses;
}

template <class T>
Array<T> pointwise_loss_backward(const std::string& name, const Array<T>& predictions, const Array<T>& targets,
                                 double delta, double gamma, double positive_weight, double negative_weight,
                                 const py::object& out) {
  const ops::LossParameters parameters{delta, gamma, positive_weight, negative_weight};
  constexpr const char* call = "pointwise_loss_backward";
  const kernels::PointwiseLoss loss = pointwise_loss(call, name);
  expect_matrix({call, "predictions"}, predictions, "(batch, outputs)");
  expect_shape({call, "targets"}, targets, shape_of(predictions));
  Array<T> result = output<T>({call, "out"}, out, shape_of(predictions), {predictions, targets});
  const auto view = matrix(predictions), targets_view = matrix(targets);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(view);
    const auto targets_panels = packed(targets_view);
    ops::pointwise_loss_backward<T>(loss, parameters, panels.view(), targets_panels.view(),
                                    static_cast<double>(view.rows), all_rows(panels), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

/// An optimizer's step over arrays of one shape, in place.
template <class T>
void update(const char* call, const ops::Optimizer& optimizer, Index step, const py::object& param,
            const Array<T>& grad, const std::vector<std::pair<const char*, py::object>>& named_slots) {
  Array<T> array = in_place<T>({call, "param"}, param, {grad});
  expect_shape({call, "grad"}, grad, shape_of(array));
  std::vector<py::array> taken{grad, array};
  std::vector<T*> slots;
  for (const auto& [name, object] : named_slots) {
    Array<T> slot = in_place<T>({call, name}, object, taken);
    expect_shape({call, name}, slot, shape_of(array));
    slots.push_back(slot.mutable_data());
    taken.push_back(slot);
  }
  if (step < 1) throw py::value_error(std::string(call) + ": step: expected at least 1, got " + std::to_string(step));
  T* data = array.mutable_data();
  const T* grad_data = grad.data();
  const Index size = array.size();
  compute([&] { ops::Update<T>(optimizer, step)(size, data, grad_data, slots.data()); });
}

template <class T> void sgd_update(const py::object& param, const Array<T>& grad, double learning_rate) {
  update("sgd_update", {ops::Rule::sgd, learning_rate}, 1, param, grad, {});
}

template <class T>
void sgd_momentum_update(const py::object& param, const Array<T>& grad, const py::object& velocity,
                         double learning_rate, double momentum, bool nesterov) {
  update("sgd_momentum_update", {ops::Rule::sgd_momentum, learning_rate, momentum, nesterov}, 1, param, grad,
         {{"velocity", velocity}});
}

template <class T>
void rmsprop_update(const py::object& param, const Array<T>& grad, const py::object& mean_square, double learning_rate,
                    double rho, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::rmsprop, learning_rate};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("rmsprop_update", optimizer, 1, param, grad, {{"mean_square", mean_square}});
}

template <class T>
void adam_update(const py::object& param, const Array<T>& grad, const py::object& first_moment,
                 const py::object& second_moment, Index step, double learning_rate, double beta_1, double beta_2,
                 double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adam, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  update("adam_update", optimizer, step, param, grad,
         {{"first_moment", first_moment}, {"second_moment", second_moment}});
}

template <class T>
void rmsprop_momentum_update(const py::object& param, const Array<T>& grad, const py::object& mean_square,
                             const py::object& velocity, double learning_rate, double momentum, double rho,
                             double epsilon) {
  ops::Optimizer optimizer{ops::Rule::rmsprop_momentum, learning_rate, momentum};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("rmsprop_momentum_update", optimizer, 1, param, grad, {{"mean_square", mean_square}, {"velocity", velocity}});
}

template <class T>
void rmsprop_centered_update(const py::object& param, const Array<T>& grad, const py::object& mean_square,
                             const py::object& mean, const py::object& velocity, double learning_rate, double momentum,
                             double rho, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::rmsprop_centered, learning_rate, momentum};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("rmsprop_centered_update", optimizer, 1, param, grad,
         {{"mean_square", mean_square}, {"mean", mean}, {"velocity", velocity}});
}

template <class T>
void adagrad_update(const py::object& param, const Array<T>& grad, const py::object& sum_of_squares,
                    double learning_rate, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adagrad, learning_rate};
  optimizer.epsilon = epsilon;
  update("adagrad_update", optimizer, 1, param, grad, {{"sum_of_squares", sum_of_squares}});
}

template <class T>
void adadelta_update(const py::object& param, const Array<T>& grad, const py::object& mean_square,
                     const py::object& mean_square_change, double learning_rate, double rho, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adadelta, learning_rate};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("adadelta_update", optimizer, 1, param, grad,
         {{"mean_square", mean_square}, {"mean_square_change", mean_square_change}});
}

template <class T>
void adam_amsgrad_update(const py::object& param, const Array<T>& grad, const py::object& first_moment,
                         const py::object& second_moment, const py::object& greatest_second_moment, Index step,
                         double learning_rate, double beta_1, double beta_2, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adam_amsgrad, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  update("adam_amsgrad_update", optimizer, step, param, grad,
         {{"first_moment", first_moment},
          {"second_moment", second_moment},
          {"greatest_second_moment", greatest_second_moment}});
}

template <class T>
void nadam_update(const py::object& param, const Array<T>& grad, const py::object& first_moment,
                  const py::object& second_moment, Index step, double learning_rate, double beta_1, double beta_2,
                  double epsilon) {
  ops::Optimizer optimizer{ops::Rule::nadam, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  update("nadam_update", optimizer, step, param, grad,
         {{"first_moment", first_moment}, {"second_moment", second_moment}});
}

template <class T>
void lion_update(const py::object& param, const Array<T>& grad, const py::object& first_moment, double learning_rate,
                 double beta_1, double beta_2) {
  ops::Optimizer optimizer{ops::Rule::lion, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  update("lion_update", optimizer, 1, param, grad, {{"first_moment", first_moment}});
}

template <class T> void register_ops_of(py::module_& m) {
  using py::arg;
  const auto given = [](const char* name) { return arg(name).noconvert(); };
  m.def("dense_forward", &dense_forward<T>, given("x"), given("kernel"), given("bias"), arg("out"));
  m.def("dense_backward", &dense_backward<T>, given("grad"), given("x"), given("kernel"), arg("out"));
  m.def("activation_forward", &activation_forward<T>, given("x"), arg("activation"), arg("out"), arg("parameters"));
  m.def("activation_backward", &activation_backward<T>, given("grad"), given("x"), given("y"), arg("activation"),
        arg("out"), arg("parameters"));
  m.def("relu_forward", &relu_forward<T>, given("x"), arg("out"));
  m.def("relu_backward", &relu_backward<T>, given("grad"), given("x"), arg("out"));
  m.def("rescaling_forward", &rescaling_forward<T>, given("x"), arg("scale"), arg("offset"), arg("out"));
  m.def("rescaling_backward", &rescaling_backward<T>, given("grad"), arg("scale"), arg("out"));
  m.def("softmax", &softmax<T>, given("logits"), arg("out"));
  m.def("softmax_backward", &softmax_backward<T>, given("grad"), given("probabilities"), arg("out"));
  m.def("log_softmax", &log_softmax<T>, given("logits"), arg("out"));
  m.def("log_softmax_backward", &log_softmax_backward<T>, given("grad"), given("log_probabilities"), arg("out"));
  m.def("softmax_cross_entropy_forward", &softmax_cross_entropy_forward<T>, given("logits"), given("labels"),
        arg("out"));
  m.def("softmax_cross_entropy_backward", &softmax_cross_entropy_backward<T>, given("probabilities"), given("labels"),
        arg("out"));
  m.def("cross_entropy_forward", &cross_entropy_forward<T>, given("probabilities"), given("labels"));
  m.def("pointwise_loss_forward", &pointwise_loss_forward<T>, arg("loss"), given("predictions"), given("targets"),
        arg("delta"), arg("gamma"), arg("positive_weight"), arg("negative_weight"));
  m.def("pointwise_loss_backward", &pointwise_loss_backward<T>, arg("loss"), given("predictions"), given("targets"),
        arg("delta"), arg("gamma"), arg("positive_weight"), arg("negative_weight"), arg("out"));
  m.def("cross_entropy_backward", &cross_entropy_backward<T>, given("probabilities"), given("labels"), arg("out"));
  m.def("sgd_update", &sgd_update<T>, arg("param"), given("grad"), arg("learning_rate"));
  m.def("sgd_momentum_update", &sgd_momentum_update<T>, arg("param"), given("grad"), arg("velocity"),
        arg("learning_rate"), arg("momentum"), arg("nesterov"));
  m.def("rmsprop_update", &rmsprop_update<T>, arg("param"), given("grad"), arg("mean_square"), arg("learning_rate"),
        arg("rho"), arg("epsilon"));
  m.def("adam_update", &adam_update<T>, arg("param"), given("grad"), arg("first_moment"), arg("second_moment"),
        arg("step"), arg("learning_rate"), arg("beta_1"), arg("beta_2"), arg("epsilon"));
  m.def("rmsprop_momentum_update", &rmsprop_momentum_update<T>, arg("param"), given("grad"), arg("mean_square"),
        arg("velocity"), arg("learning_rate"), arg("momentum"), arg("rho"), arg("epsilon"));
  m.def("rmsprop_centered_update", &rmsprop_centered_update<T>, arg("param"), given("grad"), arg("mean_square"),
        arg("mean"), arg("velocity"), arg("learning_rate"), arg("momentum"), arg("rho"), arg("epsilon"));
  m.def("adagrad_update", &adagrad_update<T>, arg("param"), given("grad"), arg("sum_of_squares"), arg("learning_rate"),
        arg("epsilon"));
  m.def("adadelta_update", &adadelta_update<T>, arg("param"), given("grad"), arg("mean_square"),
        arg("mean_square_change"), arg("learning_rate"), arg("rho"), arg("epsilon"));
  m.def("adam_amsgrad_update", &adam_amsgrad_update<T>, arg("param"), given("grad"), arg("first_moment"),
        arg("second_moment"), arg("greatest_second_moment"), arg("step"), arg("learning_rate"), arg("beta_1"),
        arg("beta_2"), arg("epsilon"));
  m.def("nadam_update", &nadam_update<T>, arg("param"), given("grad"), arg("first_moment"), arg("second_moment"),
        arg("step"), arg("learning_rate"), arg("beta_1"), arg("beta_2"), arg("epsilon"));
  m.def("lion_update", &lion_update<T>, arg("param"), given("grad"), arg("first_moment"), arg("learning_rate"),
        arg("beta_1"), arg("beta_2"));
}

} // namespace

void register_ops(py::module_& m) {
  register_ops_of<float>(m);
  register_ops_of<double>(m);
}

} // namespace cnet::bind
