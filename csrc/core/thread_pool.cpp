#include "core/thread_pool.hpp"

#include "core/event_count.hpp"
#include "core/float_mode.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
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

/// How long the caller looks for those who are about to end.
constexpr std::chrono::microseconds end_spin_time{100};

constexpr int most_threads = 1024;

class Pool {
public:
  bool try_acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  /// To be called between try_acquire() and release().
  void run(int threads, const std::function<void(Share)>& task) {
    count_ = std::min(threads, grow(threads - 1) + 1);
    task_ = &task;
    gate_.fetch_add(one_job + is_open);
    opened_.notify();
    task({0, count_});
    gate_.fetch_sub(is_open);
    left_.wait(end_spin_time, [&] { return gate_.load() % one_job == 0; });
  }

private:
  /// Starts threads until there are `count`, or the system gives no more; returns their number.
  int grow(int count) {
    const auto size = [&] { return static_cast<int>(threads_.size()); };
    try {
      while (size() < count) {
        threads_.emplace_back([this, number = size() + 1, last = gate_.load() / one_job] { work(number, last); });
      }
    } catch (const std::system_error&) {
    }
    return size();
  }

  [[noreturn]] void work(int number, std::uint64_t last_job) {
    const FloatMode mode;
    for (;;) {
      opened_.wait(idle_spin_time, [&] { return enter(last_job); });
      if (number < count_) (*task_)({number, count_});
      if ((gate_.fetch_sub(one_inside) - one_inside) % one_job == 0) left_.notify();
    }
  }

  /// Whether there is a job after the last, which the thread is then counted in for.
  bool enter(std::uint64_t& last_job) {
    std::uint64_t gate = gate_.load();
    while (gate % one_inside == is_open && gate / one_job != last_job) {
      if (gate_.compare_exchange_weak(gate, gate + one_inside)) {
        last_job = gate / one_job;
        return true;
      }
    }
    return false;
  }

  std::atomic<bool> busy_{false};
  std::vector<std::thread> threads_;
  const std::function<void(Share)>* task_ = nullptr;
  int count_ = 0;
  /// The number of the job, how many of the pool's threads are inside, and whether more may come in.
  std::atomic<std::uint64_t> gate_{0};
  static constexpr std::uint64_t is_open = 1, one_inside = 2, one_job = 2 * one_inside * most_threads;
  EventCount opened_;
  EventCount left_;
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

void run_parallel(int threads, const std::function<void(Share)>& task) {
  Pool& shared = get_pool();
  if (threads <= 1 || !shared.try_acquire()) return task({0, 1});
  shared.run(threads, task);
  shared.release();
}

} // namespace cnet
