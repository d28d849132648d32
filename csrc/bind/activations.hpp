#pragma once

#include "ops/activations.hpp"

#include <map>
#include <string>

namespace cnet::bind {

/// An activation as Python tells of it: one of the engine's functions, and its parameters by name; those
/// that are left out are as kernels::ActivationParameters has them. Throws std::invalid_argument if one
/// of the names is unknown.
template <class T>
ops::Activation<T> activation_of(const std::string& function, const std::map<std::string, double>& parameters);

} // namespace cnet::bind
