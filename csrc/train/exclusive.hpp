#pragma once

#include "core/errors.hpp"
#include "network/network.hpp"

#include <atomic>
#include <vector>

namespace cnet {

/// Holds what training writes, for its lifetime; throws Busy if another call does.
template <class T> class Exclusive {
public:
  explicit Exclusive(const Network<T>& network) {
    for (const Layer<T>& layer : network.layers()) {
      for (const auto& variable : layer.variables) {
        if (variable) take(variable->in_training);
      }
      if (ops::RandomState* random = layer.random()) take(random->in_training);
      if (layer.mixes_rows()) take(std::get<BatchNormalization<T>>(layer.function).mean->in_training);
    }
  }
  Exclusive(std::atomic_flag& trainer, const Network<T>& network) : Exclusive(network) { take(trainer); }
  ~Exclusive() { release(); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

private:
  void take(std::atomic_flag& flag) {
    if (flag.test_and_set(std::memory_order_acquire)) {
      release();
      throw Busy("the model is in use by another call");
    }
    taken_.push_back(&flag);
  }
  void release() {
    for (std::atomic_flag* flag : taken_) flag->clear(std::memory_order_release);
    taken_.clear();
  }

  std::vector<std::atomic_flag*> taken_;
};

} // namespace cnet
