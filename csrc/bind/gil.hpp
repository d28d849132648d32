#pragma once

#include <chrono>
#include <pthread.h>
#include <pybind11/pybind11.h>
#include <thread>
#include <utility>

namespace cnet::bind {

[[noreturn]] inline void sleep_for_ever(void* /*unused*/) {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// Calls `f`, which calls Python and throws nothing. Before Python 3.14, a thread that takes the GIL after the
/// interpreter's end is ended by pthread_exit, while other threads may still use the frames of the engine below
/// it, which glibc would unwind: the cleanup handler sleeps instead, until the process is gone.
template <class F> void sleep_if_python_ends(F f) {
  pthread_cleanup_push(sleep_for_ever, nullptr);
  f();
  pthread_cleanup_pop(0);
}

/// What Python knows of this thread, while it is without the GIL.
inline thread_local PyThreadState* waiting_thread = nullptr;

inline void leave_gil() {
  waiting_thread = PyEval_SaveThread();
}

/// With the thread's own state: PyGILState_Ensure would ask an interpreter that is gone for it.
inline void take_gil() {
  PyThreadState* const state = std::exchange(waiting_thread, nullptr);
  sleep_if_python_ends([state] { PyEval_RestoreThread(state); });
}

/// Without the GIL for its lifetime.
class WithoutGil {
public:
  WithoutGil() { leave_gil(); }
  ~WithoutGil() { take_gil(); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;
};

/// Calls f, which may wait for others, without the GIL.
template <class F> void wait_without_gil(F f) {
  const WithoutGil without_gil;
  f();
}

/// With the GIL for its lifetime, which has to be within that of a WithoutGil.
class WithGil {
public:
  WithGil() { take_gil(); }
  ~WithGil() { leave_gil(); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;
};

/// What a function of Python returns.
inline pybind11::object call_python(pybind11::handle function, const pybind11::tuple& arguments) {
  PyObject* result = nullptr;
  sleep_if_python_ends([&] { result = PyObject_CallObject(function.ptr(), arguments.ptr()); });
  if (result == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}

} // namespace cnet::bind
