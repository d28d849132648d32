#include "core/thread_pool.hpp"

#include "core/event_count.hpp"
#include "core/float_mode.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <new>
#include <pthread.h>
#include <signal.h>
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
    for (int n = 1; n < count_; ++n) workers_[static_cast<std::size_t>(n - 1)]->opened.notify();
    const unsigned forks_before = forks.load();
    task({0, count_});
    if (forks.load() != forks_before) return; // the others are in the parent
    gate_.fetch_sub(is_open);
    left_.wait(end_spin_time, [&] { return gate_.load() % one_job == 0; });
  }

private:
  /// Starts threads until there are `count`, or the system gives no more; returns their number.
  int grow(int count) {
    const auto size = [&] { return static_cast<int>(workers_.size()); };
    // Signals are for the program's own threads; a new thread takes its creator's mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      while (size() < count) {
        auto worker = std::make_unique<Worker>();
        workers_.reserve(workers_.size() + 1); // nothing may fail once there is a thread
        worker->thread = std::thread([this, number = size() + 1, last = gate_.load() / one_job, self = worker.get()] {
          work(number, last, self->opened);
        });
        workers_.push_back(std::move(worker));
      }
    } catch (const std::system_error&) { // no thread
    } catch (const std::bad_alloc&) {    // no memory for one
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return size();
  }

  [[noreturn]] void work(int number, std::uint64_t last_job, EventCount& opened) {
    const FloatMode mode;
    for (;;) {
      opened.wait(idle_spin_time, [&] { return enter(last_job); });
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
  /// A thread, and where it waits for work that it is needed for.
  struct Worker {
    std::thread thread;
    EventCount opened;
  };
  std::vector<std::unique_ptr<Worker>> workers_;
  const std::function<void(Share)>* task_ = nullptr;
  int count_ = 0;
  /// The number of the job, how many of the pool's threads are inside, and whether more may come in.
  std::atomic<std::uint64_t> gate_{0};
  static constexpr std::uint64_t is_open = 1, one_inside = 2, one_job = 2 * one_inside * most_threads;
  EventCount left_;
};

/// Never destroyed: its threads may outlive main. A forked child, which has none of them, starts anew
/// with another, and leaves the parent's where it is.
std::atomic<Pool*> pool{nullptr};

Pool& get_pool() {
  static const bool prepared = [] {
    pthread_atfork(nullptr, nullptr, [] {
      ++forks;
      pool.store(new Pool);
    });
    pool.store(new Pool);
    return true;
  }();
  static_cast<void>(prepared);
  return *pool.load();
}

/// A positive whole number from the environment (the first of a list, as OpenMP has them), or 0 if there
/// is none.
long from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  char* end;
  const long value = std::strtol(text, &end, 10);
  const bool whole = end != text && (*end == '\0' || *end == ',');
  return whole && value > 0 ? value : 0;
}

/// The CPUs that a cgroup's quota pays for (its files differ between versions 2 and 1), or infinity.
double quota_of(const std::string& folder) {
  std::string quota;
  double period = 0;
  if (std::ifstream file{folder + "/cpu.max"}; !(file >> quota >> period)) {
    std::ifstream{folder + "/cpu.cfs_quota_us"} >> quota;
    std::ifstream{folder + "/cpu.cfs_period_us"} >> period;
  }
  const double microseconds = std::strtod(quota.c_str(), nullptr); // of "max" it is 0, of none −1
  return microseconds > 0 && period > 0 ? microseconds / period : std::numeric_limits<double>::infinity();
}

/// The least of the quotas of the process's cgroup and those that it is part of. A container sees its own
/// as the root, whatever path the process is told.
double cgroup_quota() {
  double least = std::min(quota_of("/sys/fs/cgroup"), quota_of("/sys/fs/cgroup/cpu"));
  std::ifstream groups("/proc/self/cgroup"); // lines of number:controllers:path
  for (std::string line; std::getline(groups, line);) {
    const std::size_t controllers = line.find(':') + 1, path = line.find(':', controllers) + 1;
    const std::string names = "," + line.substr(controllers, path - controllers - 1) + ",";
    const bool is_second = names == ",,";
    if (path == 0 || (!is_second && names.find(",cpu,") == std::string::npos)) continue;
    const std::string root = is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (std::string group = line.substr(path); group.size() > 1; group.resize(group.rfind('/'))) {
      least = std::min(least, quota_of(root + group));
    }
  }
  return least;
}

int available_cpus() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) count = CPU_COUNT(&set);
#endif
  return std::max(1, static_cast<int>(std::min<double>(count, cgroup_quota())));
}

int default_limit() {
  if (const char* text = std::getenv("CNET_NUM_THREADS"); text != nullptr && *text != '\0') {
    const long own = from_environment("CNET_NUM_THREADS");
    if (own > 0 && own <= most_threads) return static_cast<int>(own);
    throw std::invalid_argument("CNET_NUM_THREADS: expected a whole number in [1, " + std::to_string(most_threads) +
                                "], got '" + text + "'");
  }
  const long cap = from_environment("OMP_NUM_THREADS");
  const int cpus = std::min(available_cpus(), most_threads);
  return cap > 0 ? static_cast<int>(std::min<long>(cap, cpus)) : cpus;
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
