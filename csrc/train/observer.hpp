#pragma once

#include "core/types.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>

namespace cnet {

/// Sums over the samples seen; the mean loss is loss() / rows. A batch whose losses are reduced otherwise
/// than to their mean counts as if each of its samples had what came of that.
struct Totals {
  Index rows = 0;
  Index batches = 0;
  double data_loss = 0;
  double penalties = 0; ///< of the weights, which each sample's loss includes
  double correct = 0;

  double loss() const { return data_loss + penalties; }
};

/// Told of the totals so far, on the caller's thread; ends the call by answering false, or by what it throws.
struct Observer {
  std::function<bool(const Totals&)> tell;
  bool every_batch = false; ///< between two batches; else about every 50 ms, wherever the work stands
};

/// Tells the observer when it wants to be told.
class Pulse {
public:
  explicit Pulse(const Observer& observer) : observer_(observer) {}

  /// False when the observer wants to stop.
  bool operator()(const Totals& totals) {
    if (observer_.every_batch) return observer_.tell(totals);
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return true;
    next_ = now + interval;
    return observer_.tell(totals);
  }

private:
  static constexpr std::chrono::milliseconds interval{50};
  const Observer& observer_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + interval;
};

/// The first exception of any thread of a crew.
class Failure {
public:
  /// Calls f and keeps what it throws.
  template <class F> void guard(F f) {
    try {
      f();
    } catch (...) {
      set(std::current_exception());
    }
  }
  void set(std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = std::move(error);
    any_.store(true);
  }
  explicit operator bool() const { return any_.load(); }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

private:
  std::mutex mutex_;
  std::exception_ptr error_;
  std::atomic<bool> any_{false};
};

} // namespace cnet
