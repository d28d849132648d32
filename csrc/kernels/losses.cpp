#include "kernels/activations.hpp"
#include "kernels/rows.hpp"

// Losses that compare predictions p with targets t number by number: the loss, and its derivative by p.
// ε = 1e-7 keeps logarithms and quotients finite, as in Keras.

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> struct Pointwise {
  const Lanes<T> zero = broadcast(T(0)), half = broadcast(T(0.5)), one = broadcast(T(1)), two = broadcast(T(2));
  const Lanes<T> epsilon = broadcast(T(1e-7));
  const LossParameters<T> parameters;

  CNET_INLINE explicit Pointwise(const LossParameters<T>& given) : parameters(given) {}

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
    return select(d <= delta(), this->half * (d * d), delta() * (d - this->half * delta()));
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return select(this->magnitude(p - t) <= delta(), p - t, delta() * this->sign(p - t));
  }

private:
  CNET_INLINE Lanes<T> delta() const { return broadcast(this->parameters.delta); }
};

/// ln cosh(p − t) = |d| + ln(1 + exp(−2 |d|)) − ln 2
template <class T> struct LogCosh : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> d = this->magnitude(p - t);
    return (d + softplus_above_relu(this->two * d)) - broadcast(T(0.69314718055994530942));
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const { return tanh(p - t); }
};

/// p − t log(p + ε), infinite for an infinite p.
template <class T> struct Poisson : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const {
    return select(p == broadcast(T(__builtin_inf())), p, p - t * log(p + this->epsilon));
  }
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
  CNET_INLINE Lanes<T> probability(Lanes<T> p) const { return p; }
  CNET_INLINE Lanes<T> complement(Lanes<T> p) const { return this->one - p; }
  CNET_INLINE Lanes<T> probability_slope(Lanes<T>) const { return this->one; }

private:
  CNET_INLINE Lanes<T> high() const { return this->one - this->epsilon; }
};

/// The same of p = 1 / (1 + e⁻ᶻ): max(z, 0) − z t + ln(1 + exp(−|z|)). An infinite z that t agrees with costs
/// nothing, and one that it doesn't is infinitely wrong.
template <class T> struct BinaryCrossentropyFromLogits : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> z, Lanes<T> t) const {
    const Lanes<T> nearest = select(this->zero < z, this->one, this->zero);
    const auto is_infinite = this->magnitude(z) == broadcast(T(__builtin_inf()));
    const Lanes<T> from_nearest = select(is_infinite, z * (nearest - t), relu(z) - z * t);
    return select(t == nearest, this->zero, from_nearest) + softplus_above_relu(z);
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> z, Lanes<T> t) const { return sigmoid(z) - t; }
  CNET_OUTLINED Lanes<T> probability(Lanes<T> z) const { return sigmoid(z); }
  CNET_INLINE Lanes<T> complement(Lanes<T> z) const { return probability(negative(z)); }
  CNET_INLINE Lanes<T> probability_slope(Lanes<T> z) const { return probability(z) * complement(z); }
};

/// xᵞ for x ≥ 0 and γ ≥ 0.
template <class T> CNET_OUTLINED Lanes<T> power(Lanes<T> x, T gamma) {
  if (gamma == T(0)) return broadcast(T(1));
  return exp(broadcast(gamma) * log(x));
}

/// Either of those two times mᵞ and the target's weight, m = t (1 − p) + (1 − t) p being how far p is from
/// t; Lin et al., 2017, equations 4 and 5.
template <class T, class Crossentropy> struct BinaryFocal : Crossentropy {
  using Crossentropy::Crossentropy;
  CNET_INLINE Lanes<T> loss(Lanes<T> x, Lanes<T> t) const { return factor(miss(x, t), t) * Crossentropy::loss(x, t); }
  /// mᵞ (γ m′ / m · crossentropy + crossentropy′)
  CNET_INLINE Lanes<T> derivative(Lanes<T> x, Lanes<T> t) const {
    const Lanes<T> m = miss(x, t), slope = (this->one - this->two * t) * this->probability_slope(x);
    const Lanes<T> growth = broadcast(this->parameters.gamma) * (slope / m);
    const Lanes<T> term = select(slope == this->zero, this->zero, growth * Crossentropy::loss(x, t));
    const Lanes<T> of_factor = select(m == this->zero, this->zero, term);
    return factor(m, t) * (of_factor + Crossentropy::derivative(x, t));
  }

private:
  CNET_INLINE Lanes<T> miss(Lanes<T> x, Lanes<T> t) const {
    return fma(t, this->complement(x), (this->one - t) * this->probability(x));
  }
  CNET_INLINE Lanes<T> factor(Lanes<T> m, Lanes<T> t) const {
    const LossParameters<T>& given = this->parameters;
    const Lanes<T> weight =
        fma(t, broadcast(given.positive_weight - given.negative_weight), broadcast(given.negative_weight));
    return weight * power(m, given.gamma);
  }
};

template <class T> using BinaryFocalCrossentropy = BinaryFocal<T, BinaryCrossentropy<T>>;
template <class T> using BinaryFocalCrossentropyFromLogits = BinaryFocal<T, BinaryCrossentropyFromLogits<T>>;

template <class Loss> inline constexpr bool is_mean = true;
template <class T> inline constexpr bool is_mean<KLDivergence<T>> = false;

template <class T, class Loss>
void pointwise_loss_forward(Rows<T> predictions, const T* targets, Index stride, const LossParameters<T>& parameters,
                            T* losses) {
  const Loss loss(parameters);
  const Lanes<T> zero = broadcast(T(0)), terms = broadcast(is_mean<Loss> ? T(predictions.columns) : T(1));
  each_group<T>(predictions.rows, [&](Index first, Index count) CNET_INLINED {
    const Lanes<T> sum = fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
        return select(columns_of<T>(predictions.columns, p), loss.loss(x, t), zero);
      });
    });
    Numbers<T>(sum / terms).write(count, losses + first);
  });
}

template <class T, class Loss>
void pointwise_loss_backward(Rows<T> predictions, const T* targets, Index stride, const LossParameters<T>& parameters,
                             T divisor, T* out, Index out_stride) {
  const Loss loss(parameters);
  const Lanes<T> all = broadcast(is_mean<Loss> ? T(predictions.columns) * divisor : divisor);
  for (Index i = 0; i < predictions.rows; ++i) {
    each_panel(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
      const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
      store(out + p * out_stride + i * panel_width<T>, loss.derivative(x, t) / all);
    });
  }
}

/// −t (1 − q)ᵞ log q times the positives' weight, q kept in [ε, 1 − ε]: of a share q in its row's whole.
template <class T> struct CategoricalFocal : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_OUTLINED Lanes<T> loss(Lanes<T> share, Lanes<T> t) const {
    const Lanes<T> q = select(high() < share, high(), this->at_least(share, this->epsilon));
    return this->zero - factor(q, t) * log(q);
  }
  CNET_OUTLINED Lanes<T> derivative(Lanes<T> q, Lanes<T> t) const {
    const Lanes<T> growth = broadcast(this->parameters.gamma) * log(q) / (this->one - q);
    const Lanes<T> slope = factor(q, t) * (growth - this->one / q);
    return select(q < this->epsilon, this->zero, select(high() < q, this->zero, slope));
  }

private:
  CNET_INLINE Lanes<T> high() const { return this->one - this->epsilon; }
  CNET_INLINE Lanes<T> factor(Lanes<T> q, Lanes<T> t) const {
    return broadcast(this->parameters.positive_weight) * t * power(this->one - q, this->parameters.gamma);
  }
};

/// What each number of a group of rows is of its row's whole: x / Σx, or of logits their softmax.
template <class T> struct Shares {
  const bool from_logits;
  const Index columns;
  const Index first;
  const Numbers<T> maximum;
  const Numbers<T> total;

  CNET_INLINE Shares(bool of_logits, const Rows<T>& rows, Index first_row, Index count)
      : from_logits(of_logits), columns(rows.columns), first(first_row),
        maximum(of_logits ? maxima(rows, first_row, count) : broadcast(T(0))),
        total(fold_rows<Add, T>(first_row, count, [&](Index i) CNET_INLINED {
          return sum_panels(rows, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED { return part(i, p, x); });
        })) {}

  CNET_OUTLINED Lanes<T> part(Index i, Index p, Lanes<T> x) const {
    if (!from_logits) return x;
    return select(columns_of<T>(columns, p), exp(x - maximum[i - first]), broadcast(T(0)));
  }
  CNET_INLINE Lanes<T> share(Index i, Index p, Lanes<T> x) const { return part(i, p, x) / total[i - first]; }
  /// How the shares' part of a slope goes over to x itself.
  CNET_INLINE Lanes<T> chain(Index i, Index p, Lanes<T> x, Lanes<T> slope) const {
    return from_logits ? share(i, p, x) * slope : slope / total[i - first];
  }
};

template <class T>
CNET_OUTLINED void categorical_focal_losses(bool from_logits, Rows<T> predictions, const T* targets, Index stride,
                                            const LossParameters<T>& parameters, T* losses) {
  const CategoricalFocal<T> loss(parameters);
  each_group<T>(predictions.rows, [&](Index first, Index count) CNET_INLINED {
    const Shares<T> shares(from_logits, predictions, first, count);
    const Lanes<T> sum = fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
        return select(columns_of<T>(predictions.columns, p), loss.loss(shares.share(i, p, x), t), loss.zero);
      });
    });
    Numbers<T>(sum).write(count, losses + first);
  });
}

/// With shares q and slopes g by them: (g − Σ g q) / Σx by x, q (g − Σ g q) by logits.
template <class T>
CNET_OUTLINED void categorical_focal_gradient(bool from_logits, Rows<T> predictions, const T* targets, Index stride,
                                              const LossParameters<T>& parameters, T divisor, T* out,
                                              Index out_stride) {
  const CategoricalFocal<T> loss(parameters);
  each_group<T>(predictions.rows, [&](Index first, Index count) CNET_INLINED {
    const Shares<T> shares(from_logits, predictions, first, count);
    const auto slope = [&](Index i, Index p, Lanes<T> q) CNET_INLINED {
      const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
      return select(columns_of<T>(predictions.columns, p), loss.derivative(q, t), loss.zero);
    };
    const Numbers<T> common(fold_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> q = shares.share(i, p, x);
        return slope(i, p, q) * q;
      });
    }));
    for (Index i = first; i < first + count; ++i) {
      each_panel(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> apart = slope(i, p, shares.share(i, p, x)) - common[i - first];
        store(out + p * out_stride + i * panel_width<T>, shares.chain(i, p, x, apart) / broadcast(divisor));
      });
    }
  });
}

template <class T, bool from_logits>
void categorical_focal_forward(Rows<T> predictions, const T* targets, Index stride, const LossParameters<T>& parameters,
                               T* losses) {
  categorical_focal_losses(from_logits, predictions, targets, stride, parameters, losses);
}

template <class T, bool from_logits>
void categorical_focal_backward(Rows<T> predictions, const T* targets, Index stride,
                                const LossParameters<T>& parameters, T divisor, T* out, Index out_stride) {
  categorical_focal_gradient(from_logits, predictions, targets, stride, parameters, divisor, out, out_stride);
}

template <class T> constexpr LossKernels<T> losses_members() {
  return {
      // In the order of PointwiseLoss.
      {
          pointwise_loss_forward<T, MeanSquaredError<T>>,
          pointwise_loss_forward<T, MeanAbsoluteError<T>>,
          pointwise_loss_forward<T, MeanAbsolutePercentageError<T>>,
          pointwise_loss_forward<T, MeanSquaredLogarithmicError<T>>,
          pointwise_loss_forward<T, Huber<T>>,
          pointwise_loss_forward<T, Poisson<T>>,
          pointwise_loss_forward<T, KLDivergence<T>>,
          pointwise_loss_forward<T, Hinge<T>>,
          pointwise_loss_forward<T, SquaredHinge<T>>,
          pointwise_loss_forward<T, BinaryCrossentropy<T>>,
          pointwise_loss_forward<T, BinaryCrossentropyFromLogits<T>>,
          pointwise_loss_forward<T, LogCosh<T>>,
          pointwise_loss_forward<T, BinaryFocalCrossentropy<T>>,
          pointwise_loss_forward<T, BinaryFocalCrossentropyFromLogits<T>>,
          categorical_focal_forward<T, false>,
          categorical_focal_forward<T, true>,
      },
      {
          pointwise_loss_backward<T, MeanSquaredError<T>>,
          pointwise_loss_backward<T, MeanAbsoluteError<T>>,
          pointwise_loss_backward<T, MeanAbsolutePercentageError<T>>,
          pointwise_loss_backward<T, MeanSquaredLogarithmicError<T>>,
          pointwise_loss_backward<T, Huber<T>>,
          pointwise_loss_backward<T, Poisson<T>>,
          pointwise_loss_backward<T, KLDivergence<T>>,
          pointwise_loss_backward<T, Hinge<T>>,
          pointwise_loss_backward<T, SquaredHinge<T>>,
          pointwise_loss_backward<T, BinaryCrossentropy<T>>,
          pointwise_loss_backward<T, BinaryCrossentropyFromLogits<T>>,
          pointwise_loss_backward<T, LogCosh<T>>,
          pointwise_loss_backward<T, BinaryFocalCrossentropy<T>>,
          pointwise_loss_backward<T, BinaryFocalCrossentropyFromLogits<T>>,
          categorical_focal_backward<T, false>,
          categorical_focal_backward<T, true>,
      },
  };
}

} // namespace

CNET_EXPORT(LossKernels, losses)

} // namespace cnet::kernels::CNET_ISA
