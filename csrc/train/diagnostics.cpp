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
std::string explain_nonfinite_loss(const std::vector<Head>& heads, const Dataset<T>& data, const BatchContext<T>& batch,
                                   double penalty) {
  const Network<T>& network = batch.network;
  const auto sample = [&](Index row) { return "sample " + std::to_string(batch.selection[row]); };
  for (Index input = -1; input >= -static_cast<Index>(network.inputs().size()); --input) {
    if (batch.is_ids(input)) continue;
    const Index row = first_nonfinite_row(batch.tensor(input));
    if (row >= 0) return "the input is not finite in " + sample(row);
  }
  for (Index n = 0; n < static_cast<Index>(network.nodes().size()); ++n) {
    if (!batch.workspace.gradients.flow.computes(n)) continue;
    const Node<T>& node = network.node(n);
    for (Variable<T>* variable : node.all_variables()) {
      if (first_nonfinite_row(variable->values()) >= 0)
        return "the weights of layer '" + node.name + "' are not finite";
    }
    if (first_nonfinite_row(batch.tensor(n)) >= 0) {
      return "layer '" + node.name + "' is the first whose output is not finite, and its weights are finite";
    }
  }
  for (std::size_t h = 0; h < heads.size(); ++h) {
    HeadBuffers<T>& buffers = batch.workspace.heads[h];
    for (Index i = 0; i < batch.rows; ++i) {
      if (std::isfinite(buffers.losses.data()[i])) continue;
      if (!data.y[h].ids && !is_finite_row(buffers.distribution.view(batch.rows), i)) {
        return "y is not finite in " + sample(i);
      }
      return "the outputs and y are finite, but the loss of " + sample(i) + " overflows or is undefined";
    }
  }
  return std::isfinite(penalty) ? "the losses of all samples are finite, but their sum is not"
                                : "the losses of all samples are finite, but the penalty of the weights is not";
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template std::string explain_nonfinite_loss(const std::vector<Head>&, const Dataset<T>&, const BatchContext<T>&,     \
                                              double);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
