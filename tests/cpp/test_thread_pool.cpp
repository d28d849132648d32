// Crews of the thread pool: who is in them, what their barriers promise, and callers who come while
// the pool is at work. ThreadSanitizer watches what is written without locks.

#include "check.hpp"
#include "core/thread_pool.hpp"

#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace cnet;

namespace {

constexpr int most = 8;

// A forked child of several threads may start none under ThreadSanitizer, and can not under qemu-user,
// which ends in a failed assertion of its own.
#if defined(__SANITIZE_THREAD__) || defined(CNET_EMULATED)
constexpr bool may_fork = false;
#else
constexpr bool may_fork = true;
#endif

/// Each number is called once, in a crew of the size that was asked for.
void test_members(int threads) {
  std::vector<int> calls(most, 0), sizes(most, 0);
  run_parallel(threads, [&](Crew& crew, int n) {
    ++calls[static_cast<std::size_t>(n)];
    sizes[static_cast<std::size_t>(n)] = crew.size();
  });
  for (int n = 0; n < most; ++n) {
    const int size = n < threads ? threads : 0;
    const auto i = static_cast<std::size_t>(n);
    CHECK(calls[i] == (size > 0) && sizes[i] == size, "thread %d of %d: %d calls in a crew of %d", n, threads, calls[i],
          sizes[i]);
  }
}

/// What each thread writes before a barrier its neighbour reads after it.
void test_barriers(int threads, int rounds) {
  std::vector<int> written(static_cast<std::size_t>(threads), -1);
  int wrong = 0;
  run_parallel(threads, [&](Crew& crew, int n) {
    for (int round = 0; round < rounds; ++round) {
      written[static_cast<std::size_t>(n)] = round;
      crew.barrier();
      if (written[static_cast<std::size_t>((n + 1) % crew.size())] != round && n == 0) ++wrong;
      crew.barrier();
    }
  });
  CHECK(wrong == 0, "%d of %d rounds on %d threads", wrong, rounds, threads);
}

/// Sums 1 … `terms`, each thread its share, and returns how many threads there were.
int test_sum(int threads, int terms) {
  std::vector<long> sums(static_cast<std::size_t>(threads), 0);
  long total = 0;
  int size = 0;
  run_parallel(threads, [&](Crew& crew, int n) {
    for (int term = n + 1; term <= terms; term += crew.size()) sums[static_cast<std::size_t>(n)] += term;
    crew.barrier();
    if (n > 0) return;
    size = crew.size();
    for (const long sum : sums) total += sum;
  });
  CHECK(total == long(terms) * (terms + 1) / 2, "%ld on %d threads", total, size);
  return size;
}

/// A caller who finds the pool at work is a crew of his own.
void test_busy_pool() {
  int nested = 0, other = 0;
  run_parallel(4, [&](Crew& crew, int n) {
    if (n == 1) nested = test_sum(4, 100);
    crew.barrier();
    if (n == 0) std::thread([&] { other = test_sum(4, 100); }).join();
  });
  CHECK(nested == 1 && other == 1, "crews of %d and %d while the pool was at work", nested, other);
  CHECK(test_sum(4, 100) == 4, "the pool is free again");
}

void test_concurrent_callers() {
  std::vector<std::thread> callers;
  for (int threads = 2; threads <= 5; ++threads) {
    callers.emplace_back([threads] {
      for (int n = 0; n < 300; ++n) {
        const int size = test_sum(threads, 1000);
        CHECK(size == threads || size == 1, "a crew of %d, asked for %d", size, threads);
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

/// A child has none of its parent's threads, and makes its own.
void test_fork() {
  if (!may_fork) return;
  CHECK(test_sum(4, 1000) == 4, "before the fork");
  const pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child == 0) {
    test_barriers(4, 100);
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
  for (int threads = 1; threads <= most; ++threads) test_barriers(threads, 300);
  for (int n = 0; n < 2000; ++n) test_sum(1 + n % most, 100);
  test_busy_pool();
  test_concurrent_callers();
  test_limit();
  test_fork();
}
