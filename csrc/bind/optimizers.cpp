#include "ops/optimizers.hpp"
#include "bind/ops.hpp"

namespace cnet::bind {

namespace {

/// An optimizer's step over arrays of one shape, in place.
template <class T>
void update(const char* call, const ops::Optimizer& optimizer, Index step, const py::object& param,
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
}

template <class T> void sgd_update(const py::object& param, const Array<T>& grad, double learning_rate) {
  update("sgd_update", {ops::Rule::sgd, learning_rate}, 1, param, grad, {});
}

template <class T>
void sgd_momentum_update(const py::object& param, const Array<T>& grad, const py::object& velocity,
                         double learning_rate, double momentum, bool nesterov) {
  update("sgd_momentum_update", {ops::Rule::sgd_momentum, learning_rate, momentum, nesterov}, 1, param, grad,
         {{"velocity", velocity}});
}

template <class T>
void rmsprop_update(const py::object& param, const Array<T>& grad, const py::object& mean_square, double learning_rate,
                    double rho, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::rmsprop, learning_rate};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("rmsprop_update", optimizer, 1, param, grad, {{"mean_square", mean_square}});
}

template <class T>
void adam_update(const py::object& param, const Array<T>& grad, const py::object& first_moment,
                 const py::object& second_moment, Index step, double learning_rate, double beta_1, double beta_2,
                 double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adam, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  update("adam_update", optimizer, step, param, grad,
         {{"first_moment", first_moment}, {"second_moment", second_moment}});
}

template <class T>
void rmsprop_momentum_update(const py::object& param, const Array<T>& grad, const py::object& mean_square,
                             const py::object& velocity, double learning_rate, double momentum, double rho,
                             double epsilon) {
  ops::Optimizer optimizer{ops::Rule::rmsprop_momentum, learning_rate, momentum};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("rmsprop_momentum_update", optimizer, 1, param, grad, {{"mean_square", mean_square}, {"velocity", velocity}});
}

template <class T>
void rmsprop_centered_update(const py::object& param, const Array<T>& grad, const py::object& mean_square,
                             const py::object& mean, const py::object& velocity, double learning_rate, double momentum,
                             double rho, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::rmsprop_centered, learning_rate, momentum};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("rmsprop_centered_update", optimizer, 1, param, grad,
         {{"mean_square", mean_square}, {"mean", mean}, {"velocity", velocity}});
}

template <class T>
void adagrad_update(const py::object& param, const Array<T>& grad, const py::object& sum_of_squares,
                    double learning_rate, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adagrad, learning_rate};
  optimizer.epsilon = epsilon;
  update("adagrad_update", optimizer, 1, param, grad, {{"sum_of_squares", sum_of_squares}});
}

template <class T>
void adadelta_update(const py::object& param, const Array<T>& grad, const py::object& mean_square,
                     const py::object& mean_square_change, double learning_rate, double rho, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adadelta, learning_rate};
  optimizer.rho = rho;
  optimizer.epsilon = epsilon;
  update("adadelta_update", optimizer, 1, param, grad,
         {{"mean_square", mean_square}, {"mean_square_change", mean_square_change}});
}

template <class T>
void adam_amsgrad_update(const py::object& param, const Array<T>& grad, const py::object& first_moment,
                         const py::object& second_moment, const py::object& greatest_second_moment, Index step,
                         double learning_rate, double beta_1, double beta_2, double epsilon) {
  ops::Optimizer optimizer{ops::Rule::adam_amsgrad, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  update("adam_amsgrad_update", optimizer, step, param, grad,
         {{"first_moment", first_moment},
          {"second_moment", second_moment},
          {"greatest_second_moment", greatest_second_moment}});
}

template <class T>
void nadam_update(const py::object& param, const Array<T>& grad, const py::object& first_moment,
                  const py::object& second_moment, Index step, double learning_rate, double beta_1, double beta_2,
                  double epsilon) {
  ops::Optimizer optimizer{ops::Rule::nadam, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  optimizer.epsilon = epsilon;
  update("nadam_update", optimizer, step, param, grad,
         {{"first_moment", first_moment}, {"second_moment", second_moment}});
}

template <class T>
void lion_update(const py::object& param, const Array<T>& grad, const py::object& first_moment, double learning_rate,
                 double beta_1, double beta_2) {
  ops::Optimizer optimizer{ops::Rule::lion, learning_rate};
  optimizer.beta_1 = beta_1;
  optimizer.beta_2 = beta_2;
  update("lion_update", optimizer, 1, param, grad, {{"first_moment", first_moment}});
}

template <class T> void register_optimizers_of(py::module_& m) {
  using py::arg;
  m.def("sgd_update", &sgd_update<T>, arg("param"), given("grad"), arg("learning_rate"));
  m.def("sgd_momentum_update", &sgd_momentum_update<T>, arg("param"), given("grad"), arg("velocity"),
        arg("learning_rate"), arg("momentum"), arg("nesterov"));
  m.def("rmsprop_update", &rmsprop_update<T>, arg("param"), given("grad"), arg("mean_square"), arg("learning_rate"),
        arg("rho"), arg("epsilon"));
  m.def("adam_update", &adam_update<T>, arg("param"), given("grad"), arg("first_moment"), arg("second_moment"),
        arg("step"), arg("learning_rate"), arg("beta_1"), arg("beta_2"), arg("epsilon"));
  m.def("rmsprop_momentum_update", &rmsprop_momentum_update<T>, arg("param"), given("grad"), arg("mean_square"),
        arg("velocity"), arg("learning_rate"), arg("momentum"), arg("rho"), arg("epsilon"));
  m.def("rmsprop_centered_update", &rmsprop_centered_update<T>, arg("param"), given("grad"), arg("mean_square"),
        arg("mean"), arg("velocity"), arg("learning_rate"), arg("momentum"), arg("rho"), arg("epsilon"));
  m.def("adagrad_update", &adagrad_update<T>, arg("param"), given("grad"), arg("sum_of_squares"), arg("learning_rate"),
        arg("epsilon"));
  m.def("adadelta_update", &adadelta_update<T>, arg("param"), given("grad"), arg("mean_square"),
        arg("mean_square_change"), arg("learning_rate"), arg("rho"), arg("epsilon"));
  m.def("adam_amsgrad_update", &adam_amsgrad_update<T>, arg("param"), given("grad"), arg("first_moment"),
        arg("second_moment"), arg("greatest_second_moment"), arg("step"), arg("learning_rate"), arg("beta_1"),
        arg("beta_2"), arg("epsilon"));
  m.def("nadam_update", &nadam_update<T>, arg("param"), given("grad"), arg("first_moment"), arg("second_moment"),
        arg("step"), arg("learning_rate"), arg("beta_1"), arg("beta_2"), arg("epsilon"));
  m.def("lion_update", &lion_update<T>, arg("param"), given("grad"), arg("first_moment"), arg("learning_rate"),
        arg("beta_1"), arg("beta_2"));
}

} // namespace

void register_optimizers(py::module_& m) {
  register_optimizers_of<float>(m);
  register_optimizers_of<double>(m);
}

} // namespace cnet::bind
