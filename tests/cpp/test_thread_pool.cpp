// Teams of the thread pool, their work-stealing schedule, and calls while the pool is busy. ThreadSanitizer checks what
// is written without locks.

#include "check.hpp"
#include "core/thread_pool.hpp"
#include "core/work_stealing.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace cnet;

namespace {

constexpr int most = 8;

// A forked child can't start threads under ThreadSanitizer, and qemu-user fails an assertion.
#if defined(__SANITIZE_THREAD__) || defined(CNET_EMULATED)
constexpr bool may_fork = false;
#else
constexpr bool may_fork = true;
#endif

/// Each rank is called once in a team of the requested size, if the team waits for all.
void test_members(int threads) {
  std::vector<int> calls(most, 0), counts(most, 0);
  std::atomic<int> called{0};
  run_parallel(threads, [&](TeamMember member) {
    ++calls[static_cast<std::size_t>(member.rank)];
    counts[static_cast<std::size_t>(member.rank)] = member.size;
    ++called;
    while (called < threads) std::this_thread::yield();
  });
  for (int n = 0; n < most; ++n) {
    const int count = n < threads ? threads : 0;
    const auto i = static_cast<std::size_t>(n);
    CHECK(calls[i] == (count > 0) && counts[i] == count, "rank %d of %d: %d calls in a team of %d", n, threads,
          calls[i], counts[i]);
  }
}

/// A thread that wakes up late is not called for finished work.
void test_latecomers(int threads) {
  for (int n = 0; n < 2000; ++n) {
    std::atomic<bool> over{false};
    std::atomic<int> late{0};
    run_parallel(threads, [&](TeamMember) {
      if (over) ++late;
    });
    over = true;
    CHECK(late == 0, "%d of %d threads were called after the end", late.load(), threads);
  }
}

/// In each round, every piece reads what other pieces wrote in the round before. Some threads sleep now and then.
void test_schedule(int threads, int rounds) {
  constexpr Index rows = 40, panels = 7;
  const Tiling tiling{rows, panels, 8, 16};
  std::vector<int> first(rows * panels, 0), second(rows * panels, 0);
  std::atomic<int> wrong{0};
  int told = 0;
  WorkStealingSchedule schedule(threads, 4);
  run_parallel(threads, [&](TeamMember member) {
    Worker worker(schedule, member);
    const auto next = [&](const std::vector<int>& from, std::vector<int>& to, int round) {
      worker.parallel_for(tiling, [&](Block block) {
        for (Index row = block.first; row < block.last; ++row) {
          for (Index panel = block.first_panel; panel < block.last_panel; ++panel) {
            const auto at = static_cast<std::size_t>(row * panels + panel);
            const int expected = &from == &second ? round : round + 1;
            if (from[at] != expected || from[from.size() - 1 - at] != expected) ++wrong;
            ++to[at];
          }
        }
      });
    };
    for (int round = 0; round < rounds; ++round) {
      worker.begin_round();
      if (member.rank % 3 == 1 && round % 50 == 25) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      next(second, first, round);
      worker.wait();
      next(first, second, round);
      worker.wait();
      worker.single([&] { ++told; });
      worker.wait();
      worker.parallel_for({1, 1, 1, 1}, [&](Block) { wrong += told != round + 1; });
      worker.wait();
    }
  });
  const std::vector<int> expected(rows * panels, rounds);
  CHECK(wrong == 0 && first == expected && second == expected && told == rounds,
        "%d pieces of %d rounds on %d threads ran too early, or never", wrong.load(), rounds, threads);
}

/// A round ends when its pieces are done, even if a thread never arrives.
void test_absent_thread() {
  std::atomic<bool> over{false};
  std::atomic<int> pieces{0};
  WorkStealingSchedule schedule(2, 1);
  run_parallel(2, [&](TeamMember member) {
    if (member.rank == 1) {
      while (!over) std::this_thread::yield();
    }
    Worker worker(schedule, member);
    for (int round = 0; round < 100; ++round) {
      worker.begin_round();
      worker.parallel_for({64, 4, 8, 64}, [&](Block) { ++pieces; });
      worker.wait();
    }
    over = true;
  });
  CHECK(pieces == 100 * 8 * 2, "%d pieces", pieces.load());
}

/// Sums 1 … `terms` in pieces; returns the size of the team.
int test_sum(int threads, int terms) {
  std::atomic<long> total{0};
  int count = 0;
  WorkStealingSchedule schedule(threads, 1);
  run_parallel(threads, [&](TeamMember member) {
    if (member.rank == 0) count = member.size;
    Worker worker(schedule, member);
    worker.begin_round();
    worker.parallel_for({terms, 1, 1, terms}, [&](Block block) { total += block.first + 1; });
    worker.wait();
  });
  CHECK(total == long(terms) * (terms + 1) / 2, "%ld on %d threads", total.load(), count);
  return count;
}

/// A call while the pool is busy runs on one thread.
void test_busy_pool() {
  std::atomic<int> nested{0};
  int other = 0;
  run_parallel(4, [&](TeamMember member) {
    if (member.rank == 1) nested = test_sum(4, 100);
    if (member.rank > 0) return;
    std::thread([&] { other = test_sum(4, 100); }).join();
    while (nested == 0) std::this_thread::yield();
  });
  CHECK(nested == 1 && other == 1, "teams of %d and %d while the pool was busy", nested.load(), other);
  CHECK(test_sum(4, 100) == 4, "the pool is still busy");
}

void test_concurrent_callers() {
  std::vector<std::thread> callers;
  for (int threads = 2; threads <= 5; ++threads) {
    callers.emplace_back([threads] {
      for (int n = 0; n < 300; ++n) {
        const int size = test_sum(threads, 1000);
        CHECK(size == threads || size == 1, "a team of %d, requested %d", size, threads);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

void test_limit() {
  for (const int limit : {1, 5, 2, most}) {
    set_thread_limit(limit);
    CHECK(thread_limit() == limit, "%d", thread_limit());
    test_members(thread_limit());
  }
  for (const int limit : {0, -1, 1025}) {
    bool refused = false;
    try {
      set_thread_limit(limit);
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    CHECK(refused && thread_limit() == most, "%d", limit);
  }
}

/// A forked child starts threads of its own.
void test_fork() {
  if (!may_fork) return;
  CHECK(test_sum(4, 1000) == 4, "before the fork");
  const pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child == 0) {
    test_schedule(4, 100);
    _exit(test_sum(4, 1000) == 4 ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child, "waitpid");
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status %d", status);
  CHECK(test_sum(4, 1000) == 4, "after the fork");
}

} // namespace

int main() {
  for (int threads = 1; threads <= most; ++threads) test_members(threads);
  for (int threads = most; threads >= 1; --threads) test_members(threads);
  for (int threads = 1; threads <= most; ++threads) test_latecomers(threads);
  for (int threads = 1; threads <= most; ++threads) test_schedule(threads, 300);
  test_absent_thread();
  for (int n = 0; n < 2000; ++n) test_sum(1 + n % most, 100);
  test_busy_pool();
  test_concurrent_callers();
  test_limit();
  test_fork();
}
