// Builds and trains networks from fuzzed bytes, as from a model file: any layers, shared and mismatched variables,
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

/// Makes layers that may share variables and random states.
template <class T> class Maker {
public:
  explicit Maker(Bytes& bytes) : bytes_(bytes), network_(bytes.size()) {}

  Network<T> network() {
    for (int layers = bytes_.choice(8); layers > 0; --layers) add_layer();
    return network_;
  }

private:
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
  SharedVariable<T> vector() { return variable(1, network_.outputs(), true); }
  SharedVariable<T> vector_or_none() { return bytes_.flag() ? vector() : nullptr; }

  std::shared_ptr<ops::RandomState> random() {
    if (randoms_.empty() || bytes_.flag()) {
      randoms_.push_back(std::make_shared<ops::RandomState>(bytes_.take<std::uint64_t>()));
      randoms_.back()->steps = bytes_.take<std::uint64_t>();
    }
    return randoms_.back();
  }

  void add_layer() {
    const std::string name = "layer";
    switch (bytes_.choice(10)) {
    case 0:
    case 1: {
      const Index units = bytes_.size();
      const SharedVariable<T> kernel = variable(network_.outputs(), units, false);
      return network_.add_dense(name, kernel, bytes_.flag() ? variable(1, units, true) : nullptr, bytes_.flag());
    }
    case 2: {
      const auto parameter = [&] { return static_cast<T>(bytes_.number()); };
      ops::Activation<T> activation{one_of<kernels::Activation>(bytes_, kernels::activation_count), {}};
      if (bytes_.flag()) activation.parameters = {parameter(), parameter(), parameter(), parameter(), parameter()};
      return network_.add_activation(name, activation);
    }
    case 3: return network_.add_softmax(name);
    case 4: return network_.add_log_softmax(name);
    case 5: {
      const double scale = bytes_.number();
      return network_.add_rescaling(name, scale, bytes_.number());
    }
    case 6: {
      const double rate = bytes_.number();
      return network_.add_dropout(name, rate, random());
    }
    case 7: {
      const double deviation = bytes_.number();
      return network_.add_gaussian_noise(name, deviation, random());
    }
    case 8: {
      const SharedVariable<T> gamma = vector_or_none(), beta = vector_or_none(), mean = vector(), variance = vector();
      const double momentum = bytes_.number(), epsilon = bytes_.number();
      return network_.add_batch_normalization(name, gamma, beta, {mean, variance, momentum, epsilon}, bytes_.flag());
    }
    default: {
      const SharedVariable<T> gamma = vector_or_none(), beta = vector_or_none();
      const double epsilon = bytes_.number();
      return network_.add_layer_normalization(name, gamma, beta, epsilon, bytes_.flag());
    }
    }
  }

  Bytes& bytes_;
  Network<T> network_;
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
  const Loss loss = make_loss(bytes);
  const bool ids = loss.kind != Loss::Kind::pointwise && bytes.flag();
  constexpr int integers = static_cast<int>(ElementType::int64) + 1;
  const Index rows = bytes.choice(24), classes = ids ? 1 : network.outputs();
  const Array x(bytes, rows, network.inputs(), kernels::element_type_count),
      y(bytes, rows, classes, ids ? integers : kernels::element_type_count);
  std::vector<T> weights(static_cast<std::size_t>(rows));
  for (T& weight : weights) weight = static_cast<T>(bytes.number());
  const Dataset<T> data{x.view(), y.view(), ids, bytes.flag() ? weights.data() : nullptr};

  Index told = 0;
  const Observer observer{[&](const Totals&) { return ++told < 20; }, bytes.flag()};
  Trainer<T> trainer(network, loss);
  do {
    switch (bytes.choice(8)) {
    case 0: attempt([&] { trainer.check(data); }); break;
    case 1: attempt([&] { trainer.evaluate(data, bytes.size(), observer); }); break;
    case 2: attempt([&] { trainer.finish(); }); break;
    case 3: trainer.outputs(); break;
    case 4:
    case 5:
      attempt([&] {
        AlignedBuffer<T> out(checked_product(rows, network.outputs()));
        if (bytes.flag()) return predict(network, x.view(), out.data(), observer);
        forward_training(network, x.view(), out.data());
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
