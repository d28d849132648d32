#pragma once

#include "core/event_count.hpp"
#include "core/matrix.hpp"
#include "core/panels.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <vector>

namespace cnet {

/// A matrix cut into pieces of a few panels and `piece_rows` rows each, in a cache-friendly order: all panels of
/// `resident_rows` rows (a multiple of piece_rows), then of the next.
struct Tiling {
  Index rows;
  Index panels;
  Index piece_rows;
  Index resident_rows;
  bool splits_panels = true; ///< if false, each piece has all panels of its thread

  /// Calls f(n, piece n) for n = 0, 1, … over one thread's pieces. Threads divide the panels if there are enough, so
  /// that each finds its panels in its cache again, otherwise the rows.
  template <class F> void for_each_piece(TeamMember member, F f) const {
    const Index row_pieces = (rows + piece_rows - 1) / piece_rows;
    const auto part = [](Index whole, int rank, int size) { return whole * rank / size; };
    Index first_panel = 0, end_panel = panels, first_row = 0, end_row = rows;
    if (panels >= member.size) {
      first_panel = part(panels, member.rank, member.size);
      end_panel = part(panels, member.rank + 1, member.size);
    } else {
      first_row = part(row_pieces, member.rank, member.size) * piece_rows;
      end_row = std::min(part(row_pieces, member.rank + 1, member.size) * piece_rows, rows);
    }
    Index n = 0;
    for (Index start = first_row; start < end_row; start += resident_rows) {
      const Index end = std::min(start + resident_rows, end_row);
      for (Index panel = first_panel, last_panel; panel < end_panel; panel = last_panel) {
        last_panel = splits_panels ? panel + next_panels(end_panel - panel) : end_panel;
        for (Index row = start; row < end; row += piece_rows) {
          f(n++, Block{row, std::min(row + piece_rows, end), panel, last_panel});
        }
      }
    }
  }
};

/// Tracks which pieces of each thread have been taken, and how many are done.
///
/// The threads of a team go through the same tilings in the same order, each at its own pace: a thread takes its own
/// pieces, then steals those of others, and goes on once all pieces are done. It need not wait for all threads to
/// arrive: one that is descheduled delays the others only by the piece that it has begun.
class WorkStealingSchedule {
public:
  /// For rounds of at most `tilings` tilings.
  WorkStealingSchedule(int threads, std::size_t tilings)
      : threads_(threads), taken_(static_cast<std::size_t>(threads) * tilings) {}

private:
  friend class Worker;
  /// The number of pieces taken and their round, so that a late thread sees that the round is over.
  struct alignas(cache_line) Counter {
    std::atomic<std::uint64_t> value{0};
  };
  bool is_forked() const { return forks.load() != forks_; }

  const unsigned forks_ = forks.load();
  int threads_;
  std::vector<Counter> taken_;
  /// Total area (rows times panels) of the finished pieces of all rounds. A thread passes a wait() only when all
  /// pieces before it are done, so this number alone decides whether it may pass the next.
  alignas(cache_line) std::atomic<Index> done_{0};
  EventCount more_done_;
};

/// One thread's part in a schedule. In each round, all threads make the same calls of parallel_for() and single() in
/// the same order, with at most as many of parallel_for() as the schedule has tilings.
class Worker {
public:
  Worker(WorkStealingSchedule& schedule, TeamMember member) : schedule_(schedule), member_(member) {}

  void begin_round() {
    ++round_;
    tiling_ = 0;
  }

  /// Calls f(piece) for untaken pieces of this thread, then of others. Results must not depend on the thread.
  template <class F> void parallel_for(const Tiling& tiling, F f) {
    if (member_.size == 1) return tiling.for_each_piece(member_, [&](Index, Block block) { f(block); });
    assert(static_cast<std::size_t>(schedule_.threads_) * tiling_ < schedule_.taken_.size());
    Counter* taken = &schedule_.taken_[tiling_++ * static_cast<std::size_t>(schedule_.threads_)];
    due_ += tiling.rows * tiling.panels;
    if (is_done()) return;
    Index area = 0;
    for (int n = 0; n < member_.size; ++n) {
      const int owner = (member_.rank + n) % member_.size;
      Index mine = take(taken[owner]);
      tiling.for_each_piece({owner, member_.size}, [&](Index number, Block block) {
        if (number != mine) return;
        f(block);
        area += (block.last - block.first) * (block.last_panel - block.first_panel);
        mine = take(taken[owner]);
      });
    }
    add(area);
  }

  /// Calls f() on thread 0; wait() waits for it as for a piece.
  template <class F> void single(F f) {
    due_ += 1;
    if (member_.rank > 0) return;
    f();
    add(1);
  }

  /// Waits until all pieces so far are done; their writes are then visible. Returns at once after a fork, because
  /// this is then the only thread, and the pieces of others are never finished.
  void wait() {
    if (member_.size == 1) return;
    schedule_.more_done_.wait(spin_time, [&] { return is_done() || schedule_.is_forked(); });
  }

private:
  using Counter = WorkStealingSchedule::Counter;

  static constexpr std::chrono::microseconds spin_time{100}; ///< before it sleeps: others are about to finish
  static constexpr std::uint64_t most_pieces = 1 << 24;      ///< of one thread in one tiling

  bool is_done() const { return schedule_.done_.load() >= due_; }

  void add(Index area) {
    if (member_.size == 1 || area == 0) return;
    schedule_.done_.fetch_add(area);
    schedule_.more_done_.notify();
  }

  /// The number of the piece that this thread has just taken, or −1 if the round is over. It may be past the last.
  Index take(Counter& counter) {
    std::uint64_t taken = counter.value.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t round = taken / most_pieces;
      if (round > round_) return -1;
      const std::uint64_t number = round == round_ ? taken % most_pieces : 0;
      const std::uint64_t next = round_ * most_pieces + number + 1;
      if (counter.value.compare_exchange_weak(taken, next, std::memory_order_relaxed)) return Index(number);
    }
  }

  WorkStealingSchedule& schedule_;
  TeamMember member_;
  std::uint64_t round_ = 0;
  std::size_t tiling_ = 0;
  Index due_ = 0; ///< value of done_ when all tilings so far are done
};

} // namespace cnet
