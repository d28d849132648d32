#include "core/thread_pool.hpp"

#include "core/float_mode.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace cnet {

namespace {

/// How long a thread looks for work before it sleeps: about what waking it costs.
constexpr std::chrono::microseconds idle_spin_time{10};

/// How long it looks for its crew, which is at work and will come.
constexpr std::chrono::microseconds crew_spin_time{100};

constexpr int most_threads = 1024;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until ready() or the time is over; returns whether it is ready.
template <class Ready> bool spin(std::chrono::microseconds time, Ready ready) {
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int n = 0; n < 64; ++n) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() - start < time);
  return ready();
}

/// Waits until ready(), which the waker makes true before it looks for sleepers.
template <class Ready>
void spin_then_sleep(std::chrono::microseconds time, Ready ready, std::atomic<int>& sleepers, std::mutex& mutex,
                     std::condition_variable& condition) {
  if (spin(time, ready)) return;
  std::unique_lock<std::mutex> lock(mutex);
  ++sleepers;
  condition.wait(lock, ready);
  --sleepers;
}

void wake(std::atomic<int>& sleepers, std::mutex& mutex, std::condition_variable& condition) {
  // Whoever is on his way to sleep looks once more when he holds the mutex.
  const std::lock_guard<std::mutex> lock(mutex);
  if (sleepers.load() > 0) condition.notify_all();
}

class Pool {
public:
  bool try_acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  /// To be called between try_acquire() and release().
  void run(int threads, const std::function<void(Crew&, int)>& task) {
    threads = std::min(threads, grow(threads - 1) + 1);
    Crew crew(threads);
    task_ = &task;
    crew_ = &crew;
    members_ = threads;
    left_.store(size());
    ++job_;
    wake(sleepers_, mutex_, job_given_);
    task(crew, 0);
    spin_then_sleep(crew_spin_time, [&] { return left_.load() == 0; }, caller_sleeps_, mutex_, job_done_);
  }

private:
  /// Starts threads until there are `count`, or the system gives no more; returns their number.
  int grow(int count) {
    try {
      while (size() < count) {
        threads_.emplace_back([this, number = size() + 1, seen = job_.load()] { work(number, seen); });
      }
    } catch (const std::system_error&) {
    }
    return size();
  }

  int size() const { return static_cast<int>(threads_.size()); }

  [[noreturn]] void work(int number, unsigned seen) {
    const FloatMode mode;
    for (;;) {
      spin_then_sleep(idle_spin_time, [&] { return job_.load() != seen; }, sleepers_, mutex_, job_given_);
      seen = job_.load();
      if (number < members_) (*task_)(*crew_, number);
      if (--left_ == 0) wake(caller_sleeps_, mutex_, job_done_);
    }
  }

  std::atomic<bool> busy_{false};
  std::vector<std::thread> threads_;
  std::atomic<unsigned> job_{0};
  const std::function<void(Crew&, int)>* task_ = nullptr;
  Crew* crew_ = nullptr;
  int members_ = 0;
  std::atomic<int> left_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<int> caller_sleeps_{0};
  std::mutex mutex_;
  std::condition_variable job_given_;
  std::condition_variable job_done_;
};

/// Never destroyed: its threads may outlive main. A forked child, which has none of them, starts anew
/// with another, and leaves the parent's where it is.
std::atomic<Pool*> pool{nullptr};

Pool& get_pool() {
  static const bool prepared = [] {
    pthread_atfork(nullptr, nullptr, [] { pool.store(new Pool); });
    pool.store(new Pool);
    return true;
  }();
  static_cast<void>(prepared);
  return *pool.load();
}

/// A positive whole number from the environment (the first of a list, as OpenMP has them), or 0.
int from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  char* end;
  const long value = std::strtol(text, &end, 10);
  const bool whole = end != text && (*end == '\0' || *end == ',');
  return whole && value > 0 ? static_cast<int>(std::min<long>(value, most_threads)) : 0;
}

/// The CPUs that a cgroup's quota pays for, or 0 without one.
int cgroup_quota() {
  double quota = 0, period = 0;
  std::string text;
  if (std::ifstream file{"/sys/fs/cgroup/cpu.max"}; file >> text >> period && text != "max") {
    quota = std::strtod(text.c_str(), nullptr); // version 2
  } else if (std::ifstream first{"/sys/fs/cgroup/cpu/cpu.cfs_quota_us"}; first >> quota) {
    std::ifstream{"/sys/fs/cgroup/cpu/cpu.cfs_period_us"} >> period; // version 1
  }
  if (quota <= 0 || period <= 0) return 0;
  return std::max(1, static_cast<int>(quota / period));
}

int available_cpus() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) count = CPU_COUNT(&set);
#endif
  const int quota = cgroup_quota();
  if (quota > 0) count = std::min(count, quota);
  return std::max(1, count);
}

int default_limit() {
  const int own = from_environment("CNET_NUM_THREADS");
  if (own > 0) return own;
  if (const char* text = std::getenv("CNET_NUM_THREADS"); text != nullptr && *text != '\0') {
    throw std::invalid_argument("CNET_NUM_THREADS: expected a whole number of at least 1, got '" + std::string(text) +
                                "'");
  }
  const int cap = from_environment("OMP_NUM_THREADS");
  const int cpus = available_cpus();
  return cap > 0 ? std::min(cap, cpus) : cpus;
}

std::atomic<int>& limit() {
  static std::atomic<int> value{default_limit()};
  return value;
}

} // namespace

void Crew::barrier() {
  if (size_ == 1) return;
  const unsigned round = round_.load();
  if (waiting_.fetch_add(1) + 1 == size_) {
    waiting_.store(0);
    ++round_;
    wake(sleepers_, mutex_, round_over_);
  } else {
    spin_then_sleep(crew_spin_time, [&] { return round_.load() != round; }, sleepers_, mutex_, round_over_);
  }
}

int thread_limit() {
  return limit().load();
}

void set_thread_limit(int count) {
  if (count < 1 || count > most_threads) {
    throw std::invalid_argument("set_num_threads: expected a number in [1, " + std::to_string(most_threads) +
                                "], got " + std::to_string(count));
  }
  limit().store(count);
}

void run_parallel(int threads, const std::function<void(Crew&, int)>& task) {
  Pool& shared = get_pool();
  if (threads <= 1 || !shared.try_acquire()) {
    Crew alone(1);
    task(alone, 0);
    return;
  }
  shared.run(threads, task);
  shared.release();
}

} // namespace cnet
