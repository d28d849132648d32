#pragma once

#include "core/access.hpp"
#include "network/network.hpp"

namespace cnet {

/// What a batch of training writes, kept from others who train it, and what it reads of a network.
template <class T> Uses uses_of_training(const Network<T>& network) {
  Uses uses;
  for (const Layer<T>& layer : network.layers()) {
    const bool is_written = layer.learns() || layer.mixes_rows();
    for (Variable<T>* variable : layer.all_variables()) {
      (is_written ? uses.written : uses.read).push_back(&variable->guard);
    }
    if (ops::RandomState* random = layer.random()) uses.written.push_back(&random->guard);
  }
  uses.owned = uses.written;
  uses.used = uses.read;
  return uses;
}

/// What a batch's way forward writes and reads that is to be gone back later: its moments and random numbers.
template <class T> Uses uses_of_recording(const Network<T>& network) {
  Uses uses;
  for (const Layer<T>& layer : network.layers()) {
    for (Variable<T>* variable : layer.all_variables()) {
      const bool is_learnt = variable == layer.kernel().get() || variable == layer.bias().get();
      (layer.mixes_rows() && !is_learnt ? uses.written : uses.read).push_back(&variable->guard);
    }
    if (ops::RandomState* random = layer.random()) uses.written.push_back(&random->guard);
  }
  uses.owned = uses.written;
  return uses;
}

/// What all else reads of a network.
template <class T> Uses uses_of_evaluation(const Network<T>& network) {
  Uses uses;
  for (const Layer<T>& layer : network.layers()) {
    for (Variable<T>* variable : layer.all_variables()) uses.read.push_back(&variable->guard);
  }
  return uses;
}

/// What is to be read of a network to know how far its training is.
template <class T> Uses uses_of_snapshot(const Network<T>& network) {
  Uses uses = uses_of_evaluation(network);
  for (const Layer<T>& layer : network.layers()) {
    if (ops::RandomState* random = layer.random()) uses.read.push_back(&random->guard);
  }
  return uses;
}

/// The same by a call that keeps something to itself, pauses included.
inline Uses owning(Guard& guard, Uses uses = {}) {
  uses.owned.push_back(&guard);
  return uses;
}

} // namespace cnet
