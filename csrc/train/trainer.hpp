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
#include <utility>
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
  /// The network must outlive the trainer. Each head's output must have one row per sample; throws
  /// std::invalid_argument otherwise.
  Trainer(const Network<T>& network, std::vector<Head> heads);

  /// Throws std::invalid_argument if a class id, or an id of an input, is out of range.
  void check(const Dataset<T>& data) const;

  /// Trains on all data once. Other calls may use the network's variables while the observer is called for a batch, and
  /// between batches if they wait. Throws Busy if another call has reserved the variables; NonFinite before the update
  /// of a batch whose loss is not finite; std::invalid_argument as check().
  Totals train_epoch(const Dataset<T>&, const EpochOptions&, const Observer&);

  /// Computes loss and accuracy without training. Waits while another call trains on a batch.
  Totals evaluate(const Dataset<T>&, Index batch_size, const Observer&);

  // A training step in parts, for losses that the caller computes; with the bits of train_epoch().

  /// Runs a forward pass of training, up to outputs(): logits where an output ends in a softmax.
  void forward(const std::vector<Samples>& x, const Observer&);
  /// Computes the gradients of trainable variables, without penalties, and of some inputs, from those of the outputs.
  /// Calls after(), which may read them, before another call can change them. May be called repeatedly for a forward
  /// pass. Throws std::runtime_error if a variable has been written since then.
  template <class After>
  void backward(const std::vector<Samples>& output_gradients, const std::vector<bool>& of_inputs,
                const Observer& observer, After after) {
    ScopedLockSet locks(reserving(lock_, evaluation_locks(network_)));
    run_backward(output_gradients, of_inputs, observer, locks);
    after();
  }
  /// Calls f(variable, gradient) for each trainable variable.
  template <class F> void for_each_gradient(F f) {
    for_each_trainable([&](const Variable<T>& variable, std::size_t n, std::size_t v) {
      f(variable, gradients_.nodes[n][v].values.view());
    });
  }
  PanelView<const T> input_gradient(std::size_t input) {
    return latest_batch().gradient(-1 - static_cast<Index>(input));
  }

  /// Runs an optimizer step with gradients that fill(variable, gradient) writes for each trainable variable.
  template <class Fill> void apply(const ops::Optimizer& optimizer, double learning_rate, Fill fill) {
    ScopedLockSet locks(reserving(lock_, training_locks(network_)));
    if (gradients_.nodes.empty()) gradients_ = Gradients<T>(network_);
    for_each_gradient(fill);
    run_apply(optimizer, learning_rate, locks);
  }

  /// Sets variables to their running averages, if the optimizer has them.
  void finish();

  std::size_t heads() const { return heads_.size(); }
  /// A head's output for the latest batch: the observer of every batch may read it.
  PanelView<const T> outputs(std::size_t head);

  bool depends_on_batch() const;

  /// Number of batches trained on. With gradient accumulation, several make a step.
  Index steps() const { return steps_; }

  /// The latest optimizer, whose slots are kept.
  const std::optional<ops::Optimizer>& optimizer() const { return optimizer_; }

  /// Calls f(variable, slot) for each trainable variable and each of ops::Optimizer::slot_names(), in this order.
  template <class F> void for_each_slot(F f) {
    if (!optimizer_) return;
    for_each_trainable([&](const Variable<T>& variable, std::size_t n, std::size_t v) {
      for (AlignedBuffer<T>& slot : slots_.nodes[n][v]) {
        f(variable, PanelView<T>{slot.data(), variable.rows(), variable.columns()});
      }
      if (optimizer_->accumulation > 1) f(variable, accumulated_.nodes[n][v].values.view());
    });
  }

  /// Continues another trainer's training: fill(variable, slot) writes each slot.
  template <class Fill> void write_slots(const ops::Optimizer& optimizer, Index batches, Fill fill) {
    const ScopedLockSet locks(reserving(lock_));
    prepare(optimizer);
    for_each_slot(fill);
    steps_ = batches;
  }

  /// Calls f(variable, n, v) for each trainable variable, the v-th of node n.
  template <class F> void for_each_trainable(F f) const {
    for (std::size_t n = 0; n < network_.nodes().size(); ++n) {
      const Node<T>& node = network_.nodes()[n];
      for (std::size_t v = 0; v < node.variables.size() && node.updates_variables(); ++v) {
        if (node.variables[v]) f(*node.variables[v], n, v);
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

    const std::vector<Samples>* output_gradients = nullptr; ///< in place of the losses'; without penalties
    bool per_thread_input = false;                          ///< see Workspace

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
    return {network_, workspace_.gradients.flow, batch_size, threads, training};
  }
  std::vector<Stage> epoch_stages(Index batch_size, int threads, const EpochOptions*) const;

  Totals execute(Run&);
  /// Runs batches from that of sample `begin` on, until there are no more or other calls wait.
  void run_batches(Index begin, Run&, const std::vector<Stage>&, int threads);
  void run_backward(const std::vector<Samples>& output_gradients, const std::vector<bool>& of_inputs, const Observer&,
                    ScopedLockSet&);
  void run_apply(const ops::Optimizer&, double learning_rate, ScopedLockSet&);

  /// Goes on to the batch of sample `first`.
  void begin_batch(Index first, const Run&, BatchContext<T>&);
  BatchContext<T> latest_batch() { return {network_, workspace_, 0, latest_rows_}; }
  void perform(const Stage&, Run&, const BatchContext<T>&, Block);
  void load_input(Index input, const Run&, const BatchContext<T>&, RowRange rows) const;
  void compute_head_gradient(std::size_t h, const Run&, const BatchContext<T>&, RowRange rows) const;
  void backward_node(Index n, const BatchContext<T>&, const Stage&, Block) const;
  /// Calls f(uses) with the nodes that share the variables of node n.
  template <class F> void with_uses(Index n, const BatchContext<T>& batch, F f) const {
    const std::vector<Index>& nodes = network_.uses(n);
    if (nodes.size() == 1) {
      const Use<T> use{network_.node(n), batch.view(n)};
      return f(Uses<T>{&use, 1});
    }
    std::vector<Use<T>> uses;
    for (const Index node : nodes) {
      if (workspace_.gradients.flow.computes(node)) uses.push_back({network_.node(node), batch.view(node)});
    }
    f(Uses<T>{uses.data(), uses.size()});
  }
  /// Adds a batch to the totals, or ends the run.
  void accumulate_metrics(Run&, const BatchContext<T>&);

  /// Number of writes of the variables that a backward pass depends on.
  std::uint64_t write_count() const;

  const Network<T>& network_;
  std::vector<Head> heads_;
  std::vector<Index> head_tensors_; ///< which the losses take
  Workspace<T> workspace_;
  Gradients<T> gradients_;   ///< empty until they are stored
  Gradients<T> accumulated_; ///< empty until there is accumulation
  Penalties penalties_;
  Slots<T> slots_;
  std::optional<ops::Optimizer> optimizer_;
  std::vector<bool> of_inputs_;           ///< whose gradients the workspace has
  Index latest_rows_ = 0;                 ///< of the latest batch in the totals
  std::uint64_t forward_write_count_ = 0; ///< write_count() after forward()
  std::atomic<Index> steps_{0};           ///< read without a lock
  ResourceLock lock_;
};

} // namespace cnet
