#include "train/losses.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace cnet {

namespace {

template <class T> ops::Targets<T> targets_of(const Dataset<T>& data, const BatchContext<T>& batch) {
  if (data.ids) return {batch.workspace.ids.data(), {}};
  return {nullptr, batch.workspace.distribution.view(batch.rows)};
}

template <class T> bool is_ignored(const Loss& loss, const Dataset<T>& data, Index row) {
  return data.ids && loss.ignored_class && is_of_class(data.y, row, *loss.ignored_class);
}

/// The weight of row i of a batch.
template <class T> T weight_of(const Loss& loss, const Dataset<T>& data, const BatchContext<T>& batch, Index i) {
  if (data.ids && batch.workspace.ids.data()[i] == loss.ignored_class) return 0;
  return data.weights ? data.weights[batch.selection[i]] : T(1);
}

} // namespace

template <class T> void check_labels(const Loss& loss, const Dataset<T>& data, Index classes) {
  if (!data.ids) return;
  std::array<Index, 256> ids;
  for (Index first = 0; first < data.y.rows; first += Index(ids.size())) {
    const Index count = std::min(Index(ids.size()), data.y.rows - first);
    gather_ids(data.y, {nullptr, first}, classes, loss.ignored_class, {0, count}, ids.data());
  }
}

template <class T> bool has_weight(const Loss& loss, const Dataset<T>& data, Index row) {
  return !is_ignored(loss, data, row) && !(data.weights && data.weights[row] == 0);
}

template <class T> double loss_divisor(const Loss& loss, const Dataset<T>& data, Selection selection, Index rows) {
  if (loss.reduction == Loss::Reduction::sum) return 1;
  const bool by_weight = loss.reduction == Loss::Reduction::weighted_mean && data.weights;
  if (!by_weight && !loss.ignored_class) return static_cast<double>(rows);
  double sum = 0;
  for (Index i = 0; i < rows; ++i) {
    const Index row = selection[i];
    if (is_ignored(loss, data, row)) continue;
    sum += by_weight ? static_cast<double>(data.weights[row]) : 1;
  }
  return sum == 0 ? std::numeric_limits<double>::infinity() : sum;
}

template <class T>
void load_labels(const Loss& loss, const Dataset<T>& data, const BatchContext<T>& batch, RowRange rows) {
  if (data.ids) {
    const Index classes = batch.network.outputs();
    gather_ids(data.y, batch.selection, classes, loss.ignored_class, rows, batch.workspace.ids.data());
  } else {
    gather(data.y, batch.selection, static_cast<T>(loss.target_scale), static_cast<T>(loss.target_offset), rows,
           batch.workspace.distribution.view(batch.rows));
  }
}

template <class T>
void compute_losses(const Loss& loss, const Dataset<T>& data, const BatchContext<T>& batch, RowRange rows) {
  const PanelView<const T> outputs = batch.output(loss.input_layer(batch.network));
  PanelView<const T> predictions = outputs;
  const ops::Targets<T> targets = targets_of(data, batch);
  T* losses = batch.workspace.losses.data();
  const bool fuses_softmax = loss.fuses_softmax(batch.network);
  if (loss.kind == Loss::Kind::pointwise) {
    ops::pointwise_loss_forward<T>(loss.pointwise, loss.parameters, outputs, targets.distribution, rows, losses);
  } else if (loss.kind == Loss::Kind::cross_entropy && !fuses_softmax) {
    ops::cross_entropy_forward<T>(outputs, targets, rows, losses);
  } else {
    const PanelView<T> probabilities = batch.workspace.probabilities.view(batch.rows);
    ops::softmax_cross_entropy_forward<T>(outputs, targets, rows, probabilities, losses);
    if (fuses_softmax) predictions = probabilities;
  }
  if (is_weighted(loss, data)) {
    for (Index i = rows.first; i < rows.last; ++i) {
      const T weight = weight_of(loss, data, batch, i);
      losses[i] = weight == 0 ? T(0) : losses[i] * weight; // the loss of a sample without weight may be NaN
    }
  }
  T* correct = batch.workspace.correct.data();
  switch (loss.accuracy()) {
  case ops::Accuracy::none: return;
  case ops::Accuracy::categorical: return ops::categorical_accuracy<T>(predictions, targets, rows, correct);
  case ops::Accuracy::binary: {
    // The values of 0 and 1 after load_labels().
    const T zero = static_cast<T>(loss.target_offset), one = static_cast<T>(loss.target_scale) + zero;
    return ops::binary_accuracy<T>(predictions, targets.distribution, zero, one, rows, correct);
  }
  }
}

template <class T>
void compute_loss_gradient(const Loss& loss, const Dataset<T>& data, const BatchContext<T>& batch, RowRange rows) {
  const Index l = loss.input_layer(batch.network);
  const PanelView<T> outputs = batch.output(l), gradient = batch.gradient(l);
  const ops::Targets<T> targets = targets_of(data, batch);
  if (loss.kind == Loss::Kind::pointwise) {
    ops::pointwise_loss_backward<T>(loss.pointwise, loss.parameters, outputs, targets.distribution, batch.divisor, rows,
                                    gradient);
  } else if (loss.kind == Loss::Kind::cross_entropy && !loss.fuses_softmax(batch.network)) {
    ops::cross_entropy_backward<T>(outputs, targets, batch.divisor, rows, gradient);
  } else {
    ops::softmax_cross_entropy_backward<T>(batch.workspace.probabilities.view(batch.rows), targets, batch.divisor, rows,
                                           gradient);
  }
  if (!is_weighted(loss, data)) return;
  for (Index i = rows.first; i < rows.last; ++i) ops::scale_row(gradient, i, weight_of(loss, data, batch, i));
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void check_labels(const Loss&, const Dataset<T>&, Index);                                                   \
  template bool has_weight(const Loss&, const Dataset<T>&, Index);                                                     \
  template double loss_divisor(const Loss&, const Dataset<T>&, Selection, Index);                                      \
  template void load_labels(const Loss&, const Dataset<T>&, const BatchContext<T>&, RowRange);                         \
  template void compute_losses(const Loss&, const Dataset<T>&, const BatchContext<T>&, RowRange);                      \
  template void compute_loss_gradient(const Loss&, const Dataset<T>&, const BatchContext<T>&, RowRange);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
