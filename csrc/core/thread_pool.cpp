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

/// How long an idle thread spins before it sleeps: about as long as waking it takes.
constexpr std::chrono::microseconds idle_spin_time{10};

/// How long the caller spins until the other threads have finished.
constexpr std::chrono::microseconds end_spin_time{100};

constexpr int most_threads = 1024;

class Pool {
public:
  bool try_acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  /// Requires try_acquire().
  void run(int threads, const std::function<void(TeamMember)>& task) {
    team_size_ = std::min(threads, grow(threads - 1) + 1);
    task_ = &task;
    state_.fetch_add(one_job + is_open);
    for (int n = 1; n < team_size_; ++n) threads_[static_cast<std::size_t>(n - 1)]->job_started.notify();
    const unsigned forks_before = forks.load();
    task({0, team_size_});
    if (forks.load() != forks_before) return; // the other threads are in the parent process
    state_.fetch_sub(is_open);
    finished_.wait(end_spin_time, [&] { return state_.load() % one_job == 0; });
  }

private:
  /// Starts threads until there are `count`, or the system can't start more; returns their number.
  int grow(int count) {
    const auto size = [&] { return static_cast<int>(threads_.size()); };
    // The pool's threads handle no signals. A thread inherits its creator's mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      while (size() < count) {
        auto made = std::make_unique<PoolThread>();
        threads_.reserve(threads_.size() + 1); // nothing may throw once the thread runs
        made->thread = std::thread([this, rank = size() + 1, last_job = state_.load() / one_job, self = made.get()] {
          work(rank, last_job, self->job_started);
        });
        threads_.push_back(std::move(made));
      }
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return size();
  }

  [[noreturn]] void work(int rank, std::uint64_t last_job, EventCount& job_started) {
    const FloatMode mode;
    for (;;) {
      job_started.wait(idle_spin_time, [&] { return join(last_job); });
      if (rank < team_size_) (*task_)({rank, team_size_});
      if ((state_.fetch_sub(one_member) - one_member) % one_job == 0) finished_.notify();
    }
  }

  /// Joins the current job if it is open and not the last one that this thread joined; returns true if it did.
  bool join(std::uint64_t& last_job) {
    std::uint64_t state = state_.load();
    while (state % one_member == is_open && state / one_job != last_job) {
      if (state_.compare_exchange_weak(state, state + one_member)) {
        last_job = state / one_job;
        return true;
      }
    }
    return false;
  }

  struct PoolThread {
    std::thread thread;
    EventCount job_started;
  };
  std::atomic<bool> busy_{false};
  std::vector<std::unique_ptr<PoolThread>> threads_;
  const std::function<void(TeamMember)>* task_ = nullptr;
  int team_size_ = 0;
  /// The job's number, the number of pool threads that work on it, and whether more may join.
  std::atomic<std::uint64_t> state_{0};
  static constexpr std::uint64_t is_open = 1, one_member = 2, one_job = 2 * one_member * most_threads;
  EventCount finished_;
};

/// Never destroyed, because its threads may outlive main. A forked child has none of them and makes a new pool.
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

/// The positive integer in an environment variable (or the first of a list, as in OMP_NUM_THREADS), 0 without one.
long positive_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  char* end;
  const long value = std::strtol(text, &end, 10);
  const bool whole = end != text && (*end == '\0' || *end == ',');
  return whole && value > 0 ? value : 0;
}

/// The CPU quota of a cgroup, of version 2 or 1, or infinity.
double quota_of(const std::string& folder) {
  std::string quota;
  double period = 0;
  if (std::ifstream file{folder + "/cpu.max"}; !(file >> quota >> period)) {
    std::ifstream{folder + "/cpu.cfs_quota_us"} >> quota;
    std::ifstream{folder + "/cpu.cfs_period_us"} >> period;
  }
  const double microseconds = std::strtod(quota.c_str(), nullptr); // 0 for "max"; −1 means no quota
  return microseconds > 0 && period > 0 ? microseconds / period : std::numeric_limits<double>::infinity();
}

/// The minimum quota of the process's cgroup and its ancestors. A container sees its own cgroup as the root, whatever
/// path /proc/self/cgroup shows.
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
    const long own = positive_from_environment("CNET_NUM_THREADS");
    if (own > 0 && own <= most_threads) return static_cast<int>(own);
    throw std::invalid_argument("CNET_NUM_THREADS: expected an integer in [1, " + std::to_string(most_threads) +
                                "], got '" + text + "'");
  }
  const long cap = positive_from_environment("OMP_NUM_THREADS");
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

void run_parallel(int threads, const std::function<void(TeamMember)>& task) {
  Pool& shared = get_pool();
  if (threads <= 1 || !shared.try_acquire()) return task({0, 1});
  shared.run(threads, task);
  shared.release();
}

} // namespace cnet
