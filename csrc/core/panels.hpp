#pragma once

#include "core/aligned_buffer.hpp"
#include "core/matrix.hpp"

#include <cstring>
#include <type_traits>

namespace cnet {

template <class T> constexpr Index panel_count(Index columns) {
  return (columns + panel_width<T> - 1) / panel_width<T>;
}

/// A view of a matrix in panels: [columns / width][rows][width].
///
/// Panel p holds columns [p·width, (p + 1)·width), row after row, one cache line per row. The last panel is padded to
/// the full width; results never depend on the padding. Both weights (rows = inputs) and activations (rows = samples)
/// are stored like this, so that products read all their operands sequentially.
template <class T> struct PanelView {
  T* data;
  Index rows;
  Index columns;

  Index panels() const { return panel_count<T>(columns); }
  Index stride() const { return rows * panel_width<T>; }
  T* row(Index i) const { return data + i * panel_width<T>; }
  T* panel(Index p) const { return data + p * stride(); }
  T& at(Index i, Index j) const {
    return data[j / panel_width<T> * stride() + i * panel_width<T> + j % panel_width<T>];
  }
  operator PanelView<const T>() const { return {data, rows, columns}; }
};

/// A matrix in panels that owns its memory. `view(rows)` is a matrix with fewer rows in the same memory.
template <class T> class PanelMatrix {
public:
  PanelMatrix() = default;
  PanelMatrix(Index rows, Index columns)
      : buffer_(checked_product(rows, panel_count<T>(columns) * panel_width<T>)), rows_(rows), columns_(columns) {}

  PanelView<T> view() { return {buffer_.data(), rows_, columns_}; }
  PanelView<const T> view() const { return {buffer_.data(), rows_, columns_}; }
  PanelView<T> view(Index rows) { return {buffer_.data(), rows, columns_}; }

  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  Index size() const { return buffer_.size(); }
  bool empty() const { return buffer_.empty(); }

private:
  AlignedBuffer<T> buffer_;
  Index rows_ = 0;
  Index columns_ = 0;
};

/// Copies a row-major matrix into panels.
template <class T> void pack(MatrixView<const T> from, PanelView<T> to);

/// Copies panels into a row-major matrix.
template <class T> void unpack(PanelView<const T> from, MatrixView<T> to);

/// Copies part of a row of a panel. Unlike std::copy_n it is inlined where the count is a constant.
template <class T, class Count> void copy_lanes(const T* from, Count count, T* to) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
}

/// Calls f(count), as a constant if it is a panel's width or a simple part of it.
template <class T, class F> void with_lane_count(Index count, F f) {
  constexpr Index width = panel_width<T>;
  switch (count) {
  case width: return f(std::integral_constant<Index, width>());
  case width / 2: return f(std::integral_constant<Index, width / 2>());
  case width / 4: return f(std::integral_constant<Index, width / 4>());
  default: return f(count);
  }
}

/// Rows [first, last) and panels [first_panel, last_panel) of a matrix.
struct Block {
  Index first;
  Index last;
  Index first_panel;
  Index last_panel;
};

/// The block of all rows and panels.
template <class T> Block whole(PanelView<T> matrix) {
  return {0, matrix.rows, 0, matrix.panels()};
}

/// Panels [first, last) as a matrix.
template <class T> PanelView<T> panels_of(PanelView<T> matrix, Index first, Index last) {
  const Index columns = last < matrix.panels() ? last * panel_width<T> : matrix.columns;
  return {matrix.panel(first), matrix.rows, columns - first * panel_width<T>};
}

/// The block of some rows of all panels.
template <class T> Block across(PanelView<T> matrix, RowRange rows) {
  return {rows.first, rows.last, 0, matrix.panels()};
}

} // namespace cnet
