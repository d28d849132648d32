#pragma once

#include "network/network.hpp"
#include "train/observer.hpp"
#include "train/samples.hpp"

namespace cnet {

/// Writes each output of the network for each sample to `out`, from an array for each input. The bits do not depend on
/// the other samples. Only an exception of the observer ends it early. Waits while another call trains on a batch.
/// Throws std::invalid_argument if an id is out of range.
template <class T> void predict(const Network<T>&, Index rows, const Samples* x, T* const* out, const Observer&);

/// Writes the network's outputs for a training batch: dropout is on, and moving statistics are updated. Throws Busy if
/// another call trains the variables.
template <class T> void forward_training(const Network<T>&, Index rows, const Samples* x, T* const* out);

} // namespace cnet
