#include "ops/dense.hpp"

#include <algorithm>
#include <array>

namespace cnet::ops {

template <class T> void transpose(PanelView<const T> from, Block block, PanelView<T> to) {
  constexpr Index width = panel_width<T>;
  alignas(cache_line) std::array<T, width * width> source, target;
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    for (Index row = block.first; row < block.last; row += width) {
      const T* read = from.row(row) + p * from.stride();
      T* write = to.row(p * width) + row / width * to.stride();
      const Index rows = std::min(width, block.last - row), columns = std::min(width, from.columns - p * width);
      if (rows == width && columns == width) {
        kernels::table<T>().transpose(read, write);
      } else {
        std::copy_n(read, rows * width, source.begin());
        kernels::table<T>().transpose(source.data(), target.data());
        std::copy_n(target.begin(), columns * width, write);
      }
    }
  }
}

template <class T>
DenseParameters<T>::DenseParameters(Index inputs, Index outputs, bool use_bias)
    : kernel_(inputs, outputs), bias_(panel_count<T>(outputs) * panel_width<T>), use_bias_(use_bias) {}

template <class T> void DenseParameters<T>::set_kernel(MatrixView<const T> kernel) {
  const std::lock_guard<std::mutex> lock(setting_);
  pack(kernel, kernel_.view());
  kernel_changed(whole(kernel_.view()));
}

template <class T> PanelView<const T> DenseParameters<T>::transposed() {
  if (transposed_.empty()) {
    const std::lock_guard<std::mutex> lock(setting_);
    transposed_ = PanelMatrix<T>(outputs(), inputs());
    kernel_changed(whole(kernel()));
  }
  return transposed_.view();
}

template <class T> void DenseParameters<T>::kernel_changed(Block block) {
  if (!transposed_.empty()) transpose<T>(kernel(), block, transposed_.view());
}

template <class T>
void dense_forward(PanelView<const T> x, const DenseParameters<T>& parameters, Activation activation, RowRange rows,
                   PanelView<T> out) {
  kernels::Product<T> product{};
  product.rows = rows.count();
  product.depth = x.columns;
  product.panels = out.panels();
  product.x = x.row(rows.first);
  product.x_stride = x.stride();
  product.weights = parameters.kernel().data;
  product.start = parameters.bias();
  product.out = out.row(rows.first);
  product.out_stride = out.stride();
  product.epilogue = activation == Activation::relu ? kernels::Epilogue::relu : kernels::Epilogue::none;
  kernels::table<T>().product(product);
}

template <class T>
void dense_backward_input(PanelView<const T> grad, PanelView<const T> transposed, const T* gate, RowRange rows,
                          PanelView<T> out) {
  kernels::Product<T> product{};
  product.rows = rows.count();
  product.depth = grad.columns;
  product.panels = out.panels();
  product.x = grad.row(rows.first);
  product.x_stride = grad.stride();
  product.weights = transposed.data;
  product.out = out.row(rows.first);
  product.out_stride = out.stride();
  product.epilogue = gate ? kernels::Epilogue::relu_gradient : kernels::Epilogue::none;
  product.gate = gate ? gate + rows.first * panel_width<T> : nullptr;
  kernels::table<T>().product(product);
}

template <class T> void dense_backward_kernel(PanelView<const T> x, PanelView<const T> grad, Block block, T* out) {
  kernels::KernelGradient<T> gradient{};
  gradient.rows = x.rows;
  gradient.first = block.first;
  gradient.last = block.last;
  gradient.panels = block.last_panel - block.first_panel;
  gradient.x = x.data;
  gradient.x_stride = x.stride();
  gradient.grad = grad.data + block.first_panel * grad.stride();
  gradient.grad_stride = grad.stride();
  gradient.out = out;
  gradient.out_stride = (block.last - block.first) * panel_width<T>;
  kernels::table<T>().kernel_gradient(gradient);
}

template <class T> void dense_backward_bias(PanelView<const T> grad, Index first_panel, Index last_panel, T* out) {
  kernels::table<T>().bias_gradient(grad.rows, last_panel - first_panel, grad.data + first_panel * grad.stride(),
                                    grad.stride(), out);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void transpose(PanelView<const T>, Block, PanelView<T>);                                                    \
  template class DenseParameters<T>;                                                                                   \
  template void dense_forward(PanelView<const T>, const DenseParameters<T>&, Activation, RowRange, PanelView<T>);      \
  template void dense_backward_input(PanelView<const T>, PanelView<const T>, const T*, RowRange, PanelView<T>);        \
  template void dense_backward_kernel(PanelView<const T>, PanelView<const T>, Block, T*);                              \
  template void dense_backward_bias(PanelView<const T>, Index, Index, T*);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet::ops
