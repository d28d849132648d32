#pragma once

#include <chrono>
#include <pthread.h>
#include <pybind11/pybind11.h>
#include <thread>
#include <utility>

namespace cnet::bind {

[[noreturn]] inline void sleep_forever(void* /*unused*/) {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// Calls f, which calls Python and does not throw. Before Python 3.14, a thread that takes the GIL after the
/// interpreter has ended is ended by pthread_exit, which would unwind frames of the engine that other threads still
/// use: the cleanup handler sleeps instead, until the process exits.
template <class F> void sleep_if_python_ends(F f) {
  pthread_cleanup_push(sleep_forever, nullptr);
  f();
  pthread_cleanup_pop(0);
}

/// This thread's state while it does not hold the GIL.
inline thread_local PyThreadState* released_state = nullptr;

inline void release_gil() {
  released_state = PyEval_SaveThread();
}

/// Does not use PyGILState_Ensure, which fails if the interpreter has ended.
inline void acquire_gil() {
  PyThreadState* const state = std::exchange(released_state, nullptr);
  sleep_if_python_ends([state] { PyEval_RestoreThread(state); });
}

/// Releases the GIL for its lifetime.
class WithoutGil {
public:
  WithoutGil() { release_gil(); }
  ~WithoutGil() { acquire_gil(); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;
};

/// Calls f, which may wait for other threads, without the GIL.
template <class F> void wait_without_gil(F f) {
  const WithoutGil without_gil;
  f();
}

/// Holds the GIL for its lifetime, within that of a WithoutGil.
class WithGil {
public:
  WithGil() { acquire_gil(); }
  ~WithGil() { release_gil(); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;
};

/// Calls a Python function.
inline pybind11::object call_python(pybind11::handle function, const pybind11::tuple& arguments) {
  PyObject* result = nullptr;
  sleep_if_python_ends([&] { result = PyObject_CallObject(function.ptr(), arguments.ptr()); });
  if (result == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}

} // namespace cnet::bind
