// One row of a panel (64 bytes) as a value, made of as many registers as the instruction set needs.
// Bodies written over Lanes see the same lanes whatever the CPU, hence the same bits.

template <class T> struct Lanes {
  using R = Simd<T>;
  static constexpr int width = panel_width<T>;
  static constexpr int count = width / R::size;

  typename R::Register registers[count];
};

template <class T> struct LaneMask {
  typename Simd<T>::Mask masks[Lanes<T>::count];
};

#define CNET_EACH_REGISTER CNET_UNROLL for (int n = 0; n < Lanes<T>::count; ++n)

template <class T> CNET_INLINE Lanes<T> load(const T* from) {
  Lanes<T> x;
  CNET_EACH_REGISTER x.registers[n] = Simd<T>::load(from + n * Simd<T>::size);
  return x;
}

template <class T> CNET_INLINE void store(T* to, Lanes<T> x) {
  CNET_EACH_REGISTER Simd<T>::store(to + n * Simd<T>::size, x.registers[n]);
}

template <class T> CNET_INLINE Lanes<T> broadcast(T value) {
  Lanes<T> x;
  CNET_EACH_REGISTER x.registers[n] = Simd<T>::broadcast(value);
  return x;
}

#define CNET_BINARY(name, primitive)                                                                                   \
  template <class T> CNET_INLINE Lanes<T> name(Lanes<T> x, Lanes<T> y) {                                               \
    CNET_EACH_REGISTER x.registers[n] = Simd<T>::primitive(x.registers[n], y.registers[n]);                            \
    return x;                                                                                                          \
  }
CNET_BINARY(operator+, add)
CNET_BINARY(operator-, subtract)
CNET_BINARY(operator*, multiply)
CNET_BINARY(operator/, divide)
CNET_BINARY(operator&, bit_and)
CNET_BINARY(operator|, bit_or)
CNET_BINARY(operator^, bit_xor)
/// Of the low halves of 64 bits, as whole numbers.
CNET_BINARY(multiply_words, multiply_words)
#undef CNET_BINARY

#define CNET_COMPARE(name, primitive)                                                                                  \
  template <class T> CNET_INLINE LaneMask<T> name(Lanes<T> x, Lanes<T> y) {                                            \
    LaneMask<T> mask;                                                                                                  \
    CNET_EACH_REGISTER mask.masks[n] = Simd<T>::primitive(x.registers[n], y.registers[n]);                             \
    return mask;                                                                                                       \
  }
CNET_COMPARE(operator<, less)
CNET_COMPARE(operator<=, less_equal)
CNET_COMPARE(operator==, equal)
#undef CNET_COMPARE

template <class T> CNET_INLINE Lanes<T> select(LaneMask<T> mask, Lanes<T> x, Lanes<T> y) {
  CNET_EACH_REGISTER x.registers[n] = Simd<T>::select(mask.masks[n], x.registers[n], y.registers[n]);
  return x;
}

template <class T> CNET_INLINE Lanes<T> square_root(Lanes<T> x) {
  CNET_EACH_REGISTER x.registers[n] = Simd<T>::square_root(x.registers[n]);
  return x;
}

/// x · y + z, rounded once.
template <class T> CNET_INLINE Lanes<T> fma(Lanes<T> x, Lanes<T> y, Lanes<T> z) {
  CNET_EACH_REGISTER z.registers[n] = Simd<T>::fma(x.registers[n], y.registers[n], z.registers[n]);
  return z;
}

template <int Bits, class T> CNET_INLINE Lanes<T> shift_left(Lanes<T> x) {
  CNET_EACH_REGISTER x.registers[n] = Simd<T>::template shift_left<Bits>(x.registers[n]);
  return x;
}

template <int Bits, class T> CNET_INLINE Lanes<T> shift_right(Lanes<T> x) {
  CNET_EACH_REGISTER x.registers[n] = Simd<T>::template shift_right<Bits>(x.registers[n]);
  return x;
}

#undef CNET_EACH_REGISTER

/// x₀ y₀ x₁ y₁ …, its first half and its second.
template <class T> CNET_INLINE void zip(Lanes<T> x, Lanes<T> y, Lanes<T>& low, Lanes<T>& high) {
  constexpr int count = Lanes<T>::count;
  typename Simd<T>::Register zipped[2 * count];
  CNET_UNROLL
  for (int n = 0; n < count; ++n) {
    zipped[2 * n] = Simd<T>::zip_low(x.registers[n], y.registers[n]);
    zipped[2 * n + 1] = Simd<T>::zip_high(x.registers[n], y.registers[n]);
  }
  CNET_UNROLL
  for (int n = 0; n < count; ++n) {
    low.registers[n] = zipped[n];
    high.registers[n] = zipped[count + n];
  }
}

/// The lanes' own numbers: 0, 1, …, width − 1.
template <class T> CNET_INLINE Lanes<T> lane_numbers() {
  alignas(64) static constexpr T numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return load(numbers);
}
