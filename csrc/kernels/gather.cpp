#include "kernels/lanes.hpp"

// Copies rows of an array of any element type into panels, converting them.

namespace cnet::kernels::CNET_ISA {

namespace {

/// IEEE binary16; C++17 has no such type.
struct Half {
  unsigned short bits;
};

template <class T, class Source> CNET_INLINE T convert(Source x) {
  return static_cast<T>(x);
}

template <class T> CNET_INLINE T convert(Half x) {
  const unsigned int sign = (x.bits & 0x8000u) << 16, rest = (x.bits & 0x7fffu) << 13;
  // The same bits as a float have an exponent that is 127 − 15 too low. The product is exact, also for subnormals.
  const float magnitude = from_bits(rest) * 0x1p112f;
  const bool is_finite = rest < 0x7c00u << 13;
  return static_cast<T>(from_bits((is_finite ? to_bits(magnitude) : rest | 0x7f800000u) | sign));
}

template <class Source, class T> void gather(const Gather<T>& task) {
  constexpr Index width = panel_width<T>;
  for (Index column = 0; column < task.columns; column += width) {
    const Index count = task.columns - column < width ? task.columns - column : width;
    const Index offset = column * task.stride;
    for (Index r = 0; r < task.rows; ++r) {
      __builtin_prefetch(static_cast<const char*>(task.prefetch[r]) + offset, 0, 2);
      const char* from = static_cast<const char*>(task.from[r]) + offset;
      T* to = task.out + column / width * task.out_stride + r * width;
      Source sources[width] = {};
      if (task.stride == sizeof(Source) && count == width) {
        __builtin_memcpy(sources, from, sizeof(sources));
      } else {
        for (Index j = 0; j < count; ++j) __builtin_memcpy(&sources[j], from + j * task.stride, sizeof(Source));
      }
      if (task.rescales) {
        CNET_VECTORIZE
        for (Index j = 0; j < width; ++j) to[j] = fma(convert<T>(sources[j]), task.scale, task.offset);
      } else {
        CNET_VECTORIZE
        for (Index j = 0; j < width; ++j) to[j] = convert<T>(sources[j]);
      }
    }
  }
}

/// In the order of ElementType.
template <class T> constexpr GatherKernels<T> gather_members() {
  return {{gather<unsigned char, T>, gather<signed char, T>, gather<unsigned short, T>, gather<short, T>,
           gather<unsigned int, T>, gather<int, T>, gather<unsigned long long, T>, gather<long long, T>,
           gather<Half, T>, gather<float, T>, gather<double, T>}};
}

} // namespace

CNET_EXPORT(GatherKernels, gather)

} // namespace cnet::kernels::CNET_ISA
