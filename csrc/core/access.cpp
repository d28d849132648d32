#include "core/access.hpp"

#include "core/errors.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <utility>

namespace cnet {

/// A thread that waits: for a gate to open, for what a call is to use, or, with neither, to fork.
struct Waiter {
  const Gate* gate = nullptr;
  const Hold* hold = nullptr;

  /// Whether the two can't have what they wait for at once.
  bool excludes(const Waiter& other) const {
    if (hold && other.hold) return hold->writes_any(other.hold->uses_) || other.hold->writes_any(uses());
    if (hold) return hold->writes_behind(other.gate);
    return other.hold && other.hold->writes_behind(gate);
  }

private:
  const Uses& uses() const { return hold->uses_; }
};

namespace {

/// All that is said of guards and gates is said with the mutex locked, but what comes through open gates.
struct Office {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<const Waiter*> waiters;
};

/// Never destroyed: threads may outlive main. A forked child has another, as nobody in it holds this one.
std::atomic<Office*> office{new Office};
std::vector<Hold*> holds;
std::atomic<std::uint64_t> process{0};
std::atomic<int> waiting{0};
int pending_forks = 0;
std::atomic<void (*)()> waiting_hook{nullptr};

/// Holds and passages of this thread.
thread_local int depth = 0;

using Lock = std::unique_lock<std::mutex>;

Lock lock_office() {
  return Lock(office.load()->mutex);
}

/// A place in the queue of those who wait, for its lifetime; to be made and ended with the office locked.
class Waiting {
public:
  explicit Waiting(const Waiter& waiter) : waiter_(waiter) {
    office.load()->waiters.push_back(&waiter_);
    ++waiting;
  }
  ~Waiting() {
    std::vector<const Waiter*>& waiters = office.load()->waiters;
    const auto found = std::find(waiters.begin(), waiters.end(), &waiter_);
    if (found == waiters.end()) return; // forgotten at a fork
    waiters.erase(found);
    --waiting;
    office.load()->changed.notify_all();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

private:
  const Waiter& waiter_;
};

/// Whether nobody has waited longer for what the waiter would keep from him.
bool is_next(const Waiter& waiter) {
  const std::vector<const Waiter*>& waiters = office.load()->waiters;
  const auto end = std::find(waiters.begin(), waiters.end(), &waiter);
  return std::none_of(waiters.begin(), end, [&](const Waiter* other) { return waiter.excludes(*other); });
}

template <class Ready> void wait_for(Lock& lock, const Waiter& waiter, Ready ready) {
  if (ready() && (depth > 0 || is_next(waiter))) return;
  if (depth > 0) throw Busy("the model is in use by another call");
  const Waiting is_waiting(waiter);
  while (!ready() || !is_next(waiter)) {
    constexpr std::chrono::milliseconds interval{50};
    if (office.load()->changed.wait_for(lock, interval) == std::cv_status::no_timeout) continue;
    lock.unlock();
    struct Relock {
      Lock& lock;
      ~Relock() { lock = lock_office(); }
    } const relock{lock};
    if (const auto hook = waiting_hook.load()) hook();
  }
}

constexpr std::uint64_t count_mask = 0xffffffff;

std::uint64_t process_of(std::uint64_t readers) {
  return readers >> 32;
}

/// Forgets readers who have stayed behind in a process before. Those who come meanwhile see that they
/// have come to a gate of such, and come again.
void renew(std::atomic<std::uint64_t>& readers) {
  if (process_of(readers.load()) != process.load()) readers.store(process.load() << 32);
}

} // namespace

// -- Forks -----------------------------------------------------------------------------------------

/// In a forked child: what other threads held, nobody holds.
void abandon_holds() {
  office.store(new Office);
  ++process;
  waiting.store(0);
  pending_forks = 0;
  for (std::size_t n = holds.size(); n-- > 0;) {
    Hold& hold = *holds[n];
    if (hold.is_of_this_thread()) continue;
    hold.stop_using();
    hold.end();
  }
}

namespace {

[[maybe_unused]] const int prepared =
    pthread_atfork([] { office.load()->mutex.lock(); }, [] { office.load()->mutex.unlock(); }, [] { abandon_holds(); });

} // namespace

void prepare_fork() {
  Lock lock = lock_office();
  ++pending_forks;
  if (depth > 0) return; // it could wait for itself
  const Waiter waiter;
  const Waiting is_waiting(waiter);
  office.load()->changed.wait(lock, [] {
    return std::none_of(holds.begin(), holds.end(),
                        [](const Hold* hold) { return hold->uses_now_ && !hold->uses_.written.empty(); });
  });
}

void end_fork() {
  const Lock lock = lock_office();
  if (pending_forks > 0) --pending_forks;
  office.load()->changed.notify_all();
}

// -- Readers behind gates --------------------------------------------------------------------------

Passage::Passage(Gate& gate) : gate_(gate), process_(process.load(std::memory_order_relaxed)) {
  const std::uint64_t before = gate_.readers_.fetch_add(1);
  if (process_of(before) != process_ || gate_.closed_.load() != 0) wait(before);
  ++depth;
}

Passage::~Passage() {
  --depth;
  if (process_ != process.load(std::memory_order_relaxed)) return; // counted in the parent
  gate_.readers_.fetch_sub(1);
  if (gate_.closed_.load() == 0) return;
  const Lock lock = lock_office();
  office.load()->changed.notify_all();
}

void Passage::wait(std::uint64_t readers_before) {
  Lock lock = lock_office();
  if (process_of(readers_before) == process_) gate_.readers_.fetch_sub(1);
  office.load()->changed.notify_all();
  wait_for(lock, {&gate_}, [&] { return gate_.closed_.load() == 0; });
  renew(gate_.readers_);
  gate_.readers_.fetch_add(1);
  process_ = process.load();
}

void Guard::add(const std::shared_ptr<Gate>& gate) {
  const Lock lock = lock_office();
  gates_.erase(std::remove_if(gates_.begin(), gates_.end(), [](const auto& other) { return other.expired(); }),
               gates_.end());
  gates_.push_back(gate);
  if (written_) ++gate->closed_;
}

// -- Holds -----------------------------------------------------------------------------------------

template <class F> void Hold::each_gate(F f) const {
  for (const Guard* guard : uses_.written) {
    for (const std::weak_ptr<Gate>& weak : guard->gates_) {
      if (const std::shared_ptr<Gate> gate = weak.lock()) f(*gate);
    }
  }
}

Hold::Hold(Uses uses) : uses_(std::move(uses)) {
  {
    const Lock lock = lock_office();
    holds.push_back(this);
    if (is_refused()) {
      holds.pop_back();
      throw Busy("the model is in use by another call");
    }
    for (Guard* guard : uses_.owned) guard->owner_ = this;
    for (Guard* guard : uses_.used) ++guard->users_;
    owns_ = true;
  }
  if (uses_.written.empty() && uses_.read.empty()) return;
  try {
    take();
  } catch (...) {
    const Lock lock = lock_office();
    end();
    throw;
  }
}

Hold::~Hold() {
  if (uses_now_) leave();
  const Lock lock = lock_office();
  end();
}

bool Hold::is_refused() const {
  const auto is_owned = [](const Guard* guard) { return guard->owner_ != nullptr; };
  const auto is_used = [](const Guard* guard) { return guard->users_ > 0; };
  return std::any_of(uses_.owned.begin(), uses_.owned.end(), is_owned) ||
         std::any_of(uses_.owned.begin(), uses_.owned.end(), is_used) ||
         std::any_of(uses_.used.begin(), uses_.used.end(), is_owned);
}

bool Hold::writes_any(const Uses& others) const {
  const auto is_written = [&](const Guard* guard) {
    return std::find(uses_.written.begin(), uses_.written.end(), guard) != uses_.written.end();
  };
  return std::any_of(others.written.begin(), others.written.end(), is_written) ||
         std::any_of(others.read.begin(), others.read.end(), is_written);
}

bool Hold::writes_behind(const Gate* gate) const {
  bool does = false;
  each_gate([&](const Gate& other) { does = does || &other == gate; });
  return does;
}

bool Hold::is_free() const {
  if (pending_forks > 0 && depth == 0 && !uses_.written.empty()) return false;
  return std::all_of(uses_.written.begin(), uses_.written.end(),
                     [](const Guard* guard) { return !guard->written_ && guard->readers_ == 0; }) &&
         std::none_of(uses_.read.begin(), uses_.read.end(), [](const Guard* guard) { return guard->written_; });
}

bool Hold::is_drained() const {
  bool is_empty = true;
  each_gate([&](Gate& gate) {
    renew(gate.readers_);
    is_empty = is_empty && (gate.readers_.load() & count_mask) == 0;
  });
  return is_empty;
}

void Hold::take() {
  Lock lock = lock_office();
  wait_for(lock, {nullptr, this}, [&] { return is_free(); });
  for (Guard* guard : uses_.written) {
    guard->written_ = true;
    ++guard->writes_;
  }
  for (Guard* guard : uses_.read) ++guard->readers_;
  each_gate([](Gate& gate) { ++gate.closed_; });
  uses_now_ = true;
  try {
    // Others can have read before; whoever comes now waits.
    wait_for(lock, {}, [&] { return is_drained(); });
  } catch (...) {
    stop_using();
    throw;
  }
  ++depth;
}

void Hold::stop_using() {
  if (!uses_now_) return;
  for (Guard* guard : uses_.written) guard->written_ = false;
  for (Guard* guard : uses_.read) --guard->readers_;
  each_gate([](Gate& gate) { --gate.closed_; });
  uses_now_ = false;
  office.load()->changed.notify_all();
}

void Hold::end() {
  if (!owns_) return; // it was abandoned
  for (Guard* guard : uses_.owned) guard->owner_ = nullptr;
  for (Guard* guard : uses_.used) --guard->users_;
  owns_ = false;
  holds.erase(std::find(holds.begin(), holds.end(), this));
}

void Hold::leave() {
  const Lock lock = lock_office();
  --depth;
  stop_using();
}

bool Hold::is_waited_for() {
  return waiting.load(std::memory_order_relaxed) > 0;
}

void set_waiting_hook(void (*hook)()) {
  waiting_hook.store(hook);
}

} // namespace cnet
