#include "kernels/rows.hpp"

// Elementwise functions of two operands with their gradients, and the dot product of rows.

namespace cnet::kernels::CNET_ISA {

namespace {

template <class T> void add(Index size, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> a, Lanes<T> b) CNET_INLINED { return a + b; }, x, y);
}
template <class T> void subtract(Index size, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> a, Lanes<T> b) CNET_INLINED { return a - b; }, x, y);
}
template <class T> void multiply(Index size, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> a, Lanes<T> b) CNET_INLINED { return a * b; }, x, y);
}
template <class T> void divide(Index size, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> a, Lanes<T> b) CNET_INLINED { return a / b; }, x, y);
}

/// Like NumPy's: NaN if an operand is NaN.
template <class T> CNET_INLINE Lanes<T> first_if(LaneMask<T> mask, Lanes<T> a, Lanes<T> b) {
  return select(b == b, select(mask, a, select(a == a, b, a)), b);
}
template <class T> void maximum(Index size, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> a, Lanes<T> b) CNET_INLINED { return first_if(b <= a, a, b); }, x, y);
}
template <class T> void minimum(Index size, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> a, Lanes<T> b) CNET_INLINED { return first_if(a <= b, a, b); }, x, y);
}

template <class T> void pass(Index size, const T* grad, const T*, const T*, T* out) {
  map(size, out, [](Lanes<T> g) CNET_INLINED { return g; }, grad);
}
template <class T> void negate(Index size, const T* grad, const T*, const T*, T* out) {
  map(size, out, [](Lanes<T> g) CNET_INLINED { return -g; }, grad);
}
template <class T> void times_second(Index size, const T* grad, const T*, const T* y, T* out) {
  multiply(size, grad, y, out);
}
template <class T> void times_first(Index size, const T* grad, const T* x, const T*, T* out) {
  multiply(size, grad, x, out);
}
template <class T> void quotient_first(Index size, const T* grad, const T*, const T* y, T* out) {
  divide(size, grad, y, out);
}
template <class T> void quotient_second(Index size, const T* grad, const T* x, const T* y, T* out) {
  map(size, out, [](Lanes<T> g, Lanes<T> a, Lanes<T> b) CNET_INLINED { return -(g * (a / b / b)); }, grad, x, y);
}

/// The gradient where the operand was chosen, elsewhere 0.
template <class T> void maximum_first(Index size, const T* grad, const T* x, const T* y, T* out) {
  const auto f = [](Lanes<T> g, Lanes<T> a, Lanes<T> b) CNET_INLINED { return select(b <= a, g, broadcast(T(0))); };
  map(size, out, f, grad, x, y);
}
template <class T> void maximum_second(Index size, const T* grad, const T* x, const T* y, T* out) {
  const auto f = [](Lanes<T> g, Lanes<T> a, Lanes<T> b) CNET_INLINED { return select(b <= a, broadcast(T(0)), g); };
  map(size, out, f, grad, x, y);
}
template <class T> void minimum_first(Index size, const T* grad, const T* x, const T* y, T* out) {
  maximum_first(size, grad, y, x, out);
}
template <class T> void minimum_second(Index size, const T* grad, const T* x, const T* y, T* out) {
  maximum_second(size, grad, y, x, out);
}

template <class T> void dot(Rows<T> x, const T* y, Index y_stride, T* out) {
  each_group<T>(x.rows, [&](Index first, Index count) CNET_INLINED {
    const RowScalars<T> sums(reduce_rows<Add, T>(first, count, [&](Index i) CNET_INLINED {
      Lanes<T> products = broadcast(T(0));
      each_panel(x, i, T(0), [&](Index p, Lanes<T> a) CNET_INLINED {
        const Lanes<T> b = load(y + p * y_stride + i * panel_width<T>);
        products = fma(a, select(column_mask<T>(x.columns, p), b, broadcast(T(0))), products);
      });
      return products;
    }));
    sums.write(count, out + first);
  });
}

/// In the order of Merge.
template <class T> constexpr MergingKernels<T> merging_members() {
  return {{add<T>, subtract<T>, multiply<T>, divide<T>, maximum<T>, minimum<T>},
          {{pass<T>, pass<T>},
           {pass<T>, negate<T>},
           {times_second<T>, times_first<T>},
           {quotient_first<T>, quotient_second<T>},
           {maximum_first<T>, maximum_second<T>},
           {minimum_first<T>, minimum_second<T>}},
          dot<T>};
}

} // namespace

CNET_EXPORT(MergingKernels, merging)

} // namespace cnet::kernels::CNET_ISA
