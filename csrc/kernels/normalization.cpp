#include "kernels/rows.hpp"

// Batch normalization (columns, by the moments of the batch or given ones) and layer normalization (rows).

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> void column_moments(Index rows, Index panels, const T* x, Index x_stride, T* mean, T* variance) {
  const Lanes<T> count = broadcast(static_cast<T>(rows));
  for (Index p = 0; p < panels; ++p) {
    const T* panel = x + p * x_stride;
    Lanes<T> sum = broadcast(T(0)), squares = broadcast(T(0));
    for (Index i = 0; i < rows; ++i) sum = sum + load(panel + i * panel_width<T>);
    const Lanes<T> center = sum / count;
    for (Index i = 0; i < rows; ++i) {
      const Lanes<T> difference = load(panel + i * panel_width<T>) - center;
      squares = fma(difference, difference, squares);
    }
    store(mean + p * panel_width<T>, center);
    store(variance + p * panel_width<T>, squares / count);
  }
}

template <class T> void inverse_deviation(Index size, const T* variance, T epsilon, T* out) {
  map(size, out, [=](Lanes<T> v) CNET_INLINED { return broadcast(T(1)) / sqrt(v + broadcast(epsilon)); }, variance);
}

/// Panel p of a vector, or `otherwise` in each lane if the vector is null.
template <class T> CNET_INLINE Lanes<T> load_or(const T* vector, Index p, T otherwise) {
  return vector == nullptr ? broadcast(otherwise) : load(vector + p * panel_width<T>);
}

template <class T>
void standardize(const Standardized<T>& task, const T* gamma, const T* beta, T* out, Index out_stride) {
  for (Index p = 0; p < task.panels; ++p) {
    const Lanes<T> mean = load_or(task.mean, p, T(0)), inverse = load_or(task.inverse, p, T(1));
    const Lanes<T> scale = load_or(gamma, p, T(1)), offset = load_or(beta, p, T(0));
    for (Index i = 0; i < task.rows; ++i) {
      const Lanes<T> x = load(task.x + p * task.x_stride + i * panel_width<T>);
      store(out + p * out_stride + i * panel_width<T>, fma((x - mean) * inverse, scale, offset));
    }
  }
}

/// f(i, grad, standardized) for each row of panel p.
template <class T, class F>
CNET_INLINE void each_standardized(const Standardized<T>& task, Index p, const T* grad, Index grad_stride, F f) {
  const Lanes<T> mean = load(task.mean + p * panel_width<T>), inverse = load(task.inverse + p * panel_width<T>);
  for (Index i = 0; i < task.rows; ++i) {
    const Lanes<T> x = load(task.x + p * task.x_stride + i * panel_width<T>);
    f(i, load(grad + p * grad_stride + i * panel_width<T>), (x - mean) * inverse);
  }
}

template <class T> void standardized_gradient(const Standardized<T>& task, const T* grad, Index grad_stride, T* out) {
  for (Index p = 0; p < task.panels; ++p) {
    Lanes<T> sum = broadcast(T(0));
    each_standardized(task, p, grad, grad_stride,
                      [&](Index, Lanes<T> g, Lanes<T> z) CNET_INLINED { sum = fma(g, z, sum); });
    store(out + p * panel_width<T>, sum);
  }
}

/// gamma · inverse · (g − mean(g) − z · mean(g z)), where z is the standardized x and means are over rows: Ioffe and
/// Szegedy, "Batch Normalization", 2015, section 3.
template <class T>
void standardize_backward(const Standardized<T>& task, const T* grad, Index grad_stride, const T* gamma, T* out,
                          Index out_stride) {
  const Lanes<T> count = broadcast(static_cast<T>(task.rows));
  for (Index p = 0; p < task.panels; ++p) {
    Lanes<T> sum = broadcast(T(0)), products = broadcast(T(0));
    each_standardized(task, p, grad, grad_stride, [&](Index, Lanes<T> g, Lanes<T> z) CNET_INLINED {
      sum = sum + g;
      products = fma(g, z, products);
    });
    const Lanes<T> mean = sum / count, factor = -(products / count);
    const Lanes<T> scale = load_or(gamma, p, T(1)) * load(task.inverse + p * panel_width<T>);
    each_standardized(task, p, grad, grad_stride, [&](Index i, Lanes<T> g, Lanes<T> z) CNET_INLINED {
      store(out + p * out_stride + i * panel_width<T>, scale * fma(z, factor, g - mean));
    });
  }
}

template <class T>
void scale_columns(Index rows, Index panels, const T* x, Index x_stride, const T* factor, const T* second, T* out,
                   Index out_stride) {
  for (Index p = 0; p < panels; ++p) {
    const Lanes<T> scale = load(factor + p * panel_width<T>) * load_or(second, p, T(1));
    for (Index i = 0; i < rows; ++i) {
      const Lanes<T> value = load(x + p * x_stride + i * panel_width<T>);
      store(out + p * out_stride + i * panel_width<T>, value * scale);
    }
  }
}

template <class T>
void standardize_rows(Rows<T> rows, T epsilon, const T* gamma, const T* beta, T* mean, T* inverse, T* out,
                      Index out_stride) {
  const Lanes<T> columns = broadcast(static_cast<T>(rows.columns));
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> center(row_sums(rows, first, count) / columns);
    const Lanes<T> squares = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      Lanes<T> total = broadcast(T(0));
      each_panel(rows, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> difference = x - center[i - first];
        total = select(column_mask<T>(rows.columns, p), fma(difference, difference, total), total);
      });
      return total;
    });
    const RowScalars<T> scale(broadcast(T(1)) / sqrt(squares / columns + broadcast(epsilon)));
    center.write(count, mean + first);
    scale.write(count, inverse + first);
    for (Index i = first; i < first + count; ++i) {
      each_panel(rows, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> standardized = (x - center[i - first]) * scale[i - first];
        store(out + p * out_stride + i * panel_width<T>,
              fma(standardized, load_or(gamma, p, T(1)), load_or(beta, p, T(0))));
      });
    }
  });
}

/// inverse · (d − mean(d) − z · mean(d z)), where z is the standardized x, d = grad · gamma, and means are over a row:
/// Ba, Kiros and Hinton, "Layer Normalization", 2016.
template <class T>
void standardize_rows_backward(Rows<T> rows, const T* mean, const T* inverse, const T* grad, Index grad_stride,
                               const T* gamma, T* out, Index out_stride) {
  constexpr Index width = panel_width<T>;
  const Lanes<T> columns = broadcast(static_cast<T>(rows.columns)), zero = broadcast(T(0));
  const auto scaled = [&](Index i, Index p) CNET_INLINED {
    const Lanes<T> g = load(grad + p * grad_stride + i * width) * load_or(gamma, p, T(1));
    return select(column_mask<T>(rows.columns, p), g, zero);
  };
  const auto standardized = [&](Index i, Lanes<T> x)
                                CNET_INLINED { return (x - broadcast(mean[i])) * broadcast(inverse[i]); };
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> means(reduce_rows<Add, T>(first, count,
                                                  [&](Index i) CNET_INLINED {
                                                    return sum_panels(rows, i, T(0),
                                                                      [&](Index p, Lanes<T>)
                                                                          CNET_INLINED { return scaled(i, p); });
                                                  }) /
                              columns);
    const Lanes<T> products = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      Lanes<T> total = zero;
      each_panel(rows, i, T(0),
                 [&](Index p, Lanes<T> x) CNET_INLINED { total = fma(scaled(i, p), standardized(i, x), total); });
      return total;
    });
    const RowScalars<T> factors(-(products / columns));
    for (Index i = first; i < first + count; ++i) {
      each_panel(rows, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> centered = scaled(i, p) - means[i - first];
        store(out + p * out_stride + i * width,
              broadcast(inverse[i]) * fma(standardized(i, x), factors[i - first], centered));
      });
    }
  });
}

template <class T>
void standardized_rows_gradient(Index rows, Index panels, const T* x, Index x_stride, const T* mean, const T* inverse,
                                const T* grad, Index grad_stride, T* out) {
  for (Index p = 0; p < panels; ++p) {
    Lanes<T> sum = broadcast(T(0));
    for (Index i = 0; i < rows; ++i) {
      const Lanes<T> value = load(x + p * x_stride + i * panel_width<T>);
      const Lanes<T> g = load(grad + p * grad_stride + i * panel_width<T>);
      sum = fma(g, (value - broadcast(mean[i])) * broadcast(inverse[i]), sum);
    }
    store(out + p * panel_width<T>, sum);
  }
}

template <class T> constexpr NormalizationKernels<T> normalization_members() {
  return {
      column_moments<T>,       inverse_deviation<T>,         standardize<T>,
      standardize_backward<T>, standardized_gradient<T>,     scale_columns<T>,
      standardize_rows<T>,     standardize_rows_backward<T>, standardized_rows_gradient<T>,
  };
}

} // namespace

CNET_EXPORT(NormalizationKernels, normalization)

} // namespace cnet::kernels::CNET_ISA
