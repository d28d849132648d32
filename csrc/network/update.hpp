#pragma once

#include "network/network.hpp"
#include "ops/optimizers.hpp"

#include <array>
#include <vector>

namespace cnet {

/// A value for each of a layer's variables, in the order of Layer::variables.
template <class U> using PerVariable = std::array<U, 2>;

/// The optimizer's slots for each variable, in the variable's layout.
template <class T> using LayerSlots = PerVariable<std::vector<AlignedBuffer<T>>>;

template <class T> struct Slots {
  Slots() = default;
  Slots(const Network<T>&, const ops::Optimizer&);

  std::vector<LayerSlots<T>> layers;
  ops::Rule rule = ops::Rule::sgd;
  bool has_averages = false; ///< in the last slot
};

/// The gradient of a variable, in the variable's layout.
template <class T> struct Gradient {
  PanelMatrix<T> values;
  std::vector<double> panel_squares; ///< each panel's sum of squares, for clipping by norm
  double scale = 1;                  ///< factor of the values in the step
};
template <class T> using LayerGradients = PerVariable<Gradient<T>>;

template <class T> struct Gradients {
  Gradients() = default;
  explicit Gradients(const Network<T>&);

  std::vector<LayerGradients<T>> layers;

  void reset_scales() {
    for (auto& layer : layers) {
      for (Gradient<T>& gradient : layer) gradient.scale = 1;
    }
  }
};

/// The penalty of each panel of each regularized variable.
using LayerPenalties = PerVariable<std::vector<double>>;
using Penalties = std::vector<LayerPenalties>;

/// Maximum number of a kernel's rows in a block of update(), whose gradient then stays in the first-level cache.
inline constexpr Index most_update_rows = 32;

/// The kernel of a layer, or the first vector if it has no kernel.
template <class T> PanelView<const T> weights(const Layer<T>&);

// The following functions work on a block of weights() and, if the block starts with the first row, on the same panels
// of the layer's vector.

/// Computes the gradient and applies it at once, without storing it.
template <class T>
void update(const Layer<T>&, const LayerView<T>&, Block, const ops::Update<T>& update, LayerSlots<T>& slots);

/// Computes and stores the gradient, with the penalties' gradient if asked for.
template <class T>
void compute_gradient(const Layer<T>&, const LayerView<T>&, Block, bool with_penalties, LayerGradients<T>& gradients);

/// Applies a stored gradient, with the same bits as update().
template <class T>
void apply_gradient(const Layer<T>&, Block, const LayerGradients<T>& gradients, const ops::Update<T>& update,
                    LayerSlots<T>& slots);

/// Adds a gradient to the accumulated one. If the batch ends a step, stores the sum in `gradients` instead and sets
/// `accumulated` to zero.
template <class T>
void accumulate(const Layer<T>&, Block, bool ends_step, LayerGradients<T>& gradients, LayerGradients<T>& accumulated);

/// Computes Gradient::panel_squares, for a block of whole panels.
template <class T> void sum_squares(const Layer<T>&, Block, LayerGradients<T>& gradients);

/// Computes Gradient::scale from the number of accumulated batches and the norms. Norms are summed from the first
/// panel of the first layer to the last of the last.
template <class T> void compute_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>& gradients);

template <class T> bool is_regularized(const Layer<T>&);
template <class T> bool is_constrained(const Layer<T>&);

template <class T> Penalties make_penalties(const Network<T>&);
/// Computes penalties, for a block of whole panels.
template <class T> void penalize(const Layer<T>&, Block, LayerPenalties& penalties);
double total(const Penalties& penalties);

/// Applies constraints, for a block of whole panels.
template <class T> void constrain(const Layer<T>&, Block);

/// Sets variables to their running averages.
template <class T> void overwrite_with_averages(const Network<T>&, const Slots<T>& slots);

} // namespace cnet
