// Preloaded, makes allocations and thread creation of one library fail, for tests/trust/test_allocation.py.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <dlfcn.h>
#include <new>
#include <pthread.h>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

std::atomic<std::uintptr_t> library_begin{0}, library_end{0};
std::atomic<long> left{0}; ///< allocations until the first that fails; 0 when all succeed
std::atomic<std::size_t> least_size{0};
std::atomic<bool> all_after{false};
std::atomic<long> failed{0};
std::atomic<long> threads_left{-1};

bool fails(const void* caller, std::size_t size) {
  const auto address = reinterpret_cast<std::uintptr_t>(caller);
  if (address < library_begin || address >= library_end || left == 0 || size < least_size) return false;
  long now = left.load();
  while (now > 1) {
    if (left.compare_exchange_weak(now, now - 1)) return false;
  }
  if (now == 0) return false;
  if (!all_after && !left.compare_exchange_strong(now, 0)) return false;
  ++failed;
  return true;
}

} // namespace

#define FAILS(size) fails(__builtin_return_address(0), size)

extern "C" {

void watch_library(std::uintptr_t begin, std::uintptr_t end) {
  library_begin = begin;
  library_end = end;
}
/// Makes the nth allocation of at least `size` bytes from now on fail, and with `and_all_after` all later ones
/// too; none if n is 0.
void fail_allocation(long n, int and_all_after, size_t size) {
  failed = 0;
  least_size = size;
  all_after = and_all_after != 0;
  left = n;
}
long failed_allocations() {
  return failed;
}
/// Limits the number of new threads; −1 means no limit.
void limit_threads(long count) {
  threads_left = count;
}

void* malloc(size_t size) {
  if (FAILS(size)) return errno = ENOMEM, nullptr;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  if (FAILS(count * size)) return errno = ENOMEM, nullptr;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
  if (FAILS(size)) return errno = ENOMEM, nullptr;
  return __libc_realloc(memory, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  if (FAILS(size)) return ENOMEM;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  if (threads_left == 0) return EAGAIN;
  if (threads_left > 0) --threads_left;
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, run, argument);
}

} // extern "C"

void* operator new(std::size_t size) {
  void* memory = FAILS(size) ? nullptr : __libc_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) {
  void* memory = FAILS(size) ? nullptr : __libc_malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  void* memory = FAILS(size) ? nullptr : __libc_memalign(static_cast<std::size_t>(alignment), size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
