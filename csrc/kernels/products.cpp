#include "kernels/math.hpp"

// The matrix products, where nearly all of the time is spent.

namespace cnet::kernels::CNET_ISA {

namespace {

/// sums[r, p] += Σₖ a[r · row_stride + k · depth_stride] · b[p, k], one fused multiply-add per k.
template <Index row_stride, Index depth_stride, class T, int rows, int panels>
CNET_INLINE void accumulate(Lanes<T> (&sums)[rows][panels], Index depth, const T* a, const T* b, Index b_stride) {
  for (Index k = 0; k < depth; ++k) {
    Lanes<T> row[panels];
    CNET_UNROLL
    for (int p = 0; p < panels; ++p) row[p] = load(b + p * b_stride + k * panel_width<T>);
    CNET_UNROLL
    for (int r = 0; r < rows; ++r) {
      const Lanes<T> value = broadcast(a[r * row_stride + k * depth_stride]);
      CNET_UNROLL
      for (int p = 0; p < panels; ++p) sums[r][p] = fma(value, row[p], sums[r][p]);
    }
  }
}

/// f(sum, offset) for each sum of a tile and its offset in a matrix of this stride.
template <class T, int rows, int panels, class F>
CNET_INLINE void each_sum(Lanes<T> (&sums)[rows][panels], Index stride, F f) {
  CNET_UNROLL
  for (int p = 0; p < panels; ++p) {
    CNET_UNROLL
    for (int r = 0; r < rows; ++r) f(sums[r][p], p * stride + r * panel_width<T>);
  }
}

/// f(first, last) for each k-block of a sum of `size` products; if size is 0, for one empty block.
template <class F> CNET_INLINE void each_k_block(Index size, F f) {
  Index first = 0;
  do {
    const Index last = size - first > k_block_size ? first + k_block_size : size;
    f(first, last);
    first = last;
  } while (first < size);
}

template <int rows_, int panels_> struct Tile {
  static constexpr int rows = rows_, panels = panels_;
};

/// The heights of the tiles that are compiled: all up to the largest, or powers of two below it (faster to compile).
enum class Heights { all, powers_of_two };

/// Calls f with the largest tile that fits the remaining rows and panels, up to rows × panels.
template <Heights heights, int rows, int panels, class F>
CNET_INLINE void dispatch_tile(Index row_count, Index panel_count, F f) {
  if (row_count < rows) {
    constexpr int fewer = heights == Heights::all ? rows - 1 : rows > 4 ? 4 : rows / 2;
    if constexpr (rows > 1) dispatch_tile<heights, fewer, panels>(row_count, panel_count, f);
  } else if (panel_count < panels) {
    if constexpr (panels > 1) dispatch_tile<heights, rows, panels - 1>(row_count, panel_count, f);
  } else {
    f(Tile<rows, panels>());
  }
}

/// Weights that are read next: a tile prefetches rows [first, last) of every `width` rows into the second-level cache.
template <class T> struct WeightPrefetch {
  const T* data;
  Index first;
  Index last;
};

/// Adds the k-block [first, last) to a tile.
template <class T, int rows, int panels>
CNET_NOINLINE void product_tile(const Product<T>& task, Index row, Index panel, Index first, Index last,
                                WeightPrefetch<T> prefetch) {
  constexpr Index width = panel_width<T>;
  T* out = task.out + panel * task.out_stride + row * width;
  Lanes<T> sums[rows][panels];
  CNET_UNROLL
  for (int p = 0; p < panels; ++p) {
    const bool has_bias = first == 0 && task.bias;
    const Lanes<T> bias = has_bias ? load(task.bias + (panel + p) * width) : broadcast(T(0));
    CNET_UNROLL
    for (int r = 0; r < rows; ++r) sums[r][p] = bias;
  }

  const T* x = task.x + first / width * task.x_stride + row * width;
  const T* weights = task.weights + panel * task.weights_stride + first * width;
  Index depth = last - first;
  for (; depth >= width; depth -= width) {
    for (Index k = prefetch.first; k < prefetch.last; ++k) {
      CNET_UNROLL
      for (int p = 0; p < panels; ++p) __builtin_prefetch(prefetch.data + p * task.weights_stride + k * width, 0, 2);
    }
    prefetch.data += width * width;
    accumulate<width, 1>(sums, width, x, weights, task.weights_stride);
    x += task.x_stride;
    weights += width * width;
  }
  accumulate<width, 1>(sums, depth, x, weights, task.weights_stride);

  const Epilogue epilogue = last == task.depth ? task.epilogue : Epilogue::none;
  if (first > 0)
    each_sum(sums, task.out_stride, [&](Lanes<T>& sum, Index at) CNET_INLINED { sum = load(out + at) + sum; });
  if (epilogue == Epilogue::relu)
    each_sum(sums, task.out_stride, [&](Lanes<T>& sum, Index) CNET_INLINED { sum = relu(sum); });
  if (epilogue == Epilogue::relu_gradient) {
    const T* relu_mask = task.relu_mask + (out - task.out);
    each_sum(sums, task.out_stride,
             [&](Lanes<T>& sum, Index at) CNET_INLINED { sum = relu_gradient(sum, load(relu_mask + at)); });
  }
  each_sum(sums, task.out_stride, [&](Lanes<T> sum, Index at) CNET_INLINED { store(out + at, sum); });
}

/// A single row reads each weight once: many panels at a time keep many loads in flight.
template <class T> void single_row_k_block(const Product<T>& task, Index first, Index last) {
  constexpr int panels = Simd<T>::single_row_panels;
  for (Index panel = 0; panel < task.panels; panel += panels) {
    dispatch_tile<Heights::all, 1, panels>(1, task.panels - panel, [&](auto tile) {
      product_tile<T, 1, decltype(tile)::panels>(task, 0, panel, first, last, {});
    });
  }
}

template <class T> void product_k_block(const Product<T>& task, Index first, Index last) {
  constexpr int rows = Simd<T>::product_rows, panels = Simd<T>::product_panels;
  constexpr Index width = panel_width<T>;
  for (Index panel = 0, count; panel < task.panels; panel += count) {
    count = next_panels(task.panels - panel);
    if (count > panels) count = panels;
    WeightPrefetch<T> prefetch{};
    Index rows_per_tile = 0;
    const bool is_last = panel + count == task.panels;
    if (task.prefetch_weights && !(is_last && task.prefetch_next == nullptr)) {
      prefetch.data =
          (is_last ? task.prefetch_next : task.weights + (panel + count) * task.weights_stride) + first * width;
      rows_per_tile = (rows * width + task.rows - 1) / task.rows;
    }
    for (Index row = 0; row < task.rows; row += rows) {
      prefetch.first = prefetch.last;
      prefetch.last = prefetch.first + rows_per_tile < width ? prefetch.first + rows_per_tile : width;
      dispatch_tile<Heights::all, rows, panels>(task.rows - row, count, [&](auto tile) {
        using Fit = decltype(tile);
        product_tile<T, Fit::rows, Fit::panels>(task, row, panel, first, last, prefetch);
      });
    }
  }
}

template <class T> void product(const Product<T>& task) {
  if (task.rows == 0) return;
  const auto add_k_block = task.rows == 1 ? single_row_k_block<T> : product_k_block<T>;
  each_k_block(task.depth, [&](Index first, Index last) { add_k_block(task, first, last); });
}

/// Adds the k-block [first, last) of samples to a tile.
template <class T, int rows, int panels>
CNET_NOINLINE void kernel_gradient_tile(const KernelGradient<T>& task, Index row, Index panel, Index first,
                                        Index last) {
  constexpr Index width = panel_width<T>;
  const T* x = task.x + row / width * task.x_stride + row % width;
  const T* grad = task.grad + panel * task.grad_stride;
  Lanes<T> sums[rows][panels];
  CNET_UNROLL
  for (int r = 0; r < rows; ++r) {
    CNET_UNROLL
    for (int p = 0; p < panels; ++p) sums[r][p] = broadcast(T(0));
  }
  // Prefetches are spread out, since the CPU tracks only a few at a time.
  constexpr Index chunk = 16;
  const Index prefetch_rows = first == 0 && task.prefetch[0] != nullptr ? rows : 0;
  Index sample = first;
  for (Index r = 0; r < prefetch_rows && last - sample > chunk; ++r, sample += chunk) {
    for (const T* data : task.prefetch) {
      if (data == nullptr) break;
      const T* lines = data + panel * task.prefetch_stride + (row - task.first + r) * width;
      CNET_UNROLL
      for (int p = 0; p < panels; ++p) __builtin_prefetch(lines + p * task.prefetch_stride);
    }
    accumulate<1, width>(sums, chunk, x + sample * width, grad + sample * width, task.grad_stride);
  }
  accumulate<1, width>(sums, last - sample, x + sample * width, grad + sample * width, task.grad_stride);
  T* out = task.out + panel * task.out_stride + (row - task.first) * width;
  if (first > 0)
    each_sum(sums, task.out_stride, [&](Lanes<T>& sum, Index at) CNET_INLINED { sum = load(out + at) + sum; });
  if (task.fused_sgd) {
    const Lanes<T> rate = broadcast(task.minus_learning_rate);
    each_sum(sums, task.out_stride,
             [&](Lanes<T>& sum, Index at) CNET_INLINED { sum = fma(rate, sum, load(out + at)); });
  }
  each_sum(sums, task.out_stride, [&](Lanes<T> sum, Index at) CNET_INLINED { store(out + at, sum); });
}

template <class T> void kernel_gradient(const KernelGradient<T>& task) {
  constexpr int rows = Simd<T>::gradient_rows, panels = Simd<T>::gradient_panels;
  constexpr Index width = panel_width<T>;
  for (Index panel = 0; panel < task.panels; panel += panels) {
    for (Index row = task.first; row < task.last;) {
      // A tile stays within one panel of x, where its rows are adjacent.
      const Index panel_end = row / width * width + width;
      const Index remaining = (panel_end < task.last ? panel_end : task.last) - row;
      // Most layers have whole panels of inputs, so that odd heights are rare.
      dispatch_tile<Heights::powers_of_two, rows, panels>(remaining, task.panels - panel, [&](auto tile) {
        using Fit = decltype(tile);
        each_k_block(task.rows, [&](Index first, Index last) {
          kernel_gradient_tile<T, Fit::rows, Fit::panels>(task, row, panel, first, last);
        });
        row += Fit::rows;
      });
    }
  }
}

template <class T> void bias_gradient(Index rows, Index panels, const T* grad, Index grad_stride, T* out) {
  for (Index p = 0; p < panels; ++p) {
    Lanes<T> sum = broadcast(T(0));
    for (Index i = 0; i < rows; ++i) sum = sum + load(grad + p * grad_stride + i * panel_width<T>);
    store(out + p * panel_width<T>, sum);
  }
}

template <class T> void row_sums(const RowSums<T>& task) {
  constexpr Index width = panel_width<T>;
  for (Index n = task.first; n < task.last; ++n) {
    for (Index p = 0; p < task.panels; ++p) {
      const T* x = task.x + p * task.x_stride;
      Lanes<T> sum = broadcast(T(0));
      for (Index i = task.starts[n]; i < task.starts[n + 1];) {
        const Index end = (task.rows[i] / k_block_size + 1) * k_block_size;
        Lanes<T> block = broadcast(T(0));
        for (; i < task.starts[n + 1] && task.rows[i] < end; ++i) block = block + load(x + task.rows[i] * width);
        sum = sum + block;
      }
      T* out = task.out + p * task.out_stride + (task.to_rows[n] - task.first_row) * width;
      store(out, task.fused_sgd ? fma(broadcast(task.minus_learning_rate), sum, load(out)) : sum);
    }
  }
}

/// Interleaving row i with row i + width/2 is one step of a perfect shuffle; log2(width) steps transpose.
template <class T> void transpose(const T* from, T* to) {
  constexpr int width = Lanes<T>::width;
  Lanes<T> rows[width], shuffled[width];
  CNET_UNROLL
  for (int i = 0; i < width; ++i) rows[i] = load(from + i * width);
  CNET_UNROLL
  for (int step = 1; step < width; step *= 2) {
    CNET_UNROLL
    for (int i = 0; i < width / 2; ++i) interleave(rows[i], rows[i + width / 2], shuffled[2 * i], shuffled[2 * i + 1]);
    CNET_UNROLL
    for (int i = 0; i < width; ++i) rows[i] = shuffled[i];
  }
  CNET_UNROLL
  for (int i = 0; i < width; ++i) store(to + i * width, rows[i]);
}

template <class T> constexpr ProductKernels<T> products_members() {
  return {product<T>, kernel_gradient<T>, bias_gradient<T>, row_sums<T>, transpose<T>};
}

} // namespace

CNET_EXPORT(ProductKernels, products)

} // namespace cnet::kernels::CNET_ISA
