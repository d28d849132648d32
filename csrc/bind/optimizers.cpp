#include "ops/optimizers.hpp"
#include "bind/ops.hpp"

#include <algorithm>

namespace cnet::bind {

namespace {

using ops::Optimizer;
using ops::Rule;

/// A scalar argument. `step` and `nesterov` are no numbers of the optimizer.
struct Scalar {
  const char* name;
  double Optimizer::* member;
};
const Scalar step{"step", nullptr};
const Scalar learning_rate{"learning_rate", &Optimizer::learning_rate};
const Scalar momentum{"momentum", &Optimizer::momentum};
const Scalar nesterov{"nesterov", nullptr};
const Scalar rho{"rho", &Optimizer::rho};
const Scalar beta_1{"beta_1", &Optimizer::beta_1};
const Scalar beta_2{"beta_2", &Optimizer::beta_2};
const Scalar epsilon{"epsilon", &Optimizer::epsilon};

/// An update operation; its arguments are param, grad, the slots and the scalars.
struct UpdateSignature {
  const char* name;
  Rule rule;
  std::vector<const char*> slots;
  std::vector<Scalar> scalars;
};

const std::vector<UpdateSignature>& signatures() {
  static const std::vector<const char*> moments{"first_moment", "second_moment"};
  static const std::vector<Scalar> of_adam{step, learning_rate, beta_1, beta_2, epsilon};
  static const std::vector<UpdateSignature> all{
      {"sgd_update", Rule::sgd, {}, {learning_rate}},
      {"sgd_momentum_update", Rule::sgd_momentum, {"velocity"}, {learning_rate, momentum, nesterov}},
      {"rmsprop_update", Rule::rmsprop, {"mean_square"}, {learning_rate, rho, epsilon}},
      {"rmsprop_momentum_update",
       Rule::rmsprop_momentum,
       {"mean_square", "velocity"},
       {learning_rate, momentum, rho, epsilon}},
      {"rmsprop_centered_update",
       Rule::rmsprop_centered,
       {"mean_square", "mean", "velocity"},
       {learning_rate, momentum, rho, epsilon}},
      {"adagrad_update", Rule::adagrad, {"sum_of_squares"}, {learning_rate, epsilon}},
      {"adadelta_update", Rule::adadelta, {"mean_square", "mean_square_change"}, {learning_rate, rho, epsilon}},
      {"adam_update", Rule::adam, moments, of_adam},
      {"adam_amsgrad_update", Rule::adam_amsgrad, {"first_moment", "second_moment", "greatest_second_moment"}, of_adam},
      {"nadam_update", Rule::nadam, moments, of_adam},
      {"lion_update", Rule::lion, {"first_moment"}, {learning_rate, beta_1, beta_2}},
  };
  return all;
}

const UpdateSignature& signature_of(const std::string& call) {
  return *std::find_if(signatures().begin(), signatures().end(),
                       [&](const UpdateSignature& signature) { return signature.name == call; });
}

/// Takes a step of an optimizer, in place; all arrays have one shape.
template <class T> py::object update(Arguments& arguments) {
  const char* const call = arguments.call;
  const UpdateSignature& signature = signature_of(call);
  const py::object param = arguments.object();
  const Array<T> grad = arguments.array<T>("grad");
  std::vector<py::object> slots;
  for (std::size_t n = 0; n < signature.slots.size(); ++n) slots.push_back(arguments.object());
  Index step_number = 1;
  Optimizer optimizer{signature.rule};
  for (const auto& [name, member] : signature.scalars) {
    if (member) {
      optimizer.*member = arguments.number(name);
    } else if (name == step.name) {
      step_number = arguments.integer(name);
    } else {
      optimizer.nesterov = arguments.flag(name);
    }
  }

  Array<T> array = in_place<T>({call, "param"}, param, {grad});
  expect_shape({call, "grad"}, grad, shape_of(array));
  std::vector<py::array> inputs{grad, array};
  std::vector<T*> slots_data;
  for (std::size_t n = 0; n < slots.size(); ++n) {
    Array<T> slot = in_place<T>({call, signature.slots[n]}, slots[n], inputs);
    expect_shape({call, signature.slots[n]}, slot, shape_of(array));
    slots_data.push_back(slot.mutable_data());
    inputs.push_back(slot);
  }
  if (step_number < 1) {
    throw py::value_error(std::string(call) + ": step: expected at least 1, got " + std::to_string(step_number));
  }
  T* data = array.mutable_data();
  const T* grad_data = grad.data();
  const Index size = array.size();
  compute([&] { ops::Update<T>(optimizer, step_number)(size, data, grad_data, slots_data.data()); });
  return py::none();
}

} // namespace

void register_optimizers(py::module_& m) {
  static std::vector<Operation> operations;
  for (const UpdateSignature& signature : signatures()) {
    const std::size_t arguments = 2 + signature.slots.size() + signature.scalars.size();
    operations.push_back({signature.name, arguments, 1, update<float>, update<double>});
  }
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
