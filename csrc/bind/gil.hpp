#pragma once

#include <chrono>
#include <pybind11/pybind11.h>
#include <thread>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace cnet::bind {

/// Calls `take`, which takes the GIL. Where the interpreter ends meanwhile, Python ends the thread by
/// unwinding its stack, through the engine's frames and past threads that still work for them: it sleeps
/// instead, until the process is gone.
template <class Take> void take_gil(Take take) {
#if defined(__GLIBCXX__)
  try {
    take();
  } catch (const abi::__forced_unwind&) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
#else
  take();
#endif
}

/// Without the GIL for its lifetime.
class WithoutGil {
public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    take_gil([this] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

private:
  PyThreadState* state_;
};

/// Calls f, which may wait for others, without the GIL.
template <class F> void wait_without_gil(F f) {
  const WithoutGil without_gil;
  f();
}

/// With the GIL for its lifetime, on a thread that Python knows.
class WithGil {
public:
  WithGil() {
    take_gil([this] { state_ = PyGILState_Ensure(); });
  }
  ~WithGil() { PyGILState_Release(state_); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;

private:
  PyGILState_STATE state_ = PyGILState_UNLOCKED;
};

} // namespace cnet::bind
