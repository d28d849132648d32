// Builds and trains networks from fuzzed bytes, as from a model file: any nodes, shared and mismatched variables,
// sizes up to the largest, every loss, optimizer and option, and data of any type and stride. The engine may throw the
// exceptions of attempt() only.

#include "core/errors.hpp"
#include "train/predict.hpp"
#include "train/trainer.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=64"; // large allocations fail
}

namespace {

using namespace cnet;

/// Reads the input, then zeros.
class Bytes {
public:
  Bytes(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}

  bool empty() const { return next_ == end_; }
  template <class U> U take() {
    U value{};
    const std::size_t size = std::min(sizeof(U), static_cast<std::size_t>(end_ - next_));
    std::memcpy(&value, next_, size);
    next_ += size;
    return value;
  }
  bool flag() { return take<std::uint8_t>() % 2 != 0; }
  /// A number in [0, count).
  int choice(int count) { return take<std::uint8_t>() % count; }
  double number() {
    constexpr double infinity = std::numeric_limits<double>::infinity(),
                     not_a_number = std::numeric_limits<double>::quiet_NaN();
    constexpr double usual[] = {0, 1, -1, 0.5, 0.9, 0.999, 1e-3, 1e-7, 1e-45, 1e300, -1e300, infinity, not_a_number};
    constexpr int count = static_cast<int>(std::size(usual));
    const int which = choice(count + 1);
    return which < count ? usual[which] : take<double>();
  }
  /// A size of at least 1, seldom too large for memory.
  Index size() {
    const int small = choice(256);
    if (small < 240) return 1 + small % 40;
    const int bits = take<std::uint8_t>() % 63;
    return (Index(1) << bits) + (small - 240);
  }

private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

template <class Enum> Enum one_of(Bytes& bytes, int count) {
  return static_cast<Enum>(bytes.choice(count));
}

/// Makes nodes that may share variables and random states.
template <class T> class Maker {
public:
  explicit Maker(Bytes& bytes) : bytes_(bytes) {}

  Network<T> network() {
    for (int inputs = 1 + bytes_.choice(3); inputs > 0; --inputs) {
      const bool is_ids = bytes_.choice(4) == 0; // not too many, as each is checked
      tensors_.push_back(is_ids ? network_.add_ids(1 + bytes_.choice(200)) : network_.add_input(bytes_.size()));
    }
    for (int nodes = bytes_.choice(12); nodes > 0; --nodes) tensors_.push_back(add_node());
    std::vector<Index> outputs;
    for (int count = 1 + bytes_.choice(2); count > 0; --count) outputs.push_back(tensor());
    network_.finish(outputs);
    return network_;
  }

private:
  /// The latest tensor, or any other, or one that may not exist.
  Index tensor() {
    switch (bytes_.choice(8)) {
    case 0: return bytes_.take<std::int8_t>();
    case 1:
    case 2: return tensors_[static_cast<std::size_t>(bytes_.choice(static_cast<int>(tensors_.size())))];
    default: return tensors_.back();
    }
  }
  Index columns(Index tensor) { return network_.checked_shape(tensor).columns; }

  /// An existing variable, or a new one of this shape or another.
  SharedVariable<T> variable(Index rows, Index columns, bool is_vector) {
    if (!variables_.empty() && bytes_.choice(8) == 0) {
      return variables_[static_cast<std::size_t>(bytes_.choice(static_cast<int>(variables_.size())))];
    }
    if (bytes_.choice(16) == 0) rows = bytes_.size();
    if (bytes_.choice(16) == 0) columns = bytes_.size();
    if (bytes_.choice(16) == 0) is_vector = !is_vector;
    auto made = is_vector ? std::make_shared<Variable<T>>(columns) : std::make_shared<Variable<T>>(rows, columns);
    const T value = static_cast<T>(bytes_.number());
    for (Index i = 0; i < made->rows(); ++i) {
      for (Index j = 0; j < made->columns(); ++j) {
        made->values().at(i, j) = value * static_cast<T>((i * 7 + j * 3) % 11 - 5);
      }
    }
    if (bytes_.flag()) made->regularizer = {bytes_.number(), bytes_.number()};
    if (bytes_.flag()) {
      made->constraint = {one_of<ops::Constraint::Kind>(bytes_, 3), bytes_.number(), bytes_.number(), bytes_.number()};
    }
    variables_.push_back(made);
    return made;
  }
  SharedVariable<T> vector(Index x) { return variable(1, columns(x), true); }
  SharedVariable<T> vector_or_none(Index x) { return bytes_.flag() ? vector(x) : nullptr; }

  std::shared_ptr<ops::RandomState> random() {
    if (randoms_.empty() || bytes_.flag()) {
      randoms_.push_back(std::make_shared<ops::RandomState>(bytes_.take<std::uint64_t>()));
      randoms_.back()->steps = bytes_.take<std::uint64_t>();
    }
    return randoms_.back();
  }

  Index add_node() {
    const std::string name = "layer";
    const Index x = tensor();
    switch (bytes_.choice(16)) {
    case 0:
    case 1: {
      const Index units = bytes_.size();
      const SharedVariable<T> kernel = variable(columns(x), units, false);
      return network_.add_dense(name, x, kernel, bytes_.flag() ? variable(1, units, true) : nullptr, bytes_.flag());
    }
    case 2: {
      const auto parameter = [&] { return static_cast<T>(bytes_.number()); };
      ops::Activation<T> activation{one_of<kernels::Activation>(bytes_, kernels::activation_count), {}};
      if (bytes_.flag()) activation.parameters = {parameter(), parameter(), parameter(), parameter(), parameter()};
      return network_.add_activation(name, x, activation);
    }
    case 3: return network_.add_softmax(name, x);
    case 4: return network_.add_log_softmax(name, x);
    case 5: {
      const double scale = bytes_.number();
      return network_.add_rescaling(name, x, scale, bytes_.number());
    }
    case 6: {
      const double rate = bytes_.number();
      return network_.add_dropout(name, x, rate, random());
    }
    case 7: {
      const double deviation = bytes_.number();
      return network_.add_gaussian_noise(name, x, deviation, random());
    }
    case 8: {
      const SharedVariable<T> gamma = vector_or_none(x), beta = vector_or_none(x), mean = vector(x),
                              variance = vector(x);
      const double momentum = bytes_.number(), epsilon = bytes_.number();
      return network_.add_batch_normalization(name, x, gamma, beta, {mean, variance, momentum, epsilon}, bytes_.flag());
    }
    case 9: {
      const SharedVariable<T> gamma = vector_or_none(x), beta = vector_or_none(x);
      const double epsilon = bytes_.number();
      return network_.add_layer_normalization(name, x, gamma, beta, epsilon, bytes_.flag());
    }
    case 10: return network_.add_embedding(name, x, variable(bytes_.size(), bytes_.size(), false), bytes_.flag());
    case 11: {
      std::vector<Index> operands{x};
      for (int more = bytes_.choice(4); more > 0; --more) operands.push_back(tensor());
      return network_.add_concatenate(name, operands);
    }
    case 12: return network_.add_merge(name, x, tensor(), one_of<ops::Merge>(bytes_, kernels::merge_count));
    case 13: return network_.add_dot(name, x, tensor());
    case 14: {
      const SampleShape from = network_.checked_shape(x);
      const bool reshapes = bytes_.flag();
      const Index size = checked_product(from.rows, from.columns);
      const SampleShape to = reshapes ? SampleShape{size, 1} : SampleShape{bytes_.choice(4), bytes_.choice(40)};
      if (size > 4096) return x;
      std::vector<Index> source;
      for (Index i = 0; i < to.rows * to.columns; ++i) source.push_back(reshapes ? i : bytes_.take<std::int8_t>());
      return network_.add_rearrangement(name, x, source, to);
    }
    default: return network_.add_global_pooling(name, x, bytes_.flag() ? ops::Pooling::average : ops::Pooling::maximum);
    }
  }

  Bytes& bytes_;
  Network<T> network_;
  std::vector<Index> tensors_;
  std::vector<SharedVariable<T>> variables_;
  std::vector<std::shared_ptr<ops::RandomState>> randoms_;
};

/// An array of any type and strides, as NumPy allows.
class Array {
public:
  Array(Bytes& bytes, Index rows, Index columns, int types) {
    constexpr Index sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8};
    view_.type = one_of<ElementType>(bytes, types);
    const Index size = sizes[static_cast<int>(view_.type)];
    view_.rows = rows;
    view_.features = columns;
    const bool repeats = columns > 64 || bytes.choice(4) == 0, by_column = bytes.flag();
    view_.feature_stride = repeats ? 0 : by_column ? rows * size : size;
    view_.row_stride = bytes.choice(4) == 0 ? 0 : repeats || by_column ? size : columns * size;
    const Index step = bytes.choice(3) - 1; // negative strides
    if (step < 0) view_.row_stride = -view_.row_stride;
    const Index last_row = std::max(rows - 1, Index(0)) * view_.row_stride;
    const Index length = std::abs(last_row) + (columns - 1) * view_.feature_stride + size;
    const Index misaligned = bytes.choice(2);
    memory_.resize(
        static_cast<std::size_t>(length + misaligned)); // to the byte, so that AddressSanitizer sees accesses beyond it
    const bool is_small = bytes.flag();
    for (std::byte& each : memory_) each = static_cast<std::byte>(is_small ? bytes.choice(4) : bytes.choice(256));
    view_.data = memory_.data() + misaligned + (step < 0 ? std::abs(last_row) : 0);
  }
  const Samples& view() const { return view_; }

private:
  std::vector<std::byte> memory_;
  Samples view_{};
};

ops::Optimizer make_optimizer(Bytes& bytes) {
  ops::Optimizer result;
  result.rule = one_of<ops::Rule>(bytes, static_cast<int>(ops::Rule::lion) + 1);
  result.nesterov = bytes.flag();
  for (double* option : {&result.learning_rate, &result.momentum, &result.rho, &result.beta_1, &result.beta_2,
                         &result.epsilon, &result.initial_slot}) {
    *option = bytes.number();
  }
  if (bytes.flag()) {
    for (double* option : {&result.weight_decay, &result.clip_value, &result.clip_norm, &result.global_clip_norm}) {
      if (bytes.flag()) *option = bytes.number();
    }
    result.accumulation = bytes.choice(4) == 0 ? bytes.size() : 1;
  }
  if (bytes.flag()) {
    result.averages = true;
    result.average_momentum = bytes.number();
    result.overwrite_frequency = bytes.flag() ? bytes.size() : 0;
  }
  return result;
}

Loss make_loss(Bytes& bytes) {
  Loss loss{one_of<Loss::Kind>(bytes, 3)};
  loss.pointwise = one_of<ops::PointwiseLoss>(bytes, kernels::pointwise_loss_count);
  if (bytes.flag()) loss.parameters = {bytes.number(), bytes.number(), bytes.number(), bytes.number()};
  if (bytes.flag()) {
    loss.target_scale = bytes.number();
    loss.target_offset = bytes.number();
  }
  loss.reduction = one_of<Loss::Reduction>(bytes, 3);
  if (bytes.flag()) loss.ignored_class = bytes.take<std::int8_t>();
  return loss;
}

/// Calls f, which may throw these exceptions.
template <class F> void attempt(F f) {
  try {
    f();
  } catch (const std::invalid_argument&) {
  } catch (const std::bad_alloc&) {
  } catch (const NonFinite&) {
  } catch (const Busy&) { // a variable occurs twice in the network
  }
}

template <class T> void run(Bytes& bytes) {
  const Network<T> network = Maker<T>(bytes).network();
  constexpr int integers = static_cast<int>(ElementType::int64) + 1;
  const Index rows = bytes.choice(24);
  std::vector<Array> arrays;
  arrays.reserve(8); // so that their memory stays in place
  Dataset<T> data{rows, {}, {}};
  for (const Input<T>& input : network.inputs()) {
    arrays.emplace_back(bytes, rows, input.columns, input.is_ids ? integers : kernels::element_type_count);
    data.x.push_back(arrays.back().view());
  }
  std::vector<T> weights(static_cast<std::size_t>(rows));
  for (T& weight : weights) weight = static_cast<T>(bytes.number());
  std::vector<Head> heads;
  std::vector<AlignedBuffer<T>> outs;
  std::vector<T*> out;
  for (std::size_t output = 0; output < network.outputs().size(); ++output) {
    const Loss loss = make_loss(bytes);
    const bool ids = loss.kind != Loss::Kind::pointwise && bytes.flag();
    const Index size = network.output_size(output);
    outs.emplace_back(checked_product(rows, size));
    out.push_back(outs.back().data());
    if (output > 0 && bytes.choice(4) == 0) continue; // an output without a loss
    heads.push_back({output, loss, bytes.flag() ? bytes.number() : 1});
    arrays.emplace_back(bytes, rows, ids ? 1 : size, ids ? integers : kernels::element_type_count);
    data.y.push_back({arrays.back().view(), ids, bytes.flag() ? weights.data() : nullptr});
  }

  Index told = 0;
  const Observer observer{[&](const Totals&) { return ++told < 20; }, bytes.flag()};
  Trainer<T> trainer(network, heads);
  do {
    switch (bytes.choice(8)) {
    case 0: attempt([&] { trainer.check(data); }); break;
    case 1: attempt([&] { trainer.evaluate(data, bytes.size(), observer); }); break;
    case 2: attempt([&] { trainer.finish(); }); break;
    case 3: trainer.outputs(0); break;
    case 4:
    case 5:
      attempt([&] {
        if (bytes.flag()) return predict(network, rows, data.x.data(), out.data(), observer);
        forward_training(network, rows, data.x.data(), out.data());
      });
      break;
    default:
      attempt([&] {
        EpochOptions options{bytes.size(), bytes.flag(), bytes.take<std::uint32_t>(), 0, make_optimizer(bytes)};
        options.staged = bytes.flag();
        if (bytes.choice(4) == 0) options.learning_rates.assign(static_cast<std::size_t>(bytes.choice(24)), 1e-2);
        trainer.train_epoch(data, options, observer);
      });
    }
  } while (!bytes.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  attempt([&] { bytes.flag() ? run<double>(bytes) : run<float>(bytes); });
  return 0;
}
