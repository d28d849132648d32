#include "ops/dense.hpp"

#include <algorithm>
#include <array>

namespace cnet::ops {

namespace {

/// Largest kernel (in elements) that stays in the cache between uses.
constexpr Index cached_kernel_size = 1 << 15;

/// Writes the given rows of `from` as columns of `to`; the last block of rows is padded with zeros.
template <class T> void transpose(PanelView<const T> from, RowRange rows, T* to, Index to_stride) {
  constexpr Index width = panel_width<T>;
  alignas(cache_line) std::array<T, width * width> source{};
  for (Index row = rows.first; row < rows.last; row += width, to += to_stride) {
    for (Index p = 0; p < from.panels(); ++p) {
      const T* read = from.row(row) + p * from.stride();
      if (rows.last - row < width) {
        std::copy_n(read, (rows.last - row) * width, source.begin());
        read = source.data();
      }
      kernels::table<T>().transpose(read, to + p * width * width);
    }
  }
}

} // namespace

template <class T>
void dense_forward(PanelView<const T> x, PanelView<const T> kernel, const T* bias, kernels::Epilogue epilogue,
                   Block block, PanelView<T> out) {
  kernels::Product<T> product{};
  product.rows = block.last - block.first;
  product.depth = x.columns;
  product.panels = block.last_panel - block.first_panel;
  product.x = x.row(block.first);
  product.x_stride = x.stride();
  product.weights = kernel.panel(block.first_panel);
  product.weights_stride = kernel.stride();
  if (bias) product.bias = bias + block.first_panel * panel_width<T>;
  product.out = out.panel(block.first_panel) + block.first * panel_width<T>;
  product.out_stride = out.stride();
  product.epilogue = epilogue;
  product.prefetch_weights = kernel.rows * kernel.columns > cached_kernel_size;
  if (block.first == 0 && block.last_panel < kernel.panels()) product.prefetch_next = kernel.panel(block.last_panel);
  kernels::table<T>().product(product);
}

template <class T>
void dense_backward_input(PanelView<const T> grad, PanelView<const T> kernel, const T* relu_mask, Block block,
                          T* transposed, PanelView<T> out) {
  constexpr Index width = panel_width<T>;
  kernels::Product<T> product{};
  product.rows = block.last - block.first;
  product.depth = grad.columns;
  product.x = grad.row(block.first);
  product.x_stride = grad.stride();
  product.weights = transposed;
  product.weights_stride = grad.panels() * width * width;
  product.out_stride = out.stride();
  product.epilogue = relu_mask ? kernels::Epilogue::relu_gradient : kernels::Epilogue::none;
  for (Index panel = block.first_panel; panel < block.last_panel; panel += product.panels) {
    product.panels = next_panels(block.last_panel - panel);
    const RowRange kernel_rows{panel * width, std::min((panel + product.panels) * width, kernel.rows)};
    transpose(kernel, kernel_rows, transposed, product.weights_stride);
    const Index offset = panel * out.stride() + block.first * width;
    product.out = out.data + offset;
    product.relu_mask = relu_mask ? relu_mask + offset : nullptr;
    kernels::table<T>().product(product);
  }
}

namespace {

template <class T>
kernels::KernelGradient<T> kernel_gradient(PanelView<const T> x, PanelView<const T> grad, Block block) {
  kernels::KernelGradient<T> gradient{};
  gradient.rows = x.rows;
  gradient.first = block.first;
  gradient.last = block.last;
  gradient.panels = block.last_panel - block.first_panel;
  gradient.x = x.data;
  gradient.x_stride = x.stride();
  gradient.grad = grad.panel(block.first_panel);
  gradient.grad_stride = grad.stride();
  gradient.prefetch_stride = x.columns * panel_width<T>;
  return gradient;
}

} // namespace

template <class T>
void dense_backward_kernel(PanelView<const T> x, PanelView<const T> grad, Block block, const Prefetch<T>& prefetch,
                           T* out, Index out_stride) {
  kernels::KernelGradient<T> gradient = kernel_gradient(x, grad, block);
  gradient.out = out;
  gradient.out_stride = out_stride;
  std::transform(std::begin(prefetch.data), std::end(prefetch.data), gradient.prefetch, [&](const T* data) {
    return data ? data + block.first_panel * gradient.prefetch_stride + block.first * panel_width<T> : nullptr;
  });
  kernels::table<T>().kernel_gradient(gradient);
}

template <class T>
void dense_fused_sgd(PanelView<const T> x, PanelView<const T> grad, Block block, T learning_rate, PanelView<T> kernel) {
  kernels::KernelGradient<T> gradient = kernel_gradient(x, grad, block);
  gradient.out = kernel.panel(block.first_panel) + block.first * panel_width<T>;
  gradient.out_stride = kernel.stride();
  gradient.prefetch[0] = gradient.out;
  gradient.fused_sgd = true;
  gradient.minus_learning_rate = -learning_rate;
  kernels::table<T>().kernel_gradient(gradient);
}

template <class T> void dense_backward_bias(PanelView<const T> grad, Index first_panel, Index last_panel, T* out) {
  kernels::table<T>().bias_gradient(grad.rows, last_panel - first_panel, grad.panel(first_panel), grad.stride(), out);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void dense_forward(PanelView<const T>, PanelView<const T>, const T*, kernels::Epilogue, Block,              \
                              PanelView<T>);                                                                           \
  template void dense_backward_input(PanelView<const T>, PanelView<const T>, const T*, Block, T*, PanelView<T>);       \
  template void dense_backward_kernel(PanelView<const T>, PanelView<const T>, Block, const Prefetch<T>&, T*, Index);   \
  template void dense_fused_sgd(PanelView<const T>, PanelView<const T>, Block, T, PanelView<T>);                       \
  template void dense_backward_bias(PanelView<const T>, Index, Index, T*);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
