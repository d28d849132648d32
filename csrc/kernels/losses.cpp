#include "kernels/activations.hpp"
#include "kernels/rows.hpp"

// Losses that compare predictions p with targets t elementwise: the loss, and its derivative with respect to p.
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
    const Lanes<T> unclipped = this->two * difference(p, t) / (this->one + p);
    return select(p < this->epsilon, this->zero, unclipped);
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
    return (d + softplus_minus_relu(this->two * d)) - broadcast(T(0.69314718055994530942));
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

/// t log(t / p), t and p clipped to [ε, 1].
template <class T> struct KLDivergence : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return clip(t) * log(clip(t) / clip(p)); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> unclipped = this->zero - clip(t) / p;
    return select(p < this->epsilon, this->zero, select(this->one < p, this->zero, unclipped));
  }

private:
  CNET_INLINE Lanes<T> clip(Lanes<T> x) const {
    return select(this->one < x, this->one, this->at_least(x, this->epsilon));
  }
};

/// max(1 − t p, 0) for t = ±1; t = 0 counts as −1.
template <class T> struct Hinge : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return this->at_least(margin(p, t), this->zero); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return select(margin(p, t) <= this->zero, this->zero, this->zero - signed_target(t));
  }
  CNET_INLINE Lanes<T> signed_target(Lanes<T> t) const { return select(t == this->zero, this->zero - this->one, t); }
  CNET_INLINE Lanes<T> margin(Lanes<T> p, Lanes<T> t) const { return this->one - signed_target(t) * p; }
};

/// The square of Hinge.
template <class T> struct SquaredHinge : Hinge<T> {
  using Hinge<T>::Hinge;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const { return Hinge<T>::loss(p, t) * Hinge<T>::loss(p, t); }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    return this->two * Hinge<T>::loss(p, t) * Hinge<T>::derivative(p, t);
  }
};

/// −t log p − (1 − t) log(1 − p), p clipped to [ε, 1 − ε].
template <class T> struct BinaryCrossentropy : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> q = select(high() < p, high(), this->at_least(p, this->epsilon));
    return this->zero - fma(t, log(q), (this->one - t) * log(this->one - q));
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> p, Lanes<T> t) const {
    const Lanes<T> unclipped = (p - t) / (p * (this->one - p));
    return select(p < this->epsilon, this->zero, select(high() < p, this->zero, unclipped));
  }
  CNET_INLINE Lanes<T> probability(Lanes<T> p) const { return p; }
  CNET_INLINE Lanes<T> complement(Lanes<T> p) const { return this->one - p; }
  CNET_INLINE Lanes<T> probability_derivative(Lanes<T>) const { return this->one; }

private:
  CNET_INLINE Lanes<T> high() const { return this->one - this->epsilon; }
};

/// BinaryCrossentropy of p = 1 / (1 + e⁻ᶻ): max(z, 0) − z t + ln(1 + exp(−|z|)). An infinite z has the loss 0 if t
/// agrees with it, and an infinite loss otherwise.
template <class T> struct BinaryCrossentropyFromLogits : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_INLINE Lanes<T> loss(Lanes<T> z, Lanes<T> t) const {
    const Lanes<T> nearest = select(this->zero < z, this->one, this->zero);
    const auto is_infinite = this->magnitude(z) == broadcast(T(__builtin_inf()));
    const Lanes<T> from_nearest = select(is_infinite, z * (nearest - t), relu(z) - z * t);
    return select(t == nearest, this->zero, from_nearest) + softplus_minus_relu(z);
  }
  CNET_INLINE Lanes<T> derivative(Lanes<T> z, Lanes<T> t) const { return sigmoid(z) - t; }
  CNET_NOINLINE Lanes<T> probability(Lanes<T> z) const { return sigmoid(z); }
  CNET_INLINE Lanes<T> complement(Lanes<T> z) const { return probability(-z); }
  CNET_INLINE Lanes<T> probability_derivative(Lanes<T> z) const { return probability(z) * complement(z); }
};

/// xᵞ for x ≥ 0 and γ ≥ 0.
template <class T> CNET_NOINLINE Lanes<T> pow(Lanes<T> x, T gamma) {
  if (gamma == T(0)) return broadcast(T(1));
  return exp(broadcast(gamma) * log(x));
}

/// A binary cross-entropy times αₜ mᵞ, where αₜ is the weight of the target and m = 1 − pₜ = t (1 − p) + (1 − t) p: Lin
/// et al., "Focal Loss for Dense Object Detection", 2017, equations 4 and 5.
template <class T, class Crossentropy> struct BinaryFocal : Crossentropy {
  using Crossentropy::Crossentropy;
  CNET_INLINE Lanes<T> loss(Lanes<T> x, Lanes<T> t) const {
    return factor(one_minus_pt(x, t), t) * Crossentropy::loss(x, t);
  }
  /// mᵞ (γ m′ / m · crossentropy + crossentropy′)
  CNET_INLINE Lanes<T> derivative(Lanes<T> x, Lanes<T> t) const {
    const Lanes<T> m = one_minus_pt(x, t), m_derivative = (this->one - this->two * t) * this->probability_derivative(x);
    const Lanes<T> log_derivative = broadcast(this->parameters.gamma) * (m_derivative / m);
    const Lanes<T> term = select(m_derivative == this->zero, this->zero, log_derivative * Crossentropy::loss(x, t));
    const Lanes<T> factor_term = select(m == this->zero, this->zero, term);
    return factor(m, t) * (factor_term + Crossentropy::derivative(x, t));
  }

private:
  CNET_INLINE Lanes<T> one_minus_pt(Lanes<T> x, Lanes<T> t) const {
    return fma(t, this->complement(x), (this->one - t) * this->probability(x));
  }
  CNET_INLINE Lanes<T> factor(Lanes<T> m, Lanes<T> t) const {
    const LossParameters<T>& given = this->parameters;
    const Lanes<T> weight =
        fma(t, broadcast(given.positive_weight - given.negative_weight), broadcast(given.negative_weight));
    return weight * pow(m, given.gamma);
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
    const Lanes<T> sum = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
        return select(column_mask<T>(predictions.columns, p), loss.loss(x, t), zero);
      });
    });
    RowScalars<T>(sum / terms).write(count, losses + first);
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

/// −α t (1 − q)ᵞ log q for a normalized probability q, clipped to [ε, 1 − ε]; α is the weight of positive targets.
template <class T> struct CategoricalFocal : Pointwise<T> {
  using Pointwise<T>::Pointwise;
  CNET_NOINLINE Lanes<T> loss(Lanes<T> probability, Lanes<T> t) const {
    const Lanes<T> q = select(high() < probability, high(), this->at_least(probability, this->epsilon));
    return this->zero - factor(q, t) * log(q);
  }
  CNET_NOINLINE Lanes<T> derivative(Lanes<T> q, Lanes<T> t) const {
    const Lanes<T> log_derivative = broadcast(this->parameters.gamma) * log(q) / (this->one - q);
    const Lanes<T> unclipped = factor(q, t) * (log_derivative - this->one / q);
    return select(q < this->epsilon, this->zero, select(high() < q, this->zero, unclipped));
  }

private:
  CNET_INLINE Lanes<T> high() const { return this->one - this->epsilon; }
  CNET_INLINE Lanes<T> factor(Lanes<T> q, Lanes<T> t) const {
    return broadcast(this->parameters.positive_weight) * t * pow(this->one - q, this->parameters.gamma);
  }
};

/// The probabilities in a group of rows: x / Σx, or the softmax of logits.
template <class T> struct RowProbabilities {
  const bool from_logits;
  const Index columns;
  const Index first;
  const RowScalars<T> maximum;
  const RowScalars<T> total;

  CNET_INLINE RowProbabilities(bool of_logits, const Rows<T>& rows, Index first_row, Index count)
      : from_logits(of_logits), columns(rows.columns), first(first_row),
        maximum(of_logits ? row_maxima(rows, first_row, count) : broadcast(T(0))),
        total(reduce_rows<Add, T>(first_row, count, [&](Index i) CNET_INLINED {
          return sum_panels(rows, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED { return numerator(i, p, x); });
        })) {}

  CNET_NOINLINE Lanes<T> numerator(Index i, Index p, Lanes<T> x) const {
    if (!from_logits) return x;
    return select(column_mask<T>(columns, p), exp(x - maximum[i - first]), broadcast(T(0)));
  }
  CNET_INLINE Lanes<T> probability(Index i, Index p, Lanes<T> x) const { return numerator(i, p, x) / total[i - first]; }
  /// The derivative with respect to x, from the centered one with respect to the probabilities.
  CNET_INLINE Lanes<T> backward(Index i, Index p, Lanes<T> x, Lanes<T> derivative) const {
    return from_logits ? probability(i, p, x) * derivative : derivative / total[i - first];
  }
};

template <class T>
CNET_NOINLINE void categorical_focal_losses(bool from_logits, Rows<T> predictions, const T* targets, Index stride,
                                            const LossParameters<T>& parameters, T* losses) {
  const CategoricalFocal<T> loss(parameters);
  each_group<T>(predictions.rows, [&](Index first, Index count) CNET_INLINED {
    const RowProbabilities<T> probabilities(from_logits, predictions, first, count);
    const Lanes<T> sum = reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
        return select(column_mask<T>(predictions.columns, p), loss.loss(probabilities.probability(i, p, x), t),
                      loss.zero);
      });
    });
    RowScalars<T>(sum).write(count, losses + first);
  });
}

/// With g the derivative by the probabilities q: (g − Σ g q) / Σx by x, and q (g − Σ g q) by logits.
template <class T>
CNET_NOINLINE void categorical_focal_gradient(bool from_logits, Rows<T> predictions, const T* targets, Index stride,
                                              const LossParameters<T>& parameters, T divisor, T* out,
                                              Index out_stride) {
  const CategoricalFocal<T> loss(parameters);
  each_group<T>(predictions.rows, [&](Index first, Index count) CNET_INLINED {
    const RowProbabilities<T> probabilities(from_logits, predictions, first, count);
    const auto derivative = [&](Index i, Index p, Lanes<T> q) CNET_INLINED {
      const Lanes<T> t = load(targets + p * stride + i * panel_width<T>);
      return select(column_mask<T>(predictions.columns, p), loss.derivative(q, t), loss.zero);
    };
    const RowScalars<T> common(reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      return sum_panels(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> q = probabilities.probability(i, p, x);
        return derivative(i, p, q) * q;
      });
    }));
    for (Index i = first; i < first + count; ++i) {
      each_panel(predictions, i, T(0), [&](Index p, Lanes<T> x) CNET_INLINED {
        const Lanes<T> centered = derivative(i, p, probabilities.probability(i, p, x)) - common[i - first];
        store(out + p * out_stride + i * panel_width<T>,
              probabilities.backward(i, p, x, centered) / broadcast(divisor));
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

/// The kernels in the order of PointwiseLoss.
template <class T, class... Losses> constexpr LossKernels<T> loss_kernels() {
  return {
      {pointwise_loss_forward<T, Losses>..., categorical_focal_forward<T, false>, categorical_focal_forward<T, true>},
      {pointwise_loss_backward<T, Losses>..., categorical_focal_backward<T, false>,
       categorical_focal_backward<T, true>}};
}

template <class T> constexpr LossKernels<T> losses_members() {
  return loss_kernels<T, MeanSquaredError<T>, MeanAbsoluteError<T>, MeanAbsolutePercentageError<T>,
                      MeanSquaredLogarithmicError<T>, Huber<T>, Poisson<T>, KLDivergence<T>, Hinge<T>, SquaredHinge<T>,
                      BinaryCrossentropy<T>, BinaryCrossentropyFromLogits<T>, LogCosh<T>, BinaryFocalCrossentropy<T>,
                      BinaryFocalCrossentropyFromLogits<T>>();
}

} // namespace

CNET_EXPORT(LossKernels, losses)

} // namespace cnet::kernels::CNET_ISA
