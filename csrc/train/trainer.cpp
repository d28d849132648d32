#include "train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace cnet {

namespace {

template <class T> void clear_row(PanelView<T> x, Index i) {
  for (Index p = 0; p < x.panels(); ++p) std::fill_n(x.panel(p) + i * panel_width<T>, panel_width<T>, T(0));
}

} // namespace

template <class T>
Trainer<T>::Trainer(const Network<T>& network, std::vector<Head> heads) : network_(network), heads_(std::move(heads)) {
  for (const Head& head : heads_) {
    if (network_.shape(network_.outputs().at(head.output)).rows != 1) {
      throw std::invalid_argument("Trainer: expected outputs of one row per sample");
    }
    head_tensors_.push_back(head.tensor(network_));
  }
  of_inputs_.resize(network_.inputs().size());
  workspace_.gradients.flow = GradientFlow<T>(network_, head_tensors_, of_inputs_);
}

template <class T> void Trainer<T>::check(const Dataset<T>& data) const {
  check_ids(network_, data.x);
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    check_labels(heads_[h].loss, data.y[h], network_.output_size(heads_[h].output));
  }
}

template <class T> bool Trainer<T>::depends_on_batch() const {
  return std::any_of(heads_.begin(), heads_.end(), [](const Head& head) { return head.loss.depends_on_batch(); });
}

template <class T> void Trainer<T>::prepare(const ops::Optimizer& optimizer) {
  if (slots_.nodes.empty() || slots_.rule != optimizer.rule || slots_.has_averages != optimizer.averages) {
    slots_ = Slots<T>(network_, optimizer);
  }
  if (optimizer.accumulation > 1 && accumulated_.nodes.empty()) accumulated_ = Gradients<T>(network_);
  // An earlier epoch may have clipped.
  if (!optimizer.needs_whole_gradient()) gradients_.reset_scales();
  optimizer_ = optimizer;
}

template <class T> void Trainer<T>::finish() {
  if (!slots_.has_averages) return; // needs no lock: another call may have begun to train a shared layer
  const ScopedLockSet locks(reserving(lock_, training_locks(network_)));
  overwrite_with_averages(network_, slots_);
}

template <class T> void Trainer<T>::reserve(Index rows, int threads, bool per_thread_input) {
  const bool fits = rows <= workspace_.capacity && static_cast<std::size_t>(threads) <= workspace_.scratch.size();
  if (fits && workspace_.per_thread_input == per_thread_input) return;
  std::vector<std::size_t> outputs;
  for (const Head& head : heads_) outputs.push_back(head.output);
  const Index capacity = std::max(rows, workspace_.capacity);
  Workspace<T> workspace(network_, outputs, capacity, threads, per_thread_input);
  workspace.gradients = GradientBuffers<T>(network_, workspace_.gradients.flow, capacity);
  workspace_ = std::move(workspace); // only now, as memory may run out before
}

template <class T> int Trainer<T>::threads_for_batch(Index rows, bool training) const {
  const double passes = training ? 3 : 1;
  return threads_for(passes * network_.multiply_adds() * static_cast<double>(rows), worth_waiting);
}

template <class T> PanelView<const T> Trainer<T>::outputs(std::size_t head) {
  const Head& of = heads_[head];
  if (latest_rows_ == 0) return {nullptr, 0, network_.output_size(of.output)};
  const bool has_probabilities = of.fuses_softmax(network_) && of.loss.kind != Loss::Kind::external;
  if (has_probabilities) return workspace_.heads[head].probabilities.view(latest_rows_);
  return latest_batch().tensor(head_tensors_[head]);
}

// -- The stages of a batch -------------------------------------------------------------------------

template <class T> void Trainer<T>::begin_batch(Index first, const Run& run, BatchContext<T>& batch) {
  batch.number = first / run.batch_size;
  const Index rows = std::min(run.batch_size, run.data.rows - first);
  if (std::exchange(batch.rows, rows) != rows) batch.make_views();
  batch.selection = {run.order, first};
  // A run without losses may have no workspace.
  double* divisors = run.data.y.empty() ? nullptr : workspace_.divisors[static_cast<std::size_t>(batch.rank)].data();
  for (std::size_t h = 0; h < run.data.y.size(); ++h) {
    divisors[h] = loss_divisor(heads_[h].loss, run.data.y[h], batch.selection, batch.rows);
  }
  batch.divisors = divisors;
  if (!run.training) return;
  ops::Optimizer optimizer = run.training->optimizer;
  const std::vector<double>& rates = run.training->learning_rates;
  if (!rates.empty()) optimizer.learning_rate = rates[static_cast<std::size_t>(batch.number)];
  batch.update = ops::Update<T>(optimizer, run.steps_before + batch.number + 1);
}

template <class T> void Trainer<T>::perform(const Stage& stage, Run& run, const BatchContext<T>& batch, Block block) {
  using Kind = Stage::Kind;
  const RowRange rows{block.first, block.last};
  const bool ends_step = batch.update.steps();
  const Index subject = stage.subject;
  const auto n = static_cast<std::size_t>(subject);
  switch (stage.kind) {
  case Kind::input: return load_input(subject, run, batch, rows);
  case Kind::group_rows: {
    const auto input = static_cast<std::size_t>(-1 - subject);
    return ops::group_rows(workspace_.ids[input].data(), batch.rows * network_.input(subject).columns,
                           workspace_.rows_of_ids[input]);
  }
  case Kind::forward: {
    const Node<T>& node = network_.node(subject);
    const Index count = node.shape.rows;
    if (stage.split == Split::rows) block = across(batch.tensor(subject), {rows.first * count, rows.last * count});
    for (std::size_t k = 0; k < node.passes(); ++k) {
      if (run.training) {
        cnet::forward(node, batch.view(subject, k), block);
      } else {
        infer<T>(node, batch.view(subject, k), block);
      }
    }
    return;
  }
  case Kind::labels: return load_labels(heads_[n], n, run.data.y[n], batch, rows);
  case Kind::loss: return compute_losses(heads_[n], n, run.data.y[n], batch, rows);
  case Kind::loss_gradient: return compute_head_gradient(n, run, batch, rows);
  case Kind::backward: return backward_node(subject, batch, stage, block);
  case Kind::compute_gradient:
    return with_uses(subject, batch,
                     [&](Uses<T> uses) { compute_gradient(uses, block, !run.output_gradients, gradients_.nodes[n]); });
  case Kind::penalize: return penalize(network_.node(subject), block, penalties_[n]);
  case Kind::accumulate_metrics: return accumulate_metrics(run, batch);
  case Kind::accumulate:
    return accumulate(network_.node(subject), block, ends_step, gradients_.nodes[n], accumulated_.nodes[n]);
  case Kind::sum_squares:
    if (ends_step) sum_squares(network_.node(subject), block, gradients_.nodes[n]);
    return;
  case Kind::compute_scales:
    if (ends_step) compute_scales(network_, run.training->optimizer, gradients_);
    return;
  case Kind::apply_gradient:
    return apply_gradient(network_.node(subject), block, gradients_.nodes[n], batch.update, slots_.nodes[n]);
  case Kind::update:
    return with_uses(subject, batch, [&](Uses<T> uses) { update(uses, block, batch.update, slots_.nodes[n]); });
  case Kind::update_rows:
    return with_uses(subject, batch,
                     [&](Uses<T> uses) { update_rows(uses.data[0], rows.first, rows.last, batch.update); });
  case Kind::constrain: return constrain(network_.node(subject), block);
  case Kind::update_moving_statistics: return update_moving_statistics(network_.node(subject), batch.view(subject));
  }
}

template <class T>
void Trainer<T>::load_input(Index input, const Run& run, const BatchContext<T>& batch, RowRange rows) const {
  const auto number = static_cast<std::size_t>(-1 - input);
  const Input<T>& info = network_.input(input);
  if (info.is_ids) {
    return gather_ids(run.data.x[number], batch.selection, {info.id_bound, {}, info.id_reader.c_str()}, rows,
                      batch.workspace.ids[number].data());
  }
  const PanelView<T> x = batch.tensor(input);
  gather(run.data.x[number], batch.selection, info.scale, info.offset, rows, x);
  if (!run.training) return;
  const auto has_any_weight = [&](Index row) {
    for (std::size_t h = 0; h < run.data.y.size(); ++h) {
      if (has_weight(heads_[h].loss, run.data.y[h], row)) return true;
    }
    return false;
  };
  for (std::size_t h = 0; h < run.data.y.size(); ++h) {
    if (!is_weighted(heads_[h].loss, run.data.y[h])) return;
  }
  if (run.data.y.empty()) return;
  // The gradient of a sample without weight is 0, but 0 · inf is NaN.
  for (Index i = rows.first; i < rows.last; ++i) {
    if (!has_any_weight(batch.selection[i]) && !is_finite_row(x, i)) clear_row(x, i);
  }
}

namespace {

/// Ends a part of a tensor's gradient: adds it to those before it. After the last part of a node's output, takes the
/// sum of several through the node's fused ReLU.
template <class T>
void add_part(const typename GradientFlow<T>::Part& part, const BatchContext<T>& batch, PanelView<T> written,
              Block block) {
  if (part.is_first) return;
  const PanelView<T> sum = batch.gradient(part.tensor);
  const auto some = [&](PanelView<T> matrix) { return panels_of(matrix, block.first_panel, block.last_panel); };
  ops::merge<T>(ops::Merge::add, some(sum), some(written), {block.first, block.last}, some(sum));
  if (!part.is_last || part.tensor < 0) return;
  backward_fused_relu<T>(batch.network.node(part.tensor), batch.tensor(part.tensor), sum, block);
}

} // namespace

template <class T>
void Trainer<T>::compute_head_gradient(std::size_t h, const Run& run, const BatchContext<T>& batch,
                                       RowRange rows) const {
  const auto& part = workspace_.gradients.flow.of_head(h);
  if (!part.is_needed) return;
  const PanelView<T> gradient = batch.gradient(part);
  if (run.output_gradients) {
    gather((*run.output_gradients)[h], {nullptr, 0}, T(1), T(-0.0), rows, gradient); // x + −0 is x, even for −0
  } else {
    compute_loss_gradient(heads_[h], h, run.data.y[h], batch, rows, gradient);
  }
  const Block block = across(gradient, rows);
  if (part.is_first && part.is_last && part.tensor >= 0) {
    backward_fused_relu<T>(network_.node(part.tensor), batch.tensor(part.tensor), gradient, block);
  }
  add_part<T>(part, batch, gradient, block);
}

template <class T>
void Trainer<T>::backward_node(Index n, const BatchContext<T>& batch, const Stage& stage, Block block) const {
  const Node<T>& node = network_.node(n);
  for (std::size_t k = 0; k < node.operands.size(); ++k) {
    const auto& part = workspace_.gradients.flow.of_operand(n, k);
    if (!part.is_needed) continue;
    const NodeView<T>& view = batch.view(n, k);
    Block piece = block;
    if (stage.split == Split::rows) {
      const Index count = network_.shape(part.tensor).rows;
      piece = across(view.grad_input, {block.first * count, block.last * count});
    }
    cnet::backward(network_, node, view, part.is_first && part.is_last, piece);
    add_part<T>(part, batch, view.grad_input, piece);
  }
}

template <class T> void Trainer<T>::accumulate_metrics(Run& run, const BatchContext<T>& batch) {
  if (run.is_aborted()) {
    run.ended = true;
    return;
  }
  Totals& totals = run.totals;
  totals.data_loss = 0;
  for (std::size_t h = 0; h < run.data.y.size(); ++h) {
    const double scale = static_cast<double>(batch.rows) / batch.divisors[h];
    Totals::Head& head = totals.heads[h];
    for (Index i = 0; i < batch.rows; ++i) {
      head.loss += scale * static_cast<double>(workspace_.heads[h].losses.data()[i]);
      if (heads_[h].counts_correct) head.correct += static_cast<double>(workspace_.heads[h].correct.data()[i]);
    }
    totals.data_loss += heads_[h].weight * head.loss;
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
    run.nonfinite = explain_nonfinite_loss(heads_, run.data, batch, penalty);
    run.ended = true;
  }
}

// -- The batches of a run --------------------------------------------------------------------------

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
    BatchContext<T> batch(network_, workspace_, member.rank);
    for (Index first = begin; first < run.data.rows; first += run.batch_size) {
      begin_batch(first, run, batch);
      worker.begin_round();
      bool has_input = !run.per_thread_input;
      const auto perform_stages = [&](auto stage, auto end, Block block) {
        const bool can_abort = stage->kind <= Stage::Kind::accumulate_metrics;
        if (can_abort && run.is_aborted() && stage->kind != Stage::Kind::accumulate_metrics) return;
        run.exception.capture([&] {
          if (!has_input) load_input(-1, run, batch, {0, batch.rows});
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

// Members that other files define are instantiated there.
template class Trainer<float>;
template class Trainer<double>;

} // namespace cnet
