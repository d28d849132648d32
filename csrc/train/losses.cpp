#include "train/losses.hpp"

#include <algorithm>
#include <limits>

namespace cnet {

namespace {

template <class T> ops::Targets<T> targets_of(const Labels<T>& labels, HeadBuffers<T>& buffers, Index rows) {
  if (labels.ids) return {buffers.ids.data(), {}};
  return {nullptr, buffers.distribution.view(rows)};
}

template <class T> bool is_ignored(const Loss& loss, const Labels<T>& labels, Index row) {
  return labels.ids && loss.ignored_class && is_of_class(labels.y, row, *loss.ignored_class);
}

/// The weight of row i of a batch.
template <class T>
T weight_of(const Loss& loss, const Labels<T>& labels, const HeadBuffers<T>& buffers, Selection selection, Index i) {
  if (labels.ids && buffers.ids.data()[i] == loss.ignored_class) return 0;
  return labels.weights ? labels.weights[selection[i]] : T(1);
}

} // namespace

template <class T> void check_labels(const Loss& loss, const Labels<T>& labels, Index classes) {
  if (!labels.ids) return;
  check_ids(labels.y, {classes, loss.ignored_class});
}

template <class T> void check_ids(const Network<T>& network, const std::vector<Samples>& x) {
  for (std::size_t n = 0; n < x.size(); ++n) {
    const Input<T>& input = network.inputs()[n];
    if (input.is_ids) check_ids(x[n], {input.id_bound, {}, input.id_reader.c_str()});
  }
}

template <class T> bool has_weight(const Loss& loss, const Labels<T>& labels, Index row) {
  return !is_ignored(loss, labels, row) && !(labels.weights && labels.weights[row] == 0);
}

template <class T> double loss_divisor(const Loss& loss, const Labels<T>& labels, Selection selection, Index rows) {
  if (loss.reduction == Loss::Reduction::sum) return 1;
  const bool by_weight = loss.reduction == Loss::Reduction::weighted_mean && labels.weights;
  if (!by_weight && !loss.ignored_class) return static_cast<double>(rows);
  double sum = 0;
  for (Index i = 0; i < rows; ++i) {
    const Index row = selection[i];
    if (is_ignored(loss, labels, row)) continue;
    sum += by_weight ? static_cast<double>(labels.weights[row]) : 1;
  }
  return sum == 0 ? std::numeric_limits<double>::infinity() : sum;
}

template <class T>
void load_labels(const Head& head, std::size_t h, const Labels<T>& labels, const BatchContext<T>& batch,
                 RowRange rows) {
  const Loss& loss = head.loss;
  HeadBuffers<T>& buffers = batch.workspace.heads[h];
  if (labels.ids) {
    const Index classes = batch.network.output_size(head.output);
    gather_ids(labels.y, batch.selection, {classes, loss.ignored_class}, rows, buffers.ids.data());
  } else {
    gather(labels.y, batch.selection, static_cast<T>(loss.target_scale), static_cast<T>(loss.target_offset), rows,
           buffers.distribution.view(batch.rows));
  }
}

template <class T>
void compute_losses(const Head& head, std::size_t h, const Labels<T>& labels, const BatchContext<T>& batch,
                    RowRange rows) {
  const Loss& loss = head.loss;
  HeadBuffers<T>& buffers = batch.workspace.heads[h];
  const PanelView<const T> outputs = batch.tensor(head.tensor(batch.network));
  PanelView<const T> predictions = outputs;
  const ops::Targets<T> targets = targets_of(labels, buffers, batch.rows);
  T* losses = buffers.losses.data();
  const bool fuses_softmax = head.fuses_softmax(batch.network);
  if (loss.kind == Loss::Kind::pointwise) {
    ops::pointwise_loss_forward<T>(loss.pointwise, loss.parameters, outputs, targets.distribution, rows, losses);
  } else if (loss.kind == Loss::Kind::cross_entropy && !fuses_softmax) {
    ops::cross_entropy_forward<T>(outputs, targets, rows, losses);
  } else {
    const PanelView<T> probabilities = buffers.probabilities.view(batch.rows);
    ops::softmax_cross_entropy_forward<T>(outputs, targets, rows, probabilities, losses);
    if (fuses_softmax) predictions = probabilities;
  }
  if (is_weighted(loss, labels)) {
    for (Index i = rows.first; i < rows.last; ++i) {
      const T weight = weight_of(loss, labels, buffers, batch.selection, i);
      losses[i] = weight == 0 ? T(0) : losses[i] * weight; // the loss of a sample without weight may be NaN
    }
  }
  if (!head.counts_correct) return;
  T* correct = buffers.correct.data();
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
void compute_loss_gradient(const Head& head, std::size_t h, const Labels<T>& labels, const BatchContext<T>& batch,
                           RowRange rows, PanelView<T> gradient) {
  const Loss& loss = head.loss;
  HeadBuffers<T>& buffers = batch.workspace.heads[h];
  const PanelView<T> outputs = batch.tensor(head.tensor(batch.network));
  const ops::Targets<T> targets = targets_of(labels, buffers, batch.rows);
  const double divisor = batch.divisors[h] / head.weight;
  if (loss.kind == Loss::Kind::pointwise) {
    ops::pointwise_loss_backward<T>(loss.pointwise, loss.parameters, outputs, targets.distribution, divisor, rows,
                                    gradient);
  } else if (loss.kind == Loss::Kind::cross_entropy && !head.fuses_softmax(batch.network)) {
    ops::cross_entropy_backward<T>(outputs, targets, divisor, rows, gradient);
  } else {
    ops::softmax_cross_entropy_backward<T>(buffers.probabilities.view(batch.rows), targets, divisor, rows, gradient);
  }
  if (!is_weighted(loss, labels)) return;
  for (Index i = rows.first; i < rows.last; ++i) {
    ops::scale_row(gradient, i, weight_of(loss, labels, buffers, batch.selection, i));
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void check_labels(const Loss&, const Labels<T>&, Index);                                                    \
  template void check_ids(const Network<T>&, const std::vector<Samples>&);                                             \
  template bool has_weight(const Loss&, const Labels<T>&, Index);                                                      \
  template double loss_divisor(const Loss&, const Labels<T>&, Selection, Index);                                       \
  template void load_labels(const Head&, std::size_t, const Labels<T>&, const BatchContext<T>&, RowRange);             \
  template void compute_losses(const Head&, std::size_t, const Labels<T>&, const BatchContext<T>&, RowRange);          \
  template void compute_loss_gradient(const Head&, std::size_t, const Labels<T>&, const BatchContext<T>&, RowRange,    \
                                      PanelView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
