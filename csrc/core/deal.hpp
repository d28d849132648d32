#pragma once

#include "core/matrix.hpp"
#include "core/panels.hpp"

#include <algorithm>
#include <atomic>
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

/// What of each thread's pieces has been taken, for as many tilings as a crew works through between two
/// barriers that all its threads pass.
class Deal {
public:
  Deal(int threads, std::size_t tilings) : threads_(threads), taken_(static_cast<std::size_t>(threads) * tilings) {}

private:
  friend class Hand;
  static constexpr Index all_taken = Index(1) << 40;
  struct alignas(cache_line) Counter {
    std::atomic<Index> value{all_taken};
  };
  int threads_;
  std::vector<Counter> taken_;
};

/// A thread's part in a deal. All threads of a crew go through the same tilings in the same order.
class Hand {
public:
  Hand(Deal& deal, Share share) : deal_(deal), share_(share) {}

  /// Starts with the first tiling; to be called again once a barrier has followed the last one.
  void begin() {
    tiling_ = 0;
    for (std::size_t n = 0; n < deal_.taken_.size(); n += static_cast<std::size_t>(deal_.threads_)) {
      // Until they see this, other threads see that all has been taken.
      deal_.taken_[n + static_cast<std::size_t>(share_.index)].value.store(0, std::memory_order_relaxed);
    }
  }

  /// f(piece) for the pieces of this thread's share that nobody has taken, then for those of others.
  /// Each piece is somebody's; what it computes does not depend on whose.
  template <class F> void each(const Tiling& tiling, F f) {
    if (share_.count == 1) return tiling.each(share_, [&](Index, Block block) { f(block); });
    Deal::Counter* taken = &deal_.taken_[tiling_++ * static_cast<std::size_t>(deal_.threads_)];
    for (int n = 0; n < share_.count; ++n) {
      const int owner = (share_.index + n) % share_.count;
      const auto take = [&] { return taken[owner].value.fetch_add(1, std::memory_order_relaxed); };
      Index mine = take();
      tiling.each({owner, share_.count}, [&](Index number, Block block) {
        if (number != mine) return;
        f(block);
        mine = take();
      });
    }
  }

  Share share() const { return share_; }

private:
  Deal& deal_;
  Share share_;
  std::size_t tiling_ = 0;
};

} // namespace cnet
