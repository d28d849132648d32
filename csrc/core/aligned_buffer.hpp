#pragma once

#include "core/types.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace cnet {

inline constexpr std::size_t cache_line = 64;

/// x · y; throws std::bad_alloc on overflow, for sizes of arrays.
inline Index checked_product(Index x, Index y) {
  Index product;
  if (__builtin_mul_overflow(x, y, &product)) throw std::bad_alloc();
  return product;
}

/// A cache-aligned array, initialized to zero.
template <class T> class AlignedBuffer {
public:
  AlignedBuffer() = default;

  explicit AlignedBuffer(Index size) : size_(size) {
    if (size == 0) return;
    if (size < 0 || size > max_size) throw std::bad_alloc();
    void* memory = nullptr; // std::aligned_alloc is missing on older macOS
    if (posix_memalign(&memory, cache_line, static_cast<std::size_t>(size) * sizeof(T)) != 0) throw std::bad_alloc();
    data_.reset(static_cast<T*>(memory));
    std::fill_n(data_.get(), size, T(0));
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  Index size() const { return size_; }
  bool empty() const { return size_ == 0; }

private:
  static constexpr Index max_size = std::numeric_limits<Index>::max() / Index(sizeof(T)) - Index(cache_line);
  struct Free {
    void operator()(T* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<T[], Free> data_;
  Index size_ = 0;
};

} // namespace cnet
