#pragma once

#include "core/matrix.hpp"

#include <functional>

namespace cnet {

/// Threads to use at most: CNET_NUM_THREADS; or without it what the process might run on when it was first
/// asked for (affinity and cgroup quota), capped by OMP_NUM_THREADS. Throws std::invalid_argument if
/// CNET_NUM_THREADS is no number in [1, 1024].
int thread_limit();

/// Throws std::invalid_argument unless limit is in [1, 1024].
void set_thread_limit(int limit);

/// Calls task({n, count}) for some or all of n = 0 … count − 1, each on a thread of its own, the
/// caller's being number 0, and returns when those calls have; count is `threads`, or less if the
/// system gives no more, or 1 if the pool's threads are at work for another caller. A thread that
/// wakes up after the caller has come to the end is not called, so a task must not rely on anyone but
/// whom it sees at work. It must not throw.
void run_parallel(int threads, const std::function<void(Share)>& task);

} // namespace cnet
