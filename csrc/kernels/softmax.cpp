#include "kernels/rows.hpp"

// Kernels over rows: softmax, log_softmax, the cross-entropies, argmax.

namespace cnet::kernels::CNET_ISA {

namespace {

/// Panel p of row i of the targets; zero in the padding.
template <class T> CNET_INLINE Lanes<T> target_lanes(const Targets<T>& targets, Index columns, Index i, Index p) {
  constexpr Index width = panel_width<T>;
  if (targets.ids == nullptr) {
    const Lanes<T> y = load(targets.distribution + p * targets.stride + i * width);
    return select(column_mask<T>(columns, p), y, broadcast(T(0)));
  }
  const auto is_target = iota<T>() == broadcast(T(targets.ids[i] - p * width));
  return select(is_target, broadcast(T(1)), broadcast(T(0)));
}

/// Σy of each row: 1 for class ids.
template <class T>
CNET_INLINE Lanes<T> target_sums(const Targets<T>& targets, Index columns, Index first, Index count) {
  if (targets.ids != nullptr) return broadcast(T(1));
  return row_sums(Rows<T>{first + count, columns, targets.distribution, targets.stride}, first, count);
}

/// Writes exp(x − maximum) to out; returns the sum of each row.
template <class T>
CNET_INLINE Lanes<T> exponentials(const Rows<T>& rows, Index first, Index count, const RowScalars<T>& maximum, T* out,
                                  Index out_stride) {
  return reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
    return sum_panels(rows, i, T(-__builtin_inf()), [&](Index p, Lanes<T> x) CNET_INLINED {
      const Lanes<T> e = exp(x - maximum[i - first]);
      const Lanes<T> kept = select(column_mask<T>(rows.columns, p), e, broadcast(T(0)));
      store(out + p * out_stride + i * panel_width<T>, kept);
      return kept;
    });
  });
}

/// Divides each row of out by its total.
template <class T>
CNET_INLINE void normalize(Index columns, Index first, Index count, const RowScalars<T>& total, T* out,
                           Index out_stride) {
  for (Index p = 0; p * panel_width<T> < columns; ++p) {
    for (Index r = 0; r < count; ++r) {
      T* row = out + p * out_stride + (first + r) * panel_width<T>;
      store(row, load(row) / total[r]);
    }
  }
}

template <class T> void softmax(Rows<T> rows, T* out, Index out_stride) {
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> maximum(row_maxima(rows, first, count));
    const RowScalars<T> total(exponentials(rows, first, count, maximum, out, out_stride));
    normalize(rows.columns, first, count, total, out, out_stride);
  });
}

template <class T>
void softmax_backward(Rows<T> probabilities, const T* grad, Index grad_stride, T* out, Index out_stride) {
  constexpr Index width = panel_width<T>;
  const Lanes<T> zero = broadcast(T(0));
  const auto grad_lanes = [&](Index i, Index p) CNET_INLINED {
    const Lanes<T> g = load(grad + p * grad_stride + i * width);
    return select(column_mask<T>(probabilities.columns, p), g, zero);
  };
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> total(reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      Lanes<T> products = zero;
      each_panel(probabilities, i, T(0),
                 [&](Index p, Lanes<T> q) CNET_INLINED { products = fma(grad_lanes(i, p), q, products); });
      return products;
    }));
    for (Index i = first; i < first + count; ++i) {
      each_panel(probabilities, i, T(0), [&](Index p, Lanes<T> q) CNET_INLINED {
        store(out + p * out_stride + i * width, q * (grad_lanes(i, p) - total[i - first]));
      });
    }
  });
}

template <class T> void log_softmax(Rows<T> rows, T* out, Index out_stride) {
  const T lowest = T(-__builtin_inf());
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> maximum(row_maxima(rows, first, count));
    const Lanes<T> total = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(rows, i, lowest, [&](Index p, Lanes<T> x) CNET_INLINED {
        return select(column_mask<T>(rows.columns, p), exp(x - maximum[i - first]), broadcast(T(0)));
      });
    });
    const RowScalars<T> log_total(log(total));
    for (Index i = first; i < first + count; ++i) {
      each_panel(rows, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        store(out + p * out_stride + i * panel_width<T>, (x - maximum[i - first]) - log_total[i - first]);
      });
    }
  });
}

template <class T>
void log_softmax_backward(Rows<T> logarithms, const T* grad, Index grad_stride, T* out, Index out_stride) {
  const Rows<T> grads{logarithms.rows, logarithms.columns, grad, grad_stride};
  each_group<T>(grads.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> total(row_sums(grads, first, count));
    for (Index i = first; i < first + count; ++i) {
      each_panel(logarithms, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> g = load(grad + p * grad_stride + i * panel_width<T>);
        const Lanes<T> result = g - exp(x) * total[i - first];
        store(out + p * out_stride + i * panel_width<T>,
              select(column_mask<T>(logarithms.columns, p), result, broadcast(T(0))));
      });
    }
  });
}

/// Row i has the loss Σ y (log Σ eᶻ − z), with the maximum subtracted from z. A class with y = 0 adds nothing, even if
/// its logit is infinite.
template <class T>
void softmax_cross_entropy_forward(Rows<T> logits, Targets<T> targets, T* probabilities, Index stride, T* losses) {
  const Lanes<T> zero = broadcast(T(0));
  each_group<T>(logits.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> maximum(row_maxima(logits, first, count));
    // Probabilities must not overwrite the logits, which are read again below.
    const Lanes<T> totals = exponentials(logits, first, count, maximum, probabilities, stride);
    const RowScalars<T> total(totals), log_total(log(totals));
    const RowScalars<T> loss(reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(logits, i, T(0), [&](Index p, Lanes<T> z) CNET_INLINED {
        const Lanes<T> y = target_lanes(targets, logits.columns, i, p);
        const Lanes<T> term = y * (log_total[i - first] - (z - maximum[i - first]));
        return select(y == zero, zero, term);
      });
    }));
    loss.write(count, losses + first);
    normalize(logits.columns, first, count, total, probabilities, stride);
  });
}

/// (p Σy − y) / divisor: targets need not sum to 1, and a row of zeros has a zero gradient.
template <class T>
void softmax_cross_entropy_backward(Rows<T> probabilities, Targets<T> targets, T divisor, T* out, Index out_stride) {
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> total(target_sums(targets, probabilities.columns, first, count));
    for (Index i = first; i < first + count; ++i) {
      each_panel(probabilities, i, T(0), [&](Index p, Lanes<T> q) CNET_INLINED {
        const Lanes<T> y = target_lanes(targets, probabilities.columns, i, p);
        store(out + p * out_stride + i * panel_width<T>, (q * total[i - first] - y) / broadcast(divisor));
      });
    }
  });
}

template <class T> inline constexpr T cross_entropy_epsilon = T(1e-7);

template <class T> void cross_entropy_forward(Rows<T> probabilities, Targets<T> targets, T* losses) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> low = broadcast(cross_entropy_epsilon<T>), high = broadcast(T(1) - cross_entropy_epsilon<T>);
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> total(row_sums(probabilities, first, count));
    const Lanes<T> likelihood = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(probabilities, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        Lanes<T> q = x / total[i - first];
        q = select(q < low, low, select(high < q, high, q));
        const Lanes<T> y = target_lanes(targets, probabilities.columns, i, p);
        return select(y == zero, zero, y * log(q));
      });
    });
    RowScalars<T>(-likelihood).write(count, losses + first);
  });
}

/// With q = p / S, S = Σp, and q clipped: ∂/∂pₖ (−Σ yⱼ log qⱼ) = Σ yⱼ / S − yₖ / pₖ over the classes that are not
/// clipped.
template <class T>
void cross_entropy_backward(Rows<T> probabilities, Targets<T> targets, T divisor, T* out, Index out_stride) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> low = broadcast(cross_entropy_epsilon<T>), high = broadcast(T(1) - cross_entropy_epsilon<T>);
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const Lanes<T> totals = row_sums(probabilities, first, count);
    const RowScalars<T> total(totals);
    // The targets, with zeros for the clipped classes.
    const auto unclipped = [&](Index i, Index p, Lanes<T> x) CNET_INLINED {
      const Lanes<T> q = x / total[i - first];
      const Lanes<T> y = target_lanes(targets, probabilities.columns, i, p);
      return select(q < low, zero, select(high < q, zero, y));
    };
    const Lanes<T> weights = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(probabilities, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED { return unclipped(i, p, x); });
    });
    const RowScalars<T> common(weights / totals);
    for (Index i = first; i < first + count; ++i) {
      each_panel(probabilities, i, T(1), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> y = unclipped(i, p, x);
        const Lanes<T> own = select(y == zero, zero, y / x);
        store(out + p * out_stride + i * panel_width<T>, (common[i - first] - own) / broadcast(divisor));
      });
    }
  });
}

/// A candidate of argmax. A NaN is represented as +∞ in a negative column, so that the first NaN precedes all numbers,
/// as in NumPy.
template <class T> struct Candidate {
  Lanes<T> value;
  Lanes<T> column;
};

/// The candidate with the greater value in each lane; of equal values, the one in the lower column.
template <class T> CNET_INLINE Candidate<T> first_maximum(Candidate<T> x, Candidate<T> y) {
  const Lanes<T> lower = select(x.column < y.column, x.column, y.column);
  const auto is_less = x.value < y.value;
  const Lanes<T> column = select(x.value == y.value, lower, select(is_less, y.column, x.column));
  return {select(is_less, y.value, x.value), column};
}

/// Exact for up to 2^(mantissa_bits − 1) columns: four million for float.
template <class T> void argmax(Rows<T> rows, T* out) {
  constexpr int width = Lanes<T>::width;
  const T lowest = T(-__builtin_inf());
  const Lanes<T> below = broadcast(T(1ll << (Format<T>::mantissa_bits - 1)));
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    Candidate<T> best[width] = {};
    for (Index r = 0; r < count; ++r) {
      best[r] = {broadcast(lowest), below};
      each_panel(rows, first + r, lowest, [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> column = iota<T>() + broadcast(T(p * width));
        const auto is_number = x == x;
        best[r] = first_maximum(best[r],
                                {select(is_number, x, broadcast(-lowest)), select(is_number, column, column - below)});
      });
    }
    CNET_UNROLL
    for (int half = width / 2; half > 0; half /= 2) {
      CNET_UNROLL
      for (int r = 0; r < half; ++r) {
        Candidate<T> low, high;
        interleave(best[r].value, best[r + half].value, low.value, high.value);
        interleave(best[r].column, best[r + half].column, low.column, high.column);
        best[r] = first_maximum(low, high);
      }
    }
    const Lanes<T> column = best[0].column;
    RowScalars<T>(select(column < broadcast(T(0)), column + below, column)).write(count, out + first);
  });
}

template <class T> constexpr SoftmaxKernels<T> softmax_members() {
  return {softmax<T>,
          softmax_backward<T>,
          log_softmax<T>,
          log_softmax_backward<T>,
          softmax_cross_entropy_forward<T>,
          softmax_cross_entropy_backward<T>,
          cross_entropy_forward<T>,
          cross_entropy_backward<T>,
          argmax<T>};
}

} // namespace

CNET_EXPORT(SoftmaxKernels, softmax)

} // namespace cnet::kernels::CNET_ISA
