// Losses that compare predictions p with targets t number by number: the loss, and its derivative by p.
// ε = 1e-7 keeps logarithms and quotients finite, as in Keras.

template <class T> struct Pointwise {
  const Lanes<T> zero = broadcast(T(0)), half = broadcast(T(0.5)), one = broadcast(T(1)), two = broadcast(T(2));
  const Lanes<T> epsilon = broadcast(T(1e-7));
  const Lanes<T> delta;

  CNET_INLINE explicit Pointwise(T given_delta) : delta(broadcast(given_delta)) {}

  CNET_INLINE Lanes<T> at_least(Lanes<T> x, Lanes<T> low) const { return select(x < low, low, x); }
  CNET_INLINE Lanes<T> magnitude(Lanes<T> x) const { return select(x < zero, zero - x, x); }
  /// −1, 0 or 1; NaN stays.
  CNET_INLINE Lanes<T> sign(Lanes<T> x) const { return select(zero < x, one, select(x < zero, zero - one, x)); }
};

/// (p − t)²
template <class T> struct MeanSquaredError : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return (p - t) * (p - t); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const { return this->two * (p - t); }
};

/// |p − t|
template <class T> struct MeanAbsoluteError : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return this->magnitude(p - t); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const { return this->sign(p - t); }
};

/// 100 |p − t| / max(|t|, ε)
template <class T> struct MeanAbsolutePercentageError : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const {
    return broadcast(T(100)) * (this->magnitude(p - t) / scale(t));
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return broadcast(T(100)) * (this->sign(p - t) / scale(t));
  }

private:
  CNET_INLINE Lanes<T> scale(Lanes<T> t) const { return this->at_least(this->magnitude(t), this->epsilon); }
};

/// (log(1 + max(p, ε)) − log(1 + max(t, ε)))²
template <class T> struct MeanSquaredLogarithmicError : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return difference(p, t) * difference(p, t); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> slope = this->two * difference(p, t) / (this->one + p);
    return select(p < this->epsilon, this->zero, slope);
  }

private:
  CNET_INLINE Lanes<T> difference(Lanes<T> p, Lanes<T> t) const {
    return log(this->one + this->at_least(p, this->epsilon)) - log(this->one + this->at_least(t, this->epsilon));
  }
};

/// ½ d² for |d| = |p − t| ≤ δ, else δ (|d| − ½ δ); Huber, 1964.
template <class T> struct Huber : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> d = this->magnitude(p - t);
    return select(d <= this->delta, this->half * (d * d), this->delta * (d - this->half * this->delta));
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return select(this->magnitude(p - t) <= this->delta, p - t, this->delta * this->sign(p - t));
  }
};

/// p − t log(p + ε)
template <class T> struct Poisson : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return p - t * log(p + this->epsilon); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const { return this->one - t / (p + this->epsilon); }
};

/// t log(t / p), both kept in [ε, 1].
template <class T> struct KLDivergence : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return clip(t) * log(clip(t) / clip(p)); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> slope = this->zero - clip(t) / p;
    return select(p < this->epsilon, this->zero, select(this->one < p, this->zero, slope));
  }

private:
  CNET_INLINE Lanes<T> clip(Lanes<T> x) const {
    return select(this->one < x, this->one, this->at_least(x, this->epsilon));
  }
};

/// max(1 − t p, 0) for t = ±1; a t of 0 counts as −1.
template <class T> struct Hinge : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return this->at_least(margin(p, t), this->zero); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return select(margin(p, t) <= this->zero, this->zero, this->zero - signed_target(t));
  }
  CNET_INLINE Lanes<T> signed_target(Lanes<T> t) const { return select(t == this->zero, this->zero - this->one, t); }
  CNET_INLINE Lanes<T> margin(Lanes<T> p, Lanes<T> t) const { return this->one - signed_target(t) * p; }
};

/// The square of that.
template <class T> struct SquaredHinge : Hinge<T> {
  using Hinge<T>::Hinge;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return Hinge<T>::loss(p, t) * Hinge<T>::loss(p, t); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return this->two * Hinge<T>::loss(p, t) * Hinge<T>::derivative(p, t);
  }
};

/// −t log p − (1 − t) log(1 − p), p kept in [ε, 1 − ε].
template <class T> struct BinaryCrossentropy : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> q = select(high() < p, high(), this->at_least(p, this->epsilon));
    return this->zero - fma(t, log(q), (this->one - t) * log(this->one - q));
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> slope = (p - t) / (p * (this->one - p));
    return select(p < this->epsilon, this->zero, select(high() < p, this->zero, slope));
  }

private:
  CNET_INLINE Lanes<T> high() const { return this->one - this->epsilon; }
};

/// The same of p = 1 / (1 + e⁻ᶻ): max(z, 0) − z t + log(1 + e⁻ˡᶻˡ).
template <class T> struct BinaryCrossentropyFromLogits : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> z, Lanes<T> t) const {
    const Lanes<T> e = exp(this->zero - this->magnitude(z)), sum = this->one + e;
    // log(1 + e) with what the sum has lost put back; Kahan's, in Goldberg 1991, theorem 4.
    const Lanes<T> rest = select(sum == this->one, e, log(sum) * (e / (sum - this->one)));
    return (this->at_least(z, this->zero) - z * t) + rest;
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> z, Lanes<T> t) const {
    const Lanes<T> e = exp(this->zero - this->magnitude(z));
    const Lanes<T> sigmoid = select(z < this->zero, e, this->one) / (this->one + e);
    return sigmoid - t;
  }
};

template <class Loss> inline constexpr bool is_mean = true;
template <class T> inline constexpr bool is_mean<KLDivergence<T>> = false;

template <class T, class Loss>
void pointwise_loss_forward(Rows<T> predictions, const T* targets, Index stride, T delta, T* losses) {
  const Loss loss(delta);
  const Lanes<T> zero = broadcast(T(0)), terms = broadcast(is_mean<Loss> ? T(predictions.columns) : T(1));
  each_group<T>(predictions.rows, [&](Index first, Index count) CNET_INLINED {
    const Lanes<T> sum = fold_rows<T>(first, count, Add(), [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
        return select(columns_of<T>(predictions.columns, p), loss.loss(x, t), zero);
      });
    });
    Numbers<T>(sum / terms).write(count, losses + first);
  });
}

template <class T, class Loss>
void pointwise_loss_backward(Rows<T> predictions, const T* targets, Index stride, T delta, T batch, T* out,
                             Index out_stride) {
  const Loss loss(delta);
  const Lanes<T> all = broadcast(is_mean<Loss> ? T(predictions.columns) * batch : batch);
  for (Index i = 0; i < predictions.rows; ++i) {
    each_panel(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
      const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
      store(out + p * out_stride + i * panel_width<T>, loss.derivative(x, t) / all);
    });
  }
}
