#pragma once

#include "core/types.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

namespace cnet {

/// Sums over the samples seen so far; the mean loss is loss() / rows. If a batch's losses are not reduced to their
/// mean, each of its samples counts with the batch's loss.
struct Totals {
  struct Head {
    double loss = 0;
    double correct = 0;
  };

  Index rows = 0;
  Index batches = 0;
  double penalties = 0; ///< of the weights, added to each sample's loss
  double data_loss = 0; ///< of the heads, weighted
  std::vector<Head> heads{};

  double loss() const { return data_loss + penalties; }
};

/// A callback that receives the totals on the calling thread. The call ends if it returns false or throws.
struct Observer {
  std::function<bool(const Totals&)> tell;
  bool every_batch = false; ///< called between batches; otherwise about every 50 ms, also within a batch
};

/// Calls an observer as often as it asks for.
class ProgressThrottle {
public:
  explicit ProgressThrottle(const Observer& observer) : observer_(observer) {}

  /// Return false if the observer wants to stop.
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

/// Keeps the first exception that a thread of a team throws.
class FirstException {
public:
  template <class F> void capture(F f) {
    try {
      f();
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!exception_) exception_ = std::current_exception();
      any_.store(true);
    }
  }
  explicit operator bool() const { return any_.load(); }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

private:
  std::mutex mutex_;
  std::exception_ptr exception_;
  std::atomic<bool> any_{false};
};

} // namespace cnet
