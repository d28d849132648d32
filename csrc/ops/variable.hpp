#pragma once

#include "core/access.hpp"
#include "core/panels.hpp"

#include <array>
#include <string>
#include <vector>

namespace cnet::ops {

/// What a variable adds to the loss, so that it stays small: l1 Σ|w| + l2 Σw².
struct Regularizer {
  double l1 = 0;
  double l2 = 0;

  bool is_on() const { return l1 != 0 || l2 != 0; }
};

/// What becomes of a variable after each step.
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

/// Numbers that a layer holds: a matrix, or a vector as its only row. Layers share it with the networks
/// that they are part of.
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

  /// A layer may be part of several models.
  Guard guard;

private:
  PanelMatrix<T> values_;
  bool is_vector_;
};

/// Σ x² over `rows` rows of a panel's first `columns` columns, in double: down each, then over all.
template <class T> double sum_of_squares(const T* panel, Index rows, Index columns);

/// What panel p of a variable adds to the loss.
template <class T> double penalty(const Variable<T>&, Index panel);

/// Adds the penalty's gradient to that of a stretch of the variable.
template <class T> void regularize(const Regularizer&, Index size, const T* values, T* grad);

/// Constrains some panels of a matrix; a vector whole, and along with its first panel.
template <class T> void constrain(Variable<T>&, Index first_panel, Index last_panel);

} // namespace cnet::ops
