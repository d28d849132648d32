#include "network/layer.hpp"

#include <algorithm>

namespace cnet {

namespace {

/// A visitor of one lambda for each alternative.
template <class... F> struct Overloaded : F... {
  using F::operator()...;
};
template <class... F> Overloaded(F...) -> Overloaded<F...>;

template <class T, class... F> auto visit(const Layer<T>& layer, F... f) {
  return std::visit(Overloaded{f...}, layer.function);
}

RowRange rows_of(Block block) {
  return {block.first, block.last};
}

template <class T> const T* data_of(const SharedVariable<T>& variable) {
  return variable ? variable->values().data : nullptr;
}

template <class T> ops::Affine<T> affine(const Layer<T>& layer) {
  return {data_of(layer.kernel()), data_of(layer.bias())};
}

template <class T> void copy(PanelView<const T> x, Block block, PanelView<T> out) {
  for (Index p = block.first_panel; p < block.last_panel; ++p) {
    const Index at = p * out.stride() + block.first * panel_width<T>;
    std::copy_n(x.data + at, (block.last - block.first) * panel_width<T>, out.data + at);
  }
}

/// Where a batch normalization keeps a batch's moments, and its variance after them.
template <class T> ops::Moments<T> column_moments(const Place<T>& place) {
  const Index size = place.x.panels() * panel_width<T>;
  return {place.kept, place.kept + size};
}
template <class T> T* column_variance(const Place<T>& place) {
  return place.kept + 2 * place.x.panels() * panel_width<T>;
}
template <class T> ops::Moments<T> row_moments(const Place<T>& place, Index first = 0) {
  return {place.kept + first, place.kept + place.x.rows + first};
}

/// Where a layer normalization that only predicts writes moments that nobody reads: a few rows at a time.
constexpr Index few_rows_at_once = 64;

} // namespace

template <class T> ops::RandomState* Layer<T>::random() const {
  return visit(
      *this, [](const Dropout& dropout) -> ops::RandomState* { return dropout.random.get(); },
      [](const GaussianNoise& noise) -> ops::RandomState* { return noise.random.get(); },
      [](const auto&) -> ops::RandomState* { return nullptr; });
}

template <class T> std::vector<Variable<T>*> Layer<T>::all_variables() const {
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

template <class T> Index kept_size(const Layer<T>& layer, Index rows) {
  const Index width = panel_count<T>(layer.outputs) * panel_width<T>;
  return visit(
      layer, [&](const Dropout&) { return checked_product(rows, width); },
      [&](const BatchNormalization<T>&) { return 3 * width; }, [&](const LayerNormalization&) { return 2 * rows; },
      [](const auto&) { return Index(0); });
}

template <class T> void infer(const Layer<T>& layer, PanelView<const T> x, Block block, PanelView<T> out) {
  const RowRange rows = rows_of(block);
  visit(
      layer,
      [&](const Dense& dense) {
        ops::dense_forward<T>(x, layer.kernel()->values(), data_of(layer.bias()), dense.epilogue, block, out);
      },
      [&](const ops::Activation<T>& activation) { ops::activation_forward(activation, x, rows, out); },
      [&](const Softmax&) { ops::softmax(x, rows, out); }, [&](const LogSoftmax&) { ops::log_softmax(x, rows, out); },
      [&](const Rescaling<T>& rescaling) { ops::rescaling_forward(x, rescaling.scale, rescaling.offset, rows, out); },
      [&](const Dropout&) { copy(x, block, out); }, [&](const GaussianNoise&) { copy(x, block, out); },
      [&](const Parameters&) { copy(x, block, out); },
      [&](const BatchNormalization<T>& normalization) {
        ops::standardize<T>(x, data_of(normalization.mean), data_of(normalization.variance),
                            static_cast<T>(normalization.epsilon), affine(layer), block, out);
      },
      [&](const LayerNormalization& normalization) {
        std::array<T, few_rows_at_once> mean, inverse;
        for (Index first = rows.first; first < rows.last; first += few_rows_at_once) {
          const RowRange some{first, std::min(first + few_rows_at_once, rows.last)};
          ops::layer_normalization_forward<T>(x, static_cast<T>(normalization.epsilon), affine(layer), some,
                                              {mean.data(), inverse.data()}, out);
        }
      });
}

template <class T> void forward(const Layer<T>& layer, const Place<T>& place, Block block) {
  const RowRange rows = rows_of(block);
  visit(
      layer,
      [&](const Dropout& dropout) {
        const PanelView<T> mask{place.kept, place.x.rows, place.x.columns};
        ops::dropout_forward<T>(place.x, dropout.rate, {dropout.random->seed, place.step}, rows, mask, place.out);
      },
      [&](const GaussianNoise& noise) {
        ops::add_noise<T>(place.x, noise.deviation, {noise.random->seed, place.step}, rows, place.out);
      },
      [&](const BatchNormalization<T>& normalization) {
        if (!layer.mixes_rows()) return infer<T>(layer, place.x, block, place.out);
        ops::batch_normalization_forward<T>(place.x, static_cast<T>(normalization.epsilon), affine(layer), block,
                                            column_moments(place), column_variance(place), place.out);
      },
      [&](const LayerNormalization& normalization) {
        ops::layer_normalization_forward<T>(place.x, static_cast<T>(normalization.epsilon), affine(layer), rows,
                                            row_moments(place, rows.first), place.out);
      },
      [&](const auto&) { infer<T>(layer, place.x, block, place.out); });
}

template <class T>
void backward(const Layer<T>& layer, const Place<T>& place, PanelView<const T> gradient, const T* gate, Block block,
              T* scratch, PanelView<T> below) {
  const RowRange rows = rows_of(block);
  const T* gamma = data_of(layer.kernel());
  visit(
      layer,
      [&](const Dense&) {
        ops::dense_backward_input<T>(gradient, layer.kernel()->values(), gate, block, scratch, below);
      },
      [&](const ops::Activation<T>& activation) {
        ops::activation_backward<T>(activation, gradient, place.x, place.out, rows, below);
      },
      [&](const Softmax&) { ops::softmax_backward<T>(gradient, place.out, rows, below); },
      [&](const LogSoftmax&) { ops::log_softmax_backward<T>(gradient, place.out, rows, below); },
      [&](const Rescaling<T>& rescaling) { ops::rescaling_backward<T>(gradient, rescaling.scale, rows, below); },
      [&](const Dropout&) {
        ops::dropout_backward<T>(gradient, PanelView<T>{place.kept, below.rows, below.columns}, rows, below);
      },
      [&](const GaussianNoise&) { copy(gradient, block, below); },
      [&](const Parameters&) { copy(gradient, block, below); },
      [&](const BatchNormalization<T>& normalization) {
        if (layer.mixes_rows()) {
          ops::batch_normalization_backward<T>(gradient, place.x, column_moments(place), gamma, block, below);
        } else {
          ops::standardize_backward<T>(gradient, data_of(normalization.variance), static_cast<T>(normalization.epsilon),
                                       gamma, block, below);
        }
      },
      [&](const LayerNormalization&) {
        ops::layer_normalization_backward<T>(gradient, place.x, row_moments(place, rows.first), gamma, rows, below);
      });
}

template <class T>
void variable_gradient(const Layer<T>& layer, const Place<T>& place, PanelView<const T> gradient, std::size_t variable,
                       Block block, const ops::Prefetch<T>& ahead, T* out, Index stride) {
  const Index first = block.first_panel, last = block.last_panel;
  if (variable == 1) return ops::dense_backward_bias<T>(gradient, first, last, out);
  visit(
      layer, [&](const Dense&) { ops::dense_backward_kernel<T>(place.x, gradient, block, ahead, out, stride); },
      [&](const BatchNormalization<T>&) {
        ops::batch_normalization_gradient<T>(gradient, place.x, column_moments(place), first, last, out);
      },
      [&](const LayerNormalization&) {
        ops::layer_normalization_gradient<T>(gradient, place.x, row_moments(place), first, last, out);
      },
      [](const auto&) {});
}

template <class T> void remember(const Layer<T>& layer, const Place<T>& place) {
  if (!layer.mixes_rows()) return;
  const auto& normalization = std::get<BatchNormalization<T>>(layer.function);
  const auto move = [&](Variable<T>& moving, const T* of_batch) {
    const T rest = static_cast<T>(1 - normalization.momentum);
    kernels::table<T>().average(moving.values().stride() * moving.values().panels(), of_batch, rest,
                                moving.values().data);
  };
  move(*normalization.mean, column_moments(place).mean);
  move(*normalization.variance, column_variance(place));
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template struct Layer<T>;                                                                                            \
  template Index kept_size(const Layer<T>&, Index);                                                                    \
  template void infer(const Layer<T>&, PanelView<const T>, Block, PanelView<T>);                                       \
  template void forward(const Layer<T>&, const Place<T>&, Block);                                                      \
  template void backward(const Layer<T>&, const Place<T>&, PanelView<const T>, const T*, Block, T*, PanelView<T>);     \
  template void variable_gradient(const Layer<T>&, const Place<T>&, PanelView<const T>, std::size_t, Block,            \
                                  const ops::Prefetch<T>&, T*, Index);                                                    \
  template void remember(const Layer<T>&, const Place<T>&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
