#include "core/locks.hpp"

#include "core/errors.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <utility>

namespace cnet {

/// A waiting thread, which wants to read a network, to take a set of locks or, with neither, to fork.
struct Waiter {
  const ReaderCount* readers = nullptr;
  const ScopedLockSet* locks = nullptr;

  bool conflicts_with(const Waiter& other) const {
    if (locks && other.locks) return locks->writes_any(other.locks->set_) || other.locks->writes_any(locks->set_);
    if (locks) return locks->writes_for(other.readers);
    return other.locks && other.locks->writes_for(readers);
  }
};

namespace {

/// Its mutex protects all locks, except for what SharedLock does while there is no writer.
struct LockManager {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<const Waiter*> waiters;
};

/// Never destroyed, because threads may outlive main. A forked child makes a new one: threads of its parent may have
/// been waiting on this one.
std::atomic<LockManager*> manager{new LockManager};
std::vector<ScopedLockSet*> lock_sets;
std::atomic<std::uint64_t> process{0}; ///< number of forks that led to this process
std::atomic<int> waiter_count{0};
int pending_forks = 0;
std::atomic<void (*)()> waiting_hook{nullptr};

/// Number of ScopedLockSets and SharedLocks that this thread holds.
thread_local int depth = 0;

using Lock = std::unique_lock<std::mutex>;

Lock lock_manager() {
  return Lock(manager.load()->mutex);
}

/// A place in the queue of waiters. Constructed and destroyed with the manager locked.
class QueueEntry {
public:
  explicit QueueEntry(const Waiter& waiter) : waiter_(waiter) {
    manager.load()->waiters.push_back(&waiter_);
    ++waiter_count;
  }
  ~QueueEntry() {
    std::vector<const Waiter*>& waiters = manager.load()->waiters;
    const auto found = std::find(waiters.begin(), waiters.end(), &waiter_);
    if (found == waiters.end()) return; // a fork has replaced the queue
    waiters.erase(found);
    --waiter_count;
    manager.load()->changed.notify_all();
  }
  QueueEntry(const QueueEntry&) = delete;
  QueueEntry& operator=(const QueueEntry&) = delete;

private:
  const Waiter& waiter_;
};

/// Return true if no conflicting thread has waited longer.
bool is_next(const Waiter& waiter) {
  const std::vector<const Waiter*>& waiters = manager.load()->waiters;
  const auto end = std::find(waiters.begin(), waiters.end(), &waiter);
  return std::none_of(waiters.begin(), end, [&](const Waiter* other) { return waiter.conflicts_with(*other); });
}

template <class Ready> void wait_for(Lock& lock, const Waiter& waiter, Ready ready) {
  if (ready() && (depth > 0 || is_next(waiter))) return;
  if (depth > 0) throw Busy("the model is in use by another call");
  const QueueEntry entry(waiter);
  while (!ready() || !is_next(waiter)) {
    constexpr std::chrono::milliseconds interval{50};
    if (manager.load()->changed.wait_for(lock, interval) == std::cv_status::no_timeout) continue;
    lock.unlock();
    struct Relock {
      Lock& lock;
      ~Relock() { lock = lock_manager(); }
    } const relock{lock};
    if (const auto hook = waiting_hook.load()) hook();
  }
}

constexpr std::uint64_t count_mask = 0xffffffff;

std::uint64_t process_of(std::uint64_t readers) {
  return readers >> 32;
}

/// Resets a count of readers in a parent process. A reader that arrives meanwhile sees the parent's number, and
/// arrives again.
void reset_after_fork(std::atomic<std::uint64_t>& readers) {
  if (process_of(readers.load()) != process.load()) readers.store(process.load() << 32);
}

} // namespace

// -- Forks -----------------------------------------------------------------------------------------

/// Runs in a forked child: releases the locks of all threads but this one.
void release_locks_of_parent() {
  manager.store(new LockManager);
  ++process;
  waiter_count.store(0);
  pending_forks = 0;
  for (std::size_t n = lock_sets.size(); n-- > 0;) {
    ScopedLockSet& locks = *lock_sets[n];
    if (locks.is_held_by_this_thread()) continue;
    locks.unlock();
    locks.end_reservations();
  }
}

[[maybe_unused]] static const int registered = pthread_atfork(
    [] { manager.load()->mutex.lock(); }, [] { manager.load()->mutex.unlock(); }, release_locks_of_parent);

void prepare_fork() {
  Lock lock = lock_manager();
  ++pending_forks;
  if (depth > 0) return; // it could wait for itself
  const Waiter waiter;
  const QueueEntry entry(waiter);
  manager.load()->changed.wait(lock, [] {
    return std::none_of(lock_sets.begin(), lock_sets.end(),
                        [](const ScopedLockSet* locks) { return locks->is_locked_ && !locks->set_.write.empty(); });
  });
}

void end_fork() {
  const Lock lock = lock_manager();
  if (pending_forks > 0) --pending_forks;
  manager.load()->changed.notify_all();
}

// -- SharedLock ------------------------------------------------------------------------------------

SharedLock::SharedLock(ReaderCount& count) : count_(count), process_(process.load(std::memory_order_relaxed)) {
  const std::uint64_t before = count_.readers_.fetch_add(1);
  if (process_of(before) != process_ || count_.writers_.load() != 0) wait(before);
  ++depth;
}

SharedLock::~SharedLock() {
  --depth;
  if (process_ != process.load(std::memory_order_relaxed)) return; // counted in the parent
  count_.readers_.fetch_sub(1);
  if (count_.writers_.load() == 0) return;
  const Lock lock = lock_manager();
  manager.load()->changed.notify_all();
}

void SharedLock::wait(std::uint64_t readers_before) {
  Lock lock = lock_manager();
  if (process_of(readers_before) == process_) count_.readers_.fetch_sub(1);
  manager.load()->changed.notify_all();
  wait_for(lock, {&count_}, [&] { return count_.writers_.load() == 0; });
  reset_after_fork(count_.readers_);
  count_.readers_.fetch_add(1);
  process_ = process.load();
}

void ResourceLock::add(const std::shared_ptr<ReaderCount>& count) {
  const Lock lock = lock_manager();
  const auto is_gone = [](const std::weak_ptr<ReaderCount>& other) { return other.expired(); };
  reader_counts_.erase(std::remove_if(reader_counts_.begin(), reader_counts_.end(), is_gone), reader_counts_.end());
  reader_counts_.push_back(count);
  if (is_written_) ++count->writers_;
}

// -- ScopedLockSet ---------------------------------------------------------------------------------

template <class F> void ScopedLockSet::for_each_reader_count(F f) const {
  for (const ResourceLock* resource : set_.write) {
    for (const std::weak_ptr<ReaderCount>& weak : resource->reader_counts_) {
      if (const std::shared_ptr<ReaderCount> count = weak.lock()) f(*count);
    }
  }
}

ScopedLockSet::ScopedLockSet(LockSet set) : set_(std::move(set)) {
  {
    const Lock lock = lock_manager();
    lock_sets.push_back(this);
    if (has_conflicting_reservation()) {
      lock_sets.pop_back();
      throw Busy("the model is in use by another call");
    }
    for (ResourceLock* resource : set_.reserve) resource->is_reserved_ = true;
    for (ResourceLock* resource : set_.reserve_shared) ++resource->shared_reservations_;
    is_reserved_ = true;
  }
  if (set_.write.empty() && set_.read.empty()) return;
  try {
    acquire();
  } catch (...) {
    const Lock lock = lock_manager();
    end_reservations();
    throw;
  }
}

ScopedLockSet::~ScopedLockSet() {
  if (is_locked_) release();
  const Lock lock = lock_manager();
  end_reservations();
}

bool ScopedLockSet::has_conflicting_reservation() const {
  const auto is_reserved = [](const ResourceLock* r) { return r->is_reserved_; };
  const auto is_used = [](const ResourceLock* r) { return r->is_reserved_ || r->shared_reservations_ > 0; };
  return std::any_of(set_.reserve.begin(), set_.reserve.end(), is_used) ||
         std::any_of(set_.reserve_shared.begin(), set_.reserve_shared.end(), is_reserved);
}

bool ScopedLockSet::writes_any(const LockSet& other) const {
  const auto is_written = [&](const ResourceLock* resource) {
    return std::find(set_.write.begin(), set_.write.end(), resource) != set_.write.end();
  };
  return std::any_of(other.write.begin(), other.write.end(), is_written) ||
         std::any_of(other.read.begin(), other.read.end(), is_written);
}

bool ScopedLockSet::writes_for(const ReaderCount* count) const {
  bool does = false;
  for_each_reader_count([&](const ReaderCount& other) { does = does || &other == count; });
  return does;
}

bool ScopedLockSet::is_available() const {
  if (pending_forks > 0 && depth == 0 && !set_.write.empty()) return false;
  const auto is_free = [](const ResourceLock* r) { return !r->is_written_ && r->readers_ == 0; };
  const auto is_written = [](const ResourceLock* r) { return r->is_written_; };
  return std::all_of(set_.write.begin(), set_.write.end(), is_free) &&
         std::none_of(set_.read.begin(), set_.read.end(), is_written);
}

bool ScopedLockSet::have_readers_left() const {
  bool have_left = true;
  for_each_reader_count([&](ReaderCount& count) {
    reset_after_fork(count.readers_);
    have_left = have_left && (count.readers_.load() & count_mask) == 0;
  });
  return have_left;
}

void ScopedLockSet::acquire() {
  Lock lock = lock_manager();
  wait_for(lock, {nullptr, this}, [&] { return is_available(); });
  for (ResourceLock* resource : set_.write) {
    resource->is_written_ = true;
    ++resource->write_count_;
  }
  for (ResourceLock* resource : set_.read) ++resource->readers_;
  for_each_reader_count([](ReaderCount& count) { ++count.writers_; });
  is_locked_ = true;
  try {
    wait_for(lock, {}, [&] { return have_readers_left(); }); // those that came before; others wait from now on
  } catch (...) {
    unlock();
    throw;
  }
  ++depth;
}

void ScopedLockSet::unlock() {
  if (!is_locked_) return;
  for (ResourceLock* resource : set_.write) resource->is_written_ = false;
  for (ResourceLock* resource : set_.read) --resource->readers_;
  for_each_reader_count([](ReaderCount& count) { --count.writers_; });
  is_locked_ = false;
  manager.load()->changed.notify_all();
}

void ScopedLockSet::end_reservations() {
  if (!is_reserved_) return; // a fork has ended them
  for (ResourceLock* resource : set_.reserve) resource->is_reserved_ = false;
  for (ResourceLock* resource : set_.reserve_shared) --resource->shared_reservations_;
  is_reserved_ = false;
  lock_sets.erase(std::find(lock_sets.begin(), lock_sets.end(), this));
}

void ScopedLockSet::release() {
  const Lock lock = lock_manager();
  --depth;
  unlock();
}

bool ScopedLockSet::has_waiters() {
  return waiter_count.load(std::memory_order_relaxed) > 0;
}

void set_waiting_hook(void (*hook)()) {
  waiting_hook.store(hook);
}

} // namespace cnet
