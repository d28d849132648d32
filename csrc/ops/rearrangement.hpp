#pragma once

#include "core/panels.hpp"
#include "core/sample_shape.hpp"

#include <vector>

namespace cnet::ops {

/// Copies the elements of each sample to other places: reshapes, slices, permutations, repetitions.
template <class T> class Rearrangement {
public:
  /// Element i of the result, counted row by row, is element source[i] of the operand. Throws std::invalid_argument if
  /// the operand has no such element.
  Rearrangement(const std::vector<Index>& source, SampleShape from, SampleShape to);

  void forward(PanelView<const T> x, RowRange samples, PanelView<T> out) const;
  /// Adds up the gradients of an element in the order of the result.
  void backward(PanelView<const T> grad, RowRange samples, PanelView<T> out) const;

  SampleShape from() const { return from_; }

private:
  /// Consecutive elements in one panel of the operand and one of the result.
  struct Run {
    Index row, panel, lane; ///< of the operand
    Index to_row, to_panel, to_lane;
    Index count;
  };

  SampleShape from_, to_;
  bool is_bijective_;
  std::vector<Run> runs_;
};

} // namespace cnet::ops
