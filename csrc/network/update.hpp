#pragma once

#include "network/network.hpp"
#include "ops/optimizers.hpp"

#include <vector>

namespace cnet {

/// What the optimizer keeps: steps taken, and numbers for each parameter of each layer, in the
/// parameters' own layout.
template <class T> struct Slots {
  Slots() = default;
  Slots(const Network<T>& network, const ops::Optimizer&);

  struct OfLayer {
    std::vector<AlignedBuffer<T>> kernel;
    std::vector<AlignedBuffer<T>> bias;
  };
  std::vector<OfLayer> layers;
  ops::Rule rule = ops::Rule::sgd;
  bool has_averages = false; ///< as the last of the slots
  Index batches = 0;         ///< seen by the optimizer; with gradient accumulation several make a step
};

/// The gradients of all trainable parameters, in the parameters' own layout.
template <class T> struct Gradients {
  Gradients() = default;
  explicit Gradients(const Network<T>& network);

  struct OfLayer {
    PanelMatrix<T> kernel;
    AlignedBuffer<T> bias;
    // What clipping by norms makes of them: each panel's sum of squares, and then what to multiply by.
    std::vector<double> kernel_squares;
    std::vector<double> bias_squares;
    double kernel_scale = 1;
    double bias_scale = 1;
  };
  std::vector<OfLayer> layers;

  void forget_scales() {
    for (OfLayer& of_layer : layers) of_layer.kernel_scale = of_layer.bias_scale = 1;
  }
};

/// Rows of a kernel that are updated at a time at most: their gradient is then in the first-level cache.
inline constexpr Index most_update_rows = 32;

/// Takes a step for a block of layer l's kernel, and the bias of its panels where it starts with the
/// first row: the gradient from the batch, at once applied by the optimizer, never stored whole.
template <class T> void update(const Network<T>&, const Batch<T>&, Index l, Block, const ops::Update<T>&, Slots<T>&);

/// The same in two stages, with the same bits.
template <class T> void make_gradient(const Network<T>&, const Batch<T>&, Index l, Block, Gradients<T>&);
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

/// Puts the parameters' running means in their place.
template <class T> void overwrite_by_average(const Network<T>&, const Slots<T>&);

} // namespace cnet
