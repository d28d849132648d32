#include "train/samples.hpp"

#include "ops/activations.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace cnet {

namespace {

/// IEEE binary16, for which C++17 has no type.
struct Half {
  std::uint16_t bits;

  explicit operator float() const {
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;
    const int exponent = bits >> 10 & 0x1f;
    const auto mantissa = static_cast<float>(bits & 0x3ff);
    if (exponent == 0) return sign * mantissa * 0x1p-24f;
    if (exponent == 31) return mantissa == 0 ? sign * HUGE_VALF : std::nanf("");
    return sign * std::ldexp(1.0f + mantissa * 0x1p-10f, exponent - 15);
  }
  explicit operator double() const { return static_cast<float>(*this); }
};

template <class Source> Source read(const std::byte* from) {
  Source value;
  std::memcpy(&value, from, sizeof(value)); // the user's array need not be aligned
  return value;
}

/// f(Source()) with the C++ type of the elements.
template <class F> void with_type(ElementType type, F f) {
  switch (type) {
  case ElementType::uint8: return f(std::uint8_t());
  case ElementType::int8: return f(std::int8_t());
  case ElementType::uint16: return f(std::uint16_t());
  case ElementType::int16: return f(std::int16_t());
  case ElementType::uint32: return f(std::uint32_t());
  case ElementType::int32: return f(std::int32_t());
  case ElementType::uint64: return f(std::uint64_t());
  case ElementType::int64: return f(std::int64_t());
  case ElementType::float16: return f(Half());
  case ElementType::float32: return f(float());
  case ElementType::float64: return f(double());
  }
}

template <class Source, class T>
void gather_from(const Samples& samples, Selection selection, RowRange rows, PanelView<T> out) {
  constexpr Index width = panel_width<T>;
  const Index stride = samples.feature_stride;
  for (Index i = rows.first; i < rows.last; ++i) {
    const std::byte* from = samples.data + selection[i] * samples.row_stride;
    // Shuffled rows are strangers to the hardware's prefetcher.
    const std::byte* ahead = samples.data + selection[std::min(i + 2, rows.last - 1)] * samples.row_stride;
    for (Index p = 0; p < out.panels(); ++p, from += width * stride, ahead += width * stride) {
      __builtin_prefetch(ahead);
      T* to = out.row(i) + p * out.stride();
      const Index count = std::min(width, samples.features - p * width);
      if (stride == sizeof(Source) && count == width) {
        // The loop of the one below that compilers make vectors of.
        for (Index j = 0; j < width; ++j) to[j] = static_cast<T>(read<Source>(from + j * Index(sizeof(Source))));
      } else {
        for (Index j = 0; j < count; ++j) to[j] = static_cast<T>(read<Source>(from + j * stride));
      }
    }
  }
}

} // namespace

template <class T>
void gather(const Samples& samples, Selection selection, T scale, T offset, RowRange rows, PanelView<T> out) {
  with_type(samples.type, [&](auto source) { gather_from<decltype(source)>(samples, selection, rows, out); });
  if (scale != T(1) || offset != T(0)) ops::rescaling_forward<T>(out, scale, offset, rows, out);
}

void gather_ids(const Samples& samples, Selection selection, Index classes, RowRange rows, Index* out) {
  with_type(samples.type, [&](auto source) {
    using Source = decltype(source);
    if constexpr (std::is_integral_v<Source>) {
      for (Index i = rows.first; i < rows.last; ++i) {
        const Index row = selection[i];
        const auto id = read<Source>(samples.data + row * samples.row_stride);
        const bool inside = id >= 0 && static_cast<std::uint64_t>(id) < static_cast<std::uint64_t>(classes);
        if (!inside) {
          throw std::invalid_argument("labels: " + std::to_string(id) + " at row " + std::to_string(row) +
                                      " is outside [0, " + std::to_string(classes) + ")");
        }
        out[i] = static_cast<Index>(id);
      }
    } else {
      throw std::logic_error("gather_ids: class ids are integers");
    }
  });
}

template void gather(const Samples&, Selection, float, float, RowRange, PanelView<float>);
template void gather(const Samples&, Selection, double, double, RowRange, PanelView<double>);

} // namespace cnet
