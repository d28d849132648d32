#include "train/trainer.hpp"

#include "core/errors.hpp"
#include "ops/random.hpp"

#include <algorithm>
#include <cmath>

namespace cnet {

namespace {

/// Batches of more rows store their gradients, so that Ctrl-C can end the batch without changing the weights.
constexpr Index staged_rows = 2048;

/// Multiply-adds that take as long as the update of a parameter, which is bound by memory.
constexpr double multiply_adds_per_update = 8;

template <class T> void clear_row(PanelView<T> x, Index i) {
  for (Index p = 0; p < x.panels(); ++p) std::fill_n(x.panel(p) + i * panel_width<T>, panel_width<T>, T(0));
}

} // namespace

template <class T> void Trainer<T>::prepare(const ops::Optimizer& optimizer) {
  if (slots_.layers.empty() || slots_.rule != optimizer.rule || slots_.has_averages != optimizer.averages) {
    slots_ = Slots<T>(network_, optimizer);
  }
  if (optimizer.accumulation > 1 && accumulated_.layers.empty()) accumulated_ = Gradients<T>(network_);
  // An earlier epoch may have clipped.
  if (!optimizer.needs_whole_gradient()) gradients_.reset_scales();
  optimizer_ = optimizer;
}

template <class T> void Trainer<T>::reserve(Index rows, int threads, bool per_thread_input) {
  const bool fits = rows <= workspace_.capacity && static_cast<std::size_t>(threads) <= workspace_.scratch.size();
  if (fits && workspace_.per_thread_input == per_thread_input) return;
  workspace_ = Workspace<T>(network_, std::max(rows, workspace_.capacity), threads, per_thread_input);
}

template <class T> int Trainer<T>::threads_for_batch(Index rows, bool training) const {
  const double passes = training ? 3 : 1;
  return threads_for(passes * multiply_adds(network_) * static_cast<double>(rows), worth_waiting);
}

template <class T> PanelView<const T> Trainer<T>::outputs() {
  if (latest_rows_ == 0) return {nullptr, 0, network_.outputs()};
  const bool has_probabilities = loss_.fuses_softmax(network_) && loss_.kind != Loss::Kind::external;
  if (has_probabilities) return workspace_.probabilities.view(latest_rows_);
  return BatchContext<T>{network_, workspace_, latest_rows_}.output(loss_.input_layer(network_));
}

// -- The stages of a batch -------------------------------------------------------------------------

template <class T>
std::vector<Stage> Trainer<T>::epoch_stages(Index batch_size, int threads, const EpochOptions* training) const {
  using Kind = Stage::Kind;
  Plan<T> plan = this->plan(batch_size, threads, training);
  plan.add_forward(true);
  plan.add(Kind::labels, loss_.input_layer(network_), Split::rows);
  plan.add(Kind::loss, loss_.input_layer(network_), Split::rows);
  if (training) plan.add_backward(first_trainable_layer(network_));
  const bool staged =
      training && (training->staged || batch_size > staged_rows || training->optimizer.needs_whole_gradient());
  if (staged) plan.add_trainable(Kind::compute_gradient);
  plan.add_layers(Kind::penalize, Split::weight_panels, is_regularized<T>);
  plan.add(Kind::accumulate_metrics, -1, Split::whole);
  if (!training) return plan.stages;
  plan.add_gradient_transformations(training->optimizer);
  plan.add_trainable(staged ? Kind::apply_gradient : Kind::update);
  plan.add_constraints();
  plan.add_moving_statistics();
  return plan.stages;
}

template <class T> BatchContext<T> Trainer<T>::batch_at(Index first, const Run& run, int rank) {
  const Index number = first / run.batch_size, rows = std::min(run.batch_size, run.data.x.rows - first);
  const Selection selection{run.order, first};
  const double divisor = loss_divisor(loss_, run.data, selection, rows);
  ops::Optimizer optimizer;
  if (run.training) {
    optimizer = run.training->optimizer;
    const std::vector<double>& rates = run.training->learning_rates;
    if (!rates.empty()) optimizer.learning_rate = rates[static_cast<std::size_t>(number)];
  }
  const ops::Update<T> update(optimizer, run.steps_before + number + 1);
  return {network_, workspace_, rows, number, rank, selection, divisor, update};
}

template <class T> void Trainer<T>::perform(const Stage& stage, Run& run, const BatchContext<T>& batch, Block block) {
  using Kind = Stage::Kind;
  const RowRange rows{block.first, block.last};
  if (stage.split == Split::rows) block = across(result(stage, batch), rows);
  const bool ends_step = batch.update.steps();
  const auto l = static_cast<std::size_t>(stage.layer);
  const Layer<T>* layer = stage.layer < 0 ? nullptr : &network_.layers()[l];
  switch (stage.kind) {
  case Kind::input: return load_input(run, batch, rows);
  case Kind::forward:
    if (run.training) return cnet::forward(*layer, batch.layer(stage.layer), block);
    return infer<T>(*layer, batch.output(stage.layer - 1), block, batch.output(stage.layer));
  case Kind::labels: return load_labels(loss_, run.data, batch, rows);
  case Kind::loss: return compute_losses(loss_, run.data, batch, rows);
  case Kind::loss_gradient: {
    if (stage.layer < 0) return;
    const PanelView<T> gradient = batch.gradient(stage.layer);
    if (run.output_gradient) {
      gather(*run.output_gradient, {nullptr, 0}, T(1), T(-0.0), rows, gradient); // x + −0 is x, even for −0
    } else {
      compute_loss_gradient(loss_, run.data, batch, rows);
    }
    return backward_fused_relu(*layer, batch.output(stage.layer), gradient, block);
  }
  case Kind::backward: return cnet::backward(network_, stage.layer, batch.layer(stage.layer), block);
  case Kind::compute_gradient:
    return compute_gradient(*layer, batch.layer(stage.layer), block, !run.output_gradient, gradients_.layers[l]);
  case Kind::penalize: return penalize(*layer, block, penalties_[l]);
  case Kind::accumulate_metrics: return accumulate_metrics(run, batch);
  case Kind::accumulate: return accumulate(*layer, block, ends_step, gradients_.layers[l], accumulated_.layers[l]);
  case Kind::sum_squares:
    if (ends_step) sum_squares(*layer, block, gradients_.layers[l]);
    return;
  case Kind::compute_scales:
    if (ends_step) compute_scales(network_, run.training->optimizer, gradients_);
    return;
  case Kind::apply_gradient: return apply_gradient(*layer, block, gradients_.layers[l], batch.update, slots_.layers[l]);
  case Kind::update: return update(*layer, batch.layer(stage.layer), block, batch.update, slots_.layers[l]);
  case Kind::constrain: return constrain(*layer, block);
  case Kind::update_moving_statistics: return update_moving_statistics(*layer, batch.layer(stage.layer));
  }
}

template <class T> void Trainer<T>::load_input(const Run& run, const BatchContext<T>& batch, RowRange rows) const {
  const PanelView<T> x = batch.output(-1);
  gather(run.data.x, batch.selection, network_.input_scale(), network_.input_offset(), rows, x);
  if (!run.training || !is_weighted(loss_, run.data)) return;
  // The gradient of a sample without weight is 0, but 0 · inf is NaN.
  for (Index i = rows.first; i < rows.last; ++i) {
    if (!has_weight(loss_, run.data, batch.selection[i]) && !is_finite_row(x, i)) clear_row(x, i);
  }
}

template <class T> void Trainer<T>::accumulate_metrics(Run& run, const BatchContext<T>& batch) {
  if (run.is_aborted()) {
    run.ended = true;
    return;
  }
  Totals& totals = run.totals;
  const double scale = static_cast<double>(batch.rows) / batch.divisor;
  for (Index i = 0; i < batch.rows; ++i) {
    totals.data_loss += scale * static_cast<double>(workspace_.losses.data()[i]);
    totals.correct += static_cast<double>(workspace_.correct.data()[i]);
  }
  totals.rows += batch.rows;
  // In an evaluation the sum must not depend on the batch size.
  const double penalty = total(penalties_);
  totals.penalties = run.training ? totals.penalties + static_cast<double>(batch.rows) * penalty
                                  : static_cast<double>(totals.rows) * penalty;
  latest_rows_ = batch.rows;
  totals.batches += 1;
  if (!run.training) return;
  if (!run.observer.every_batch) run.yields = ScopedLockSet::has_waiters();
  if (std::isfinite(totals.loss())) {
    steps_ = run.steps_before + totals.batches;
    set_random_steps(network_, totals.batches);
  } else {
    run.nonfinite = explain_nonfinite_loss(loss_, run.data, batch, penalty);
    run.ended = true;
  }
}

// -- Runs ------------------------------------------------------------------------------------------

template <class T>
Totals Trainer<T>::train_epoch(const Dataset<T>& data, const EpochOptions& options, const Observer& observer) {
  ScopedLockSet locks(reserving(lock_, training_locks(network_)));
  const Index batch_size = std::min(options.batch_size, data.x.rows);
  const Index batch_count = batch_size == 0 ? 0 : (data.x.rows + batch_size - 1) / batch_size;
  const auto batches = static_cast<std::size_t>(batch_count);
  if (!options.learning_rates.empty() && options.learning_rates.size() < batches) {
    throw std::invalid_argument("train_epoch: learning_rates: expected one for each of " + std::to_string(batches) +
                                " batches, got " + std::to_string(options.learning_rates.size()));
  }
  prepare(options.optimizer);
  std::vector<std::uint32_t> order;
  if (options.shuffle) {
    order.resize(static_cast<std::size_t>(data.x.rows));
    random::permutation({options.seed, options.epoch}, data.x.rows, order.data());
  }
  begin_random_steps(network_);
  Run run{data, options.shuffle ? order.data() : nullptr, batch_size, &options, observer, locks, steps_};
  return execute(run);
}

template <class T> Totals Trainer<T>::evaluate(const Dataset<T>& data, Index batch_size, const Observer& observer) {
  ScopedLockSet locks(reserving(lock_, evaluation_locks(network_)));
  Index rows = std::min(batch_size, data.x.rows);
  // Larger batches would take memory and change nothing.
  if (!loss_.depends_on_batch()) rows = std::min(rows, block_rows * thread_limit());
  Run run{data, nullptr, rows, nullptr, observer, locks, steps_};
  return execute(run);
}

template <class T> Totals Trainer<T>::execute(Run& run) {
  const int threads = threads_for_batch(run.batch_size, run.training);
  const std::vector<Stage> stages = epoch_stages(run.batch_size, threads, run.training);
  run.per_thread_input = stages[0].kind != Stage::Kind::input;
  reserve(run.batch_size, threads, run.per_thread_input);
  const auto is_staged = [](const Stage& stage) { return stage.kind == Stage::Kind::compute_gradient; };
  if (gradients_.layers.empty() && std::any_of(stages.begin(), stages.end(), is_staged)) {
    gradients_ = Gradients<T>(network_);
  }
  if (penalties_.empty()) penalties_ = make_penalties(network_);

  for (Index first = 0; first < run.data.x.rows && !run.ended && !run.is_aborted();) {
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

template <class T> void Trainer<T>::run_batches(Index begin, Run& run, const std::vector<Stage>& stages, int threads) {
  const bool every_batch = run.observer.every_batch;
  const auto report = [&] { run.stopped = run.stopped || !run.progress(run.totals); };
  WorkStealingSchedule schedule(threads, stages.size());
  run_parallel(threads, [&](TeamMember member) {
    Worker worker(schedule, member);
    const auto report_within_batch = [&] {
      const unsigned forks_before = forks.load();
      report();
      if (forks.load() == forks_before || member.size == 1) return;
      throw std::runtime_error("the process was forked during a batch that other threads were working on");
    };
    for (Index first = begin; first < run.data.x.rows; first += run.batch_size) {
      const BatchContext<T> batch = batch_at(first, run, member.rank);
      worker.begin_round();
      bool has_input = !run.per_thread_input;
      const auto perform_stages = [&](auto stage, auto end, Block block) {
        const bool can_abort = stage->kind <= Stage::Kind::accumulate_metrics;
        if (can_abort && run.is_aborted() && stage->kind != Stage::Kind::accumulate_metrics) return;
        run.exception.capture([&] {
          if (!has_input) load_input(run, batch, {0, batch.rows});
          has_input = true;
          for (; stage != end; ++stage) perform(*stage, run, batch, block);
          // Ctrl-C need not wait for the end of a large batch. The totals do not change while this thread has a piece.
          if (can_abort && member.rank == 0 && !every_batch) report_within_batch();
        });
      };
      for (auto stage = stages.begin(), end = stage; stage != stages.end(); stage = end) {
        end = std::find_if_not(stage + 1, stages.end(), [&](const Stage& next) { return stage->flows_into(next); });
        // A piece of rows goes through all the stages at once, other pieces through one.
        const auto stride = stage->split == Split::rows ? end - stage : 1;
        for (auto from = stage; from != end; from += stride) {
          worker.parallel_for(tiling(*from, batch, member.size),
                              [&](Block piece) { perform_stages(from, from + stride, piece); });
        }
        worker.wait();
        if (run.ended) return;
      }
      if (run.yields) return;
      if (!every_batch) continue;
      worker.single([&] { run.exception.capture([&] { run.training ? run.locks.yield(report) : report(); }); });
      worker.wait();
      if (run.is_aborted()) return;
    }
  });
}

// -- A step in parts -------------------------------------------------------------------------------

template <class T> void Trainer<T>::forward(const Samples& x, const Observer& observer) {
  ScopedLockSet locks(reserving(lock_, forward_locks(network_)));
  const int threads = threads_for_batch(x.rows, true);
  Plan<T> plan = this->plan(x.rows, threads, true);
  plan.add_forward(false);
  plan.add_moving_statistics();
  reserve(x.rows, threads, false);
  begin_random_steps(network_);
  const Dataset<T> data{x, {}, false};
  const EpochOptions options{x.rows, false, 0, 0, {}};
  Run run{data, nullptr, x.rows, &options, observer, locks, steps_};
  run_batches(0, run, plan.stages, threads);
  run.exception.rethrow();
  set_random_steps(network_, 1);
  latest_rows_ = x.rows;
  forward_write_count_ = write_count();
}

template <class T> std::uint64_t Trainer<T>::write_count() const {
  std::uint64_t count = 0;
  for (const Layer<T>& layer : network_.layers()) {
    if (layer.uses_batch_statistics()) { // other forward passes write its moving statistics, which it does not use
      for (const SharedVariable<T>& variable : layer.variables) count += variable ? variable->lock.write_count() : 0;
    } else {
      for (const Variable<T>* variable : layer.all_variables()) count += variable->lock.write_count();
    }
  }
  return count;
}

template <class T>
void Trainer<T>::run_backward(const Samples& output_gradient, bool of_input, const Observer& observer,
                              ScopedLockSet& locks) {
  if (write_count() != forward_write_count_) {
    throw std::runtime_error("weights have changed since the forward pass: compute gradients before updating them");
  }
  const Index rows = output_gradient.rows;
  if (gradients_.layers.empty()) gradients_ = Gradients<T>(network_);
  PanelMatrix<T>& input_gradient = workspace_.input_gradient;
  if (of_input) input_gradient = PanelMatrix<T>(rows, network_.inputs());
  if (loss_.input_layer(network_) < 0) {
    if (of_input) gather(output_gradient, {nullptr, 0}, T(1), T(-0.0), {0, rows}, input_gradient.view());
    return;
  }
  // The thread limit may have grown since the workspace was made.
  const int threads = std::min(threads_for_batch(rows, true), static_cast<int>(workspace_.scratch.size()));
  Plan<T> plan = this->plan(rows, threads, true);
  plan.add_backward(of_input ? -1 : first_trainable_layer(network_));
  plan.add_trainable(Stage::Kind::compute_gradient);
  const Dataset<T> data{output_gradient, {}, false};
  const EpochOptions options{rows, false, 0, 0, {}};
  Run run{data, nullptr, rows, &options, observer, locks, steps_, &output_gradient};
  run_batches(0, run, plan.stages, threads);
  run.exception.rethrow();
}

template <class T>
void Trainer<T>::run_apply(const ops::Optimizer& optimizer, double learning_rate, ScopedLockSet& locks) {
  prepare(optimizer);
  double parameters = 0;
  for_each_trainable([&](const Variable<T>& variable, std::size_t, std::size_t) {
    parameters += static_cast<double>(variable.rows() * variable.columns());
  });
  const int threads = threads_for(parameters * multiply_adds_per_update, worth_waiting);
  Plan<T> plan = this->plan(1, threads, true);
  plan.add_gradient_transformations(optimizer);
  plan.add_trainable(Stage::Kind::apply_gradient);
  plan.add_constraints();
  Samples none{};
  none.rows = 1;
  const Dataset<T> data{none, {}, false};
  const EpochOptions options{1, false, 0, 0, optimizer, true, {learning_rate}};
  const Observer observer{[](const Totals&) { return true; }};
  Run run{data, nullptr, 1, &options, observer, locks, steps_};
  run_batches(0, run, plan.stages, threads);
  run.exception.rethrow();
  ++steps_;
}

template <class T> void Trainer<T>::finish() {
  if (!slots_.has_averages) return; // needs no lock: another call may have begun to train a shared layer
  const ScopedLockSet locks(reserving(lock_, training_locks(network_)));
  overwrite_with_averages(network_, slots_);
}

template class Trainer<float>;
template class Trainer<double>;

} // namespace cnet
