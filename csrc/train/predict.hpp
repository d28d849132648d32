#pragma once

#include "network/network.hpp"
#include "train/observer.hpp"
#include "train/samples.hpp"

namespace cnet {

/// Writes the network's output for each sample to `out`. The bits do not depend on the other samples. Only an exception
/// of the observer ends it early. Waits while another call trains on a batch.
template <class T> void predict(const Network<T>&, const Samples&, T* out, const Observer&);

/// Writes the network's output for a training batch: dropout is on, and moving statistics are updated. Throws Busy if
/// another call trains the variables.
template <class T> void forward_training(const Network<T>&, const Samples&, T* out);

} // namespace cnet
