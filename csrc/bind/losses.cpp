#include "bind/losses.hpp"
#include "bind/ops.hpp"
#include "ops/losses.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace cnet::bind {

namespace {

/// Checked labels: class ids (batch,) or distributions (batch, classes).
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
    gather_ids(samples({call, "labels"}, column), {nullptr, 0}, {rows.shape(1)}, {0, labels.shape(0)}, ids.data());
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
    ops::softmax_cross_entropy_forward<T>(panels.view(), checked.targets(), all_rows(panels.view()),
                                          probabilities.view(), losses_data);
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
    ops::cross_entropy_forward<T>(panels.view(), checked.targets(), all_rows(panels.view()), data);
  });
  return losses;
}

template <class T, class F>
Array<T> loss_backward(const char* call, const Array<T>& probabilities, const py::array& labels, const py::object& out,
                       std::optional<double> divisor, F backward) {
  const Labels<T> checked(call, labels, {call, "probabilities"}, probabilities);
  const double by = divisor.value_or(static_cast<double>(probabilities.shape(0)));
  return map_matrix(call, probabilities, {labels}, out,
                    [&](PanelView<T> panels) { backward(panels, checked.targets(), by, all_rows(panels), panels); });
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

/// The first arguments of both passes of a pointwise loss.
template <class T> struct PointwiseArguments {
  explicit PointwiseArguments(Arguments& arguments)
      : name(arguments.text("loss")), predictions(arguments.array<T>("predictions")),
        targets(arguments.array<T>("targets")), delta(arguments.number("delta")), gamma(arguments.number("gamma")),
        positive_weight(arguments.number("positive_weight")), negative_weight(arguments.number("negative_weight")) {}

  kernels::PointwiseLoss checked_loss(const char* call) const {
    const kernels::PointwiseLoss loss = pointwise_loss(call, name);
    expect_matrix({call, "predictions"}, predictions, "(batch, outputs)");
    expect_shape({call, "targets"}, targets, shape_of(predictions));
    return loss;
  }
  ops::LossParameters parameters() const { return {delta, gamma, positive_weight, negative_weight}; }

  const std::string name;
  const Array<T> predictions, targets;
  const double delta, gamma, positive_weight, negative_weight;
};

template <class T> py::object pointwise_loss_forward(Arguments& arguments) {
  const PointwiseArguments<T> inputs(arguments);
  const kernels::PointwiseLoss loss = inputs.checked_loss(arguments.call);
  const auto view = matrix(inputs.predictions), targets_view = matrix(inputs.targets);
  Array<T> losses(view.rows);
  T* data = losses.mutable_data();
  compute([&] {
    const auto panels = packed(view), targets = packed(targets_view);
    ops::pointwise_loss_forward<T>(loss, inputs.parameters(), panels.view(), targets.view(), all_rows(panels.view()),
                                   data);
  });
  return losses;
}

template <class T> py::object pointwise_loss_backward(Arguments& arguments) {
  const PointwiseArguments<T> inputs(arguments);
  const py::object out = arguments.object();
  const std::optional<double> divisor = arguments.optional_number("divisor");
  const kernels::PointwiseLoss loss = inputs.checked_loss(arguments.call);
  const auto targets_view = matrix(inputs.targets);
  const double by = divisor.value_or(static_cast<double>(targets_view.rows));
  return map_matrix(arguments.call, inputs.predictions, {inputs.targets}, out, [&](PanelView<T> panels) {
    const auto targets = packed(targets_view);
    ops::pointwise_loss_backward<T>(loss, inputs.parameters(), panels, targets.view(), by, all_rows(panels), panels);
  });
}

} // namespace

kernels::PointwiseLoss pointwise_loss(const char* call, const std::string& name) {
  // In the order of PointwiseLoss.
  static constexpr const char* names[] = {
      "mean_squared_error",
      "mean_absolute_error",
      "mean_absolute_percentage_error",
      "mean_squared_logarithmic_error",
      "huber",
      "poisson",
      "kl_divergence",
      "hinge",
      "squared_hinge",
      "binary_crossentropy",
      "binary_crossentropy_from_logits",
      "log_cosh",
      "binary_focal_crossentropy",
      "binary_focal_crossentropy_from_logits",
      "categorical_focal_crossentropy",
      "categorical_focal_crossentropy_from_logits",
  };
  static_assert(std::size(names) == kernels::pointwise_loss_count);
  const auto* found = std::find(std::begin(names), std::end(names), name);
  if (found == std::end(names)) throw py::value_error(std::string(call) + ": unknown loss '" + name + "'");
  return static_cast<kernels::PointwiseLoss>(found - std::begin(names));
}

void register_losses(py::module_& m) {
  static const Operation operations[] = {
      CNET_OPERATION(softmax_cross_entropy_forward, 3, 0), CNET_OPERATION(softmax_cross_entropy_backward, 4, 0),
      CNET_OPERATION(cross_entropy_forward, 2, 0),         CNET_OPERATION(pointwise_loss_forward, 7, 1),
      CNET_OPERATION(pointwise_loss_backward, 9, 1),       CNET_OPERATION(cross_entropy_backward, 4, 0),
  };
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
