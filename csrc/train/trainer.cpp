#include "train/trainer.hpp"

#include "core/errors.hpp"
#include "ops/random.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace cnet {

namespace {

/// Rows that evaluate() and predict() take through the layers at a time, so that they stay in cache.
constexpr Index block_rows = 128;

/// Tells the observer when it wants to be told.
class Pulse {
public:
  explicit Pulse(const Observer& observer) : observer_(observer) {}

  /// False when the observer wants to stop.
  bool operator()(const Totals& totals) {
    if (observer_.every_batch) return observer_.tell(totals);
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return true;
    next_ = now + interval;
    return observer_.tell(totals);
  }

private:
  static constexpr std::chrono::milliseconds interval{50};
  const Observer& observer_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + interval;
};

/// Holds the flag for its lifetime, or throws Busy.
class Exclusive {
public:
  explicit Exclusive(std::atomic_flag& flag) : flag_(flag) {
    if (flag_.test_and_set(std::memory_order_acquire)) throw Busy("the model is in use by another call");
  }
  ~Exclusive() { flag_.clear(std::memory_order_release); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

private:
  std::atomic_flag& flag_;
};

/// The first greatest value of a row, or its first NaN, as NumPy has it.
template <class T> Index argmax(PanelView<const T> x, Index row) {
  Index best = 0;
  for (Index j = 0; j < x.columns; ++j) {
    const T value = x.at(row, j);
    if (std::isnan(value)) return j;
    if (value > x.at(row, best)) best = j;
  }
  return best;
}

template <class T> bool is_finite(PanelView<const T> x) {
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.columns; ++j) {
      if (!std::isfinite(x.at(i, j))) return false;
    }
  }
  return true;
}

} // namespace

template <class T>
Trainer<T>::Trainer(std::shared_ptr<const Network<T>> network, Loss loss) : network_(std::move(network)), loss_(loss) {}

template <class T> void Trainer<T>::reserve(Index rows) {
  if (rows <= workspace_.capacity()) return;
  workspace_ = Workspace<T>(*network_, rows);
  probabilities_ = PanelMatrix<T>(rows, network_->outputs());
  distribution_ = PanelMatrix<T>(rows, network_->outputs());
  ids_ = AlignedBuffer<Index>(rows);
  losses_ = AlignedBuffer<T>(rows);
}

template <class T> void Trainer<T>::check(const Dataset& data) const {
  if (!data.ids) return;
  std::array<Index, 256> ids;
  for (Index first = 0; first < data.y.rows; first += Index(ids.size())) {
    const Index count = std::min(Index(ids.size()), data.y.rows - first);
    gather_ids(data.y, {nullptr, first, count}, network_->outputs(), ids.data());
  }
}

template <class T>
typename Trainer<T>::Batch Trainer<T>::load(const Dataset& data, Selection selection, Workspace<T>& workspace) {
  const Index rows = selection.count;
  gather(data.x, selection, network_->input_scale(), network_->input_offset(), workspace.output(-1, rows));
  if (data.ids) {
    gather_ids(data.y, selection, network_->outputs(), ids_.data());
    return {rows, {ids_.data(), {}}};
  }
  gather(data.y, selection, T(1), T(0), distribution_.view(rows));
  return {rows, {nullptr, distribution_.view(rows)}};
}

template <class T> void Trainer<T>::forward_and_loss(const Batch& batch, Workspace<T>& workspace, Totals& totals) {
  const Index rows = batch.rows;
  const RowRange all{0, rows};
  for (Index l = 0; l <= top(); ++l) {
    forward<T>(network_->layers()[static_cast<std::size_t>(l)], workspace.output(l - 1, rows), all,
               workspace.output(l, rows));
  }
  const PanelView<const T> outputs = workspace.output(top(), rows);
  PanelView<const T> predictions = outputs;
  if (loss_ == Loss::cross_entropy && !fused()) {
    ops::cross_entropy_forward<T>(outputs, batch.targets, all, losses_.data());
  } else {
    const PanelView<T> probabilities = probabilities_.view(rows);
    ops::softmax_cross_entropy_forward<T>(outputs, batch.targets, all, probabilities, losses_.data());
    if (fused()) predictions = probabilities;
  }
  for (Index i = 0; i < rows; ++i) {
    totals.loss += static_cast<double>(losses_.data()[i]);
    const Index target = batch.targets.ids ? batch.targets.ids[i] : argmax<T>(batch.targets.distribution, i);
    totals.correct += argmax(predictions, i) == target;
  }
  totals.rows += rows;
  totals.batches += 1;
}

template <class T> void Trainer<T>::loss_gradient(const Batch& batch, Workspace<T>& workspace) {
  if (top() < 0) return;
  const RowRange all{0, batch.rows};
  const PanelView<T> gradient = workspace.gradient(top(), batch.rows);
  if (loss_ == Loss::cross_entropy && !fused()) {
    ops::cross_entropy_backward<T>(workspace.output(top(), batch.rows), batch.targets, batch.rows, all, gradient);
  } else {
    ops::softmax_cross_entropy_backward<T>(probabilities_.view(batch.rows), batch.targets, batch.rows, all, gradient);
  }
}

template <class T> std::string Trainer<T>::first_not_finite(Index rows, Workspace<T>& workspace) const {
  if (!is_finite<T>(workspace.output(-1, rows))) return "the input is not finite";
  for (Index l = 0; l <= top(); ++l) {
    if (is_finite<T>(workspace.output(l, rows))) continue;
    return "the first output that is not finite is that of layer '" +
           network_->layers()[static_cast<std::size_t>(l)].name + "'";
  }
  return "each layer's output is finite";
}

template <class T>
Totals Trainer<T>::train_epoch(const Dataset& data, const EpochOptions& options, const Observer& observer) {
  const Exclusive exclusive(busy_);
  const Index samples = data.x.rows;
  reserve(std::min(options.batch_size, samples));
  if (slots_.layers.empty() || slots_.count != options.optimizer.slots()) {
    const Index steps = slots_.steps;
    slots_ = Slots<T>(*network_, options.optimizer.slots());
    slots_.steps = steps;
  }
  std::vector<std::uint32_t> order;
  if (options.shuffle) {
    order.resize(static_cast<std::size_t>(samples));
    random::permutation({options.seed, options.epoch}, samples, order.data());
  }

  Totals totals;
  Pulse pulse(observer);
  for (Index first = 0; first < samples; first += options.batch_size) {
    const Index count = std::min(options.batch_size, samples - first);
    const Batch batch = load(data, {options.shuffle ? order.data() : nullptr, first, count}, workspace_);
    forward_and_loss(batch, workspace_, totals);
    if (!std::isfinite(totals.loss)) {
      throw NonFinite("the loss is not finite at batch " + std::to_string(totals.batches) + ": " +
                      first_not_finite(count, workspace_));
    }
    loss_gradient(batch, workspace_);
    backward(*network_, workspace_, top(), count, {0, count});
    update(*network_, workspace_, top(), count, options.optimizer, slots_);
    if (!pulse(totals)) break;
  }
  return totals;
}

template <class T> Totals Trainer<T>::evaluate(const Dataset& data, Index batch_size, const Observer& observer) {
  const Exclusive exclusive(busy_);
  const Index samples = data.x.rows;
  // The results do not depend on the batch size; the memory that they take does.
  const Index rows = std::min({batch_size, samples, block_rows});
  reserve(rows);
  Totals totals;
  Pulse pulse(observer);
  for (Index first = 0; first < samples; first += rows) {
    const Batch batch = load(data, {nullptr, first, std::min(rows, samples - first)}, workspace_);
    forward_and_loss(batch, workspace_, totals);
    if (!pulse(totals)) break;
  }
  return totals;
}

template <class T> void predict(const Network<T>& network, const Samples& samples, T* out, const Observer& observer) {
  Index widest = network.inputs();
  for (const Layer<T>& layer : network.layers()) widest = std::max(widest, layer.outputs);
  const Index capacity = std::min(block_rows, samples.rows);
  PanelMatrix<T> buffers[] = {{capacity, widest}, {capacity, widest}};

  Totals totals;
  Pulse pulse(observer);
  for (Index first = 0; first < samples.rows; first += capacity) {
    const Index rows = std::min(capacity, samples.rows - first);
    int current = 0;
    const auto view = [&](int buffer, Index columns) {
      return PanelView<T>{buffers[buffer].view().data, rows, columns};
    };
    PanelView<T> x = view(current, network.inputs());
    gather(samples, {nullptr, first, rows}, network.input_scale(), network.input_offset(), x);
    for (const Layer<T>& layer : network.layers()) {
      current = 1 - current;
      const PanelView<T> y = view(current, layer.outputs);
      forward<T>(layer, x, {0, rows}, y);
      x = y;
    }
    unpack<T>(x, {out + first * x.columns, rows, x.columns});
    totals.rows += rows;
    if (!pulse(totals)) break;
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Trainer<T>;                                                                                           \
  template void predict(const Network<T>&, const Samples&, T*, const Observer&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
