#pragma once

#include "core/types.hpp"

namespace cnet {

/// The shape of one sample: a matrix, whose rows are rows of the batch.
struct SampleShape {
  Index rows = 1;
  Index columns = 1;

  bool operator==(const SampleShape& other) const { return rows == other.rows && columns == other.columns; }
  bool operator!=(const SampleShape& other) const { return !(*this == other); }
};

} // namespace cnet
