#pragma once

#include "train/workspace.hpp"

#include <cmath>
#include <optional>
#include <string>

namespace cnet {

/// The loss that training minimizes.
struct Loss {
  enum class Kind {
    cross_entropy,             ///< of probabilities; fused with a softmax that ends the network
    cross_entropy_from_logits, ///< of the last layer's output
    pointwise,                 ///< of each output and its target
    external,                  ///< computed by the caller, who passes its gradient
  } kind;
  ops::PointwiseLoss pointwise = {};
  ops::LossParameters parameters = {};
  /// Targets that are not class ids are scaled and shifted, for label smoothing for example.
  double target_scale = 1, target_offset = 0;
  /// The divisor of the sum of a batch's losses.
  enum class Reduction {
    mean,          ///< number of rows that are not ignored
    weighted_mean, ///< sum of their weights
    sum,           ///< 1
  } reduction = Reduction::mean;
  std::optional<Index> ignored_class = {}; ///< its rows have neither loss nor gradient

  /// Return true if a sample's part in the loss depends on the other samples of its batch.
  bool depends_on_batch() const { return reduction != Reduction::mean || ignored_class; }
  ops::Accuracy accuracy() const {
    return kind == Kind::pointwise ? ops::accuracy_of(pointwise) : ops::Accuracy::categorical;
  }
};

/// An output of the network with its loss.
struct Head {
  std::size_t output; ///< its number
  Loss loss;
  double weight = 1; ///< factor of the loss
  bool counts_correct = true;

  /// Return true if the loss includes the softmax that ends the output.
  template <class T> bool fuses_softmax(const Network<T>& network) const {
    return (loss.kind == Loss::Kind::cross_entropy || loss.kind == Loss::Kind::external) &&
           network.ends_in_softmax(output);
  }
  /// The tensor that the loss takes.
  template <class T> Index tensor(const Network<T>& network) const {
    const Index tensor = network.outputs()[output];
    return fuses_softmax(network) ? network.node(tensor).operands[0] : tensor;
  }
};

/// Labels of samples: class ids (one integer per row) or distributions.
template <class T> struct Labels {
  Samples y;
  bool ids;
  const T* weights = nullptr; ///< of samples; null means 1
};

/// Samples with an array for each input, and labels for each head.
template <class T> struct Dataset {
  Index rows;
  std::vector<Samples> x;
  std::vector<Labels<T>> y;
};

/// Throws std::invalid_argument if a class id is out of range.
template <class T> void check_labels(const Loss&, const Labels<T>&, Index classes);
/// Throws std::invalid_argument if an id of an input is out of range.
template <class T> void check_ids(const Network<T>&, const std::vector<Samples>& x);

/// Return true if samples have weights other than 1.
template <class T> bool is_weighted(const Loss& loss, const Labels<T>& labels) {
  return labels.weights || loss.ignored_class;
}

/// Return true if a sample is not ignored and its weight is not 0.
template <class T> bool has_weight(const Loss&, const Labels<T>&, Index row);

/// The divisor of the sum of a batch's losses; infinity if no sample has a weight, so that the result is 0.
template <class T> double loss_divisor(const Loss&, const Labels<T>&, Selection, Index rows);

// For some rows of a batch and head number h:

template <class T>
void load_labels(const Head&, std::size_t h, const Labels<T>&, const BatchContext<T>&, RowRange rows);
/// Computes losses and right predictions.
template <class T>
void compute_losses(const Head&, std::size_t h, const Labels<T>&, const BatchContext<T>&, RowRange rows);
/// Computes the gradient with respect to the tensor that the loss takes, weighted.
template <class T>
void compute_loss_gradient(const Head&, std::size_t h, const Labels<T>&, const BatchContext<T>&, RowRange rows,
                           PanelView<T> gradient);

/// Explains why the loss of a batch, or the penalty of the weights, is not finite.
template <class T>
std::string explain_nonfinite_loss(const std::vector<Head>&, const Dataset<T>&, const BatchContext<T>&, double penalty);

template <class T> bool is_finite_row(PanelView<T> x, Index i) {
  Index j = 0;
  while (j < x.columns && std::isfinite(x.at(i, j))) ++j;
  return j == x.columns;
}

} // namespace cnet
