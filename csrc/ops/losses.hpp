#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

namespace cnet::ops {

/// What a batch should have come out as: class ids, or (if ids is null) a distribution over the
/// classes for each row.
template <class T> struct Targets {
  const Index* ids;
  PanelView<const T> distribution;
};

/// What tells whether predictions are right.
enum class Accuracy {
  none,
  binary,      ///< each number by itself: on which side of ½ it is
  categorical, ///< a row's greatest number
};

/// out[i] = 1 if the first greatest prediction of row i (or its first NaN) is its target, or the first
/// greatest of its targets, else 0.
template <class T>
void categorical_accuracy(PanelView<const T> predictions, const Targets<T>& targets, RowRange rows, T* out);

/// out[i] = the part of row i's predictions that are above ½ where the target is `one`, and not where it
/// is `zero`.
template <class T>
void binary_accuracy(PanelView<const T> predictions, PanelView<const T> targets, T zero, T one, RowRange rows, T* out);

/// Loss functions on rows: `losses` receives one loss a row, `out` the gradient of their sum over
/// `divisor`.

template <class T> void softmax(PanelView<const T> logits, RowRange rows, PanelView<T> out);
template <class T>
void softmax_backward(PanelView<const T> grad, PanelView<const T> probabilities, RowRange rows, PanelView<T> out);

template <class T> void log_softmax(PanelView<const T> logits, RowRange rows, PanelView<T> out);
template <class T>
void log_softmax_backward(PanelView<const T> grad, PanelView<const T> logarithms, RowRange rows, PanelView<T> out);

/// `probabilities` is not `logits`.
template <class T>
void softmax_cross_entropy_forward(PanelView<const T> logits, const Targets<T>& targets, RowRange rows,
                                   PanelView<T> probabilities, T* losses);
template <class T>
void softmax_cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, double divisor,
                                    RowRange rows, PanelView<T> out);

/// Of probabilities that no softmax made: −Σ y log clip(p / Σp, ε, 1 − ε).
template <class T>
void cross_entropy_forward(PanelView<const T> probabilities, const Targets<T>& targets, RowRange rows, T* losses);
template <class T>
void cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, double divisor, RowRange rows,
                            PanelView<T> out);

using kernels::PointwiseLoss;
using LossParameters = kernels::LossParameters<double>;

/// The accuracy that goes with a loss.
Accuracy accuracy_of(PointwiseLoss);

template <class T>
void pointwise_loss_forward(PointwiseLoss, const LossParameters&, PanelView<const T> predictions,
                            PanelView<const T> targets, RowRange rows, T* losses);
template <class T>
void pointwise_loss_backward(PointwiseLoss, const LossParameters&, PanelView<const T> predictions,
                             PanelView<const T> targets, double divisor, RowRange rows, PanelView<T> out);

/// Row i of a gradient, times how much its sample counts; nothing of it, be it NaN, if that is 0.
template <class T> void scale_row(PanelView<T> gradient, Index i, T weight);

} // namespace cnet::ops
