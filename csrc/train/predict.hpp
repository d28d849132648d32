#pragma once

#include "network/network.hpp"
#include "train/observer.hpp"
#include "train/samples.hpp"

namespace cnet {

/// out[i] = the network's output for sample i, whatever the other samples are. The observer can end it
/// by an exception alone. Waits while the network is trained, for a pause between two batches.
template <class T> void predict(const Network<T>&, const Samples&, T* out, const Observer&);

/// The output for samples that make a batch of training: dropout drops, and layers remember what they
/// would of a batch. Throws Busy if another call trains what this
/// would change.
template <class T> void predict_in_training(const Network<T>&, const Samples&, T* out);

} // namespace cnet
