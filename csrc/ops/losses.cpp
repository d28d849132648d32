#include "ops/losses.hpp"

#include "ops/kernel_rows.hpp"

#include <algorithm>
#include <array>

namespace cnet::ops {

namespace {

template <class T> kernels::Targets<T> kernel_targets(const Targets<T>& targets, RowRange rows) {
  if (targets.ids) return {targets.ids + rows.first, nullptr, 0};
  return {nullptr, targets.distribution.row(rows.first), targets.distribution.stride()};
}

template <class T> kernels::LossParameters<T> kernel_parameters(const LossParameters& p) {
  return {static_cast<T>(p.delta), static_cast<T>(p.gamma), static_cast<T>(p.positive_weight),
          static_cast<T>(p.negative_weight)};
}

/// Number of rows whose argmax is computed at a time.
constexpr Index group = 64;

} // namespace

Accuracy accuracy_of(PointwiseLoss loss) {
  switch (loss) {
  case PointwiseLoss::binary_crossentropy:
  case PointwiseLoss::binary_crossentropy_from_logits:
  case PointwiseLoss::binary_focal_crossentropy:
  case PointwiseLoss::binary_focal_crossentropy_from_logits: return Accuracy::binary;
  case PointwiseLoss::categorical_focal_crossentropy:
  case PointwiseLoss::categorical_focal_crossentropy_from_logits: return Accuracy::categorical;
  default: return Accuracy::none;
  }
}

template <class T>
void categorical_accuracy(PanelView<const T> predictions, const Targets<T>& targets, RowRange rows, T* out) {
  std::array<T, group> predicted, expected;
  for (Index first = rows.first; first < rows.last; first += group) {
    const RowRange some{first, std::min(first + group, rows.last)};
    kernels::table<T>().argmax(kernel_rows(predictions, some), predicted.data());
    if (targets.ids) {
      std::transform(targets.ids + some.first, targets.ids + some.last, expected.begin(),
                     [](Index id) { return static_cast<T>(id); });
    } else {
      kernels::table<T>().argmax(kernel_rows(targets.distribution, some), expected.data());
    }
    for (Index i = some.first; i < some.last; ++i) {
      const auto n = static_cast<std::size_t>(i - first);
      out[i] = predicted[n] == expected[n] ? T(1) : T(0);
    }
  }
}

template <class T>
void binary_accuracy(PanelView<const T> predictions, PanelView<const T> targets, T zero, T one, RowRange rows, T* out) {
  for (Index i = rows.first; i < rows.last; ++i) {
    Index right = 0;
    for (Index j = 0; j < predictions.columns; ++j) {
      right += targets.at(i, j) == (predictions.at(i, j) > T(0.5) ? one : zero) ? 1 : 0;
    }
    out[i] = static_cast<T>(right) / static_cast<T>(predictions.columns);
  }
}

template <class T> void softmax(PanelView<const T> logits, RowRange rows, PanelView<T> out) {
  kernels::table<T>().softmax(kernel_rows(logits, rows), out.row(rows.first), out.stride());
}

template <class T>
void softmax_backward(PanelView<const T> grad, PanelView<const T> probabilities, RowRange rows, PanelView<T> out) {
  kernels::table<T>().softmax_backward(kernel_rows(probabilities, rows), grad.row(rows.first), grad.stride(),
                                       out.row(rows.first), out.stride());
}

template <class T> void log_softmax(PanelView<const T> logits, RowRange rows, PanelView<T> out) {
  kernels::table<T>().log_softmax(kernel_rows(logits, rows), out.row(rows.first), out.stride());
}

template <class T>
void log_softmax_backward(PanelView<const T> grad, PanelView<const T> logarithms, RowRange rows, PanelView<T> out) {
  kernels::table<T>().log_softmax_backward(kernel_rows(logarithms, rows), grad.row(rows.first), grad.stride(),
                                           out.row(rows.first), out.stride());
}

template <class T>
void softmax_cross_entropy_forward(PanelView<const T> logits, const Targets<T>& targets, RowRange rows,
                                   PanelView<T> probabilities, T* losses) {
  kernels::table<T>().softmax_cross_entropy_forward(kernel_rows(logits, rows), kernel_targets(targets, rows),
                                                    probabilities.row(rows.first), probabilities.stride(),
                                                    losses + rows.first);
}

template <class T>
void softmax_cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, double divisor,
                                    RowRange rows, PanelView<T> out) {
  kernels::table<T>().softmax_cross_entropy_backward(kernel_rows(probabilities, rows), kernel_targets(targets, rows),
                                                     static_cast<T>(divisor), out.row(rows.first), out.stride());
}

template <class T>
void cross_entropy_forward(PanelView<const T> probabilities, const Targets<T>& targets, RowRange rows, T* losses) {
  kernels::table<T>().cross_entropy_forward(kernel_rows(probabilities, rows), kernel_targets(targets, rows),
                                            losses + rows.first);
}

template <class T>
void cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, double divisor, RowRange rows,
                            PanelView<T> out) {
  kernels::table<T>().cross_entropy_backward(kernel_rows(probabilities, rows), kernel_targets(targets, rows),
                                             static_cast<T>(divisor), out.row(rows.first), out.stride());
}

template <class T>
void pointwise_loss_forward(PointwiseLoss loss, const LossParameters& parameters, PanelView<const T> predictions,
                            PanelView<const T> targets, RowRange rows, T* losses) {
  kernels::table<T>().pointwise_loss_forward[static_cast<int>(loss)](
      kernel_rows(predictions, rows), targets.row(rows.first), targets.stride(), kernel_parameters<T>(parameters),
      losses + rows.first);
}

template <class T>
void pointwise_loss_backward(PointwiseLoss loss, const LossParameters& parameters, PanelView<const T> predictions,
                             PanelView<const T> targets, double divisor, RowRange rows, PanelView<T> out) {
  kernels::table<T>().pointwise_loss_backward[static_cast<int>(loss)](
      kernel_rows(predictions, rows), targets.row(rows.first), targets.stride(), kernel_parameters<T>(parameters),
      static_cast<T>(divisor), out.row(rows.first), out.stride());
}

template <class T> void scale_row(PanelView<T> gradient, Index i, T weight) {
  for (Index p = 0; p < gradient.panels(); ++p) {
    T* row = gradient.row(i) + p * gradient.stride();
    std::transform(row, row + panel_width<T>, row, [=](T number) { return weight == 0 ? T(0) : number * weight; });
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void categorical_accuracy(PanelView<const T>, const Targets<T>&, RowRange, T*);                             \
  template void binary_accuracy(PanelView<const T>, PanelView<const T>, T, T, RowRange, T*);                           \
  template void softmax(PanelView<const T>, RowRange, PanelView<T>);                                                   \
  template void softmax_backward(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                      \
  template void log_softmax(PanelView<const T>, RowRange, PanelView<T>);                                               \
  template void log_softmax_backward(PanelView<const T>, PanelView<const T>, RowRange, PanelView<T>);                  \
  template void softmax_cross_entropy_forward(PanelView<const T>, const Targets<T>&, RowRange, PanelView<T>, T*);      \
  template void softmax_cross_entropy_backward(PanelView<const T>, const Targets<T>&, double, RowRange, PanelView<T>); \
  template void cross_entropy_forward(PanelView<const T>, const Targets<T>&, RowRange, T*);                            \
  template void cross_entropy_backward(PanelView<const T>, const Targets<T>&, double, RowRange, PanelView<T>);         \
  template void pointwise_loss_forward(PointwiseLoss, const LossParameters&, PanelView<const T>, PanelView<const T>,   \
                                       RowRange, T*);                                                                  \
  template void pointwise_loss_backward(PointwiseLoss, const LossParameters&, PanelView<const T>, PanelView<const T>,  \
                                        double, RowRange, PanelView<T>);                                               \
  template void scale_row(PanelView<T>, Index, T);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
