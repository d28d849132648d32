#pragma once

#include "kernels/math.hpp"

// Reductions over rows. Each row is reduced panel by panel to one row of lanes, then by halves to one number: the order
// depends on the number of columns alone. Rows are processed in groups of `width`, one lane per row.

namespace cnet::kernels::CNET_ISA {

namespace {

/// True for the lanes of panel p that hold columns, not padding.
template <class T> CNET_INLINE LaneMask<T> column_mask(Index columns, Index p) {
  return iota<T>() < broadcast(T(columns - p * panel_width<T>));
}

/// f(p, lanes) for each panel of row i, with the padding replaced.
template <class T, class F> CNET_INLINE void each_panel(const Rows<T>& rows, Index i, T padding, F f) {
  constexpr Index width = panel_width<T>;
  for (Index p = 0; p * width < rows.columns; ++p) {
    const Lanes<T> x = load(rows.x + p * rows.x_stride + i * width);
    f(p, select(column_mask<T>(rows.columns, p), x, broadcast(padding)));
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

struct Max {
  template <class T> CNET_INLINE Lanes<T> operator()(Lanes<T> x, Lanes<T> y) const { return select(x < y, y, x); }
};

/// Reduces each row by halves (lane n with lane n + width/2, down to one); lane r of the result belongs to row r.
template <class Op, class T> CNET_NOINLINE Lanes<T> reduce_lanes(Lanes<T> (&rows)[panel_width<T>]) {
  CNET_UNROLL
  for (int half = panel_width<T> / 2; half > 0; half /= 2) {
    CNET_UNROLL
    for (int r = 0; r < half; ++r) {
      Lanes<T> low, high; // the lower halves of both rows, and the upper halves
      interleave(rows[r], rows[r + half], low, high);
      rows[r] = Op()(low, high);
    }
  }
  return rows[0];
}

/// Reduces lanes_of(i) of each row i of a group.
template <class Op, class T, class F> CNET_INLINE Lanes<T> reduce_rows(Index first, Index count, F lanes_of) {
  Lanes<T> rows[panel_width<T>] = {};
  for (Index r = 0; r < count; ++r) rows[r] = lanes_of(first + r);
  return reduce_lanes<Op, T>(rows);
}

/// One number for each row of a group.
template <class T> struct RowScalars {
  T values[Lanes<T>::width];
  CNET_INLINE explicit RowScalars(Lanes<T> x) { store(values, x); }
  CNET_INLINE Lanes<T> operator[](Index r) const { return broadcast(values[r]); }
  CNET_INLINE void write(Index count, T* to) const {
    __builtin_memcpy(to, values, static_cast<unsigned long>(count) * sizeof(T));
  }
};

/// The sum of f(p, lanes) over a row's panels.
template <class T, class F> CNET_INLINE Lanes<T> sum_panels(const Rows<T>& rows, Index i, T padding, F f) {
  Lanes<T> total = broadcast(T(0));
  each_panel(rows, i, padding, [&](Index p, Lanes<T> x) CNET_INLINED { total = total + f(p, x); });
  return total;
}

template <class T> CNET_INLINE Lanes<T> row_maxima(const Rows<T>& rows, Index first, Index count) {
  const T lowest = T(-__builtin_inf());
  return reduce_rows<Max, T>(first, count, [&](Index i) CNET_INLINED {
    Lanes<T> maximum = broadcast(lowest);
    each_panel(rows, i, lowest, [&](Index, Lanes<T> x) CNET_INLINED { maximum = Max()(maximum, x); });
    return maximum;
  });
}

template <class T> CNET_INLINE Lanes<T> row_sums(const Rows<T>& rows, Index first, Index count) {
  return reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
    return sum_panels(rows, i, T(0), [](Index, Lanes<T> x) CNET_INLINED { return x; });
  });
}

} // namespace

} // namespace cnet::kernels::CNET_ISA
