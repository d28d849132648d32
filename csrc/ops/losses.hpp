#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

namespace cnet::ops {

/// The targets of a batch: class ids or, if ids is null, a distribution over the classes for each row.
template <class T> struct Targets {
  const Index* ids;
  PanelView<const T> distribution;
};

/// How predictions are compared with targets.
enum class Accuracy {
  none,
  binary,      ///< each element: above ½ or not
  categorical, ///< each row: its argmax
};

/// out[i] = 1 if the argmax of row i of the predictions is its class id or the argmax of its targets, else 0. The
/// argmax is the first maximum, or the first NaN.
template <class T>
void categorical_accuracy(PanelView<const T> predictions, const Targets<T>& targets, RowRange rows, T* out);

/// out[i] = the fraction of row i in which the target is `one` for a prediction above ½, and `zero` otherwise.
template <class T>
void binary_accuracy(PanelView<const T> predictions, PanelView<const T> targets, T zero, T one, RowRange rows, T* out);

// Loss functions: `losses` receives one loss per row, `out` the gradient of Σ losses / divisor.

template <class T> void softmax(PanelView<const T> logits, RowRange rows, PanelView<T> out);
template <class T>
void softmax_backward(PanelView<const T> grad, PanelView<const T> probabilities, RowRange rows, PanelView<T> out);

template <class T> void log_softmax(PanelView<const T> logits, RowRange rows, PanelView<T> out);
template <class T>
void log_softmax_backward(PanelView<const T> grad, PanelView<const T> logarithms, RowRange rows, PanelView<T> out);

/// `probabilities` must not overlap `logits`.
template <class T>
void softmax_cross_entropy_forward(PanelView<const T> logits, const Targets<T>& targets, RowRange rows,
                                   PanelView<T> probabilities, T* losses);
template <class T>
void softmax_cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, double divisor,
                                    RowRange rows, PanelView<T> out);

/// The cross-entropy of probabilities that may not sum to 1: −Σ y log clip(p / Σp, ε, 1 − ε).
template <class T>
void cross_entropy_forward(PanelView<const T> probabilities, const Targets<T>& targets, RowRange rows, T* losses);
template <class T>
void cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, double divisor, RowRange rows,
                            PanelView<T> out);

using kernels::PointwiseLoss;
using LossParameters = kernels::LossParameters<double>;

/// The accuracy that suits a loss.
Accuracy accuracy_of(PointwiseLoss);

template <class T>
void pointwise_loss_forward(PointwiseLoss, const LossParameters&, PanelView<const T> predictions,
                            PanelView<const T> targets, RowRange rows, T* losses);
template <class T>
void pointwise_loss_backward(PointwiseLoss, const LossParameters&, PanelView<const T> predictions,
                             PanelView<const T> targets, double divisor, RowRange rows, PanelView<T> out);

/// Multiplies row i of a gradient by a sample weight. A weight of 0 gives 0, even for NaN.
template <class T> void scale_row(PanelView<T> gradient, Index i, T weight);

} // namespace cnet::ops
