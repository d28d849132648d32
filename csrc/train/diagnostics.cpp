#include "train/losses.hpp"

namespace cnet {

namespace {

/// The first row that is not finite, −1 if all are.
template <class T> Index first_nonfinite_row(PanelView<T> x) {
  Index i = 0;
  while (i < x.rows && is_finite_row(x, i)) ++i;
  return i < x.rows ? i : -1;
}

} // namespace

template <class T>
std::string explain_nonfinite_loss(const Loss& loss, const Dataset<T>& data, const BatchContext<T>& batch,
                                   double penalty) {
  const auto sample = [&](Index row) { return "sample " + std::to_string(batch.selection[row]); };
  const Index row = first_nonfinite_row(batch.output(-1));
  if (row >= 0) return "the input is not finite in " + sample(row);
  for (Index l = 0; l <= loss.input_layer(batch.network); ++l) {
    const Layer<T>& layer = batch.network.layers()[static_cast<std::size_t>(l)];
    for (Variable<T>* variable : layer.all_variables()) {
      if (first_nonfinite_row(variable->values()) >= 0)
        return "the weights of layer '" + layer.name + "' are not finite";
    }
    if (first_nonfinite_row(batch.output(l)) >= 0) {
      return "layer '" + layer.name + "' is the first whose output is not finite, and its weights are finite";
    }
  }
  for (Index i = 0; i < batch.rows; ++i) {
    if (std::isfinite(batch.workspace.losses.data()[i])) continue;
    if (!data.ids && !is_finite_row(batch.workspace.distribution.view(batch.rows), i)) {
      return "y is not finite in " + sample(i);
    }
    return "the outputs and y are finite, but the loss of " + sample(i) + " overflows or is undefined";
  }
  return std::isfinite(penalty) ? "the losses of all samples are finite, but their sum is not"
                                : "the losses of all samples are finite, but the penalty of the weights is not";
}

template std::string explain_nonfinite_loss(const Loss&, const Dataset<float>&, const BatchContext<float>&, double);
template std::string explain_nonfinite_loss(const Loss&, const Dataset<double>&, const BatchContext<double>&, double);

} // namespace cnet
