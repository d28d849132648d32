#pragma once

#include "core/panels.hpp"

namespace cnet::ops {

/// Mean and inverse = 1 / √(variance + epsilon) of the columns (padded to whole panels) or of the rows of a matrix.
template <class T> struct Moments {
  T* mean;
  T* inverse;
  operator Moments<const T>() const { return {mean, inverse}; }
};

/// Scale and offset of each column; a null gamma is 1, a null beta 0.
template <class T> struct Affine {
  const T* gamma;
  const T* beta;
};

// Columns. A block holds all rows, except in standardize and standardize_backward, where it may hold any.

/// out = gamma (x − mean) / √(variance + epsilon) + beta, with given moments.
template <class T>
void standardize(PanelView<const T> x, const T* mean, const T* variance, T epsilon, Affine<T>, Block, PanelView<T> out);
template <class T>
void standardize_backward(PanelView<const T> grad, const T* variance, T epsilon, const T* gamma, Block,
                          PanelView<T> out);

/// The same with the moments of x, which are written to `moments` and `variance`.
template <class T>
void batch_normalization_forward(PanelView<const T> x, T epsilon, Affine<T>, Block, Moments<T>, T* variance,
                                 PanelView<T> out);
template <class T>
void batch_normalization_backward(PanelView<const T> grad, PanelView<const T> x, Moments<const T>, const T* gamma,
                                  Block, PanelView<T> out);
/// The gradient of gamma for some panels: Σ grad · standardized.
template <class T>
void batch_normalization_gradient(PanelView<const T> grad, PanelView<const T> x, Moments<const T>, Index first_panel,
                                  Index last_panel, T* out);

// Rows, each standardized by its own moments; `moments` holds those of the given rows.

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
