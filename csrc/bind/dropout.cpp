#include "ops/dropout.hpp"
#include "bind/ops.hpp"

namespace cnet::bind {

namespace {

template <class T> py::object dropout_forward(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const double rate = arguments.number("rate");
  const std::uint64_t seed = arguments.unsigned_integer("seed");
  const std::uint64_t step = arguments.unsigned_integer("step");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
  expect_matrix({call, "x"}, x, "(batch, features)");
  auto results = outputs<T>(call, "(y, mask)", out, {shape_of(x), shape_of(x)}, {x});
  const auto view = matrix(x);
  const auto y_view = mutable_matrix(results[0]), mask_view = mutable_matrix(results[1]);
  compute([&] {
    auto panels = packed(view);
    PanelMatrix<T> mask(view.rows, view.columns);
    ops::dropout_forward<T>(panels.view(), rate, {seed, step}, all_rows(panels.view()), mask.view(), panels.view());
    unpack<T>(panels.view(), y_view);
    unpack<T>(mask.view(), mask_view);
  });
  return py::make_tuple(results[0], results[1]);
}

template <class T> py::object dropout_backward(Arguments& arguments) {
  return rows_backward<T>(arguments, "mask", "(batch, features)", ops::dropout_backward<T>);
}

template <class T> py::object gaussian_noise(Arguments& arguments) {
  const Array<T> x = arguments.array<T>("x");
  const double stddev = arguments.number("stddev");
  const std::uint64_t seed = arguments.unsigned_integer("seed");
  const std::uint64_t step = arguments.unsigned_integer("step");
  const py::object out = arguments.object();
  expect_matrix({arguments.call, "x"}, x, "(batch, features)");
  return map_matrix(arguments.call, x, {}, out, [&](PanelView<T> panels) {
    ops::add_noise<T>(panels, stddev, {seed, step}, all_rows(panels), panels);
  });
}

} // namespace

void register_dropout(py::module_& m) {
  static const Operation operations[] = {
      CNET_OPERATION(dropout_forward, 5, 0),
      CNET_OPERATION(dropout_backward, 3, 0),
      CNET_OPERATION(gaussian_noise, 5, 0),
  };
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
