#pragma once

#include "network/update.hpp"
#include "train/lock_sets.hpp"
#include "train/losses.hpp"
#include "train/observer.hpp"
#include "train/plan.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cnet {

struct EpochOptions {
  Index batch_size;
  bool shuffle;
  std::uint64_t seed;
  std::uint32_t epoch; ///< determines the order of the samples, with the seed
  ops::Optimizer optimizer;
  bool staged = false;                  ///< store gradients before the update, as large batches always do
  std::vector<double> learning_rates{}; ///< of each batch; if empty, the optimizer's
  Index first_batch = 0;                ///< number of the first batch in error messages
};

/// Trains a network: holds its loss, optimizer state and buffers.
template <class T> class Trainer {
public:
  /// The network must outlive the trainer.
  Trainer(const Network<T>& network, Loss loss) : network_(network), loss_(loss) {}

  /// Throws std::invalid_argument if a class id is out of range.
  void check(const Dataset<T>& data) const { check_labels(loss_, data, network_.outputs()); }

  /// Trains on all data once. Other calls may use the network's variables while the observer is called for a batch, and
  /// between batches if they wait. Throws Busy if another call has reserved the variables; NonFinite before the update
  /// of a batch whose loss is not finite; std::invalid_argument as check().
  Totals train_epoch(const Dataset<T>&, const EpochOptions&, const Observer&);

  /// Computes loss and accuracy without training. Waits while another call trains on a batch.
  Totals evaluate(const Dataset<T>&, Index batch_size, const Observer&);

  // A training step in parts, for losses that the caller computes; with the bits of train_epoch().

  /// Runs a forward pass of training, up to outputs(): logits if the network ends in a softmax.
  void forward(const Samples& x, const Observer&);
  /// Computes the gradients of trainable variables, without penalties, and of x if asked for, from that of outputs().
  /// Calls after(), which may read them, before another call can change them. May be called repeatedly for a forward
  /// pass. Throws std::runtime_error if a variable has been written since then.
  template <class After>
  void backward(const Samples& output_gradient, bool of_input, const Observer& observer, After after) {
    ScopedLockSet locks(reserving(lock_, evaluation_locks(network_)));
    run_backward(output_gradient, of_input, observer, locks);
    after();
  }
  /// Calls f(variable, gradient) for each trainable variable.
  template <class F> void for_each_gradient(F f) {
    for_each_trainable([&](const Variable<T>& variable, std::size_t l, std::size_t v) {
      f(variable, gradients_.layers[l][v].values.view());
    });
  }
  PanelView<const T> input_gradient() const { return workspace_.input_gradient.view(); }

  /// Runs an optimizer step with gradients that fill(variable, gradient) writes for each trainable variable.
  template <class Fill> void apply(const ops::Optimizer& optimizer, double learning_rate, Fill fill) {
    ScopedLockSet locks(reserving(lock_, training_locks(network_)));
    if (gradients_.layers.empty()) gradients_ = Gradients<T>(network_);
    for_each_gradient(fill);
    run_apply(optimizer, learning_rate, locks);
  }

  /// Sets variables to their running averages, if the optimizer has them.
  void finish();

  /// The network's output for the latest batch: the observer of every batch may read it.
  PanelView<const T> outputs();

  bool depends_on_batch() const { return loss_.depends_on_batch(); }

  /// Number of batches trained on. With gradient accumulation, several make a step.
  Index steps() const { return steps_; }

  /// The latest optimizer, whose slots are kept.
  const std::optional<ops::Optimizer>& optimizer() const { return optimizer_; }

  /// Calls f(variable, slot) for each trainable variable and each of ops::Optimizer::slot_names(), in this order.
  template <class F> void for_each_slot(F f) {
    if (!optimizer_) return;
    for_each_trainable([&](const Variable<T>& variable, std::size_t l, std::size_t v) {
      for (AlignedBuffer<T>& slot : slots_.layers[l][v]) {
        f(variable, PanelView<T>{slot.data(), variable.rows(), variable.columns()});
      }
      if (optimizer_->accumulation > 1) f(variable, accumulated_.layers[l][v].values.view());
    });
  }

  /// Continues another trainer's training: fill(variable, slot) writes each slot.
  template <class Fill> void write_slots(const ops::Optimizer& optimizer, Index batches, Fill fill) {
    const ScopedLockSet locks(reserving(lock_));
    prepare(optimizer);
    for_each_slot(fill);
    steps_ = batches;
  }

  /// Calls f(variable, l, v) for each trainable variable, the v-th of layer l.
  template <class F> void for_each_trainable(F f) const {
    for (std::size_t l = 0; l < network_.layers().size(); ++l) {
      const Layer<T>& layer = network_.layers()[l];
      for (std::size_t v = 0; v < layer.variables.size() && layer.has_trainable_variables(); ++v) {
        if (layer.variables[v]) f(*layer.variables[v], l, v);
      }
    }
  }

private:
  /// A call over data, shared by its threads.
  struct Run {
    const Dataset<T>& data;
    const std::uint32_t* order; ///< of the samples, or null
    const Index batch_size;
    const EpochOptions* training; ///< null in evaluations
    const Observer& observer;
    ScopedLockSet& locks;
    const Index steps_before; ///< value of steps() at its start

    const Samples* output_gradient = nullptr; ///< in place of the loss's; without penalties
    bool per_thread_input = false;            ///< see Workspace

    ProgressThrottle progress{observer};
    FirstException exception{};
    std::atomic<bool> stopped{false}; ///< by the observer
    // Written by accumulate_metrics(), the same for all threads:
    std::atomic<bool> ended{false};  ///< no batch follows
    std::atomic<bool> yields{false}; ///< after the batch, because other calls wait
    Totals totals{};
    std::string nonfinite{}; ///< explanation, if that is why it has ended

    /// Return true if the batch must be neither counted nor trained on.
    bool is_aborted() const { return exception || stopped; }
  };

  /// Makes room for the optimizer's slots.
  void prepare(const ops::Optimizer&);
  void reserve(Index rows, int threads, bool per_thread_input);
  int threads_for_batch(Index rows, bool training) const;
  Plan<T> plan(Index batch_size, int threads, bool training) const {
    return {network_, loss_.input_layer(network_), batch_size, threads, training};
  }
  std::vector<Stage> epoch_stages(Index batch_size, int threads, const EpochOptions*) const;

  Totals execute(Run&);
  /// Runs batches from that of sample `begin` on, until there are no more or other calls wait.
  void run_batches(Index begin, Run&, const std::vector<Stage>&, int threads);
  void run_backward(const Samples& output_gradient, bool of_input, const Observer&, ScopedLockSet&);
  void run_apply(const ops::Optimizer&, double learning_rate, ScopedLockSet&);

  BatchContext<T> batch_at(Index first, const Run&, int rank);
  void perform(const Stage&, Run&, const BatchContext<T>&, Block);
  void load_input(const Run&, const BatchContext<T>&, RowRange rows) const;
  /// Adds a batch to the totals, or ends the run.
  void accumulate_metrics(Run&, const BatchContext<T>&);

  /// Number of writes of the variables that a backward pass depends on.
  std::uint64_t write_count() const;

  const Network<T>& network_;
  Loss loss_;
  Workspace<T> workspace_;
  Gradients<T> gradients_;   ///< empty until they are stored
  Gradients<T> accumulated_; ///< empty until there is accumulation
  Penalties penalties_;
  Slots<T> slots_;
  std::optional<ops::Optimizer> optimizer_;
  Index latest_rows_ = 0;                 ///< of the latest batch in the totals
  std::uint64_t forward_write_count_ = 0; ///< write_count() after forward()
  std::atomic<Index> steps_{0};           ///< read without a lock
  ResourceLock lock_;
};

} // namespace cnet
