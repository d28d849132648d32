#include "ops/variable.hpp"

#include "kernels/table.hpp"

#include <algorithm>
#include <cmath>

namespace cnet::ops {

namespace {

constexpr double constraint_epsilon = 1e-7; // as in Keras

template <class T> using Sums = std::array<double, panel_width<T>>;

template <class T> Index columns_of(const PanelView<const T>& matrix, Index panel) {
  return std::min(panel_width<T>, matrix.columns - panel * panel_width<T>);
}

double total(const double* sums, Index columns) {
  double result = 0;
  for (Index j = 0; j < columns; ++j) result += sums[j];
  return result;
}

} // namespace

template <class T> double sum_of_squares(const T* panel, Index rows, Index columns) {
  Sums<T> sums;
  kernels::table<T>().sum_squares(rows, panel, sums.data());
  return total(sums.data(), columns);
}

template <class T> double penalty(const Variable<T>& variable, Index panel) {
  const PanelView<const T> values = variable.values();
  const Index columns = columns_of(values, panel);
  const Regularizer& regularizer = variable.regularizer;
  double result = 0;
  if (regularizer.l1 != 0) {
    Sums<T> sums;
    kernels::table<T>().sum_magnitudes(values.rows, values.panel(panel), sums.data());
    result += regularizer.l1 * total(sums.data(), columns);
  }
  if (regularizer.l2 != 0) result += regularizer.l2 * sum_of_squares(values.panel(panel), values.rows, columns);
  return result;
}

template <class T> void regularize(const Regularizer& regularizer, Index size, const T* values, T* grad) {
  if (!regularizer.is_on()) return;
  kernels::table<T>().regularize(size, values, static_cast<T>(regularizer.l1), static_cast<T>(2 * regularizer.l2),
                                 grad);
}

namespace {

double factor(const Constraint& constraint, double squares) {
  const double norm = std::sqrt(squares);
  const double wanted = std::min(std::max(norm, constraint.least), constraint.most);
  return (constraint.rate * wanted + (1 - constraint.rate) * norm) / (norm + constraint_epsilon);
}

template <class T>
void scale_panel(const PanelView<T>& values, Index panel, const std::array<T, panel_width<T>>& factors) {
  T* data = values.panel(panel);
  kernels::table<T>().scale_columns(values.rows, 1, data, 0, factors.data(), nullptr, data, 0);
}

} // namespace

template <class T> void constrain(Variable<T>& variable, Index first_panel, Index last_panel) {
  const Constraint& constraint = variable.constraint;
  const PanelView<T> values = variable.values();
  const auto& table = kernels::table<T>();
  if (variable.is_vector()) {
    if (first_panel > 0) return;
    last_panel = values.panels();
  }
  alignas(cache_line) std::array<T, panel_width<T>> factors;
  switch (constraint.kind) {
  case Constraint::Kind::none: return;
  case Constraint::Kind::non_negative: {
    const auto relu = table.activation_forward[static_cast<int>(kernels::Activation::relu)];
    for (Index p = first_panel; p < last_panel; ++p) relu(values.stride(), {}, values.panel(p), values.panel(p));
    return;
  }
  case Constraint::Kind::norm: break;
  }
  if (variable.is_vector()) {
    double squares = 0;
    for (Index p = 0; p < last_panel; ++p) {
      squares += sum_of_squares<T>(values.panel(p), 1, columns_of<T>(values, p));
    }
    factors.fill(static_cast<T>(factor(constraint, squares)));
    for (Index p = 0; p < last_panel; ++p) scale_panel(values, p, factors);
    return;
  }
  for (Index p = first_panel; p < last_panel; ++p) {
    Sums<T> squares;
    table.sum_squares(values.rows, values.panel(p), squares.data());
    std::transform(squares.begin(), squares.end(), factors.begin(),
                   [&](double sum) { return static_cast<T>(factor(constraint, sum)); });
    scale_panel(values, p, factors);
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template double sum_of_squares(const T*, Index, Index);                                                              \
  template double penalty(const Variable<T>&, Index);                                                                  \
  template void regularize(const Regularizer&, Index, const T*, T*);                                                   \
  template void constrain(Variable<T>&, Index, Index);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
