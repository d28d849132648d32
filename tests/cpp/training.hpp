#pragma once

// Networks and data with the same bits on every machine: words of Philox, scaled by powers of two.

#include "core/philox.hpp"
#include "train/predict.hpp"
#include "train/trainer.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace cnet {

/// Numbers in [−scale, scale), exact in float; scale is a power of two.
template <class T> std::vector<T> numbers(Index size, std::uint32_t seed, T scale) {
  std::vector<T> result(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::uint32_t word = philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {seed, 0})[0];
    result[i] = (T(word >> 8) / T(1 << 23) - T(1)) * scale;
  }
  return result;
}

/// A contiguous row-major matrix as samples.
template <class T> Samples samples(const std::vector<T>& values, Index rows, Index features) {
  constexpr auto type = std::is_same_v<T, float>    ? ElementType::float32
                        : std::is_same_v<T, double> ? ElementType::float64
                                                    : ElementType::int64;
  static_assert(type != ElementType::int64 || std::is_same_v<T, std::int64_t>);
  constexpr Index size = sizeof(T);
  return {reinterpret_cast<const std::byte*>(values.data()), type, rows, features, features * size, size};
}

template <class T> SharedVariable<T> vector(const std::vector<T>& values) {
  const auto size = static_cast<Index>(values.size());
  const auto variable = std::make_shared<Variable<T>>(size);
  pack<T>({values.data(), 1, size}, variable->values());
  variable->regularizer = {0x1p-8, 0x1p-7};
  variable->constraint = {ops::Constraint::Kind::norm, 0.5, 4, 0.5};
  return variable;
}

/// Adds noise, dropout and both normalizations.
template <class T> void decorate(Network<T>& network) {
  const Index size = network.outputs();
  const auto near_one = [&](std::uint32_t seed) {
    std::vector<T> values = numbers<T>(size, seed, T(0.25));
    for (T& value : values) value += T(1);
    return vector(values);
  };
  network.add_gaussian_noise("noise", 0.125, std::make_shared<ops::RandomState>(201));
  network.add_batch_normalization("columns", near_one(202), near_one(203),
                                  {near_one(204), near_one(205), 0.75, 0x1p-10}, true);
  network.add_dropout("dropout", 0.25, std::make_shared<ops::RandomState>(206));
  network.add_layer_normalization("rows", near_one(207), nullptr, 0x1p-10, true);
}

/// Makes a network of dense layers with ReLU between them and a softmax at the end; widths[0] is the number of inputs.
template <class T> Network<T> make_network(const std::vector<Index>& widths, bool decorated = false) {
  Network<T> network(widths[0]);
  for (std::size_t l = 1; l < widths.size(); ++l) {
    const Index inputs = widths[l - 1], outputs = widths[l];
    const auto kernel = std::make_shared<Variable<T>>(inputs, outputs), bias = std::make_shared<Variable<T>>(outputs);
    T scale = 1; // about √(6 / inputs), as by He
    while (scale * scale * T(inputs) > T(6)) scale /= 2;
    const std::vector<T> values = numbers<T>(inputs * outputs, static_cast<std::uint32_t>(l), scale);
    pack<T>({values.data(), inputs, outputs}, kernel->values());
    if (decorated) {
      kernel->regularizer = {0x1p-9, 0x1p-8};
      kernel->constraint = {ops::Constraint::Kind::norm, 0.5, 2, 1};
      bias->constraint.kind = ops::Constraint::Kind::non_negative;
    }
    network.add_dense("dense_" + std::to_string(l), kernel, bias, true);
    if (l + 1 < widths.size()) network.add_activation("relu_" + std::to_string(l), {});
    if (decorated && l + 1 < widths.size()) decorate(network);
  }
  network.add_softmax("softmax");
  return network;
}

/// The values of all variables.
template <class T> std::vector<T> weights(const Network<T>& network) {
  std::vector<T> result;
  const auto add = [&](const SharedVariable<T>& variable) {
    if (!variable) return;
    std::vector<T> values(static_cast<std::size_t>(variable->rows() * variable->columns()));
    unpack<T>(variable->values(), {values.data(), variable->rows(), variable->columns()});
    result.insert(result.end(), values.begin(), values.end());
  };
  for (const Layer<T>& layer : network.layers()) {
    std::for_each(layer.variables.begin(), layer.variables.end(), add);
    if (const auto* normalization = std::get_if<BatchNormalization<T>>(&layer.function)) {
      add(normalization->mean);
      add(normalization->variance);
    }
  }
  return result;
}

/// Number of multiply-adds of a forward pass of one sample.
inline Index multiply_adds(const std::vector<Index>& widths) {
  Index count = 0;
  for (std::size_t l = 1; l < widths.size(); ++l) count += widths[l - 1] * widths[l];
  return count;
}

/// Samples for a network, with both kinds of labels.
template <class T> struct Data {
  Data(Index rows_, Index inputs_, Index classes_)
      : rows(rows_), inputs(inputs_), classes(classes_), x(numbers<T>(rows * inputs, 100, T(1))) {
    for (Index i = 0; i < rows; ++i) {
      const auto words = philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {101, 0});
      ids.push_back(words[0] % static_cast<std::uint32_t>(classes));
      // Three quarters of one class and a quarter of the next.
      for (Index c = 0; c < classes; ++c) {
        distributions.push_back(c == ids.back() ? T(0.75) : c == (ids.back() + 1) % classes ? T(0.25) : T(0));
      }
    }
  }

  Samples features() const { return samples(x, rows, inputs); }
  Dataset<T> with_ids() const { return {features(), samples(ids, rows, 1), true}; }
  Dataset<T> with_distributions() const { return {features(), samples(distributions, rows, classes), false}; }

  Index rows, inputs, classes;
  std::vector<T> x;
  std::vector<std::int64_t> ids;
  std::vector<T> distributions;
};

inline ops::Optimizer optimizer(ops::Rule rule, double learning_rate, bool nesterov = false) {
  ops::Optimizer result;
  result.rule = rule;
  result.learning_rate = learning_rate;
  result.momentum = result.rho = result.beta_1 = 0.9;
  result.nesterov = nesterov;
  result.beta_2 = 0.999;
  result.epsilon = 1e-7;
  return result;
}

inline Observer no_observer() {
  return {[](const Totals&) { return true; }};
}

template <class T> std::vector<T> predictions(const Network<T>& network, const Samples& x) {
  std::vector<T> out(static_cast<std::size_t>(x.rows * network.outputs()));
  predict(network, x, out.data(), no_observer());
  return out;
}

} // namespace cnet
