#pragma once

#include "core/matrix.hpp"

#include <functional>

namespace cnet {

/// Maximum number of threads of a call. The default is CNET_NUM_THREADS or, if that is not set, the number of CPUs
/// available at the first call (by affinity and cgroup quota), at most OMP_NUM_THREADS. Throws std::invalid_argument
/// if CNET_NUM_THREADS is not an integer in [1, 1024].
int thread_limit();

/// Throws std::invalid_argument unless limit is in [1, 1024].
void set_thread_limit(int limit);

/// Runs task({rank, size}) on a team of threads, on the calling thread with rank 0, and returns when all calls have
/// returned. `size` is `threads`, or less if the system can't start as many, or 1 while another call uses the pool.
/// A thread that wakes up after rank 0 has finished is not called, so a task must not wait for a rank to appear.
/// It must not throw.
void run_parallel(int threads, const std::function<void(TeamMember)>& task);

} // namespace cnet
