#include "ops/optimizers.hpp"
#include "bind/ops.hpp"

namespace cnet::bind {

namespace {

/// An optimizer's step over arrays of one shape, in place.
template <class T>
py::object update(const char* call, const ops::Optimizer& optimizer, Index step, const py::object& param,
                  const Array<T>& grad, const std::vector<std::pair<const char*, py::object>>& named_slots) {
  Array<T> array = in_place<T>({call, "param"}, param, {grad});
  expect_shape({call, "grad"}, grad, shape_of(array));
  std::vector<py::array> taken{grad, array};
  std::vector<T*> slots;
  for (const auto& [name, object] : named_slots) {
    Array<T> slot = in_place<T>({call, name}, object, taken);
    expect_shape({call, name}, slot, shape_of(array));
    slots.push_back(slot.mutable_data());
    taken.push_back(slot);
  }
  if (step < 1) throw py::value_error(std::string(call) + ": step: expected at least 1, got " + std::to_string(step));
  T* data = array.mutable_data();
  const T* grad_data = grad.data();
  const Index size = array.size();
  compute([&] { ops::Update<T>(optimizer, step)(size, data, grad_data, slots.data()); });
  return py::none();
}

template <class T> py::object sgd_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const double learning_rate = arguments.number("learning_rate");
  return update(arguments.call, {ops::Rule::sgd, learning_rate}, 1, param, grad, {});
}

template <class T> py::object sgd_momentum_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object velocity = arguments.object("velocity");
  const double learning_rate = arguments.number("learning_rate");
  const double momentum = arguments.number("momentum");
  const bool nesterov = arguments.flag("nesterov");
  return update(arguments.call, {ops::Rule::sgd_momentum, learning_rate, momentum, nesterov}, 1, param, grad,
                {{"velocity", velocity}});
}

template <class T> py::object rmsprop_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object mean_square = arguments.object("mean_square");
  const double learning_rate = arguments.number("learning_rate");
  const double rho = arguments.number("rho");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::rmsprop, learning_rate};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, 1, param, grad, {{"mean_square", mean_square}});
}

template <class T> py::object adam_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object first_moment = arguments.object("first_moment");
  const py::object second_moment = arguments.object("second_moment");
  const Index step = arguments.integer("step");
  const double learning_rate = arguments.number("learning_rate");
  const double beta_1 = arguments.number("beta_1");
  const double beta_2 = arguments.number("beta_2");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::adam, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, step, param, grad,
                {{"first_moment", first_moment}, {"second_moment", second_moment}});
}

template <class T> py::object rmsprop_momentum_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object mean_square = arguments.object("mean_square");
  const py::object velocity = arguments.object("velocity");
  const double learning_rate = arguments.number("learning_rate");
  const double momentum = arguments.number("momentum");
  const double rho = arguments.number("rho");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::rmsprop_momentum, learning_rate, momentum};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, 1, param, grad, {{"mean_square", mean_square}, {"velocity", velocity}});
}

template <class T> py::object rmsprop_centered_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object mean_square = arguments.object("mean_square");
  const py::object mean = arguments.object("mean");
  const py::object velocity = arguments.object("velocity");
  const double learning_rate = arguments.number("learning_rate");
  const double momentum = arguments.number("momentum");
  const double rho = arguments.number("rho");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::rmsprop_centered, learning_rate, momentum};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, 1, param, grad,
                {{"mean_square", mean_square}, {"mean", mean}, {"velocity", velocity}});
}

template <class T> py::object adagrad_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object sum_of_squares = arguments.object("sum_of_squares");
  const double learning_rate = arguments.number("learning_rate");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::adagrad, learning_rate};
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, 1, param, grad, {{"sum_of_squares", sum_of_squares}});
}

template <class T> py::object adadelta_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object mean_square = arguments.object("mean_square");
  const py::object mean_square_change = arguments.object("mean_square_change");
  const double learning_rate = arguments.number("learning_rate");
  const double rho = arguments.number("rho");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::adadelta, learning_rate};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, 1, param, grad,
                {{"mean_square", mean_square}, {"mean_square_change", mean_square_change}});
}

template <class T> py::object adam_amsgrad_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object first_moment = arguments.object("first_moment");
  const py::object second_moment = arguments.object("second_moment");
  const py::object greatest_second_moment = arguments.object("greatest_second_moment");
  const Index step = arguments.integer("step");
  const double learning_rate = arguments.number("learning_rate");
  const double beta_1 = arguments.number("beta_1");
  const double beta_2 = arguments.number("beta_2");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::adam_amsgrad, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, step, param, grad,
                {{"first_moment", first_moment},
                 {"second_moment", second_moment},
                 {"greatest_second_moment", greatest_second_moment}});
}

template <class T> py::object nadam_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object first_moment = arguments.object("first_moment");
  const py::object second_moment = arguments.object("second_moment");
  const Index step = arguments.integer("step");
  const double learning_rate = arguments.number("learning_rate");
  const double beta_1 = arguments.number("beta_1");
  const double beta_2 = arguments.number("beta_2");
  const double epsilon = arguments.number("epsilon");
  ops::Optimizer optimizer{ops::Rule::nadam, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  return update(arguments.call, optimizer, step, param, grad,
                {{"first_moment", first_moment}, {"second_moment", second_moment}});
}

template <class T> py::object lion_update(Arguments& arguments) {
  const py::object param = arguments.object("param");
  const Array<T> grad = arguments.array<T>("grad");
  const py::object first_moment = arguments.object("first_moment");
  const double learning_rate = arguments.number("learning_rate");
  const double beta_1 = arguments.number("beta_1");
  const double beta_2 = arguments.number("beta_2");
  ops::Optimizer optimizer{ops::Rule::lion, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  return update(arguments.call, optimizer, 1, param, grad, {{"first_moment", first_moment}});
}

} // namespace

void register_optimizers(py::module_& m) {
  static const Operation operations[] = {
      CNET_OPERATION(sgd_update, 1),
      CNET_OPERATION(sgd_momentum_update, 1),
      CNET_OPERATION(rmsprop_update, 1),
      CNET_OPERATION(adam_update, 1),
      CNET_OPERATION(rmsprop_momentum_update, 1),
      CNET_OPERATION(rmsprop_centered_update, 1),
      CNET_OPERATION(adagrad_update, 1),
      CNET_OPERATION(adadelta_update, 1),
      CNET_OPERATION(adam_amsgrad_update, 1),
      CNET_OPERATION(nadam_update, 1),
      CNET_OPERATION(lion_update, 1),
  };
  for (const Operation& operation : operations) define(m, operation);
}

} // namespace cnet::bind
