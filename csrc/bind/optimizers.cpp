#include "ops/optimizers.hpp"
#include "bind/ops.hpp"

#include <algorithm>

namespace cnet::bind {

namespace {

using ops::Optimizer;
using ops::Rule;

struct Hyperparameter {
  const char* name;
  double Optimizer::* member;
};
const Hyperparameter learning_rate{"learning_rate", &Optimizer::learning_rate};
const Hyperparameter momentum{"momentum", &Optimizer::momentum};
const Hyperparameter rho{"rho", &Optimizer::rho};
const Hyperparameter beta_1{"beta_1", &Optimizer::beta_1};
const Hyperparameter beta_2{"beta_2", &Optimizer::beta_2};
const Hyperparameter epsilon{"epsilon", &Optimizer::epsilon};

/// An operation's arguments behind param and grad, in this order: slots, the step's number, hyperparameters, and
/// Nesterov's variant of the momentum.
struct UpdateSignature {
  const char* name;
  Rule rule;
  std::vector<const char*> slots;
  bool has_step;
  std::vector<Hyperparameter> hyperparameters;
  bool has_nesterov;
};

const std::vector<UpdateSignature>& signatures() {
  static const std::vector<UpdateSignature> all{
      {"sgd_update", Rule::sgd, {}, false, {learning_rate}, false},
      {"sgd_momentum_update", Rule::sgd_momentum, {"velocity"}, false, {learning_rate, momentum}, true},
      {"rmsprop_update", Rule::rmsprop, {"mean_square"}, false, {learning_rate, rho, epsilon}, false},
      {"rmsprop_momentum_update",
       Rule::rmsprop_momentum,
       {"mean_square", "velocity"},
       false,
       {learning_rate, momentum, rho, epsilon},
       false},
      {"rmsprop_centered_update",
       Rule::rmsprop_centered,
       {"mean_square", "mean", "velocity"},
       false,
       {learning_rate, momentum, rho, epsilon},
       false},
      {"adagrad_update", Rule::adagrad, {"sum_of_squares"}, false, {learning_rate, epsilon}, false},
      {"adadelta_update",
       Rule::adadelta,
       {"mean_square", "mean_square_change"},
       false,
       {learning_rate, rho, epsilon},
       false},
      {"adam_update",
       Rule::adam,
       {"first_moment", "second_moment"},
       true,
       {learning_rate, beta_1, beta_2, epsilon},
       false},
      {"adam_amsgrad_update",
       Rule::adam_amsgrad,
       {"first_moment", "second_moment", "greatest_second_moment"},
       true,
       {learning_rate, beta_1, beta_2, epsilon},
       false},
      {"nadam_update",
       Rule::nadam,
       {"first_moment", "second_moment"},
       true,
       {learning_rate, beta_1, beta_2, epsilon},
       false},
      {"lion_update", Rule::lion, {"first_moment"}, false, {learning_rate, beta_1, beta_2}, false},
  };
  return all;
}

const UpdateSignature& signature_of(const std::string& call) {
  return *std::find_if(signatures().begin(), signatures().end(),
                       [&](const UpdateSignature& signature) { return signature.name == call; });
}

/// An optimizer's step over arrays of one shape, in place.
template <class T> py::object update(Arguments& arguments) {
  const char* const call = arguments.call;
  const UpdateSignature& signature = signature_of(call);
  const py::object param = arguments.object();
  const Array<T> grad = arguments.array<T>("grad");
  std::vector<py::object> slots;
  for (std::size_t n = 0; n < signature.slots.size(); ++n) slots.push_back(arguments.object());
  const Index step = signature.has_step ? arguments.integer("step") : 1;
  Optimizer optimizer{signature.rule};
  for (const auto& [name, member] : signature.hyperparameters) optimizer.*member = arguments.number(name);
  if (signature.has_nesterov) optimizer.nesterov = arguments.flag("nesterov");

  Array<T> array = in_place<T>({call, "param"}, param, {grad});
  expect_shape({call, "grad"}, grad, shape_of(array));
  std::vector<py::array> taken{grad, array};
  std::vector<T*> slots_data;
  for (std::size_t n = 0; n < slots.size(); ++n) {
    Array<T> slot = in_place<T>({call, signature.slots[n]}, slots[n], taken);
    expect_shape({call, signature.slots[n]}, slot, shape_of(array));
    slots_data.push_back(slot.mutable_data());
    taken.push_back(slot);
  }
  if (step < 1) throw py::value_error(std::string(call) + ": step: expected at least 1, got " + std::to_string(step));
  T* data = array.mutable_data();
  const T* grad_data = grad.data();
  const Index size = array.size();
  compute([&] { ops::Update<T>(optimizer, step)(size, data, grad_data, slots_data.data()); });
  return py::none();
}

} // namespace

void register_optimizers(py::module_& m) {
  static std::vector<Operation> operations;
  for (const UpdateSignature& signature : signatures()) {
    const std::size_t arguments = 2 + signature.slots.size() + (signature.has_step ? 1 : 0) +
                                  signature.hyperparameters.size() + (signature.has_nesterov ? 1 : 0);
    operations.push_back({signature.name, arguments, 1, update<float>, update<double>});
  }
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
