#include "ops/dropout.hpp"
#include "bind/ops.hpp"

namespace cnet::bind {

namespace {

template <class T>
py::tuple dropout_forward(const Array<T>& x, double rate, std::uint64_t seed, std::uint64_t step,
                          const py::object& out) {
  constexpr const char* call = "dropout_forward";
  expect_matrix({call, "x"}, x, "(batch, features)");
  auto results = outputs<T>(call, "(y, mask)", out, {shape_of(x), shape_of(x)}, {x});
  const auto view = matrix(x);
  const auto y_view = mutable_matrix(results[0]), mask_view = mutable_matrix(results[1]);
  compute([&] {
    auto panels = packed(view);
    PanelMatrix<T> mask(view.rows, view.columns);
    ops::dropout_forward<T>(panels.view(), rate, {seed, step}, all_rows(panels), mask.view(), panels.view());
    unpack<T>(panels.view(), y_view);
    unpack<T>(mask.view(), mask_view);
  });
  return py::make_tuple(results[0], results[1]);
}

template <class T> Array<T> dropout_backward(const Array<T>& grad, const Array<T>& mask, const py::object& out) {
  constexpr const char* call = "dropout_backward";
  expect_matrix({call, "mask"}, mask, "(batch, features)");
  expect_shape({call, "grad"}, grad, shape_of(mask));
  Array<T> result = output<T>({call, "out"}, out, shape_of(grad), {grad, mask});
  const auto grad_view = matrix(grad), view = matrix(mask);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(grad_view);
    const auto mask_panels = packed(view);
    ops::dropout_backward<T>(panels.view(), mask_panels.view(), all_rows(panels), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

template <class T>
Array<T> gaussian_noise(const Array<T>& x, double stddev, std::uint64_t seed, std::uint64_t step,
                        const py::object& out) {
  constexpr const char* call = "gaussian_noise";
  expect_matrix({call, "x"}, x, "(batch, features)");
  Array<T> result = output<T>({call, "out"}, out, shape_of(x), {x});
  const auto view = matrix(x);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(view);
    ops::add_noise<T>(panels.view(), stddev, {seed, step}, all_rows(panels), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

template <class T> void register_dropout_of(py::module_& m) {
  using py::arg;
  m.def("dropout_forward", &dropout_forward<T>, given("x"), arg("rate"), arg("seed"), arg("step"), arg("out"));
  m.def("dropout_backward", &dropout_backward<T>, given("grad"), given("mask"), arg("out"));
  m.def("gaussian_noise", &gaussian_noise<T>, given("x"), arg("stddev"), arg("seed"), arg("step"), arg("out"));
}

} // namespace

void register_dropout(py::module_& m) {
  register_dropout_of<float>(m);
  register_dropout_of<double>(m);
}

} // namespace cnet::bind
