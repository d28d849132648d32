// Crews of the thread pool: who is in them, what they may rely on when they deal out work, and callers
// who come while the pool is at work. ThreadSanitizer watches what is written without locks.

#include "check.hpp"
#include "core/deal.hpp"
#include "core/thread_pool.hpp"

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

// A forked child of several threads may start none under ThreadSanitizer, and can not under qemu-user,
// which ends in a failed assertion of its own.
#if defined(__SANITIZE_THREAD__) || defined(CNET_EMULATED)
constexpr bool may_fork = false;
#else
constexpr bool may_fork = true;
#endif

/// Each number is called at most once, in a crew of the size that was asked for; the caller's in any
/// case, and all if they are waited for.
void test_members(int threads) {
  std::vector<int> calls(most, 0), counts(most, 0);
  std::atomic<int> called{0};
  run_parallel(threads, [&](Share share) {
    ++calls[static_cast<std::size_t>(share.index)];
    counts[static_cast<std::size_t>(share.index)] = share.count;
    ++called;
    while (called < threads) std::this_thread::yield();
  });
  for (int n = 0; n < most; ++n) {
    const int count = n < threads ? threads : 0;
    const auto i = static_cast<std::size_t>(n);
    CHECK(calls[i] == (count > 0) && counts[i] == count, "thread %d of %d: %d calls of %d", n, threads, calls[i],
          counts[i]);
  }
}

/// Nobody is called for work that is over, however late he wakes up.
void test_latecomers(int threads) {
  for (int n = 0; n < 2000; ++n) {
    std::atomic<bool> over{false};
    std::atomic<int> late{0};
    run_parallel(threads, [&](Share) {
      if (over) ++late;
    });
    over = true;
    CHECK(late == 0, "%d of %d threads came after the end", late.load(), threads);
  }
}

/// Each round, whoever has a piece reads what its neighbours wrote the round before; one thread in
/// three is kept from its work now and then, and nobody waits for it.
void test_deal(int threads, int rounds) {
  constexpr Index rows = 40, panels = 7;
  const Tiling tiling{rows, panels, 8, 16};
  std::vector<int> first(rows * panels, 0), second(rows * panels, 0);
  std::atomic<int> wrong{0};
  int told = 0;
  Deal deal(threads, 4);
  run_parallel(threads, [&](Share share) {
    Hand hand(deal, share);
    const auto next = [&](const std::vector<int>& from, std::vector<int>& to, int round) {
      hand.each(tiling, [&](Block block) {
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
      hand.begin();
      if (share.index % 3 == 1 && round % 50 == 25) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      next(second, first, round);
      hand.wait();
      next(first, second, round);
      hand.wait();
      hand.first_alone([&] { ++told; });
      hand.wait();
      hand.each({1, 1, 1, 1}, [&](Block) { wrong += told != round + 1; });
      hand.wait();
    }
  });
  const std::vector<int> expected(rows * panels, rounds);
  CHECK(wrong == 0 && first == expected && second == expected && told == rounds,
        "%d pieces of %d rounds on %d threads came too early, or never", wrong.load(), rounds, threads);
}

/// A round ends when its pieces are done: without the one who sleeps.
void test_absent() {
  std::atomic<bool> over{false};
  std::atomic<int> pieces{0};
  Deal deal(2, 1);
  run_parallel(2, [&](Share share) {
    if (share.index == 1) {
      while (!over) std::this_thread::yield();
    }
    Hand hand(deal, share);
    for (int round = 0; round < 100; ++round) {
      hand.begin();
      hand.each({64, 4, 8, 64}, [&](Block) { ++pieces; });
      hand.wait();
    }
    over = true;
  });
  CHECK(pieces == 100 * 8 * 2, "%d pieces", pieces.load());
}

/// Sums 1 … `terms` in pieces, and returns how many threads there might have been.
int test_sum(int threads, int terms) {
  std::atomic<long> total{0};
  int count = 0;
  Deal deal(threads, 1);
  run_parallel(threads, [&](Share share) {
    if (share.index == 0) count = share.count;
    Hand hand(deal, share);
    hand.begin();
    hand.each({terms, 1, 1, terms}, [&](Block block) { total += block.first + 1; });
    hand.wait();
  });
  CHECK(total == long(terms) * (terms + 1) / 2, "%ld on %d threads", total.load(), count);
  return count;
}

/// A caller who finds the pool at work is a crew of his own.
void test_busy_pool() {
  std::atomic<int> nested{0};
  int other = 0;
  run_parallel(4, [&](Share share) {
    if (share.index == 1) nested = test_sum(4, 100);
    if (share.index > 0) return;
    std::thread([&] { other = test_sum(4, 100); }).join();
    while (nested == 0) std::this_thread::yield();
  });
  CHECK(nested == 1 && other == 1, "crews of %d and %d while the pool was at work", nested.load(), other);
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
    test_deal(4, 100);
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
  for (int threads = 1; threads <= most; ++threads) test_deal(threads, 300);
  test_absent();
  for (int n = 0; n < 2000; ++n) test_sum(1 + n % most, 100);
  test_busy_pool();
  test_concurrent_callers();
  test_limit();
  test_fork();
}
