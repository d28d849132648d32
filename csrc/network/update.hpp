#pragma once

#include "core/deal.hpp"
#include "network/network.hpp"
#include "ops/optimizers.hpp"

#include <functional>
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

/// Takes part in a step: each trainable layer's gradient from the batch, at once applied by the
/// optimizer, never stored whole.
template <class T> void update(const Network<T>&, const Batch<T>&, Index top, const ops::Update<T>&, Slots<T>&, Hand&);

/// The same in two stages, with the same bits: the gradients, as long as `proceed` says so
/// between one block and the next, and the update once all gradients are there.
template <class T>
void make_gradients(const Network<T>&, const Batch<T>&, Index top, Gradients<T>&, Hand&,
                    const std::function<bool()>& proceed);
template <class T>
void apply_gradients(const Network<T>&, Index top, const Gradients<T>&, const ops::Update<T>&, Slots<T>&, Hand&);

} // namespace cnet
