// Functions of a row: softmax and the cross-entropies. A row's lanes are summed panel by panel, then
// folded in halves, so that the order depends on the number of columns alone.

/// The lanes of panel p that hold columns, not padding.
template <class T> CNET_INLINE LaneMask<T> columns_of(Index columns, Index p) {
  return lane_numbers<T>() < broadcast(T(columns - p * panel_width<T>));
}

/// Panel p of row i of the targets.
template <class T> CNET_INLINE Lanes<T> target_lanes(const Targets<T>& targets, Index i, Index p) {
  constexpr Index width = panel_width<T>;
  if (targets.ids == nullptr) return load(targets.distribution + p * targets.stride + i * width);
  const auto is_target = lane_numbers<T>() == broadcast(T(targets.ids[i] - p * width));
  return select(is_target, broadcast(T(1)), broadcast(T(0)));
}

/// f(p, lanes) for each panel of row i, the padding replaced.
template <class T, class F> CNET_INLINE void each_panel(const Rows<T>& rows, Index i, T padding, F f) {
  constexpr Index width = panel_width<T>;
  for (Index p = 0; p * width < rows.columns; ++p) {
    const Lanes<T> x = load(rows.x + p * rows.x_stride + i * width);
    f(p, select(columns_of<T>(rows.columns, p), x, broadcast(padding)));
  }
}

template <class T> CNET_INLINE T row_maximum(const Rows<T>& rows, Index i) {
  const T lowest = T(-__builtin_inf());
  Lanes<T> maximum = broadcast(lowest);
  each_panel(rows, i, lowest, [&](Index, Lanes<T> x) { maximum = select(maximum < x, x, maximum); });
  return reduce(maximum, [](T a, T b) { return a < b ? b : a; });
}

/// Writes exp(x − maximum) of row i to out; returns its sum.
template <class T> CNET_INLINE T exponentials(const Rows<T>& rows, Index i, T maximum, T* out, Index out_stride) {
  Lanes<T> total = broadcast(T(0));
  each_panel(rows, i, T(-__builtin_inf()), [&](Index p, Lanes<T> x) {
    const Lanes<T> e = exp(x - broadcast(maximum));
    const Lanes<T> kept = select(columns_of<T>(rows.columns, p), e, broadcast(T(0)));
    store(out + p * out_stride + i * panel_width<T>, kept);
    total = total + kept;
  });
  return sum(total);
}

/// Divides row i of out by its total.
template <class T> CNET_INLINE void normalize(Index columns, Index i, T total, T* out, Index out_stride) {
  for (Index p = 0; p * panel_width<T> < columns; ++p) {
    T* row = out + p * out_stride + i * panel_width<T>;
    store(row, load(row) / broadcast(total));
  }
}

template <class T> CNET_INLINE T log_of(T x) {
  T lanes[Lanes<T>::width];
  store(lanes, log(broadcast(x)));
  return lanes[0];
}

template <class T> void softmax(Rows<T> rows, T* out, Index out_stride) {
  for (Index i = 0; i < rows.rows; ++i) {
    const T total = exponentials(rows, i, row_maximum(rows, i), out, out_stride);
    normalize(rows.columns, i, total, out, out_stride);
  }
}

template <class T>
void softmax_backward(Rows<T> probabilities, const T* grad, Index grad_stride, T* out, Index out_stride) {
  constexpr Index width = panel_width<T>;
  const Lanes<T> zero = broadcast(T(0));
  for (Index i = 0; i < probabilities.rows; ++i) {
    const auto grad_lanes = [&](Index p) {
      const Lanes<T> g = load(grad + p * grad_stride + i * width);
      return select(columns_of<T>(probabilities.columns, p), g, zero);
    };
    Lanes<T> products = zero;
    each_panel(probabilities, i, T(0), [&](Index p, Lanes<T> q) { products = fma(grad_lanes(p), q, products); });
    const Lanes<T> total = broadcast(sum(products));
    each_panel(probabilities, i, T(0),
               [&](Index p, Lanes<T> q) { store(out + p * out_stride + i * width, q * (grad_lanes(p) - total)); });
  }
}

/// Loss of row i: Σ y (log Σ eᶻ − z), the maximum subtracted; a class with y = 0 takes no part, be
/// its logit as infinite as it likes.
template <class T>
void softmax_cross_entropy_forward(Rows<T> logits, Targets<T> targets, T* probabilities, Index stride, T* losses) {
  const Lanes<T> zero = broadcast(T(0));
  for (Index i = 0; i < logits.rows; ++i) {
    const T maximum = row_maximum(logits, i);
    // The logits are read once more after this: probabilities must not overwrite them.
    const T total = exponentials(logits, i, maximum, probabilities, stride);
    const Lanes<T> log_total = broadcast(log_of(total));
    Lanes<T> loss = zero;
    each_panel(logits, i, T(0), [&](Index p, Lanes<T> z) {
      const Lanes<T> y = target_lanes(targets, i, p);
      const Lanes<T> term = y * (log_total - (z - broadcast(maximum)));
      loss = loss + select(y == zero, zero, term);
    });
    losses[i] = sum(loss);
    normalize(logits.columns, i, total, probabilities, stride);
  }
}

template <class T>
void softmax_cross_entropy_backward(Rows<T> probabilities, Targets<T> targets, T batch, T* out, Index out_stride) {
  for (Index i = 0; i < probabilities.rows; ++i) {
    each_panel(probabilities, i, T(0), [&](Index p, Lanes<T> q) {
      store(out + p * out_stride + i * panel_width<T>, (q - target_lanes(targets, i, p)) / broadcast(batch));
    });
  }
}

template <class T> inline constexpr T cross_entropy_epsilon = T(1e-7);

template <class T> CNET_INLINE T row_sum(const Rows<T>& rows, Index i) {
  Lanes<T> total = broadcast(T(0));
  each_panel(rows, i, T(0), [&](Index, Lanes<T> x) { total = total + x; });
  return sum(total);
}

template <class T> void cross_entropy_forward(Rows<T> probabilities, Targets<T> targets, T* losses) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> low = broadcast(cross_entropy_epsilon<T>), high = broadcast(T(1) - cross_entropy_epsilon<T>);
  for (Index i = 0; i < probabilities.rows; ++i) {
    const Lanes<T> total = broadcast(row_sum(probabilities, i));
    Lanes<T> loss = zero;
    each_panel(probabilities, i, T(0), [&](Index p, Lanes<T> x) {
      Lanes<T> q = x / total;
      q = select(q < low, low, select(high < q, high, q));
      const Lanes<T> y = target_lanes(targets, i, p);
      loss = loss + select(y == zero, zero, y * log(q));
    });
    losses[i] = -sum(loss);
  }
}

/// With q = p / S clipped, ∂/∂pₖ (−Σ yⱼ log qⱼ) = Σ′ yⱼ / S − yₖ / pₖ over the unclipped classes.
template <class T>
void cross_entropy_backward(Rows<T> probabilities, Targets<T> targets, T batch, T* out, Index out_stride) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> low = broadcast(cross_entropy_epsilon<T>), high = broadcast(T(1) - cross_entropy_epsilon<T>);
  for (Index i = 0; i < probabilities.rows; ++i) {
    const Lanes<T> total = broadcast(row_sum(probabilities, i));
    // The targets of the classes that clipping left alone.
    const auto unclipped = [&](Index p, Lanes<T> x) {
      const Lanes<T> q = x / total;
      const Lanes<T> y = target_lanes(targets, i, p);
      return select(q < low, zero, select(high < q, zero, y));
    };
    Lanes<T> weight = zero;
    each_panel(probabilities, i, T(0), [&](Index p, Lanes<T> x) { weight = weight + unclipped(p, x); });
    const Lanes<T> common = broadcast(sum(weight)) / total;
    each_panel(probabilities, i, T(1), [&](Index p, Lanes<T> x) {
      const Lanes<T> y = unclipped(p, x);
      const Lanes<T> own = select(y == zero, zero, y / x);
      store(out + p * out_stride + i * panel_width<T>, (common - own) / broadcast(batch));
    });
  }
}
