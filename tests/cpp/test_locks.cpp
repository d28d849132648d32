#include "check.hpp"
#include "core/errors.hpp"
#include "core/locks.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace cnet;

namespace {

LockSet reserve_and_write(ResourceLock& lock) {
  return {{&lock}, {}, {&lock}, {}};
}
LockSet reserve_shared_and_read(ResourceLock& lock) {
  return {{}, {&lock}, {}, {&lock}};
}
LockSet write(ResourceLock& lock) {
  return {{}, {}, {&lock}, {}};
}
LockSet read(ResourceLock& lock) {
  return {{}, {}, {}, {&lock}};
}

bool is_refused(const LockSet& set) {
  try {
    const ScopedLockSet locks(set);
    return false;
  } catch (const Busy&) {
    return true;
  }
}

void test_refusals() {
  ResourceLock lock;
  const LockSet all[] = {reserve_and_write(lock), reserve_shared_and_read(lock), write(lock), read(lock)};
  const bool refused[][4] = {{true, true, false, false},
                             {true, false, false, false},
                             {false, false, false, false},
                             {false, false, false, false}};
  for (int first = 0; first < 4; ++first) {
    for (int second = 0; second < 4; ++second) {
      ScopedLockSet locks(all[first]);
      locks.yield(
          [&] { CHECK(is_refused(all[second]) == refused[first][second], "%d while %d yields", second, first); });
      const bool both_read = first % 2 == 1 && second % 2 == 1;
      CHECK(is_refused(all[second]) == !both_read, "%d within %d, on the same thread", second, first);
    }
  }
}

/// Threads write, train and read a pair of numbers; no thread sees half of a change.
void test_consistency() {
  ResourceLock locks[2];
  const auto readers = std::make_shared<ReaderCount>();
  for (ResourceLock& lock : locks) lock.add(readers);
  long pair[2] = {0, 0};
  std::atomic<bool> ends{false};
  std::atomic<int> torn{0}, reads{0}, writes{0}, trained{0};
  const auto change = [&] {
    pair[0] += 1;
    std::this_thread::yield();
    pair[1] += 1;
  };
  const auto look = [&] {
    if (pair[0] != pair[1]) ++torn;
    ++reads;
  };
  const std::vector<ResourceLock*> both{&locks[0], &locks[1]};
  const LockSet write{{}, {}, both, {}}, read{{}, {}, {}, both}, train{both, {}, both, {}};
  std::vector<std::thread> threads;
  const auto repeat = [&](auto f) {
    threads.emplace_back([&, f] {
      while (!ends) f();
    });
  };
  for (int n = 0; n < 2; ++n) {
    repeat([&] {
      const SharedLock held(*readers);
      look();
    });
    repeat([&] {
      const ScopedLockSet held(read);
      look();
    });
    repeat([&] {
      const ScopedLockSet held(write);
      change();
      ++writes;
    });
  }
  repeat([&] {
    ScopedLockSet held(train);
    for (int batch = 0; batch < 100; ++batch) {
      change();
      ++trained;
      if (ScopedLockSet::has_waiters()) held.yield();
    }
  });
  // No thread starves: each reaches its number.
  const auto start = std::chrono::steady_clock::now();
  const auto enough = [&] { return reads >= 1000 && writes >= 100 && trained >= 200; };
  while (!enough() && std::chrono::steady_clock::now() - start < std::chrono::seconds(60)) std::this_thread::yield();
  ends = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(torn == 0, "%d of %d readers saw half of a change", torn.load(), reads.load());
  CHECK(enough(), "%d reads, %d writes, %d batches", reads.load(), writes.load(), trained.load());
}

/// In a forked child, the locks of the parent's other threads are released.
void test_locks_in_a_forked_child() {
  ResourceLock lock;
  const auto readers = std::make_shared<ReaderCount>();
  lock.add(readers);
  for (const LockSet& set : {reserve_and_write(lock), reserve_shared_and_read(lock), write(lock), read(lock)}) {
    std::atomic<int> stage{0};
    std::thread holder([&] {
      const ScopedLockSet locks(set);
      stage = 1;
      while (stage == 1) std::this_thread::yield();
    });
    std::thread reader([&] {
      while (stage == 0) std::this_thread::yield();
      const SharedLock held(*readers); // waits while the other thread writes
    });
    while (stage == 0) std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) {
      alarm(5);
      {
        const ScopedLockSet locks(reserve_and_write(lock));
      }
      {
        const SharedLock held(*readers);
      }
      _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child's status is %d", status);
    stage = 2;
    holder.join();
    reader.join();
  }
}

/// prepare_fork() waits for writers, which continue after end_fork().
void test_a_fork_waits_for_writers() {
  ResourceLock lock;
  std::atomic<bool> ends{false}, is_writing{false};
  std::thread trainer([&] {
    ScopedLockSet locks(reserve_and_write(lock));
    while (!ends) {
      is_writing = true;
      std::this_thread::yield();
      is_writing = false;
      if (ScopedLockSet::has_waiters()) locks.yield();
    }
  });
  int during = 0;
  for (int n = 0; n < 200; ++n) {
    prepare_fork();
    during += is_writing;
    end_fork();
  }
  ends = true;
  trainer.join();
  CHECK(during == 0, "%d of 200 forks during a change", during);
}

} // namespace

int main() {
  test_refusals();
  test_consistency();
  test_locks_in_a_forked_child();
  test_a_fork_waits_for_writers();
}
