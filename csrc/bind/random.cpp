#include "ops/random.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"
#include "core/float_mode.hpp"

namespace cnet::bind {

namespace {

template <class T>
py::array_t<T> draw(std::uint64_t seed, std::uint32_t stream, Index size, void (*fill)(random::Stream, Index, T*)) {
  if (size < 0) throw py::value_error("random: expected a size of at least 0, got " + std::to_string(size));
  py::array_t<T> out(size);
  T* data = out.mutable_data();
  const WithoutGil without_gil;
  const FloatMode mode;
  fill({seed, stream}, size, data);
  return out;
}

} // namespace

void register_random(py::module_& m) {
  const auto define = [&](const char* name, auto fill) {
    m.def(
        name, [fill](std::uint64_t seed, std::uint32_t stream, Index size) { return draw(seed, stream, size, fill); },
        py::arg("seed"), py::arg("stream"), py::arg("size"));
  };
  m.def(
      "random_bits",
      [](std::uint64_t seed, std::uint32_t stream, Index index) { return random::bits({seed, stream}, index); },
      py::arg("seed"), py::arg("stream"), py::arg("index"));
  define("random_uniform", &random::uniform);
  define("random_normal", &random::normal);
  define("random_truncated_normal", &random::truncated_normal);
  define("random_permutation", &random::permutation<std::int64_t>);
}

} // namespace cnet::bind
