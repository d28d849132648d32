#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

/// Locks on resources that several calls share, such as the weights of layers.
///
/// A call takes all its locks at once, as a ScopedLockSet:
/// - Read and write locks: a writer excludes readers and other writers. A call that finds a conflict waits until
///   the holder ends, or yields its locks between two batches. Waiters are served in order of arrival.
/// - Reservations last for the whole call, including the time of a yield. A call that finds a conflict does not
///   wait: it throws Busy.
/// A thread that holds locks already never waits either, because it could wait for itself (in a callback or a
/// signal handler): it throws Busy.
///
/// Predictions read through a SharedLock instead, which costs two atomic operations while there is no writer.
///
/// Python calls prepare_fork() before a fork: it waits for writers, so that the child copies whole steps. In the
/// child, the locks of all threads but the forking one are released, since those threads do not exist there.
namespace cnet {

class ScopedLockSet;

/// Counts the predictions that read a network; closed while one of the network's variables is being written.
class ReaderCount {
private:
  friend class ResourceLock;
  friend class ScopedLockSet;
  friend class SharedLock;
  /// The low half counts readers. The high half is the number of forks that led to this process: readers with
  /// another number were counted in a parent process and do not exist in this one.
  std::atomic<std::uint64_t> readers_{0};
  std::atomic<int> writers_{0};
};

/// Holds a read lock on a network for its lifetime.
class SharedLock {
public:
  explicit SharedLock(ReaderCount& count);
  ~SharedLock();
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

private:
  void wait(std::uint64_t readers_before);

  ReaderCount& count_;
  std::uint64_t process_;
};

/// The lock of one shared resource, a variable for example.
class ResourceLock {
public:
  ResourceLock() = default;
  ResourceLock(const ResourceLock&) = delete;
  ResourceLock& operator=(const ResourceLock&) = delete;

  /// Makes writers of the resource wait for these readers as well.
  void add(const std::shared_ptr<ReaderCount>& count);

  /// Number of write locks taken so far. The caller must hold a lock.
  std::uint64_t write_count() const { return write_count_; }

private:
  friend class ScopedLockSet;
  bool is_reserved_ = false;
  int shared_reservations_ = 0;
  int readers_ = 0;
  bool is_written_ = false;
  std::uint64_t write_count_ = 0;
  std::vector<std::weak_ptr<ReaderCount>> reader_counts_;
};

/// The locks and reservations of a call.
struct LockSet {
  std::vector<ResourceLock*> reserve;        ///< excludes both kinds of reservations by other calls
  std::vector<ResourceLock*> reserve_shared; ///< excludes other calls' `reserve`
  std::vector<ResourceLock*> write;
  std::vector<ResourceLock*> read;
};

/// Holds a set of locks for its lifetime.
class ScopedLockSet {
public:
  /// Throws Busy if a reservation conflicts, then waits for the read and write locks.
  explicit ScopedLockSet(LockSet set);
  ~ScopedLockSet();
  ScopedLockSet(const ScopedLockSet&) = delete;
  ScopedLockSet& operator=(const ScopedLockSet&) = delete;

  /// Return true if any thread waits for a lock.
  static bool has_waiters();

  bool is_held_by_this_thread() const { return is_reserved_ && thread_ == std::this_thread::get_id(); }

  /// Releases the read and write locks, calls f() and takes them again, after all threads that wait by then. If f or
  /// the wait throws, the locks stay released.
  template <class F> void yield(F f) {
    release();
    f();
    acquire();
  }
  void yield() {
    yield([] {});
  }

private:
  friend struct Waiter;
  friend void release_locks_of_parent();
  friend void prepare_fork();
  void acquire();
  void release();
  // With the lock manager's mutex locked:
  void unlock();
  void end_reservations();
  bool has_conflicting_reservation() const;
  bool is_available() const;
  bool have_readers_left() const;
  bool writes_any(const LockSet&) const;
  bool writes_for(const ReaderCount*) const;
  template <class F> void for_each_reader_count(F f) const;

  const LockSet set_;
  const std::thread::id thread_ = std::this_thread::get_id();
  bool is_reserved_ = false, is_locked_ = false;
};

/// Waits for writers, and makes others wait until end_fork(), which the parent calls after the fork.
void prepare_fork();
void end_fork();

/// Sets a function that waiting threads call about every 50 ms. If it throws, the waiting call ends.
void set_waiting_hook(void (*hook)());

} // namespace cnet
