#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace cnet {

/// Where threads wait for something that others bring about without a lock: first awake, then asleep.
class EventCount {
public:
  /// Returns once ready() is true, which is looked at for `spin_time` and then whenever notify() is called.
  template <class Ready> void wait(std::chrono::microseconds spin_time, Ready ready) {
    if (spin(spin_time, ready)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    event_.wait(lock, ready);
    sleepers_.fetch_sub(1);
  }

  /// To be called after an atomic operation that may have made a ready() true. Whoever misses that on
  /// the way to sleep has been counted before, and is seen here.
  void notify() {
    if (sleepers_.load() == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    event_.notify_all();
  }

private:
  template <class Ready> static bool spin(std::chrono::microseconds time, Ready& ready) {
    const auto start = std::chrono::steady_clock::now();
    do {
      for (int n = 0; n < 64; ++n) {
        if (ready()) return true;
        pause();
      }
    } while (std::chrono::steady_clock::now() - start < time);
    return false;
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::atomic<int> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable event_;
};

} // namespace cnet
