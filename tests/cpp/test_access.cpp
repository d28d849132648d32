#include "check.hpp"
#include "core/access.hpp"
#include "core/errors.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace cnet;

namespace {

Uses owning_and_writing(Guard& guard) {
  return {{&guard}, {}, {&guard}, {}};
}
Uses using_and_reading(Guard& guard) {
  return {{}, {&guard}, {}, {&guard}};
}
Uses writing(Guard& guard) {
  return {{}, {}, {&guard}, {}};
}
Uses reading(Guard& guard) {
  return {{}, {}, {}, {&guard}};
}

bool is_refused(const Uses& uses) {
  try {
    const Hold hold(uses);
    return false;
  } catch (const Busy&) {
    return true;
  }
}

void test_who_refuses_whom() {
  Guard guard;
  const Uses all[] = {owning_and_writing(guard), using_and_reading(guard), writing(guard), reading(guard)};
  const bool refused[][4] = {{true, true, false, false},
                             {true, false, false, false},
                             {false, false, false, false},
                             {false, false, false, false}};
  for (int first = 0; first < 4; ++first) {
    for (int second = 0; second < 4; ++second) {
      Hold hold(all[first]);
      hold.pause(
          [&] { CHECK(is_refused(all[second]) == refused[first][second], "%d in a pause of %d", second, first); });
      const bool both_read = first % 2 == 1 && second % 2 == 1;
      CHECK(is_refused(all[second]) == !both_read, "%d within %d: it would wait for itself", second, first);
    }
  }
}

/// Threads that write a pair of numbers, train it, and read it in each of the ways; no one sees half of that.
void test_nobody_sees_half_of_what_is_written() {
  Guard guards[2];
  const auto gate = std::make_shared<Gate>();
  for (Guard& guard : guards) guard.add(gate);
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
  const Uses write{{}, {}, {&guards[0], &guards[1]}, {}}, read{{}, {}, {}, {&guards[0], &guards[1]}};
  const Uses train{{&guards[0], &guards[1]}, {}, {&guards[0], &guards[1]}, {}};
  std::vector<std::thread> threads;
  const auto repeat = [&](auto f) {
    threads.emplace_back([&, f] {
      while (!ends) f();
    });
  };
  for (int n = 0; n < 2; ++n) {
    repeat([&] {
      const Passage passage(*gate);
      look();
    });
    repeat([&] {
      const Hold hold(read);
      look();
    });
    repeat([&] {
      const Hold hold(write);
      change();
      ++writes;
    });
  }
  repeat([&] {
    Hold hold(train);
    for (int batch = 0; batch < 100; ++batch) {
      change();
      ++trained;
      if (Hold::is_waited_for()) hold.pause();
    }
  });
  // Nobody waits for ever: each comes to its number, however slow the machine.
  const auto start = std::chrono::steady_clock::now();
  const auto enough = [&] { return reads >= 1000 && writes >= 100 && trained >= 200; };
  while (!enough() && std::chrono::steady_clock::now() - start < std::chrono::seconds(60)) std::this_thread::yield();
  ends = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(torn == 0, "%d of %d readers have seen half of a change", torn.load(), reads.load());
  CHECK(enough(), "%d reads, %d writes, %d batches", reads.load(), writes.load(), trained.load());
}

/// What other threads hold at a fork, nobody holds in the child.
void test_a_forked_child_is_free() {
  Guard guard;
  const auto gate = std::make_shared<Gate>();
  guard.add(gate);
  for (const Uses& uses : {owning_and_writing(guard), using_and_reading(guard), writing(guard), reading(guard)}) {
    std::atomic<int> stage{0};
    std::thread holder([&] {
      const Hold hold(uses);
      stage = 1;
      while (stage == 1) std::this_thread::yield();
    });
    std::thread reader([&] {
      while (stage == 0) std::this_thread::yield();
      const Passage passage(*gate); // or it waits, where that is closed
    });
    while (stage == 0) std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) {
      alarm(5);
      {
        const Hold hold(owning_and_writing(guard));
      }
      {
        const Passage passage(*gate);
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

/// A fork that is prepared finds nobody writing, and lets those go on after it.
void test_a_fork_waits_for_writers() {
  Guard guard;
  std::atomic<bool> ends{false}, writes{false};
  std::thread trainer([&] {
    Hold hold(owning_and_writing(guard));
    while (!ends) {
      writes = true;
      std::this_thread::yield();
      writes = false;
      if (Hold::is_waited_for()) hold.pause();
    }
  });
  int amid = 0;
  for (int n = 0; n < 200; ++n) {
    prepare_fork();
    amid += writes;
    end_fork();
  }
  ends = true;
  trainer.join();
  CHECK(amid == 0, "%d of 200 forks amid a change", amid);
}

} // namespace

int main() {
  test_who_refuses_whom();
  test_nobody_sees_half_of_what_is_written();
  test_a_forked_child_is_free();
  test_a_fork_waits_for_writers();
}
