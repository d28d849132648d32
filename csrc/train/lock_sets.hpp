#pragma once

#include "network/network.hpp"

namespace cnet {

/// Locks for the variables of which is_written(node, variable) is true, and for reading the others.
template <class T, class F> LockSet variable_locks(const Network<T>& network, F is_written) {
  LockSet locks;
  for (const Node<T>& node : network.nodes()) {
    if (!node.owns_variables) continue;
    for (Variable<T>* v : node.all_variables()) (is_written(node, v) ? locks.write : locks.read).push_back(&v->lock);
  }
  return locks;
}

template <class T> void add_random_states(const Network<T>& network, std::vector<ResourceLock*>& locks) {
  for (const Node<T>& node : network.nodes()) {
    if (ops::RandomState* random = node.random()) locks.push_back(&random->lock);
  }
}

/// Locks for training: writes what a batch changes and reserves it, reads the rest and reserves that as shared.
template <class T> LockSet training_locks(const Network<T>& network) {
  LockSet locks = variable_locks(network, [](const Node<T>& node, const Variable<T>*) {
    return node.has_trainable_variables() || node.uses_batch_statistics();
  });
  add_random_states(network, locks.write);
  locks.reserve = locks.write;
  locks.reserve_shared = locks.read;
  return locks;
}

/// Locks for a forward pass in training: writes moving statistics and random states only.
template <class T> LockSet forward_locks(const Network<T>& network) {
  LockSet locks = variable_locks(network, [](const Node<T>& node, const Variable<T>* variable) {
    return node.uses_batch_statistics() && variable != node.kernel().get() && variable != node.bias().get();
  });
  add_random_states(network, locks.write);
  locks.reserve = locks.write;
  return locks;
}

/// Locks for reading all variables.
template <class T> LockSet evaluation_locks(const Network<T>& network) {
  return variable_locks(network, [](const Node<T>&, const Variable<T>*) { return false; });
}

/// Locks for reading all variables and random states.
template <class T> LockSet snapshot_locks(const Network<T>& network) {
  LockSet locks = evaluation_locks(network);
  add_random_states(network, locks.read);
  return locks;
}

/// Adds a reservation to a set.
inline LockSet reserving(ResourceLock& lock, LockSet set = {}) {
  set.reserve.push_back(&lock);
  return set;
}

} // namespace cnet
