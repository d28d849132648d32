#pragma once

#include "network/network.hpp"
#include "ops/optimizers.hpp"

#include <vector>

namespace cnet {

/// What the optimizer keeps: steps taken, and numbers for each parameter of each layer, in the
/// parameters' own layout.
template <class T> struct Slots {
  Slots() = default;
  Slots(const Network<T>& network, int count);

  struct OfLayer {
    std::vector<AlignedBuffer<T>> kernel;
    std::vector<AlignedBuffer<T>> bias;
  };
  std::vector<OfLayer> layers;
  int count = 0;
  Index steps = 0;
};

/// The gradients of all trainable parameters, in the parameters' own layout.
template <class T> struct Gradients {
  Gradients() = default;
  explicit Gradients(const Network<T>& network);

  struct OfLayer {
    PanelMatrix<T> kernel;
    AlignedBuffer<T> bias;
  };
  std::vector<OfLayer> layers;
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

} // namespace cnet
