#pragma once

#include "ops/activations.hpp"

#include <map>
#include <string>

namespace cnet::bind {

/// The activation of this name, with the given parameters by name and the defaults of
/// kernels::ActivationParameters. Throws std::invalid_argument for an unknown name.
template <class T>
ops::Activation<T> activation_of(const std::string& function, const std::map<std::string, double>& parameters);

} // namespace cnet::bind
