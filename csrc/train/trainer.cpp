#include "train/trainer.hpp"

#include "core/errors.hpp"
#include "ops/random.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <exception>
#include <mutex>

namespace cnet {

namespace {

/// Rows of a batch whose gradients take so long that Ctrl-C must be heard meanwhile: they are stored
/// first, so that what is interrupted leaves the weights alone.
constexpr Index staged_rows = 2048;

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

/// The first exception of any thread of a crew.
class Failure {
public:
  /// Calls f and keeps what it throws.
  template <class F> void guard(F f) {
    try {
      f();
    } catch (...) {
      set(std::current_exception());
    }
  }
  void set(std::exception_ptr error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error_) error_ = std::move(error);
    any_.store(true);
  }
  explicit operator bool() const { return any_.load(); }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

private:
  std::mutex mutex_;
  std::exception_ptr error_;
  std::atomic<bool> any_{false};
};

/// Multiply-adds of one sample's way through the network.
template <class T> double multiply_adds(const Network<T>& network) {
  double count = 0;
  for (const Layer<T>& layer : network.layers()) {
    if (layer.parameters) count += static_cast<double>(layer.parameters->inputs() * layer.outputs);
  }
  return count;
}

/// Holds what training writes, for its lifetime; throws Busy if another call does.
template <class T> class Exclusive {
public:
  Exclusive(std::atomic_flag& trainer, const Network<T>& network) {
    take(trainer);
    for (const Layer<T>& layer : network.layers()) {
      if (layer.parameters) take(layer.parameters->in_training);
    }
  }
  ~Exclusive() { release(); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

private:
  void take(std::atomic_flag& flag) {
    if (flag.test_and_set(std::memory_order_acquire)) {
      release();
      throw Busy("the model is in use by another call");
    }
    taken_.push_back(&flag);
  }
  void release() {
    for (std::atomic_flag* flag : taken_) flag->clear(std::memory_order_release);
    taken_.clear();
  }

  std::vector<std::atomic_flag*> taken_;
};

template <class T> bool is_finite(PanelView<const T> x) {
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.columns; ++j) {
      if (!std::isfinite(x.at(i, j))) return false;
    }
  }
  return true;
}

} // namespace

template <class T> void Trainer<T>::reserve(Index rows, int threads, bool own_inputs) {
  const Workspace<T>& present = buffers_.workspace;
  const bool enough = rows <= present.capacity() && static_cast<std::size_t>(threads) <= present.threads();
  if (enough && present.own_inputs() == own_inputs) return;
  buffers_ = Buffers(network_, std::max(rows, present.capacity()), threads, own_inputs);
}

template <class T> void Trainer<T>::check(const Dataset& data) const {
  if (!data.ids) return;
  std::array<Index, 256> ids;
  for (Index first = 0; first < data.y.rows; first += Index(ids.size())) {
    const Index count = std::min(Index(ids.size()), data.y.rows - first);
    gather_ids(data.y, {nullptr, first}, network_.outputs(), {0, count}, ids.data());
  }
}

template <class T> ops::Targets<T> Trainer<T>::targets(Index batch) {
  if (has_ids_) return {buffers_.ids.data(), {}};
  return {nullptr, buffers_.distribution.view(batch)};
}

template <class T> void Trainer<T>::load_labels(const Dataset& data, Selection selection, RowRange rows, Index batch) {
  if (data.ids) {
    gather_ids(data.y, selection, network_.outputs(), rows, buffers_.ids.data());
  } else {
    gather(data.y, selection, T(1), T(0), rows, buffers_.distribution.view(batch));
  }
}

template <class T> void Trainer<T>::loss(const Batch<T>& batch, RowRange rows) {
  const PanelView<const T> outputs = batch.output(top());
  PanelView<const T> predictions = outputs;
  if (loss_ == Loss::cross_entropy && !fused()) {
    ops::cross_entropy_forward<T>(outputs, targets(batch.rows()), rows, buffers_.losses.data());
  } else {
    const PanelView<T> probabilities = buffers_.probabilities.view(batch.rows());
    ops::softmax_cross_entropy_forward<T>(outputs, targets(batch.rows()), rows, probabilities, buffers_.losses.data());
    if (fused()) predictions = probabilities;
  }
  ops::accuracy<T>(predictions, targets(batch.rows()), rows, buffers_.correct.data());
}

template <class T> void Trainer<T>::loss_gradient(const Batch<T>& batch, RowRange rows) {
  if (top() < 0) return;
  const PanelView<T> gradient = batch.gradient(top());
  if (loss_ == Loss::cross_entropy && !fused()) {
    ops::cross_entropy_backward<T>(batch.output(top()), targets(batch.rows()), batch.rows(), rows, gradient);
  } else {
    ops::softmax_cross_entropy_backward<T>(buffers_.probabilities.view(batch.rows()), targets(batch.rows()),
                                           batch.rows(), rows, gradient);
  }
  backward_activation(network_, batch, top(), rows);
}

template <class T> auto Trainer<T>::stages(Index batch_size, int threads, bool training) const -> std::vector<Stage> {
  using Kind = typename Stage::Kind;
  const auto layer = [&](Index l) -> const Layer<T>& { return network_.layers()[static_cast<std::size_t>(l)]; };
  const auto split = [&](Index l, Index columns) {
    const bool dense = layer(l).kind == LayerKind::dense;
    return dense ? split_of<T>(batch_size, columns, threads, training) : Split::rows;
  };
  std::vector<Stage> stages{{Kind::input, -1, Split::rows}};
  for (Index l = 0; l <= top(); ++l) stages.push_back({Kind::forward, l, split(l, layer(l).outputs)});
  // Whoever reads all rows may as well gather them: the user's array is no farther than another core's cache.
  if (top() >= 0 && stages[1].split == Split::columns) stages[0].split = Split::none;
  stages.push_back({Kind::labels, top(), Split::rows});
  stages.push_back({Kind::loss, top(), Split::rows});
  if (!training) return stages;
  stages.push_back({Kind::loss_gradient, top(), Split::rows});
  for (Index l = top(); l > lowest_trainable(network_); --l) {
    stages.push_back({Kind::backward, l, split(l, layer(l - 1).outputs)});
  }
  return stages;
}

template <class T> PanelView<T> Trainer<T>::result(const Stage& stage, const Batch<T>& batch) const {
  return stage.kind == Stage::Kind::backward ? batch.gradient(stage.layer - 1) : batch.output(stage.layer);
}

template <class T> Tiling Trainer<T>::columns_tiling_of(const Stage& stage, const Batch<T>& batch) const {
  const PanelView<T> matrix = result(stage, batch);
  // A kernel is transposed once for each piece of a gradient.
  if (stage.kind == Stage::Kind::backward) return {matrix.rows, matrix.panels(), batch.rows(), batch.rows()};
  return columns_tiling(matrix, batch.output(stage.layer - 1).columns);
}

template <class T>
void Trainer<T>::perform(const Stage& stage, const Dataset& data, Selection selection, const Batch<T>& batch,
                         Block block) {
  using Kind = typename Stage::Kind;
  const RowRange rows{block.first, block.last};
  const Index l = stage.layer;
  if (stage.split == Split::rows) block = across(result(stage, batch), rows);
  switch (stage.kind) {
  case Kind::input:
    return gather(data.x, selection, network_.input_scale(), network_.input_offset(), rows, batch.output(-1));
  case Kind::forward:
    return forward<T>(network_.layers()[static_cast<std::size_t>(l)], batch.output(l - 1), block, batch.output(l));
  case Kind::labels: return load_labels(data, selection, rows, batch.rows());
  case Kind::loss: return loss(batch, rows);
  case Kind::loss_gradient: return loss_gradient(batch, rows);
  case Kind::backward: return backward(network_, batch, l, block);
  }
}

template <class T> void Trainer<T>::add(Index rows, Totals& totals) const {
  for (Index i = 0; i < rows; ++i) {
    totals.loss += static_cast<double>(buffers_.losses.data()[i]);
    totals.correct += buffers_.correct.data()[i];
  }
  totals.rows += rows;
  totals.batches += 1;
}

template <class T> std::string Trainer<T>::first_not_finite(const Batch<T>& batch) const {
  if (!is_finite<T>(batch.output(-1))) return "the input is not finite";
  for (Index l = 0; l <= top(); ++l) {
    if (is_finite<T>(batch.output(l))) continue;
    return "the first output that is not finite is that of layer '" +
           network_.layers()[static_cast<std::size_t>(l)].name + "'";
  }
  return "each layer's output is finite";
}

template <class T>
Totals Trainer<T>::run(const Dataset& data, Index batch_size, const std::uint32_t* order, const EpochOptions* training,
                       const Observer& observer) {
  const Index samples = data.x.rows;
  has_ids_ = data.ids;
  const double passes = training ? 3 : 1;
  const int threads = threads_for(passes * multiply_adds(network_) * static_cast<double>(batch_size), worth_waiting);
  const std::vector<Stage> stages = this->stages(batch_size, threads, training);
  reserve(batch_size, threads, stages[0].split == Split::none);
  const bool staged = training && (training->staged || batch_size > staged_rows);
  if (staged && gradients_.layers.empty()) gradients_ = Gradients<T>(network_);

  Totals result;
  // Each is written on one side of a barrier and read on the other, so that all threads read the same:
  // one that went on to the other's barrier would wait there for ever.
  Failure failure;      // of the work on rows
  Failure observers;    // what the observer threw
  bool stopped = false; // by the observer
  bool enough = false;  // it has said so in the middle of a batch; the first thread's alone
  Pulse pulse(observer);

  Deal deal(threads, stages.size() + network_.layers().size() * 2);
  const auto work = [&](Crew& crew, int thread) {
    Hand hand(deal, {thread, crew.size()});
    Totals totals; // each thread adds up the same, and so comes to the same decisions
    for (Index first = 0; first < samples; first += batch_size) {
      const Index rows = std::min(batch_size, samples - first);
      const Batch<T> batch(buffers_.workspace, rows, thread);
      hand.begin();

      const auto perform_stages = [&](auto from, auto to, Block block) {
        if (failure) return;
        failure.guard([&] {
          for (auto stage = from; stage != to; ++stage) perform(*stage, data, {order, first}, batch, block);
          // Ctrl-C need not wait for a large batch.
          if (thread == 0 && !observer.every_batch && !pulse(totals)) enough = true;
        });
      };
      const auto by_rows = [](const Stage& stage) { return stage.split == Split::rows; };
      for (auto stage = stages.begin(), end = stage; stage != stages.end(); stage = end) {
        end = by_rows(*stage) ? std::find_if_not(stage, stages.end(), by_rows) : stage + 1;
        const auto perform_piece = [&](Block piece) { perform_stages(stage, end, piece); };
        switch (stage->split) {
        case Split::rows: hand.each(rows_tiling(rows, crew.size()), perform_piece); break;
        case Split::columns: hand.each(columns_tiling_of(*stage, batch), perform_piece); break;
        case Split::none: perform_piece({0, rows, 0, 0}); continue;
        }
        crew.barrier();
      }
      if (failure) break;
      const Totals before = totals;
      add(rows, totals);
      if (training) {
        if (!std::isfinite(totals.loss)) break;
        const ops::Update<T> rule(training->optimizer, slots_.steps + totals.batches);
        if (staged) {
          make_gradients(network_, batch, top(), gradients_, hand, [&] {
            if (thread == 0 && !observer.every_batch) failure.guard([&] { enough |= !pulse(before); });
            return !failure;
          });
          crew.barrier();
          if (failure) {
            totals = before;
            break;
          }
          apply_gradients(network_, top(), gradients_, rule, slots_, hand);
        } else {
          update(network_, batch, top(), rule, slots_, hand);
        }
      }
      if (observer.every_batch) crew.barrier(); // a hook may look at the weights
      if (thread == 0) observers.guard([&] { stopped = !pulse(totals) || enough; });
      crew.barrier();
      if (stopped || observers) break;
    }
    if (thread == 0) result = totals;
  };
  run_parallel(threads, work);

  const bool finite = !training || std::isfinite(result.loss);
  if (training) slots_.steps += result.batches - (finite ? 0 : 1);
  failure.rethrow();
  observers.rethrow();
  if (!finite) {
    const Batch<T> batch(buffers_.workspace, result.rows - (result.batches - 1) * batch_size, 0);
    throw NonFinite("the loss is not finite at batch " + std::to_string(result.batches) + ": " +
                    first_not_finite(batch));
  }
  return result;
}

template <class T>
Totals Trainer<T>::train_epoch(const Dataset& data, const EpochOptions& options, const Observer& observer) {
  const Exclusive<T> exclusive(busy_, network_);
  const Index batch_size = std::min(options.batch_size, data.x.rows);
  if (slots_.layers.empty() || slots_.count != options.optimizer.slots()) {
    const Index steps = slots_.steps;
    slots_ = Slots<T>(network_, options.optimizer.slots());
    slots_.steps = steps;
  }
  std::vector<std::uint32_t> order;
  if (options.shuffle) {
    order.resize(static_cast<std::size_t>(data.x.rows));
    random::permutation({options.seed, options.epoch}, data.x.rows, order.data());
  }
  return run(data, batch_size, options.shuffle ? order.data() : nullptr, &options, observer);
}

template <class T> Totals Trainer<T>::evaluate(const Dataset& data, Index batch_size, const Observer& observer) {
  const Exclusive<T> exclusive(busy_, network_);
  // The results do not depend on the batch size; the memory that they take does.
  const Index rows = std::min({batch_size, data.x.rows, block_rows * thread_limit()});
  return run(data, rows, nullptr, nullptr, observer);
}

namespace {

/// Two matrices that take turns as a layer's input and its output, until the next two are made on the
/// same thread.
template <class T> class Turns {
public:
  Turns(const Network<T>& network, Index rows) {
    Index widest = network.inputs();
    for (const Layer<T>& layer : network.layers()) widest = std::max(widest, layer.outputs);
    const Index size = checked_product(rows, panel_count<T>(widest) * panel_width<T>);
    thread_local std::array<AlignedBuffer<T>, 2> kept;
    for (std::size_t n = 0; n < 2; ++n) {
      AlignedBuffer<T>& buffer = size <= most_kept ? kept[n] : own_[n];
      if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
      data_[n] = buffer.data();
    }
  }
  /// The matrix that layer l writes; l = −1 is the input.
  PanelView<T> output(const Network<T>& network, Index l, Index rows) const {
    const Index columns = l < 0 ? network.inputs() : network.layers()[static_cast<std::size_t>(l)].outputs;
    return {data_[static_cast<std::size_t>(l + 1) % 2], rows, columns};
  }

private:
  /// What a thread keeps, in numbers: fresh memory costs a page fault every four kilobytes.
  static constexpr Index most_kept = 1 << 19;

  std::array<AlignedBuffer<T>, 2> own_;
  std::array<T*, 2> data_;
};

/// Each thread takes a few rows through all layers, and then the next.
template <class T>
void predict_by_rows(const Network<T>& network, const Samples& samples, T* out, int threads, const Observer& observer) {
  const auto layers = static_cast<Index>(network.layers().size());
  const Index share = (samples.rows + threads - 1) / threads;
  const Index piece = std::clamp(share / 4, std::min(share, few_rows), block_rows);
  const Index capacity = std::min((piece + row_group - 1) / row_group * row_group, samples.rows);
  std::atomic<Index> next{0};
  Failure failure;
  Pulse pulse(observer);
  run_parallel(threads, [&](Crew&, int thread) {
    failure.guard([&] {
      Totals totals;
      while (!failure && totals.rows < samples.rows) {
        const Index first = next.fetch_add(capacity);
        if (first >= samples.rows) break;
        const RowRange rows{0, std::min(capacity, samples.rows - first)};
        const Turns<T> turns(network, capacity); // an observer may have called for others
        gather(samples, {nullptr, first}, network.input_scale(), network.input_offset(), rows,
               turns.output(network, -1, rows.last));
        for (Index l = 0; l < layers; ++l) {
          const PanelView<T> y = turns.output(network, l, rows.last);
          forward<T>(network.layers()[static_cast<std::size_t>(l)], turns.output(network, l - 1, rows.last),
                     across(y, rows), y);
        }
        const PanelView<T> y = turns.output(network, layers - 1, rows.last);
        unpack<T>(y, {out + first * y.columns, rows.last, y.columns});
        totals.rows = first + rows.last;
        if (thread == 0) pulse(totals);
      }
    });
  });
  failure.rethrow();
}

/// All threads work on each layer together: for rows that are too few to be dealt out.
template <class T> void predict_by_columns(const Network<T>& network, const Samples& samples, T* out, int threads) {
  const auto layers = static_cast<Index>(network.layers().size());
  const RowRange rows{0, samples.rows};
  const Turns<T> turns(network, rows.last);
  gather(samples, {nullptr, 0}, network.input_scale(), network.input_offset(), rows,
         turns.output(network, -1, rows.last));
  Deal deal(threads, network.layers().size());
  run_parallel(threads, [&](Crew& crew, int thread) {
    Hand hand(deal, {thread, crew.size()});
    hand.begin();
    for (Index l = 0; l < layers; ++l) {
      const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
      const PanelView<T> y = turns.output(network, l, rows.last);
      const PanelView<T> x = turns.output(network, l - 1, rows.last);
      const auto make = [&](Block block) { forward<T>(layer, x, block, y); };
      if (layer.kind == LayerKind::dense) {
        hand.each(columns_tiling(y, x.columns), make);
      } else if (thread == 0) {
        make(across(y, rows));
      }
      crew.barrier();
    }
  });
  const PanelView<T> y = turns.output(network, layers - 1, rows.last);
  unpack<T>(y, {out, rows.last, y.columns});
}

} // namespace

template <class T> void predict(const Network<T>& network, const Samples& samples, T* out, const Observer& observer) {
  const int threads = threads_for(multiply_adds(network) * static_cast<double>(samples.rows), worth_waking);
  if (threads > 1 && samples.rows < threads * few_rows) return predict_by_columns(network, samples, out, threads);
  predict_by_rows(network, samples, out, threads, observer);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template class Trainer<T>;                                                                                           \
  template void predict(const Network<T>&, const Samples&, T*, const Observer&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
