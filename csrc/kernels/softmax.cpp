#include "kernels/rows.hpp"

// Functions of a row: softmax, the cross-entropies, argmax.

namespace cnet::kernels::CNET_ISA {

namespace {

/// Panel p of row i of the targets, zero where no column is.
template <class T> CNET_INLINE Lanes<T> target_lanes(const Targets<T>& targets, Index columns, Index i, Index p) {
  constexpr Index width = panel_width<T>;
  if (targets.ids == nullptr) {
    const Lanes<T> y = load(targets.distribution + p * targets.stride + i * width);
    return select(columns_of<T>(columns, p), y, broadcast(T(0)));
  }
  const auto is_target = lane_numbers<T>() == broadcast(T(targets.ids[i] - p * width));
  return select(is_target, broadcast(T(1)), broadcast(T(0)));
}

/// Σy of each row: 1 for class ids.
template <class T>
CNET_INLINE Lanes<T> target_sums(const Targets<T>& targets, Index columns, Index first, Index count) {
  if (targets.ids != nullptr) return broadcast(T(1));
  return sums(Rows<T>{first + count, columns, targets.distribution, targets.stride}, first, count);
}

/// Writes exp(x − maximum) of each row to out; returns their sums.
template <class T>
CNET_INLINE Lanes<T> exponentials(const Rows<T>& rows, Index first, Index count, const Numbers<T>& maximum, T* out,
                                  Index out_stride) {
  return fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
    return sum_panels(rows, i, T(-__builtin_inf()), [&](Index p, Lanes<T> x) CNET_INLINED {
      const Lanes<T> e = exp(x - maximum[i - first]);
      const Lanes<T> kept = select(columns_of<T>(rows.columns, p), e, broadcast(T(0)));
      store(out + p * out_stride + i * panel_width<T>, kept);
      return kept;
    });
  });
}

/// Divides each row of out by its total.
template <class T>
CNET_INLINE void normalize(Index columns, Index first, Index count, const Numbers<T>& total, T* out, Index out_stride) {
  for (Index p = 0; p * panel_width<T> < columns; ++p) {
    for (Index r = 0; r < count; ++r) {
      T* row = out + p * out_stride + (first + r) * panel_width<T>;
      store(row, load(row) / total[r]);
    }
  }
}

template <class T> void softmax(Rows<T> rows, T* out, Index out_stride) {
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    const Numbers<T> maximum(maxima(rows, first, count));
    const Numbers<T> total(exponentials(rows, first, count, maximum, out, out_stride));
    normalize(rows.columns, first, count, total, out, out_stride);
  });
}

template <class T>
void softmax_backward(Rows<T> probabilities, const T* grad, Index grad_stride, T* out, Index out_stride) {
  constexpr Index width = panel_width<T>;
  const Lanes<T> zero = broadcast(T(0));
  const auto grad_lanes = [&](Index i, Index p) CNET_INLINED {
    const Lanes<T> g = load(grad + p * grad_stride + i * width);
    return select(columns_of<T>(probabilities.columns, p), g, zero);
  };
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const Numbers<T> total(fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
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
    const Numbers<T> maximum(maxima(rows, first, count));
    const Lanes<T> total = fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(rows, i, lowest, [&](Index p, Lanes<T> x) CNET_INLINED {
        return select(columns_of<T>(rows.columns, p), exp(x - maximum[i - first]), broadcast(T(0)));
      });
    });
    const Numbers<T> log_total(log(total));
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
    const Numbers<T> total(sums(grads, first, count));
    for (Index i = first; i < first + count; ++i) {
      each_panel(logarithms, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> g = load(grad + p * grad_stride + i * panel_width<T>);
        const Lanes<T> result = g - exp(x) * total[i - first];
        store(out + p * out_stride + i * panel_width<T>,
              select(columns_of<T>(logarithms.columns, p), result, broadcast(T(0))));
      });
    }
  });
}

/// Loss of row i: Σ y (log Σ eᶻ − z), the maximum subtracted; a class with y = 0 takes no part, be
/// its logit as infinite as it likes.
template <class T>
void softmax_cross_entropy_forward(Rows<T> logits, Targets<T> targets, T* probabilities, Index stride, T* losses) {
  const Lanes<T> zero = broadcast(T(0));
  each_group<T>(logits.rows, [&](Index first, Index count) CNET_INLINED {
    const Numbers<T> maximum(maxima(logits, first, count));
    // The logits are read once more after this: probabilities must not overwrite them.
    const Lanes<T> totals = exponentials(logits, first, count, maximum, probabilities, stride);
    const Numbers<T> total(totals), log_total(log(totals));
    const Numbers<T> loss(fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
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

/// (p Σy − y) / divisor: labels need not sum to 1, and a row of zeros has no gradient.
template <class T>
void softmax_cross_entropy_backward(Rows<T> probabilities, Targets<T> targets, T divisor, T* out, Index out_stride) {
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const Numbers<T> total(target_sums(targets, probabilities.columns, first, count));
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
    const Numbers<T> total(sums(probabilities, first, count));
    const Lanes<T> likelihood = fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(probabilities, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        Lanes<T> q = x / total[i - first];
        q = select(q < low, low, select(high < q, high, q));
        const Lanes<T> y = target_lanes(targets, probabilities.columns, i, p);
        return select(y == zero, zero, y * log(q));
      });
    });
    Numbers<T>(broadcast(-T(0)) - likelihood).write(count, losses + first);
  });
}

/// With q = p / S clipped, ∂/∂pₖ (−Σ yⱼ log qⱼ) = Σ′ yⱼ / S − yₖ / pₖ over the unclipped classes.
template <class T>
void cross_entropy_backward(Rows<T> probabilities, Targets<T> targets, T divisor, T* out, Index out_stride) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> low = broadcast(cross_entropy_epsilon<T>), high = broadcast(T(1) - cross_entropy_epsilon<T>);
  each_group<T>(probabilities.rows, [&](Index first, Index count) CNET_INLINED {
    const Lanes<T> totals = sums(probabilities, first, count);
    const Numbers<T> total(totals);
    // The targets of the classes that clipping left alone.
    const auto unclipped = [&](Index i, Index p, Lanes<T> x) CNET_INLINED {
      const Lanes<T> q = x / total[i - first];
      const Lanes<T> y = target_lanes(targets, probabilities.columns, i, p);
      return select(q < low, zero, select(high < q, zero, y));
    };
    const Lanes<T> weights = fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(probabilities, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED { return unclipped(i, p, x); });
    });
    const Numbers<T> common(weights / totals);
    for (Index i = first; i < first + count; ++i) {
      each_panel(probabilities, i, T(1), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> y = unclipped(i, p, x);
        const Lanes<T> own = select(y == zero, zero, y / x);
        store(out + p * out_stride + i * panel_width<T>, (common[i - first] - own) / broadcast(divisor));
      });
    }
  });
}

/// What argmax compares: a value and its column. A NaN counts as an infinity in a column far below the
/// first, so that the first NaN comes before all numbers, as NumPy has it.
template <class T> struct Ranked {
  Lanes<T> value;
  Lanes<T> column;
};

/// The greater value of each lane; of equals the one in the lower column.
template <class T> CNET_INLINE Ranked<T> first_maximum(Ranked<T> x, Ranked<T> y) {
  const Lanes<T> lower = select(x.column < y.column, x.column, y.column);
  const auto is_less = x.value < y.value;
  const Lanes<T> column = select(x.value == y.value, lower, select(is_less, y.column, x.column));
  return {select(is_less, y.value, x.value), column};
}

/// Exact for as many columns as T has whole numbers, halved: four million for float.
template <class T> void argmax(Rows<T> rows, T* out) {
  constexpr int width = Lanes<T>::width;
  const T lowest = T(-__builtin_inf());
  const Lanes<T> below = broadcast(T(1ll << (Format<T>::mantissa_bits - 1)));
  each_group<T>(rows.rows, [&](Index first, Index count) CNET_INLINED {
    Ranked<T> best[width] = {};
    for (Index r = 0; r < count; ++r) {
      best[r] = {broadcast(lowest), below};
      each_panel(rows, first + r, lowest, [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> column = lane_numbers<T>() + broadcast(T(p * width));
        const auto is_number = x == x;
        best[r] = first_maximum(best[r],
                                {select(is_number, x, broadcast(-lowest)), select(is_number, column, column - below)});
      });
    }
    CNET_UNROLL
    for (int half = width / 2; half > 0; half /= 2) {
      CNET_UNROLL
      for (int r = 0; r < half; ++r) {
        Ranked<T> low, high;
        zip(best[r].value, best[r + half].value, low.value, high.value);
        zip(best[r].column, best[r + half].column, low.column, high.column);
        best[r] = first_maximum(low, high);
      }
    }
    const Lanes<T> column = best[0].column;
    Numbers<T>(select(column < broadcast(T(0)), column + below, column)).write(count, out + first);
  });
}

template <class T> constexpr SoftmaxKernels<T> softmax_members() {
  return {
      softmax<T>,
      softmax_backward<T>,
      log_softmax<T>,
      log_softmax_backward<T>,
      softmax_cross_entropy_forward<T>,
      softmax_cross_entropy_backward<T>,
      cross_entropy_forward<T>,
      cross_entropy_backward<T>,
      argmax<T>,
  };
}

} // namespace

CNET_EXPORT(SoftmaxKernels, softmax)

} // namespace cnet::kernels::CNET_ISA
