#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

#include <cstdint>

namespace cnet::ops {

/// What a batch should have come out as: class ids, or (if ids is null) a distribution over the
/// classes for each row.
template <class T> struct Targets {
  const Index* ids;
  PanelView<const T> distribution;
};

/// Loss functions on rows: `losses` receives one loss a row, `out` the gradient of their mean over
/// `batch` rows.

/// out[i] = whether the first greatest prediction of row i (or its first NaN) is its target, or the
/// first greatest of its targets.
template <class T>
void accuracy(PanelView<const T> predictions, const Targets<T>& targets, RowRange rows, std::uint8_t* out);

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
void softmax_cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, Index batch,
                                    RowRange rows, PanelView<T> out);

/// Of probabilities that no softmax made: −Σ y log clip(p / Σp, ε, 1 − ε).
template <class T>
void cross_entropy_forward(PanelView<const T> probabilities, const Targets<T>& targets, RowRange rows, T* losses);
template <class T>
void cross_entropy_backward(PanelView<const T> probabilities, const Targets<T>& targets, Index batch, RowRange rows,
                            PanelView<T> out);

using kernels::PointwiseLoss;

template <class T>
void pointwise_loss_forward(PointwiseLoss, T delta, PanelView<const T> predictions, PanelView<const T> targets,
                            RowRange rows, T* losses);
template <class T>
void pointwise_loss_backward(PointwiseLoss, T delta, PanelView<const T> predictions, PanelView<const T> targets,
                             Index batch, RowRange rows, PanelView<T> out);

/// Row i of a gradient, times how much its sample counts; nothing of it, be it NaN, if that is 0.
template <class T> void scale_row(PanelView<T> gradient, Index i, T weight);

} // namespace cnet::ops
