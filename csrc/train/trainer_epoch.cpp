#include "train/trainer.hpp"

#include "core/errors.hpp"
#include "ops/random.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

// Runs over data: an epoch of training, an evaluation.

namespace cnet {

namespace {

/// Batches of more rows store their gradients, so that Ctrl-C can end the batch without changing the weights.
constexpr Index staged_rows = 2048;

} // namespace

template <class T>
std::vector<Stage> Trainer<T>::epoch_stages(Index batch_size, int threads, const EpochOptions* training) const {
  using Kind = Stage::Kind;
  Plan<T> plan = this->plan(batch_size, threads, training);
  plan.add_forward(true);
  plan.add_heads(Kind::labels, heads_.size());
  plan.add_heads(Kind::loss, heads_.size());
  if (training) plan.add_backward(heads_.size());
  const bool staged =
      training && (training->staged || batch_size > staged_rows || training->optimizer.needs_whole_gradient());
  if (staged) plan.add_trainable(Kind::compute_gradient);
  plan.add_nodes(Kind::penalize, Split::weight_panels, is_regularized<T>);
  plan.add(Kind::accumulate_metrics, 0, Split::whole);
  if (!training) return plan.stages;
  plan.add_gradient_transformations(training->optimizer);
  if (staged) {
    plan.add_trainable(Kind::apply_gradient);
  } else {
    plan.add_updates(training->optimizer);
  }
  plan.add_constraints();
  plan.add_moving_statistics();
  return plan.stages;
}

template <class T>
Totals Trainer<T>::train_epoch(const Dataset<T>& data, const EpochOptions& options, const Observer& observer) {
  ScopedLockSet locks(reserving(lock_, training_locks(network_)));
  const Index batch_size = std::min(options.batch_size, data.rows);
  const Index batch_count = batch_size == 0 ? 0 : (data.rows + batch_size - 1) / batch_size;
  const auto batches = static_cast<std::size_t>(batch_count);
  if (!options.learning_rates.empty() && options.learning_rates.size() < batches) {
    throw std::invalid_argument("train_epoch: learning_rates: expected one for each of " + std::to_string(batches) +
                                " batches, got " + std::to_string(options.learning_rates.size()));
  }
  prepare(options.optimizer);
  std::vector<std::uint32_t> order;
  if (options.shuffle) {
    order.resize(static_cast<std::size_t>(data.rows));
    random::permutation({options.seed, options.epoch}, data.rows, order.data());
  }
  begin_random_steps(network_);
  Run run{data, options.shuffle ? order.data() : nullptr, batch_size, &options, observer, locks, steps_};
  return execute(run);
}

template <class T> Totals Trainer<T>::evaluate(const Dataset<T>& data, Index batch_size, const Observer& observer) {
  ScopedLockSet locks(reserving(lock_, evaluation_locks(network_)));
  Index rows = std::min(batch_size, data.rows);
  // Larger batches would take memory and change nothing.
  if (!depends_on_batch()) rows = std::min(rows, block_rows * thread_limit());
  Run run{data, nullptr, rows, nullptr, observer, locks, steps_};
  return execute(run);
}

template <class T> Totals Trainer<T>::execute(Run& run) {
  run.totals.heads.resize(heads_.size());
  const int threads = threads_for_batch(run.batch_size, run.training);
  const std::vector<Stage> stages = epoch_stages(run.batch_size, threads, run.training);
  run.per_thread_input = stages[0].kind != Stage::Kind::input;
  reserve(run.batch_size, threads, run.per_thread_input);
  const auto is_staged = [](const Stage& stage) { return stage.kind == Stage::Kind::compute_gradient; };
  if (gradients_.nodes.empty() && std::any_of(stages.begin(), stages.end(), is_staged)) {
    gradients_ = Gradients<T>(network_);
  }
  if (penalties_.empty()) penalties_ = make_penalties(network_);

  for (Index first = 0; first < run.data.rows && !run.ended && !run.is_aborted();) {
    run.yields = false;
    run_batches(first, run, stages, threads);
    first = run.totals.batches * run.batch_size;
    if (run.yields) run.exception.capture([&] { run.locks.yield(); });
  }

  run.exception.rethrow();
  if (run.nonfinite.empty()) return run.totals;
  throw NonFinite("the loss is not finite at batch " + std::to_string(run.training->first_batch + run.totals.batches) +
                  ": " + run.nonfinite);
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template Totals Trainer<T>::train_epoch(const Dataset<T>&, const EpochOptions&, const Observer&);                    \
  template Totals Trainer<T>::evaluate(const Dataset<T>&, Index, const Observer&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
