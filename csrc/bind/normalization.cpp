#include "ops/normalization.hpp"
#include "bind/ops.hpp"
#include "kernels/table.hpp"
#include "ops/dense.hpp"

namespace cnet::bind {

namespace {

template <class T> using Optional = std::optional<Array<T>>;

/// A vector with an element for each column of a matrix, in panels; null if there is no array.
template <class T> class PackedRow {
public:
  PackedRow(Argument argument, const Optional<T>& array, Index columns) {
    if (!array) return;
    expect_shape(argument, *array, {columns});
    panels_ = PanelMatrix<T>(1, columns);
    pack<T>({array->data(), 1, columns}, panels_.view());
    is_given_ = true;
  }
  const T* data() const { return is_given_ ? panels_.view().data : nullptr; }

private:
  PanelMatrix<T> panels_;
  bool is_given_ = false;
};

/// A vector of results, one for each column of a matrix, in panels.
template <class T> struct PackedResult {
  explicit PackedResult(Index columns) : panels(1, columns) {}
  T* data() { return panels.view().data; }
  void write(T* to) { unpack<T>(panels.view(), {to, 1, panels.columns()}); }

  PanelMatrix<T> panels;
};

template <class T> py::object standardize(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const Array<T> mean = arguments.array<T>("mean");
  const Array<T> variance = arguments.array<T>("variance");
  const Optional<T> gamma = arguments.optional_array<T>("gamma");
  const Optional<T> beta = arguments.optional_array<T>("beta");
  const double epsilon = arguments.number("epsilon");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "x"}, x, "(batch, features)");
  const Index columns = x.shape(1);
  const PackedRow<T> means({call, "mean"}, mean, columns), variances({call, "variance"}, variance, columns);
  const PackedRow<T> scale({call, "gamma"}, gamma, columns), offset({call, "beta"}, beta, columns);
  return map_matrix(call, x, given<T>({mean, variance, gamma, beta}), out, [&](PanelView<T> panels) {
    ops::standardize<T>(panels, means.data(), variances.data(), static_cast<T>(epsilon), {scale.data(), offset.data()},
                        whole(panels), panels);
  });
}

template <class T> py::object batch_normalization_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const Optional<T> gamma = arguments.optional_array<T>("gamma");
  const Optional<T> beta = arguments.optional_array<T>("beta");
  const double epsilon = arguments.number("epsilon");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "x"}, x, "(batch, features)");
  const Index columns = x.shape(1);
  const PackedRow<T> scale({call, "gamma"}, gamma, columns), offset({call, "beta"}, beta, columns);
  auto results =
      outputs<T>(call, "(y, mean, variance)", out, {shape_of(x), {columns}, {columns}}, given<T>({x, gamma, beta}));
  const auto view = matrix(x);
  const auto result_view = mutable_matrix(results[0]);
  T *mean_data = results[1].mutable_data(), *variance_data = results[2].mutable_data();
  compute([&] {
    const auto panels = packed(view);
    PanelMatrix<T> y(view.rows, view.columns);
    PackedResult<T> mean(columns), variance(columns), inverse(columns);
    ops::batch_normalization_forward<T>(panels.view(), static_cast<T>(epsilon), {scale.data(), offset.data()},
                                        whole(panels.view()), {mean.data(), inverse.data()}, variance.data(), y.view());
    unpack<T>(y.view(), result_view);
    mean.write(mean_data);
    variance.write(variance_data);
  });
  return py::make_tuple(results[0], results[1], results[2]);
}

/// Returns the gradients of x, gamma and beta; f(grad, x, grad_x, grad_gamma) writes the first two.
template <class T, class F>
py::tuple normalization_backward(const char* call, const Array<T>& grad, const Array<T>& x,
                                 std::vector<py::array> inputs, const py::object& out, F f) {
  expect_shape({call, "grad"}, grad, shape_of(x));
  inputs.insert(inputs.end(), {grad, x});
  const Index columns = x.shape(1);
  auto results =
      outputs<T>(call, "(grad_x, grad_gamma, grad_beta)", out, {shape_of(x), {columns}, {columns}}, std::move(inputs));
  const auto grad_view = matrix(grad), view = matrix(x);
  const auto grad_x_view = mutable_matrix(results[0]);
  T *grad_gamma_data = results[1].mutable_data(), *grad_beta_data = results[2].mutable_data();
  compute([&] {
    const auto grad_panels = packed(grad_view), panels = packed(view);
    PanelMatrix<T> grad_x(view.rows, view.columns);
    PackedResult<T> grad_gamma(columns), grad_beta(columns);
    f(grad_panels.view(), panels.view(), grad_x.view(), grad_gamma.data());
    ops::dense_backward_bias<T>(grad_panels.view(), 0, panels.view().panels(), grad_beta.data());
    unpack<T>(grad_x.view(), grad_x_view);
    grad_gamma.write(grad_gamma_data);
    grad_beta.write(grad_beta_data);
  });
  return py::make_tuple(results[0], results[1], results[2]);
}

template <class T> py::object batch_normalization_backward(Arguments& arguments) {
  const Array<T> grad = arguments.array<T>("grad");
  const Array<T> x = arguments.array<T>("x");
  const Array<T> mean = arguments.array<T>("mean");
  const Array<T> variance = arguments.array<T>("variance");
  const Optional<T> gamma = arguments.optional_array<T>("gamma");
  const double epsilon = arguments.number("epsilon");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "x"}, x, "(batch, features)");
  const Index columns = x.shape(1);
  const PackedRow<T> means({call, "mean"}, mean, columns), variances({call, "variance"}, variance, columns);
  const PackedRow<T> scale({call, "gamma"}, gamma, columns);
  using View = PanelView<const T>;
  return normalization_backward<T>(
      call, grad, x, given<T>({mean, variance, gamma}), out,
      [&](View grads, View xs, PanelView<T> grad_x, T* grad_gamma) {
        PackedResult<T> inverse(columns);
        kernels::table<T>().inverse_deviation(inverse.panels.size(), variances.data(), static_cast<T>(epsilon),
                                              inverse.data());
        const ops::Moments<const T> moments{means.data(), inverse.data()};
        ops::batch_normalization_backward<T>(grads, xs, moments, scale.data(), whole(grads), grad_x);
        ops::batch_normalization_gradient<T>(grads, xs, moments, 0, grads.panels(), grad_gamma);
      });
}

template <class T> py::object layer_normalization_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const Optional<T> gamma = arguments.optional_array<T>("gamma");
  const Optional<T> beta = arguments.optional_array<T>("beta");
  const double epsilon = arguments.number("epsilon");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "x"}, x, "(batch, features)");
  const PackedRow<T> scale({call, "gamma"}, gamma, x.shape(1)), offset({call, "beta"}, beta, x.shape(1));
  Array<T> result = output<T>({call, "out"}, out, shape_of(x), given<T>({x, gamma, beta}));
  const auto view = matrix(x);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    const auto panels = packed(view);
    PanelMatrix<T> y(view.rows, view.columns);
    AlignedBuffer<T> mean(view.rows), inverse(view.rows);
    ops::layer_normalization_forward<T>(panels.view(), static_cast<T>(epsilon), {scale.data(), offset.data()},
                                        all_rows(panels.view()), {mean.data(), inverse.data()}, y.view());
    unpack<T>(y.view(), result_view);
  });
  return result;
}

template <class T> py::object layer_normalization_backward(Arguments& arguments) {
  const Array<T> grad = arguments.array<T>("grad");
  const Array<T> x = arguments.array<T>("x");
  const Optional<T> gamma = arguments.optional_array<T>("gamma");
  const double epsilon = arguments.number("epsilon");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "x"}, x, "(batch, features)");
  const PackedRow<T> scale({call, "gamma"}, gamma, x.shape(1));
  using View = PanelView<const T>;
  return normalization_backward<T>(
      call, grad, x, given<T>({gamma}), out, [&](View grads, View xs, PanelView<T> grad_x, T* grad_gamma) {
        const RowRange rows = all_rows(grads);
        AlignedBuffer<T> mean(grads.rows), inverse(grads.rows);
        const ops::Moments<T> moments{mean.data(), inverse.data()};
        // Only the moments are used; grad_x is overwritten below.
        ops::layer_normalization_forward<T>(xs, static_cast<T>(epsilon), {nullptr, nullptr}, rows, moments, grad_x);
        ops::layer_normalization_backward<T>(grads, xs, moments, scale.data(), rows, grad_x);
        ops::layer_normalization_gradient<T>(grads, xs, moments, 0, grads.panels(), grad_gamma);
      });
}

} // namespace

void register_normalization(py::module_& m) {
  static const Operation operations[] = {
      CNET_OPERATION(standardize, 7, 0),
      CNET_OPERATION(batch_normalization_forward, 5, 0),
      CNET_OPERATION(batch_normalization_backward, 7, 0),
      CNET_OPERATION(layer_normalization_forward, 5, 0),
      CNET_OPERATION(layer_normalization_backward, 5, 0),
  };
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
