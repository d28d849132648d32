#include "ops/rearrangement.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace cnet::ops {

template <class T>
Rearrangement<T>::Rearrangement(const std::vector<Index>& source, SampleShape from, SampleShape to)
    : from_(from), to_(to) {
  constexpr Index width = panel_width<T>;
  const Index size = checked_product(from.rows, from.columns);
  if (static_cast<Index>(source.size()) != checked_product(to.rows, to.columns)) {
    throw std::invalid_argument("expected a source for each of " + std::to_string(to.rows * to.columns) +
                                " elements, got " + std::to_string(source.size()));
  }
  std::vector<bool> is_read(static_cast<std::size_t>(size));
  is_bijective_ = static_cast<Index>(source.size()) == size;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] < 0 || source[i] >= size) {
      throw std::invalid_argument("expected elements in [0, " + std::to_string(size) + "), got " +
                                  std::to_string(source[i]));
    }
    const auto at = static_cast<std::size_t>(source[i]);
    if (is_read[at]) is_bijective_ = false;
    is_read[at] = true;

    const Index row = source[i] / from.columns, column = source[i] % from.columns;
    const Index to_row = static_cast<Index>(i) / to.columns, to_column = static_cast<Index>(i) % to.columns;
    const bool continues = i > 0 && source[i] == source[i - 1] + 1 && column % width != 0 && to_column % width != 0;
    if (continues) {
      ++runs_.back().count;
    } else {
      runs_.push_back({row, column / width, column % width, to_row, to_column / width, to_column % width, 1});
    }
  }
}

template <class T> void Rearrangement<T>::forward(PanelView<const T> x, RowRange samples, PanelView<T> out) const {
  constexpr Index width = panel_width<T>;
  for (const Run& run : runs_) {
    const T* from = x.panel(run.panel) + run.row * width + run.lane;
    T* to = out.panel(run.to_panel) + run.to_row * width + run.to_lane;
    with_lane_count<T>(run.count, [&](auto count) {
      for (Index i = samples.first; i < samples.last; ++i) {
        copy_lanes(from + i * from_.rows * width, count, to + i * to_.rows * width);
      }
    });
  }
}

template <class T> void Rearrangement<T>::backward(PanelView<const T> grad, RowRange samples, PanelView<T> out) const {
  constexpr Index width = panel_width<T>;
  if (!is_bijective_) {
    for (Index p = 0; p < out.panels(); ++p) {
      const Index first = samples.first * from_.rows * width, last = samples.last * from_.rows * width;
      std::fill(out.panel(p) + first, out.panel(p) + last, T(0));
    }
  }
  for (const Run& run : runs_) {
    with_lane_count<T>(run.count, [&](auto count) {
      for (Index i = samples.first; i < samples.last; ++i) {
        const T* from = grad.panel(run.to_panel) + (i * to_.rows + run.to_row) * width + run.to_lane;
        T* to = out.panel(run.panel) + (i * from_.rows + run.row) * width + run.lane;
        if (is_bijective_) {
          copy_lanes(from, count, to);
        } else {
          std::transform(from, from + Index(count), to, to, [](T g, T sum) { return sum + g; });
        }
      }
    });
  }
}

template class Rearrangement<float>;
template class Rearrangement<double>;

} // namespace cnet::ops
