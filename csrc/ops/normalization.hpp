#pragma once

#include "core/panels.hpp"

namespace cnet::ops {

/// Mean and 1 / √(variance + epsilon), of a matrix's columns (padded to whole panels) or of its rows.
template <class T> struct Moments {
  T* mean;
  T* inverse;
  operator Moments<const T>() const { return {mean, inverse}; }
};

/// What standardized numbers are multiplied by and added to, column by column; null for 1 and 0.
template <class T> struct Affine {
  const T* gamma;
  const T* beta;
};

// Columns, for some panels of a matrix: a block of all of its rows but in the first, which takes any.

/// out = gamma (x − mean) / √(variance + epsilon) + beta, by given moments.
template <class T>
void standardize(PanelView<const T> x, const T* mean, const T* variance, T epsilon, Affine<T>, Block, PanelView<T> out);
template <class T>
void standardize_backward(PanelView<const T> grad, const T* variance, T epsilon, const T* gamma, Block,
                          PanelView<T> out);

/// The same by the moments of x itself; writes these, and the variance.
template <class T>
void batch_normalization_forward(PanelView<const T> x, T epsilon, Affine<T>, Block, Moments<T>, T* variance,
                                 PanelView<T> out);
template <class T>
void batch_normalization_backward(PanelView<const T> grad, PanelView<const T> x, Moments<const T>, const T* gamma,
                                  Block, PanelView<T> out);
/// The gradient of gamma, for some panels: Σ grad · standardized.
template <class T>
void batch_normalization_gradient(PanelView<const T> grad, PanelView<const T> x, Moments<const T>, Index first_panel,
                                  Index last_panel, T* out);

// Rows, each by its own moments, of which `moments` holds those of the rows given.

template <class T>
void layer_normalization_forward(PanelView<const T> x, T epsilon, Affine<T>, RowRange rows, Moments<T>,
                                 PanelView<T> out);
template <class T>
void layer_normalization_backward(PanelView<const T> grad, PanelView<const T> x, Moments<const T>, const T* gamma,
                                  RowRange rows, PanelView<T> out);
template <class T>
void layer_normalization_gradient(PanelView<const T> grad, PanelView<const T> x, Moments<const T>, Index first_panel,
                                  Index last_panel, T* out);

} // namespace cnet::ops
