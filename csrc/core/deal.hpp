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

/// A matrix cut into pieces of a few panels and `piece_rows` rows each, in an order that is kind to
/// caches: all panels of `resident_rows` rows (a multiple of piece_rows), then of the next.
struct Tiling {
  Index rows;
  Index panels;
  Index piece_rows;
  Index resident_rows;
  bool panels_apart = true; ///< else a share's panels stay together

  /// f(n, piece n) for a share of the pieces, n = 0, 1, …: those of some panels, if there are enough,
  /// so that a thread which always works on the same finds them in its cache; else those of some rows.
  template <class F> void each(Share share, F f) const {
    const Index row_pieces = (rows + piece_rows - 1) / piece_rows;
    const auto part = [](Index whole, int index, int count) { return whole * index / count; };
    Index first_panel = 0, end_panel = panels, first_row = 0, end_row = rows;
    if (panels >= share.count) {
      first_panel = part(panels, share.index, share.count);
      end_panel = part(panels, share.index + 1, share.count);
    } else {
      first_row = part(row_pieces, share.index, share.count) * piece_rows;
      end_row = std::min(part(row_pieces, share.index + 1, share.count) * piece_rows, rows);
    }
    Index n = 0;
    for (Index start = first_row; start < end_row; start += resident_rows) {
      const Index end = std::min(start + resident_rows, end_row);
      for (Index panel = first_panel, last_panel; panel < end_panel; panel = last_panel) {
        last_panel = panels_apart ? panel + next_panels(end_panel - panel) : end_panel;
        for (Index row = start; row < end; row += piece_rows) {
          f(n++, Block{row, std::min(row + piece_rows, end), panel, last_panel});
        }
      }
    }
  }
};

/// Who has taken what of each thread's pieces, and how much is done.
///
/// A crew's threads go through the same tilings in the same order, each at its own pace: whoever comes
/// to a tiling takes pieces of it until there are none, and may go on when all are done, not when all
/// threads have come. One that is kept from its work for a while, by another program say, holds up
/// nothing but the piece that it had begun.
class Deal {
public:
  /// For rounds of at most so many tilings.
  Deal(int threads, std::size_t tilings) : threads_(threads), taken_(static_cast<std::size_t>(threads) * tilings) {}

private:
  friend class Hand;
  /// Pieces that are taken, and the round that they are of: a thread that comes late finds a later one.
  struct alignas(cache_line) Counter {
    std::atomic<std::uint64_t> value{0};
  };
  bool is_forked() const { return forks.load() != forks_; }

  const unsigned forks_ = forks.load();
  int threads_;
  std::vector<Counter> taken_;
  /// The area of all pieces of all rounds that are done, in rows times panels. Whoever goes on past a
  /// wait() has seen all pieces before it done, so this alone says when the next may be gone past.
  alignas(cache_line) std::atomic<Index> done_{0};
  EventCount more_done_;
};

/// A thread's part in a deal. Between two begin()s all threads call each() and first_alone() for the same,
/// in the same order, and each() at most as often as the deal has tilings.
class Hand {
public:
  Hand(Deal& deal, Share share) : deal_(deal), share_(share) {}

  /// Starts the next round.
  void begin() {
    ++round_;
    tiling_ = 0;
  }

  /// f(piece) for the pieces of this thread's share that nobody has taken, then for those of others.
  /// Each piece is somebody's; what it computes does not depend on whose.
  template <class F> void each(const Tiling& tiling, F f) {
    if (share_.count == 1) return tiling.each(share_, [&](Index, Block block) { f(block); });
    assert(static_cast<std::size_t>(deal_.threads_) * tiling_ < deal_.taken_.size());
    Counter* taken = &deal_.taken_[tiling_++ * static_cast<std::size_t>(deal_.threads_)];
    due_ += tiling.rows * tiling.panels;
    if (is_done()) return;
    Index area = 0;
    for (int n = 0; n < share_.count; ++n) {
      const int owner = (share_.index + n) % share_.count;
      Index mine = take(taken[owner]);
      tiling.each({owner, share_.count}, [&](Index number, Block block) {
        if (number != mine) return;
        f(block);
        area += (block.last - block.first) * (block.last_panel - block.first_panel);
        mine = take(taken[owner]);
      });
    }
    add(area);
  }

  /// f() on the first thread; the others wait for it as for a piece.
  template <class F> void first_alone(F f) {
    due_ += 1;
    if (share_.index > 0) return;
    f();
    add(1);
  }

  /// Returns when all pieces so far are done; what was written in them is then seen. After a fork the
  /// thread is alone, and what others had begun never will be done.
  void wait() {
    if (share_.count == 1) return;
    deal_.more_done_.wait(spin_time, [&] { return is_done() || deal_.is_forked(); });
  }

private:
  using Counter = Deal::Counter;

  /// How long a thread looks for others, who are at work and will be done.
  static constexpr std::chrono::microseconds spin_time{100};
  static constexpr std::uint64_t pieces = 1 << 24; ///< that a share may have

  bool is_done() const { return deal_.done_.load() >= due_; }

  void add(Index area) {
    if (share_.count == 1 || area == 0) return;
    deal_.done_.fetch_add(area);
    deal_.more_done_.notify();
  }

  /// The number of a piece that is now this thread's; of none, if there are none or the round is over.
  Index take(Counter& counter) {
    std::uint64_t taken = counter.value.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t round = taken / pieces;
      if (round > round_) return -1;
      const std::uint64_t number = round == round_ ? taken % pieces : 0;
      const std::uint64_t next = round_ * pieces + number + 1;
      if (counter.value.compare_exchange_weak(taken, next, std::memory_order_relaxed)) return Index(number);
    }
  }

  Deal& deal_;
  Share share_;
  std::uint64_t round_ = 0;
  std::size_t tiling_ = 0;
  Index due_ = 0; ///< what is done when all tilings so far are
};

} // namespace cnet
