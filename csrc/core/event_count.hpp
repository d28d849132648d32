#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace cnet {

/// Number of forks that led to this process. A forked child has none of its parent's other threads.
inline std::atomic<unsigned> forks{0};

/// Lets threads wait for a condition on atomic variables: they spin first, then sleep.
class EventCount {
public:
  EventCount() : sleep_(std::make_unique<Sleep>()) {}
  ~EventCount() {
    // A condition variable with sleepers can't be destroyed, and those of a parent process never wake up.
    if (is_forked()) static_cast<void>(sleep_.release());
  }
  EventCount(const EventCount&) = delete;
  EventCount& operator=(const EventCount&) = delete;

  /// Waits until ready() returns true: calls it repeatedly for `spin_time`, and then after each notify(). ready() must
  /// read with sequential consistency, or a notify() just before the sleep could be missed.
  template <class Ready> void wait(std::chrono::microseconds spin_time, Ready ready) {
    if (spin(spin_time, ready)) return;
    std::unique_lock<std::mutex> lock(sleep_->mutex);
    sleepers_.fetch_add(1);
    sleep_->event.wait(lock, ready);
    sleepers_.fetch_sub(1);
  }

  /// Wakes sleeping threads; to be called after an atomic operation that may have made a ready() true. A thread that
  /// misses the operation has counted itself as a sleeper before, and is seen here.
  void notify() {
    if (sleepers_.load() == 0 || is_forked()) return;
    const std::lock_guard<std::mutex> lock(sleep_->mutex);
    sleep_->event.notify_all();
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

  bool is_forked() const { return forks.load() != forks_; }

  struct Sleep {
    std::mutex mutex;
    std::condition_variable event;
  };
  const unsigned forks_ = forks.load();
  std::atomic<int> sleepers_{0};
  std::unique_ptr<Sleep> sleep_;
};

} // namespace cnet
