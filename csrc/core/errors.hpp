#pragma once

#include "core/types.hpp"

#include <stdexcept>
#include <string>

namespace cnet {

/// A loss that is not finite: thrown before the update that it would have led to.
struct NonFinite : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A second caller has come while the model is being trained.
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace cnet
