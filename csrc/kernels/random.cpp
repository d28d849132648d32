#include "kernels/math.hpp"

// Dropout and Gaussian noise: Philox4x32-10 for the elements of a matrix.

namespace cnet::kernels::CNET_ISA {

namespace {

inline constexpr int counters = 16;

/// The keys of Philox's rounds, each a 32-bit word in a 64-bit lane.
struct KeySchedule {
  static constexpr int rounds = 10;
  double keys[rounds][2];

  CNET_INLINE explicit KeySchedule(const unsigned (&key)[2]) {
    for (int round = 0; round < rounds; ++round) {
      const unsigned n = static_cast<unsigned>(round);
      keys[round][0] = from_bits(static_cast<unsigned long long>(key[0] + n * 0x9E3779B9u));
      keys[round][1] = from_bits(static_cast<unsigned long long>(key[1] + n * 0xBB67AE85u));
    }
  }
};

/// The outputs of sixteen consecutive counters; core/philox.hpp computes the same for one. Each word is in the low 32
/// bits of a 64-bit lane, which multiply_even_u32 reads; the high 32 bits are arbitrary.
CNET_INLINE void philox(const Draw& draw, const KeySchedule& schedule, Index row, Index group,
                        unsigned (&out)[4][counters]) {
  constexpr int parts = counters / Lanes<double>::width;
  const auto word = [](unsigned long long bits) CNET_INLINED { return broadcast(from_bits(bits)); };
  const Lanes<double> multipliers[2] = {word(0xD2511F53), word(0xCD9E8D57)};
  Lanes<double> words[4][parts];
  for (int part = 0; part < parts; ++part) {
    unsigned long long numbers[Lanes<double>::width];
    for (int n = 0; n < Lanes<double>::width; ++n) {
      numbers[n] = static_cast<unsigned>(group * counters + part * Lanes<double>::width + n);
    }
    double lanes[Lanes<double>::width];
    __builtin_memcpy(lanes, numbers, sizeof(lanes));
    words[0][part] = word(static_cast<unsigned>(row));
    words[1][part] = load(lanes);
    words[2][part] = word(draw.step[0]);
    words[3][part] = word(draw.step[1]);
  }
  CNET_UNROLL
  for (const auto& keys : schedule.keys) {
    CNET_UNROLL
    for (int part = 0; part < parts; ++part) {
      const Lanes<double> first = multiply_even_u32(words[0][part], multipliers[0]);
      const Lanes<double> second = multiply_even_u32(words[2][part], multipliers[1]);
      words[0][part] = shift_right<32>(second) ^ words[1][part] ^ broadcast(keys[0]);
      words[1][part] = second;
      words[2][part] = shift_right<32>(first) ^ words[3][part] ^ broadcast(keys[1]);
      words[3][part] = first;
    }
  }
  for (int w = 0; w < 4; ++w) {
    double lanes[counters];
    for (int part = 0; part < parts; ++part) store(lanes + part * Lanes<double>::width, words[w][part]);
    unsigned long long numbers[counters];
    __builtin_memcpy(numbers, lanes, sizeof(numbers));
    CNET_VECTORIZE
    for (int n = 0; n < counters; ++n) out[w][n] = static_cast<unsigned>(numbers[n]);
  }
}

/// f(bits, offset) for each row of each panel: its `width` random 32-bit words, and its offset in the matrix.
template <class T, class F> CNET_INLINE void each_draw(const Draw& draw, Index stride, F f) {
  constexpr Index width = panel_width<T>;
  const KeySchedule schedule(draw.key);
  for (Index column = 0; column < draw.columns; column += 4 * counters) {
    for (Index i = 0; i < draw.rows; ++i) {
      alignas(64) unsigned words[4][counters];
      philox(draw, schedule, draw.first + i, column / (4 * counters), words);
      for (Index n = 0; n < 4 * counters && column + n < draw.columns; n += width) {
        f(&words[n / counters][n % counters], (column + n) / width * stride + i * width);
      }
    }
  }
}

template <class T>
void dropout(const Draw& draw, unsigned threshold, T scale, const T* x, T* mask, T* out, Index stride) {
  const Lanes<T> zero = broadcast(T(0));
  each_draw<T>(draw, stride, [&](const unsigned* bits, Index at) CNET_INLINED {
    alignas(64) T factors[panel_width<T>];
    CNET_VECTORIZE
    for (Index j = 0; j < panel_width<T>; ++j) factors[j] = bits[j] >= threshold ? scale : T(0);
    const Lanes<T> factor = load(factors);
    store(mask + at, factor);
    store(out + at, select(zero < factor, load(x + at) * factor, zero));
  });
}

template <class T> void mask(Index size, const T* x, const T* mask, T* out) {
  const Lanes<T> zero = broadcast(T(0));
  map(size, out, [=](Lanes<T> v, Lanes<T> m) CNET_INLINED { return select(zero < m, v * m, zero); }, x, mask);
}

/// √2 erf⁻¹(u) for u in (−1, 1): standard normal if u is uniform. The polynomials are from Giles, "Approximating the
/// erfinv function", GPU Computing Gems 2, 2011, table 5.
CNET_INLINE Lanes<float> normal_of_uniform(Lanes<float> u) {
  constexpr float central[] = {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                               -0.00125372503f, -0.00417768164f, 0.246640727f,    1.50140941f};
  constexpr float tail[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                            -0.0076224613f,   0.00943887047f,  1.00167406f,    2.83297682f};
  const Lanes<float> one = broadcast(1.0f);
  const Lanes<float> w = broadcast(0.0f) - log((one - u) * (one + u));
  const LaneMask<float> is_central = w < broadcast(5.0f);
  const Lanes<float> v = select(is_central, w - broadcast(2.5f), sqrt(w) - broadcast(3.0f));
  Lanes<float> series = select(is_central, broadcast(central[0]), broadcast(tail[0]));
  CNET_UNROLL
  for (int n = 1; n < 9; ++n) series = fma(series, v, select(is_central, broadcast(central[n]), broadcast(tail[n])));
  return series * u * broadcast(0x1.6a09e6p+0f);
}

template <class T> void add_noise(const Draw& draw, T deviation, const T* x, T* out, Index stride) {
  each_draw<T>(draw, stride, [&](const unsigned* bits, Index at) CNET_INLINED {
    alignas(64) float uniform[panel_width<float>] = {}, normal[panel_width<float>];
    alignas(64) T noise[panel_width<T>];
    for (Index j = 0; j < panel_width<T>; ++j) { // odd multiples of 2⁻²⁴, equally likely
      uniform[j] = static_cast<float>(static_cast<int>(bits[j] >> 8) * 2 + 1 - (1 << 24)) * 0x1p-24f;
    }
    store(normal, normal_of_uniform(load(uniform)));
    for (Index j = 0; j < panel_width<T>; ++j) noise[j] = static_cast<T>(normal[j]);
    store(out + at, fma(load(noise), broadcast(deviation), load(x + at)));
  });
}

template <class T> constexpr RandomKernels<T> random_members() {
  return {dropout<T>, mask<T>, add_noise<T>};
}

} // namespace

CNET_EXPORT(RandomKernels, random)

} // namespace cnet::kernels::CNET_ISA
