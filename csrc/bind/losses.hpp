#pragma once

#include "kernels/table.hpp"

#include <string>

namespace cnet::bind {

/// The loss of this name. Throws ValueError if there is none.
kernels::PointwiseLoss pointwise_loss(const char* call, const std::string& name);

} // namespace cnet::bind
