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

/// Adds noise, dropout and both normalizations after a tensor.
template <class T> Index decorate(Network<T>& network, Index x) {
  const Index size = network.shape(x).columns;
  const auto near_one = [&](std::uint32_t seed) {
    std::vector<T> values = numbers<T>(size, seed, T(0.25));
    for (T& value : values) value += T(1);
    return vector(values);
  };
  x = network.add_gaussian_noise("noise", x, 0.125, std::make_shared<ops::RandomState>(201));
  x = network.add_batch_normalization("columns", x, near_one(202), near_one(203),
                                      {near_one(204), near_one(205), 0.75, 0x1p-10}, true);
  x = network.add_dropout("dropout", x, 0.25, std::make_shared<ops::RandomState>(206));
  return network.add_layer_normalization("rows", x, near_one(207), nullptr, 0x1p-10, true);
}

/// Makes a network of dense layers with ReLU between them and a softmax at the end; widths[0] is the number of inputs.
template <class T> Network<T> make_network(const std::vector<Index>& widths, bool decorated = false) {
  Network<T> network;
  Index x = network.add_input(widths[0]);
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
    x = network.add_dense("dense_" + std::to_string(l), x, kernel, bias, true);
    if (l + 1 < widths.size()) x = network.add_activation("relu_" + std::to_string(l), x, {});
    if (decorated && l + 1 < widths.size()) x = decorate(network, x);
  }
  network.finish({network.add_softmax("softmax", x)});
  return network;
}

/// A variable of numbers in [−scale, scale).
template <class T> SharedVariable<T> matrix(Index rows, Index columns, std::uint32_t seed, T scale) {
  const auto variable = std::make_shared<Variable<T>>(rows, columns);
  const std::vector<T> values = numbers<T>(rows * columns, seed, scale);
  pack<T>({values.data(), rows, columns}, variable->values());
  return variable;
}

/// The sizes of make_graph().
struct GraphSizes {
  Index features, width, classes;
  static constexpr Index ids = 5, table_rows = 50;
};

/// Makes a network of every kind of node that chains lack: two inputs, of numbers and of ids, whose rows are read by a
/// dense node; a residual; a layer used twice; tensors that several nodes and outputs read. Its outputs are
/// probabilities and numbers of the same width, classes.
template <class T> Network<T> make_graph(const GraphSizes& sizes) {
  using ops::Merge;
  const Index width = sizes.width, embedded = 20;
  Network<T> network;
  const Index features = network.add_input(sizes.features), ids = network.add_ids(GraphSizes::ids);
  const auto dense = [&](const char* name, Index x, Index units, std::uint32_t seed) {
    const auto kernel = matrix<T>(network.shape(x).columns, units, seed, T(0.125));
    const auto bias = std::make_shared<Variable<T>>(units);
    return network.add_dense(name, x, kernel, bias, true);
  };
  const Index table = network.add_embedding("table", ids, matrix<T>(GraphSizes::table_rows, embedded, 300, T(1)), true);
  const Index rows = network.add_activation("relu of rows", dense("rows", table, 17, 301), {});
  std::vector<Index> order(static_cast<std::size_t>(GraphSizes::ids * 17));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  const Index flat = network.add_rearrangement("flat", rows, order, {1, GraphSizes::ids * 17});
  for (Index& source : order) source /= 2; // repeats elements
  const Index repeated = network.add_rearrangement("repeated", rows, order, {1, GraphSizes::ids * 17});
  const Index mean = network.add_global_pooling("mean", table, ops::Pooling::average);
  const Index most = network.add_global_pooling("most", table, ops::Pooling::maximum);
  const Index first = network.add_activation("relu", dense("first", features, width, 302), {});
  const Index joined = network.add_concatenate("joined", {first, mean, flat, most, repeated});
  const Index second = dense("second", joined, width, 303);
  const Index sum = network.add_merge("sum", first, second, Merge::add); // `second` has other readers than its ReLU
  const Index positive = network.add_activation("relu of second", second, {});
  const Index product = network.add_merge("product", sum, positive, Merge::multiply);
  const Index difference = network.add_merge("difference", product, first, Merge::subtract);
  const Index largest = network.add_merge("largest", difference, sum, Merge::maximum);
  const Index least = network.add_merge("least", largest, first, Merge::minimum);
  const Index exponential = network.add_activation("exponential", network.add_rescaling("small", sum, 0.125, 0),
                                                   {ops::Activation<T>{kernels::Activation::exponential, {}}});
  const Index quotient = network.add_merge("quotient", least, exponential, Merge::divide);
  const Index dot = network.add_dot("dot", quotient, sum);
  const auto shared = matrix<T>(width, width, 304, T(0.125));
  const Index once = network.add_dense("shared", quotient, shared, nullptr, true);
  const Index twice =
      network.add_activation("relu of shared", network.add_dense("shared", once, shared, nullptr, true), {});
  const Index last = network.add_concatenate("last", {twice, dot});
  const Index probabilities = network.add_softmax("probabilities", dense("logits", last, sizes.classes, 305));
  const Index values = dense("values", last, sizes.classes, 306);
  network.finish({probabilities, values});
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
  for (const Node<T>& node : network.nodes()) {
    if (!node.owns_variables) continue;
    std::for_each(node.variables.begin(), node.variables.end(), add);
    if (const auto* normalization = std::get_if<BatchNormalization<T>>(&node.function)) {
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

inline std::vector<std::int64_t> random_ids(Index count, Index bound, std::uint32_t seed) {
  std::vector<std::int64_t> ids;
  for (Index i = 0; i < count; ++i) {
    ids.push_back(philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {seed, 0})[0] %
                  static_cast<std::uint32_t>(bound));
  }
  return ids;
}

/// Samples for make_graph(): class ids for its first output, numbers and weights for the second.
template <class T> struct GraphData {
  GraphData(Index rows_, const GraphSizes& sizes_)
      : rows(rows_), sizes(sizes_), x(numbers<T>(rows * sizes.features, 100, T(1))),
        ids(random_ids(rows * GraphSizes::ids, GraphSizes::table_rows, 101)),
        labels(random_ids(rows, sizes.classes, 102)), targets(numbers<T>(rows * sizes.classes, 103, T(1))),
        weights(numbers<T>(rows, 104, T(1))) {
    for (T& weight : weights) weight += T(1);
  }

  std::vector<Samples> inputs() const {
    return {samples(x, rows, sizes.features), samples(ids, rows, GraphSizes::ids)};
  }
  Dataset<T> dataset() const {
    const Labels<T> classes{samples(labels, rows, 1), true},
        numbers{samples(targets, rows, sizes.classes), false, weights.data()};
    return {rows, inputs(), {classes, numbers}};
  }
  static std::vector<Head> heads() {
    Loss regression{Loss::Kind::pointwise};
    regression.pointwise = ops::PointwiseLoss::mean_squared_error;
    return {{0, Loss{Loss::Kind::cross_entropy}}, {1, regression, 0.5}};
  }

  Index rows;
  GraphSizes sizes;
  std::vector<T> x;
  std::vector<std::int64_t> ids, labels;
  std::vector<T> targets, weights;
};

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
  Dataset<T> with_ids() const { return {rows, {features()}, {{samples(ids, rows, 1), true}}}; }
  Dataset<T> with_distributions() const {
    return {rows, {features()}, {{samples(distributions, rows, classes), false}}};
  }

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

/// All outputs for the samples of each input, one output after the other.
template <class T> std::vector<T> predictions(const Network<T>& network, Index rows, const std::vector<Samples>& x) {
  std::vector<Index> first{0};
  for (std::size_t n = 0; n < network.outputs().size(); ++n) first.push_back(first[n] + rows * network.output_size(n));
  std::vector<T> out(static_cast<std::size_t>(first.back()));
  std::vector<T*> data;
  for (std::size_t n = 0; n + 1 < first.size(); ++n) data.push_back(out.data() + first[n]);
  predict(network, rows, x.data(), data.data(), no_observer());
  return out;
}
template <class T> std::vector<T> predictions(const Network<T>& network, const Samples& x) {
  return predictions(network, x.rows, {x});
}

} // namespace cnet
