#include "bind/ops.hpp"
#include "bind/activations.hpp"
#include "kernels/table.hpp"
#include "ops/dense.hpp"
#include "ops/losses.hpp"

namespace cnet::bind {

namespace {

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
  auto results = outputs<T>(call, "(grad_x, grad_kernel, grad_bias)", out,
                            {shape_of(x), shape_of(kernel), {kernel.shape(1)}}, {grad, x, kernel});
  Array<T>&grad_x = results[0], &grad_kernel = results[1], &grad_bias = results[2];
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

template <class T> void register_ops_of(py::module_& m) {
  using py::arg;
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
}

} // namespace

void register_ops(py::module_& m) {
  m.def("held", &held, given("array"));
  register_ops_of<float>(m);
  register_ops_of<double>(m);
}

} // namespace cnet::bind
