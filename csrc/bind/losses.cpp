#include "ops/losses.hpp"
#include "bind/ops.hpp"

namespace cnet::bind {

namespace {

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

template <class T> py::object softmax_cross_entropy_forward(Arguments& arguments) {
  const Array<T> logits = arguments.array<T>("logits");
  const py::array labels = arguments.any_array("labels");
  const py::object out = arguments.object();
  const char* const call = arguments.call;
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

template <class T> py::object cross_entropy_forward(Arguments& arguments) {
  const Array<T> probabilities = arguments.array<T>("probabilities");
  const py::array labels = arguments.any_array("labels");
  const char* const call = arguments.call;
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
                       std::optional<double> divisor, F backward) {
  const Labels<T> checked(call, labels, {call, "probabilities"}, probabilities);
  Array<T> result = output<T>({call, "out"}, out, shape_of(probabilities), {probabilities, labels});
  const auto view = matrix(probabilities);
  const auto result_view = mutable_matrix(result);
  compute([&] {
    auto panels = packed(view);
    backward(panels.view(), checked.targets(), divisor.value_or(static_cast<double>(view.rows)), all_rows(panels),
             panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

template <class T> py::object softmax_cross_entropy_backward(Arguments& arguments) {
  const Array<T> probabilities = arguments.array<T>("probabilities");
  const py::array labels = arguments.any_array("labels");
  const py::object out = arguments.object();
  const std::optional<double> divisor = arguments.optional_number("divisor");
  return loss_backward<T>(arguments.call, probabilities, labels, out, divisor, ops::softmax_cross_entropy_backward<T>);
}

template <class T> py::object cross_entropy_backward(Arguments& arguments) {
  const Array<T> probabilities = arguments.array<T>("probabilities");
  const py::array labels = arguments.any_array("labels");
  const py::object out = arguments.object();
  const std::optional<double> divisor = arguments.optional_number("divisor");
  return loss_backward<T>(arguments.call, probabilities, labels, out, divisor, ops::cross_entropy_backward<T>);
}

template <class T> py::object pointwise_loss_forward(Arguments& arguments) {
  const std::string name = arguments.text("loss");
  const Array<T> predictions = arguments.array<T>("predictions");
  const Array<T> targets = arguments.array<T>("targets");
  const double delta = arguments.number("delta");
  const double gamma = arguments.number("gamma");
  const double positive_weight = arguments.number("positive_weight");
  const double negative_weight = arguments.number("negative_weight");
  const ops::LossParameters parameters{delta, gamma, positive_weight, negative_weight};
  const char* const call = arguments.call;
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

template <class T> py::object pointwise_loss_backward(Arguments& arguments) {
  const std::string name = arguments.text("loss");
  const Array<T> predictions = arguments.array<T>("predictions");
  const Array<T> targets = arguments.array<T>("targets");
  const double delta = arguments.number("delta");
  const double gamma = arguments.number("gamma");
  const double positive_weight = arguments.number("positive_weight");
  const double negative_weight = arguments.number("negative_weight");
  const py::object out = arguments.object();
  const std::optional<double> divisor = arguments.optional_number("divisor");
  const ops::LossParameters parameters{delta, gamma, positive_weight, negative_weight};
  const char* const call = arguments.call;
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
                                    divisor.value_or(static_cast<double>(view.rows)), all_rows(panels), panels.view());
    unpack<T>(panels.view(), result_view);
  });
  return result;
}

} // namespace

void register_losses(py::module_& m) {
  static const Operation operations[] = {
      CNET_OPERATION(softmax_cross_entropy_forward, 3, 0), CNET_OPERATION(softmax_cross_entropy_backward, 4, 0),
      CNET_OPERATION(cross_entropy_forward, 2, 0),         CNET_OPERATION(pointwise_loss_forward, 7, 1),
      CNET_OPERATION(pointwise_loss_backward, 9, 1),       CNET_OPERATION(cross_entropy_backward, 4, 0),
  };
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
