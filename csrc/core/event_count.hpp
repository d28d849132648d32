#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace cnet {

/// How often this process has come out of a fork: other threads stayed behind in its parent.
inline std::atomic<unsigned> forks{0};

/// Where threads wait for something that others bring about without a lock: first awake, then asleep.
class EventCount {
public:
  EventCount() : sleep_(std::make_unique<Sleep>()) {}
  ~EventCount() {
    // Whoever slept at a fork sleeps there for ever, and could not be waited for.
    if (is_forked()) static_cast<void>(sleep_.release());
  }
  EventCount(const EventCount&) = delete;
  EventCount& operator=(const EventCount&) = delete;

  /// Returns once ready() is true, which is looked at for `spin_time` and then whenever notify() is
  /// called. It must read with sequential consistency, or a notify() between its last look and the sleep
  /// could be missed.
  template <class Ready> void wait(std::chrono::microseconds spin_time, Ready ready) {
    if (spin(spin_time, ready)) return;
    std::unique_lock<std::mutex> lock(sleep_->mutex);
    sleepers_.fetch_add(1);
    sleep_->event.wait(lock, ready);
    sleepers_.fetch_sub(1);
  }

  /// To be called after an atomic operation that may have made a ready() true. Whoever misses that on
  /// the way to sleep has been counted before, and is seen here.
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
