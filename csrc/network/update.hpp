#pragma once

#include "network/network.hpp"
#include "ops/optimizers.hpp"

#include <array>
#include <vector>

namespace cnet {

/// Something for each variable of each layer, in the order of Layer::variables.
template <class U> using OfVariables = std::vector<std::array<U, 2>>;

/// What the optimizer keeps: numbers for each parameter, in the parameters' own layout.
template <class T> struct Slots {
  Slots() = default;
  Slots(const Network<T>& network, const ops::Optimizer&);

  OfVariables<std::vector<AlignedBuffer<T>>> layers;
  ops::Rule rule = ops::Rule::sgd;
  bool has_averages = false; ///< as the last of the slots
};

/// The gradients of all trainable variables, in the variables' own layout.
template <class T> struct Gradients {
  Gradients() = default;
  explicit Gradients(const Network<T>& network);

  struct Gradient {
    PanelMatrix<T> values;
    // What clipping by norms makes of them: each panel's sum of squares, and then what to multiply by.
    std::vector<double> squares;
    double scale = 1;
  };
  OfVariables<Gradient> layers;

  void forget_scales() {
    for (auto& of_layer : layers) {
      for (Gradient& gradient : of_layer) gradient.scale = 1;
    }
  }
};

/// What each panel of each regularized variable adds to the loss.
using Penalties = OfVariables<std::vector<double>>;

/// Rows of a kernel that are updated at a time at most: their gradient is then in the first-level cache.
inline constexpr Index most_update_rows = 32;

// Each of the following works on a block of the first of layer l's variables, and of the second, a
// vector, on the block's panels if it starts with the first row. `weights` has their shape.

template <class T> PanelView<const T> weights(const Layer<T>&);

/// Takes a step: the gradient from the batch, at once applied by the optimizer, never stored whole.
template <class T> void update(const Network<T>&, const Batch<T>&, Index l, Block, const ops::Update<T>&, Slots<T>&);

/// The same in two stages, with the same bits; the gradient with that of penalties or without.
template <class T>
void make_gradient(const Network<T>&, const Batch<T>&, Index l, Block, bool penalized, Gradients<T>&);
template <class T>
void apply_gradient(const Network<T>&, Index l, Block, const Gradients<T>&, const ops::Update<T>&, Slots<T>&);

// What comes between the two, where the optimizer asks for it.

/// Puts a block of gradients by, on top of those put by before; or, where the batch ends a step, takes
/// those back into `gradients`, whose sum they then are.
template <class T>
void accumulate(const Network<T>&, Index l, Block, bool ends_step, Gradients<T>& gradients, Gradients<T>& put_by);

/// Takes the sums of squares of whole panels of layer l's gradients.
template <class T> void measure(const Network<T>&, Index l, Block, Gradients<T>&);

/// Decides what each gradient is to be multiplied by: so that it is the mean of those accumulated, and
/// its norm, or that of all together, what the optimizer allows. Sums go from the first panel of the
/// first layer to the last of the last, whoever measured them.
template <class T> void choose_scales(const Network<T>&, const ops::Optimizer&, Gradients<T>&);

// What regularizers and constraints ask for, before and after the step; blocks of whole panels.

template <class T> bool is_regularized(const Layer<T>&);
template <class T> bool is_constrained(const Layer<T>&);

/// Room for the penalties of a network.
template <class T> Penalties make_penalties(const Network<T>&);
template <class T> void penalize(const Network<T>&, Index l, Block, Penalties&);
/// The sum of all penalties, in order.
double total(const Penalties&);

template <class T> void constrain(const Network<T>&, Index l, Block);

/// Puts the parameters' running means in their place.
template <class T> void overwrite_by_average(const Network<T>&, const Slots<T>&);

} // namespace cnet
