#pragma once

#include "core/locks.hpp"
#include "core/panels.hpp"

#include <array>
#include <string>
#include <vector>

namespace cnet::ops {

/// The penalty l1 Σ|w| + l2 Σw² that a variable adds to the loss.
struct Regularizer {
  double l1 = 0;
  double l2 = 0;

  bool is_on() const { return l1 != 0 || l2 != 0; }
};

/// The constraint applied to a variable after each step.
struct Constraint {
  enum class Kind {
    none,
    non_negative, ///< max(w, 0)
    norm,         ///< w · (rate clip(n, least, most) + (1 − rate) n) / (n + 10⁻⁷): n is the norm of a
                  ///< matrix's column, or of a vector
  } kind = Kind::none;
  double least = 0;
  double most = 0;
  double rate = 1;
};

/// The weights of a layer: a matrix, or a vector stored as its only row. A layer shares them with the networks that
/// contain it.
template <class T> class Variable {
public:
  Variable(Index rows, Index columns) : values_(rows, columns), is_vector_(false) {}
  explicit Variable(Index size) : values_(1, size), is_vector_(true) {}

  Index rows() const { return values_.rows(); }
  Index columns() const { return values_.columns(); }
  bool is_vector() const { return is_vector_; }

  PanelView<T> values() { return values_.view(); }
  PanelView<const T> values() const { return values_.view(); }

  Regularizer regularizer;
  Constraint constraint;

  /// Locks the variable, since several models may contain the layer.
  ResourceLock lock;

private:
  PanelMatrix<T> values_;
  bool is_vector_;
};

/// Σ x² over the rows and the first `columns` columns of a panel, in double: down each column, then over the columns.
template <class T> double sum_of_squares(const T* panel, Index rows, Index columns);

/// The penalty of panel p of a variable.
template <class T> double penalty(const Variable<T>&, Index panel);

/// Adds the gradient of the penalty to that of `size` contiguous elements.
template <class T> void regularize(const Regularizer&, Index size, const T* values, T* grad);

/// Constrains some panels of a matrix. A vector is constrained as a whole, with its first panel.
template <class T> void constrain(Variable<T>&, Index first_panel, Index last_panel);

} // namespace cnet::ops
