#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

/// Who may read and write what several calls share, as the weights of layers.
///
/// A call that trains keeps what it writes to itself, Hold: another that would train it is refused, Busy;
/// all else waits until it pauses, between two batches. Those who wait come in their order. Whoever reads a network for
/// a prediction comes through its gate, for two atomic operations. Nobody waits within a call of the same thread, as a
/// signal's handler may try to: that could last for ever, and is refused. In a forked child nobody holds
/// anything but the thread that it has.
namespace cnet {

class Hold;

/// Where a network's readers come in; closed while somebody writes what it is made of.
class Gate {
private:
  friend class Guard;
  friend class Hold;
  friend class Passage;
  /// In the lower half. The upper is the number of the process, counted by forks: readers of a process
  /// before have stayed behind there.
  std::atomic<std::uint64_t> readers_{0};
  std::atomic<int> closed_{0}; ///< how often
};

/// A reader's way through a gate, for its lifetime.
class Passage {
public:
  explicit Passage(Gate& gate);
  ~Passage();
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

private:
  void wait(std::uint64_t readers_before);

  Gate& gate_;
  std::uint64_t process_;
};

/// Of something that calls share: which of them use it.
class Guard {
public:
  Guard() = default;
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  /// Makes what is guarded part of what is read behind a gate.
  void add(const std::shared_ptr<Gate>& gate);

  /// How often somebody has begun to write; to be asked by who holds it.
  std::uint64_t writes() const { return writes_; }

private:
  friend class Hold;
  const Hold* owner_ = nullptr; ///< who keeps it to itself
  int users_ = 0;               ///< who rely on nobody's doing so
  int readers_ = 0;
  bool written_ = false;
  std::uint64_t writes_ = 0;
  std::vector<std::weak_ptr<Gate>> gates_;
};

/// What a call does with what is guarded.
struct Uses {
  std::vector<Guard*> owned; ///< kept from others who would own or use it, pauses included
  std::vector<Guard*> used;  ///< kept from those who would own it
  std::vector<Guard*> written;
  std::vector<Guard*> read;
};

/// A call's hold on what it uses, for its lifetime.
class Hold {
public:
  /// Waits until it may read and write; Busy if another owns what it would own or use.
  explicit Hold(Uses uses);
  ~Hold();
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  /// Whether anybody waits, perhaps for this call.
  static bool is_waited_for();

  /// Whether it is of a call that the thread is within.
  bool is_of_this_thread() const { return owns_ && thread_ == std::this_thread::get_id(); }

  /// Lets others read and write, for the time of f() and until those who then wait have done so. If f
  /// throws an exception, or the wait ends by one, the pause has no end.
  template <class F> void pause(F f) {
    leave();
    f();
    take();
  }
  void pause() {
    pause([] {});
  }

private:
  friend struct Waiter;
  friend void abandon_holds();
  friend void prepare_fork();
  void take();
  void leave();
  // With the office locked:
  void stop_using();
  void end();
  bool is_refused() const;
  bool is_free() const;
  bool is_drained() const;
  bool writes_any(const Uses&) const;
  bool writes_behind(const Gate*) const;
  template <class F> void each_gate(F f) const;

  const Uses uses_;
  const std::thread::id thread_ = std::this_thread::get_id();
  bool owns_ = false, uses_now_ = false;
};

/// Waits until nobody writes, and lets nobody begin to: what is forked then is whole. To be called before
/// a fork, and ended after it in the parent.
void prepare_fork();
void end_fork();

/// Called about every 50 ms by whoever waits; by an exception it ends the call. Set once.
void set_waiting_hook(void (*hook)());

} // namespace cnet
