#include "train/trainer.hpp"

#include <limits>

// Of a trainer: what a batch is compared with, its losses and their gradient.

namespace cnet {

template <class T> ops::Targets<T> Trainer<T>::targets(Index batch) {
  if (has_ids_) return {buffers_.ids.data(), {}};
  return {nullptr, buffers_.distribution.view(batch)};
}

template <class T> void Trainer<T>::load_labels(const Dataset<T>& data, const Step& step, RowRange rows) {
  if (data.ids) {
    gather_ids(data.y, step.selection, network_.outputs(), loss_.ignored_class, rows, buffers_.ids.data());
  } else {
    gather(data.y, step.selection, static_cast<T>(loss_.target_scale), static_cast<T>(loss_.target_offset), rows,
           buffers_.distribution.view(step.batch.rows()));
  }
}

template <class T> bool Trainer<T>::is_ignored(const Dataset<T>& data, Index row) const {
  return data.ids && loss_.ignored_class && is_of_class(data.y, row, *loss_.ignored_class);
}

template <class T> bool Trainer<T>::counts(const Dataset<T>& data, Index row) const {
  return !is_ignored(data, row) && !(data.weights && data.weights[row] == 0);
}

template <class T> double Trainer<T>::divisor(const Dataset<T>& data, Selection selection, Index rows) const {
  if (loss_.reduction == Loss::Reduction::sum) return 1;
  const bool by_weight = loss_.reduction == Loss::Reduction::weighted_mean && data.weights;
  if (!by_weight && !loss_.ignored_class) return static_cast<double>(rows);
  double sum = 0;
  for (Index i = 0; i < rows; ++i) {
    const Index row = selection[i];
    if (is_ignored(data, row)) continue;
    sum += by_weight ? static_cast<double>(data.weights[row]) : 1;
  }
  return sum == 0 ? std::numeric_limits<double>::infinity() : sum;
}

template <class T> T Trainer<T>::weight(const Dataset<T>& data, const Step& step, Index i) const {
  if (data.ids && buffers_.ids.data()[i] == loss_.ignored_class) return 0;
  return data.weights ? data.weights[step.selection[i]] : T(1);
}

template <class T> void Trainer<T>::loss(const Dataset<T>& data, const Step& step, RowRange rows) {
  const Batch<T>& batch = step.batch;
  const PanelView<const T> outputs = batch.output(top());
  PanelView<const T> predictions = outputs;
  const ops::Targets<T> targets = this->targets(batch.rows());
  T* losses = buffers_.losses.data();
  if (loss_.kind == Loss::Kind::pointwise) {
    ops::pointwise_loss_forward<T>(loss_.pointwise, loss_.parameters, outputs, targets.distribution, rows, losses);
  } else if (loss_.kind == Loss::Kind::cross_entropy && !fused()) {
    ops::cross_entropy_forward<T>(outputs, targets, rows, losses);
  } else {
    const PanelView<T> probabilities = buffers_.probabilities.view(batch.rows());
    ops::softmax_cross_entropy_forward<T>(outputs, targets, rows, probabilities, losses);
    if (fused()) predictions = probabilities;
  }
  if (weighs(data)) {
    for (Index i = rows.first; i < rows.last; ++i) {
      const T weight = this->weight(data, step, i);
      losses[i] = weight == 0 ? T(0) : losses[i] * weight; // what does not count may be NaN
    }
  }
  T* correct = buffers_.correct.data();
  switch (loss_.accuracy()) {
  case ops::Accuracy::none: return;
  case ops::Accuracy::categorical: return ops::categorical_accuracy<T>(predictions, targets, rows, correct);
  case ops::Accuracy::binary: {
    // What load_labels() made of 0 and 1.
    const T zero = static_cast<T>(loss_.target_offset), one = static_cast<T>(loss_.target_scale) + zero;
    return ops::binary_accuracy<T>(predictions, targets.distribution, zero, one, rows, correct);
  }
  }
}

template <class T> void Trainer<T>::loss_gradient(const Pass& pass, const Step& step, RowRange rows) {
  if (top() < 0) return;
  const Dataset<T>& data = pass.data;
  const Batch<T>& batch = step.batch;
  const PanelView<T> gradient = batch.gradient(top());
  const ops::Targets<T> targets = this->targets(batch.rows());
  if (pass.gradient) {
    gather(*pass.gradient, {nullptr, 0}, T(1), T(-0.0), rows, gradient); // − 0, so that −0 stays
  } else if (loss_.kind == Loss::Kind::pointwise) {
    ops::pointwise_loss_backward<T>(loss_.pointwise, loss_.parameters, batch.output(top()), targets.distribution,
                                    step.divisor, rows, gradient);
  } else if (loss_.kind == Loss::Kind::cross_entropy && !fused()) {
    ops::cross_entropy_backward<T>(batch.output(top()), targets, step.divisor, rows, gradient);
  } else {
    ops::softmax_cross_entropy_backward<T>(buffers_.probabilities.view(batch.rows()), targets, step.divisor, rows,
                                           gradient);
  }
  if (weighs(data)) {
    for (Index i = rows.first; i < rows.last; ++i) ops::scale_row(gradient, i, weight(data, step, i));
  }
  backward_activation(network_, batch, top(), across(gradient, rows));
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template ops::Targets<T> Trainer<T>::targets(Index);                                                                 \
  template void Trainer<T>::load_labels(const Dataset<T>&, const Step&, RowRange);                                     \
  template bool Trainer<T>::counts(const Dataset<T>&, Index) const;                                                    \
  template double Trainer<T>::divisor(const Dataset<T>&, Selection, Index) const;                                      \
  template void Trainer<T>::loss(const Dataset<T>&, const Step&, RowRange);                                            \
  template void Trainer<T>::loss_gradient(const Pass&, const Step&, RowRange);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
