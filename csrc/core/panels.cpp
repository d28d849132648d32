#include "core/panels.hpp"

#include <algorithm>
#include <cstring>

namespace cnet {

namespace {

/// Columns of panel p without padding.
template <class T> Index columns_in_panel(Index columns, Index p) {
  return std::min(panel_width<T>, columns - p * panel_width<T>);
}

/// Copies a panel's row; a full one with a constant size, which compiles to a few moves.
template <class T> void copy_row(const T* source, Index count, T* target) {
  if (count == panel_width<T>) {
    std::memcpy(target, source, panel_width<T> * sizeof(T));
  } else {
    std::copy_n(source, count, target);
  }
}

} // namespace

template <class T> void pack(MatrixView<const T> from, PanelView<T> to) {
  for (Index p = 0; p < to.panels(); ++p) {
    const Index count = columns_in_panel<T>(to.columns, p);
    for (Index i = 0; i < to.rows; ++i) {
      const T* source = from.data + i * from.columns + p * panel_width<T>;
      copy_row<T>(source, count, to.row(i) + p * to.stride());
    }
  }
}

template <class T> void unpack(PanelView<const T> from, MatrixView<T> to) {
  for (Index p = 0; p < from.panels(); ++p) {
    const Index count = columns_in_panel<T>(from.columns, p);
    for (Index i = 0; i < from.rows; ++i) {
      T* target = to.data + i * to.columns + p * panel_width<T>;
      copy_row<T>(from.row(i) + p * from.stride(), count, target);
    }
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void pack(MatrixView<const T>, PanelView<T>);                                                               \
  template void unpack(PanelView<const T>, MatrixView<T>);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
