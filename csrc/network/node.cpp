#include "network/node.hpp"

#include <algorithm>

namespace cnet {

namespace {

/// A visitor of one lambda for each alternative.
template <class... F> struct Overloaded : F... {
  using F::operator()...;
};
template <class... F> Overloaded(F...) -> Overloaded<F...>;

template <class T, class... F> auto visit(const Node<T>& node, F... f) {
  return std::visit(Overloaded{f...}, node.function);
}

RowRange rows_of(Block block) {
  return {block.first, block.last};
}

/// The samples that rows belong to, if each sample has `count` of them.
RowRange samples_of(RowRange rows, Index count) {
  return {rows.first / count, rows.last / count};
}

template <class T> const T* data_of(const SharedVariable<T>& variable) {
  return variable ? variable->values().data : nullptr;
}

template <class T> ops::Affine<T> affine(const Node<T>& node) {
  return {data_of(node.kernel()), data_of(node.bias())};
}

template <class T> void copy(PanelView<const T> x, Block block, PanelView<T> out) {
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    const Index at = p * out.stride() + block.first * panel_width<T>;
    std::copy_n(x.data + at, (block.last - block.first) * panel_width<T>, out.data + at);
  }
}

// A batch normalization saves a batch's moments and then its variance, a layer normalization each row's moments.

template <class T> ops::Moments<T> column_moments(const NodeView<T>& view) {
  const Index size = view.x.panels() * panel_width<T>;
  return {view.saved_for_backward, view.saved_for_backward + size};
}
template <class T> T* column_variance(const NodeView<T>& view) {
  return view.saved_for_backward + 2 * view.x.panels() * panel_width<T>;
}
template <class T> ops::Moments<T> row_moments(const NodeView<T>& view, Index first = 0) {
  return {view.saved_for_backward + first, view.saved_for_backward + view.x.rows + first};
}

template <class T> ops::RandomStep random_step(const ops::RandomState& random, const NodeView<T>& view) {
  return {random.seed, random.pass_start + static_cast<std::uint64_t>(*view.batch)};
}

/// Rows that a layer normalization predicts at a time: their moments are on the stack.
constexpr Index rows_at_once = 64;

} // namespace

template <class T> ops::RandomState* Node<T>::random() const {
  return visit(
      *this, [](const Dropout& dropout) -> ops::RandomState* { return dropout.random.get(); },
      [](const GaussianNoise& noise) -> ops::RandomState* { return noise.random.get(); },
      [](const auto&) -> ops::RandomState* { return nullptr; });
}

template <class T> std::vector<Variable<T>*> Node<T>::all_variables() const {
  std::vector<Variable<T>*> all;
  const auto add = [&](const SharedVariable<T>& variable) {
    if (variable) all.push_back(variable.get());
  };
  for (const SharedVariable<T>& variable : variables) add(variable);
  if (const auto* normalization = std::get_if<BatchNormalization<T>>(&function)) {
    add(normalization->mean);
    add(normalization->variance);
  }
  return all;
}

template <class T> Index saved_size(const Node<T>& node, Index rows) {
  const Index width = panel_count<T>(node.shape.columns) * panel_width<T>;
  return visit(
      node, [&](const Dropout&) { return checked_product(rows, width); },
      [&](const BatchNormalization<T>&) { return 3 * width; }, [&](const LayerNormalization&) { return 2 * rows; },
      [](const auto&) { return Index(0); });
}

template <class T> void infer(const Node<T>& node, const ForwardView<T>& view, Block block) {
  const PanelView<const T> x = view.x;
  const PanelView<T> out = view.out;
  const RowRange rows = rows_of(block);
  visit(
      node,
      [&](const Dense& dense) {
        ops::dense_forward<T>(x, node.kernel()->values(), data_of(node.bias()), dense.epilogue, block, out);
      },
      [&](const ops::Activation<T>& activation) { ops::activation_forward(activation, x, rows, out); },
      [&](const Softmax&) { ops::softmax(x, rows, out); }, [&](const LogSoftmax&) { ops::log_softmax(x, rows, out); },
      [&](const Rescaling<T>& rescaling) { ops::rescaling_forward(x, rescaling.scale, rescaling.offset, rows, out); },
      [&](const Dropout&) { copy(x, block, out); }, [&](const GaussianNoise&) { copy(x, block, out); },
      [&](const Parameters&) { copy(x, block, out); },
      [&](const BatchNormalization<T>& normalization) {
        ops::standardize<T>(x, data_of(normalization.mean), data_of(normalization.variance),
                            static_cast<T>(normalization.epsilon), affine(node), block, out);
      },
      [&](const LayerNormalization& normalization) {
        std::array<T, rows_at_once> mean, inverse;
        for (Index first = rows.first; first < rows.last; first += rows_at_once) {
          const RowRange some{first, std::min(first + rows_at_once, rows.last)};
          ops::layer_normalization_forward<T>(x, static_cast<T>(normalization.epsilon), affine(node), some,
                                              {mean.data(), inverse.data()}, out);
        }
      },
      [&](const Embedding&) { ops::embedding_forward<T>(node.kernel()->values(), view.ids, rows, out); },
      [&](const Concatenate& concatenate) {
        ops::write_columns(x, concatenate.first_columns[view.operand], rows, out);
      },
      [&](const Merge& merge) { ops::merge(merge.function, x, view.other, rows, out); },
      [&](const Dot&) { ops::dot(x, view.other, rows, out); },
      [&](const Rearrange<T>& rearrange) {
        rearrange.rearrangement->forward(x, samples_of(rows, node.shape.rows), out);
      },
      [&](const GlobalPooling& global) { ops::pool(global.pooling, global.pooled, x, rows, out); });
}

template <class T> void forward(const Node<T>& node, const NodeView<T>& view, Block block) {
  const RowRange rows = rows_of(block);
  visit(
      node,
      [&](const Dropout& dropout) {
        const PanelView<T> mask{view.saved_for_backward, view.x.rows, view.x.columns};
        ops::dropout_forward<T>(view.x, dropout.rate, random_step(*dropout.random, view), rows, mask, view.out);
      },
      [&](const GaussianNoise& noise) {
        ops::add_noise<T>(view.x, noise.deviation, random_step(*noise.random, view), rows, view.out);
      },
      [&](const BatchNormalization<T>& normalization) {
        if (!node.uses_batch_statistics()) return infer<T>(node, view, block);
        ops::batch_normalization_forward<T>(view.x, static_cast<T>(normalization.epsilon), affine(node), block,
                                            column_moments(view), column_variance(view), view.out);
      },
      [&](const LayerNormalization& normalization) {
        ops::layer_normalization_forward<T>(view.x, static_cast<T>(normalization.epsilon), affine(node), rows,
                                            row_moments(view, rows.first), view.out);
      },
      [&](const auto&) { infer<T>(node, view, block); });
}

template <class T> void backward(const Node<T>& node, const NodeView<T>& view, const T* relu_mask, Block block) {
  const PanelView<const T> grad = view.grad;
  const PanelView<T> grad_input = view.grad_input;
  const RowRange rows = rows_of(block);
  const T* gamma = data_of(node.kernel());
  visit(
      node,
      [&](const Dense&) {
        ops::dense_backward_input<T>(grad, node.kernel()->values(), relu_mask, block, view.scratch, grad_input);
      },
      [&](const ops::Activation<T>& activation) {
        ops::activation_backward<T>(activation, grad, view.x, view.out, rows, grad_input);
      },
      [&](const Softmax&) { ops::softmax_backward<T>(grad, view.out, rows, grad_input); },
      [&](const LogSoftmax&) { ops::log_softmax_backward<T>(grad, view.out, rows, grad_input); },
      [&](const Rescaling<T>& rescaling) { ops::rescaling_backward<T>(grad, rescaling.scale, rows, grad_input); },
      [&](const Dropout&) {
        ops::dropout_backward<T>(grad, PanelView<T>{view.saved_for_backward, grad_input.rows, grad_input.columns}, rows,
                                 grad_input);
      },
      [&](const GaussianNoise&) { copy(grad, block, grad_input); },
      [&](const Parameters&) { copy(grad, block, grad_input); },
      [&](const BatchNormalization<T>& normalization) {
        if (node.uses_batch_statistics()) {
          ops::batch_normalization_backward<T>(grad, view.x, column_moments(view), gamma, block, grad_input);
        } else {
          ops::standardize_backward<T>(grad, data_of(normalization.variance), static_cast<T>(normalization.epsilon),
                                       gamma, block, grad_input);
        }
      },
      [&](const LayerNormalization&) {
        ops::layer_normalization_backward<T>(grad, view.x, row_moments(view, rows.first), gamma, rows, grad_input);
      },
      [&](const Embedding&) {}, // ids have no gradient
      [&](const Concatenate& concatenate) {
        ops::read_columns(grad, concatenate.first_columns[view.operand], rows, grad_input);
      },
      [&](const Merge& merge) {
        const bool is_second = view.operand == 1;
        ops::merge_backward(merge.function, view.operand, grad, is_second ? view.other : view.x,
                            is_second ? view.x : view.other, rows, grad_input);
      },
      [&](const Dot&) { ops::dot_backward(grad, view.other, rows, grad_input); },
      [&](const Rearrange<T>& rearrange) {
        rearrange.rearrangement->backward(grad, samples_of(rows, rearrange.rearrangement->from().rows), grad_input);
      },
      [&](const GlobalPooling& global) {
        ops::pool_backward<T>(global.pooling, global.pooled, grad, view.x, view.out, samples_of(rows, global.pooled),
                              grad_input);
      });
}

template <class T>
void variable_gradient(const Node<T>& node, const NodeView<T>& view, std::size_t variable, Block block,
                       const ops::Prefetch<T>& prefetch, T* out, Index stride) {
  const PanelView<const T> grad = view.grad;
  const Index first = block.first_panel, last = block.last_panel;
  if (variable == 1) return ops::dense_backward_bias<T>(grad, first, last, out);
  visit(
      node, [&](const Dense&) { ops::dense_backward_kernel<T>(view.x, grad, block, prefetch, out, stride); },
      [&](const BatchNormalization<T>&) {
        ops::batch_normalization_gradient<T>(grad, view.x, column_moments(view), first, last, out);
      },
      [&](const LayerNormalization&) {
        ops::layer_normalization_gradient<T>(grad, view.x, row_moments(view), first, last, out);
      },
      [&](const Embedding&) { ops::embedding_backward<T>(grad, *view.rows_of_ids, block, out, stride); },
      [](const auto&) {});
}

template <class T> void update_moving_statistics(const Node<T>& node, const NodeView<T>& view) {
  if (!node.uses_batch_statistics()) return;
  const auto& normalization = std::get<BatchNormalization<T>>(node.function);
  const auto move = [&](Variable<T>& moving, const T* batch) {
    const T rest = static_cast<T>(1 - normalization.momentum);
    kernels::table<T>().average(moving.values().stride() * moving.values().panels(), batch, rest, moving.values().data);
  };
  move(*normalization.mean, column_moments(view).mean);
  move(*normalization.variance, column_variance(view));
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template struct Node<T>;                                                                                             \
  template Index saved_size(const Node<T>&, Index);                                                                    \
  template void infer(const Node<T>&, const ForwardView<T>&, Block);                                                   \
  template void forward(const Node<T>&, const NodeView<T>&, Block);                                                    \
  template void backward(const Node<T>&, const NodeView<T>&, const T*, Block);                                         \
  template void variable_gradient(const Node<T>&, const NodeView<T>&, std::size_t, Block, const ops::Prefetch<T>&, T*, \
                                  Index);                                                                              \
  template void update_moving_statistics(const Node<T>&, const NodeView<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
