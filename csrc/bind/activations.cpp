#include "bind/activations.hpp"

#include <stdexcept>

namespace cnet::bind {

template <class T>
ops::Activation<T> activation_of(const std::string& function, const std::map<std::string, double>& parameters) {
  using kernels::Activation;
  static const std::map<std::string, Activation> functions{
      {"relu", Activation::relu},
      {"elu", Activation::elu},
      {"gelu", Activation::gelu},
      {"gelu_tanh", Activation::gelu_tanh},
      {"silu", Activation::silu},
      {"mish", Activation::mish},
      {"tanh", Activation::tanh},
      {"sigmoid", Activation::sigmoid},
      {"hard_sigmoid", Activation::hard_sigmoid},
      {"softplus", Activation::softplus},
      {"softsign", Activation::softsign},
      {"exponential", Activation::exponential},
  };
  using Parameters = kernels::ActivationParameters<T>;
  static const std::map<std::string, T Parameters::*> members{
      {"negative_slope", &Parameters::negative_slope},
      {"threshold", &Parameters::threshold},
      {"max_value", &Parameters::max_value},
      {"alpha", &Parameters::alpha},
      {"scale", &Parameters::scale},
  };
  const auto found = functions.find(function);
  if (found == functions.end()) throw std::invalid_argument("activation: unknown function '" + function + "'");
  ops::Activation<T> activation{found->second, {}};
  for (const auto& [name, value] : parameters) {
    const auto member = members.find(name);
    if (member == members.end()) throw std::invalid_argument("activation: unknown parameter '" + name + "'");
    activation.parameters.*(member->second) = static_cast<T>(value);
  }
  return activation;
}

template ops::Activation<float> activation_of(const std::string&, const std::map<std::string, double>&);
template ops::Activation<double> activation_of(const std::string&, const std::map<std::string, double>&);

} // namespace cnet::bind
