#pragma once

#include "kernels/math.hpp"

// Reductions over rows. A row's lanes are summed panel by panel, then folded in halves: the order depends on the
// number of columns alone. Rows are taken in groups of as many as there are lanes, so that one number a row is one
// lane a row.

namespace cnet::kernels::CNET_ISA {

namespace {

/// The lanes of panel p that hold columns, not padding.
template <class T> CNET_INLINE LaneMask<T> columns_of(Index columns, Index p) {
  return lane_numbers<T>() < broadcast(T(columns - p * panel_width<T>));
}

/// f(p, lanes) for each panel of row i, the padding replaced.
template <class T, class F> CNET_INLINE void each_panel(const Rows<T>& rows, Index i, T padding, F f) {
  constexpr Index width = panel_width<T>;
  for (Index p = 0; p * width < rows.columns; ++p) {
    const Lanes<T> x = load(rows.x + p * rows.x_stride + i * width);
    f(p, select(columns_of<T>(rows.columns, p), x, broadcast(padding)));
  }
}

/// f(first, count) for each group of rows.
template <class T, class F> CNET_INLINE void each_group(Index rows, F f) {
  constexpr Index width = panel_width<T>;
  for (Index first = 0; first < rows; first += width) f(first, rows - first < width ? rows - first : width);
}

struct Add {
  template <class T> CNET_INLINE Lanes<T> operator()(Lanes<T> x, Lanes<T> y) const { return x + y; }
};

struct Maximum {
  template <class T> CNET_INLINE Lanes<T> operator()(Lanes<T> x, Lanes<T> y) const { return select(x < y, y, x); }
};

/// Folds each row's lanes in halves (lane n with lane n + width/2, and so on down to one): the result's lane r is
/// row r's.
template <class Fold, class T> CNET_OUTLINED Lanes<T> folded(Lanes<T> (&rows)[panel_width<T>]) {
  CNET_UNROLL
  for (int half = panel_width<T> / 2; half > 0; half /= 2) {
    CNET_UNROLL
    for (int r = 0; r < half; ++r) {
      Lanes<T> low, high; // zipped with another row, each half of a row's lanes is a half of all
      zip(rows[r], rows[r + half], low, high);
      rows[r] = Fold()(low, high);
    }
  }
  return rows[0];
}

/// lanes_of(first + r) of each row of a group, folded.
template <class Fold, class T, class F> CNET_INLINE Lanes<T> fold_rows(Index first, Index count, F lanes_of) {
  Lanes<T> rows[panel_width<T>] = {};
  for (Index r = 0; r < count; ++r) rows[r] = lanes_of(first + r);
  return folded<Fold, T>(rows);
}

/// Some numbers of a group, row by row.
template <class T> struct Numbers {
  T numbers[Lanes<T>::width];
  CNET_INLINE explicit Numbers(Lanes<T> x) { store(numbers, x); }
  CNET_INLINE Lanes<T> operator[](Index r) const { return broadcast(numbers[r]); }
  CNET_INLINE void write(Index count, T* to) const {
    __builtin_memcpy(to, numbers, static_cast<unsigned long>(count) * sizeof(T));
  }
};

/// The sum of f(p, lanes) over a row's panels.
template <class T, class F> CNET_INLINE Lanes<T> sum_panels(const Rows<T>& rows, Index i, T padding, F f) {
  Lanes<T> total = broadcast(T(0));
  each_panel(rows, i, padding, [&](Index p, Lanes<T> x) CNET_INLINED { total = total + f(p, x); });
  return total;
}

template <class T> CNET_INLINE Lanes<T> maxima(const Rows<T>& rows, Index first, Index count) {
  const T lowest = T(-__builtin_inf());
  return fold_rows<Maximum, T>(first, count, [&](Index i) CNET_INLINED {
    Lanes<T> maximum = broadcast(lowest);
    each_panel(rows, i, lowest, [&](Index, Lanes<T> x) CNET_INLINED { maximum = Maximum()(maximum, x); });
    return maximum;
  });
}

template <class T> CNET_INLINE Lanes<T> sums(const Rows<T>& rows, Index first, Index count) {
  return fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
    return sum_panels(rows, i, T(0), [](Index, Lanes<T> x) CNET_INLINED { return x; });
  });
}

} // namespace

} // namespace cnet::kernels::CNET_ISA
