#include "bind/ops.hpp"
#include "bind/activations.hpp"
#include "kernels/table.hpp"
#include "ops/dense.hpp"
#include "ops/losses.hpp"

#include <map>
#include <string>

namespace cnet::bind {

namespace {

template <class T> py::object dense_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const Array<T> kernel = arguments.array<T>("kernel");
  const std::optional<Array<T>> bias = arguments.optional_array<T>("bias");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "kernel"}, kernel, "(in, out)");
  expect_shape({call, "x"}, x, {-1, kernel.shape(0)});
  if (bias) expect_shape({call, "bias"}, *bias, {kernel.shape(1)});
  Array<T> result = output<T>({call, "out"}, out, {x.shape(0), kernel.shape(1)}, given<T>({x, kernel, bias}));
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

template <class T> py::object dense_backward(Arguments& arguments) {
  const Array<T> grad = arguments.array<T>("grad");
  const Array<T> x = arguments.array<T>("x");
  const Array<T> kernel = arguments.array<T>("kernel");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
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

/// Returns the result of an elementwise operation. `out` may be one of the inputs, but not partly overlap one.
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

template <class T> py::object activation_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const std::string activation = arguments.text("activation");
  const py::object out = arguments.object();
  const std::map<std::string, double> parameters = arguments.dict_of_numbers("parameters");
  return activate(arguments.call, activation_of<T>(activation, parameters), x, out);
}

template <class T> py::object activation_backward(Arguments& arguments) {
  const Array<T> grad = arguments.array<T>("grad");
  const Array<T> x = arguments.array<T>("x");
  const Array<T> y = arguments.array<T>("y");
  const std::string activation = arguments.text("activation");
  const py::object out = arguments.object();
  const std::map<std::string, double> parameters = arguments.dict_of_numbers("parameters");
  return activate_backward(arguments.call, activation_of<T>(activation, parameters), grad, x, y, out);
}

template <class T> py::object relu_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const py::object out = arguments.object();
  return activate<T>(arguments.call, {}, x, out);
}

template <class T> py::object relu_backward(Arguments& arguments) {
  const Array<T> grad = arguments.array<T>("grad");
  const Array<T> x = arguments.array<T>("x");
  const py::object out = arguments.object();
  return activate_backward<T>(arguments.call, {}, grad, x, x, out);
}

template <class T> py::object rescaling_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const double scale = arguments.number("scale");
  const double offset = arguments.number("offset");
  const py::object out = arguments.object();
  const T* data = x.data();
  return elementwise<T>(arguments.call, {x}, out, [=](Index size, T* to) {
    kernels::table<T>().rescale(size, data, static_cast<T>(scale), static_cast<T>(offset), to);
  });
}

template <class T> py::object rescaling_backward(Arguments& arguments) {
  const Array<T> grad = arguments.array<T>("grad");
  const double scale = arguments.number("scale");
  const py::object out = arguments.object();
  const T* data = grad.data();
  return elementwise<T>(arguments.call, {grad}, out, [=](Index size, T* to) {
    kernels::table<T>().rescale(size, data, static_cast<T>(scale), T(0), to);
  });
}

/// An operation on each row of logits: f(logits, rows, result).
template <class T>
py::object rows_forward(Arguments& arguments, void (*f)(PanelView<const T>, RowRange, PanelView<T>)) {
  const Array<T> logits = arguments.array<T>("logits");
  const py::object out = arguments.object();
  expect_matrix({arguments.call, "logits"}, logits, "(batch, classes)");
  return map_matrix(arguments.call, logits, {}, out, [f](PanelView<T> panels) { f(panels, all_rows(panels), panels); });
}

template <class T> py::object softmax(Arguments& arguments) {
  return rows_forward<T>(arguments, ops::softmax<T>);
}

template <class T> py::object softmax_backward(Arguments& arguments) {
  return rows_backward<T>(arguments, "probabilities", "(batch, classes)", ops::softmax_backward<T>);
}

template <class T> py::object log_softmax(Arguments& arguments) {
  return rows_forward<T>(arguments, ops::log_softmax<T>);
}

template <class T> py::object log_softmax_backward(Arguments& arguments) {
  return rows_backward<T>(arguments, "log_probabilities", "(batch, classes)", ops::log_softmax_backward<T>);
}

} // namespace

void register_ops(py::module_& m) {
  m.def("unresizable_view", &unresizable_view, py::arg("array").noconvert());
  static const Operation operations[] = {
      CNET_OPERATION(dense_forward, 4, 0),
      CNET_OPERATION(dense_backward, 4, 0),
      CNET_OPERATION(activation_forward, 4, 0),
      CNET_OPERATION(activation_backward, 6, 0),
      CNET_OPERATION(relu_forward, 2, 0),
      CNET_OPERATION(relu_backward, 3, 0),
      CNET_OPERATION(rescaling_forward, 4, 0),
      CNET_OPERATION(rescaling_backward, 3, 0),
      CNET_OPERATION(softmax, 2, 0),
      CNET_OPERATION(softmax_backward, 3, 0),
      CNET_OPERATION(log_softmax, 2, 0),
      CNET_OPERATION(log_softmax_backward, 3, 0),
  };
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
