#pragma once

#include "core/types.hpp"

#include <stdexcept>
#include <string>

namespace cnet {

/// The loss is not finite; thrown before the update.
struct NonFinite : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The model is in use by another call.
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

} // namespace cnet
