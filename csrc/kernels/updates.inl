// The optimizers' rules, element by element.

/// Zero for magnitudes below the normal numbers: a slot that decays would otherwise slow every step
/// down for as long as it takes to vanish.
template <class T> CNET_INLINE Lanes<T> flush_subnormal(Lanes<T> x) {
  const Lanes<T> zero = broadcast(T(0));
  const Lanes<T> magnitude = select(x < zero, zero - x, x);
  return select(magnitude < broadcast(Format<T>::min_normal), zero, x);
}

template <class T> void sgd_update(Index size, T* param, const T* grad, T learning_rate) {
  const Lanes<T> step = broadcast(-learning_rate);
  map(size, param, [=](Lanes<T> w, Lanes<T> g) { return fma(step, g, w); }, param, grad);
}

template <class T>
void sgd_momentum_update(Index size, T* param, const T* grad, T* velocity, T learning_rate, T momentum, bool nesterov) {
  const Lanes<T> step = broadcast(-learning_rate), decay = broadcast(momentum);
  const auto advance = [=](Lanes<T> v, Lanes<T> g) { return fma(decay, v, step * g); };
  map(size, velocity, [=](Lanes<T> v, Lanes<T> g) { return flush_subnormal(advance(v, g)); }, velocity, grad);
  if (nesterov) {
    map(size, param, [=](Lanes<T> w, Lanes<T> v, Lanes<T> g) { return w + advance(v, g); }, param, velocity, grad);
  } else {
    map(size, param, [=](Lanes<T> w, Lanes<T> v) { return w + v; }, param, velocity);
  }
}
