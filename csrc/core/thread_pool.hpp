#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace cnet {

/// The threads that share one task: who one is among them, and where they wait for each other.
class Crew {
public:
  explicit Crew(int size) : size_(size) {}

  int size() const { return size_; }

  /// Returns when every thread of the crew has called it as often; what was written before is then
  /// seen by all.
  void barrier();

private:
  const int size_;
  std::atomic<int> waiting_{0};
  std::atomic<unsigned> round_{0};
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable round_over_;
};

/// Threads to use at most: CNET_NUM_THREADS, or what the process may run on (affinity and cgroup
/// quota), capped by OMP_NUM_THREADS. Throws std::invalid_argument if CNET_NUM_THREADS is no number.
int thread_limit();

/// Throws std::invalid_argument unless limit is in [1, 1024].
void set_thread_limit(int limit);

/// Calls task(crew, n) for n = 0 … threads − 1, each on a thread of its own, the caller's being
/// number 0, and returns when all have. A task must not throw, and no crew member may rely on another
/// but through the barrier. If the pool's threads are at work for another caller, the crew is the
/// caller alone.
void run_parallel(int threads, const std::function<void(Crew&, int)>& task);

} // namespace cnet
