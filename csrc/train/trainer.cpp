#include "train/trainer.hpp"

#include "core/errors.hpp"
#include "ops/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace cnet {

namespace {

/// Rows of a batch whose gradients take so long that Ctrl-C must be heard meanwhile: they are stored
/// first, so that what is interrupted leaves the weights alone.
constexpr Index staged_rows = 2048;

/// Multiply-adds that take as long as a parameter's update, which waits for memory.
constexpr double worth_of_update = 8;

/// The first of some rows of x that has a number which is not finite, −1 if there is none.
template <class T> Index first_not_finite_row(PanelView<const T> x, Index rows) {
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < x.columns; ++j) {
      if (!std::isfinite(x.at(i, j))) return i;
    }
  }
  return -1;
}

template <class T> bool is_finite(PanelView<const T> x, Index rows) {
  return first_not_finite_row(x, rows) < 0;
}

template <class T> PanelView<const T> row_of(PanelView<const T> x, Index i) {
  return {x.row(i), x.rows, x.columns};
}

template <class T> void clear_row(PanelView<T> x, Index i) {
  for (Index p = 0; p < x.panels(); ++p) std::fill_n(x.panel(p) + i * panel_width<T>, panel_width<T>, T(0));
}

} // namespace

template <class T> void Trainer<T>::reserve(Index rows, int threads, bool own_inputs) {
  const Workspace<T>& present = buffers_.workspace;
  const bool enough = rows <= present.capacity() && static_cast<std::size_t>(threads) <= present.threads();
  if (enough && present.own_inputs() == own_inputs) return;
  buffers_ = Buffers(network_, std::max(rows, present.capacity()), threads, own_inputs);
}

template <class T> void Trainer<T>::check(const Dataset<T>& data) const {
  if (!data.ids) return;
  std::array<Index, 256> ids;
  for (Index first = 0; first < data.y.rows; first += Index(ids.size())) {
    const Index count = std::min(Index(ids.size()), data.y.rows - first);
    gather_ids(data.y, {nullptr, first}, network_.outputs(), loss_.ignored_class, {0, count}, ids.data());
  }
}

template <class T> PanelView<const T> Trainer<T>::outputs() {
  if (latest_rows_ == 0) return {nullptr, 0, network_.outputs()};
  if (fused() && loss_.kind != Loss::Kind::elsewhere) return buffers_.probabilities.view(latest_rows_);
  return Batch<T>(network_, buffers_.workspace, latest_rows_, 0, 0).output(top());
}

template <class T> void Trainer<T>::load_input(const Pass& pass, const Step& step, RowRange rows) const {
  const Dataset<T>& data = pass.data;
  const PanelView<T> x = step.batch.output(-1);
  gather(data.x, step.selection, network_.input_scale(), network_.input_offset(), rows, x);
  if (!pass.training || !weighs(data)) return;
  // Its gradient is zero, but zero times inf or NaN is not.
  for (Index i = rows.first; i < rows.last; ++i) {
    if (!counts(data, step.selection[i]) && !is_finite(row_of<T>(x, i), 1)) clear_row(x, i);
  }
}

template <class T> class Trainer<T>::Plan {
  using Kind = typename Stage::Kind;

public:
  Plan(const Trainer& trainer, Index batch_size, int threads, bool training)
      : trainer_(trainer), batch_size_(batch_size), threads_(threads), training_(training) {}

  void add(Kind kind, Index l, Split split) { stages.push_back({kind, l, split}); }
  void add_each(Kind kind, Split split, bool (*is_meant)(const Layer<T>&)) {
    for (Index l = 0; l <= trainer_.top(); ++l) {
      if (is_meant(layer(l))) add(kind, l, split);
    }
  }
  void add_trainable(Kind kind, Split split = Split::weights) {
    add_each(kind, split, [](const Layer<T>& l) { return l.learns(); });
  }

  /// Whoever reads all rows may gather them for himself: the user's array is no farther than another core's cache.
  void add_forward(bool may_own_inputs) {
    const bool reads_all = trainer_.top() >= 0 && split(0, layer(0).outputs) == Split::columns;
    if (!may_own_inputs || !reads_all) add(Kind::input, -1, Split::rows);
    for (Index l = 0; l <= trainer_.top(); ++l) add(Kind::forward, l, split(l, layer(l).outputs));
  }
  /// Down to the gradient of the output of layer `last`, or of the input, −1.
  void add_backward(Index last) {
    add(Kind::loss_gradient, trainer_.top(), Split::rows);
    for (Index l = trainer_.top(); l > last; --l) {
      add(Kind::backward, l, split(l, l > 0 ? layer(l - 1).outputs : trainer_.network_.inputs()));
    }
  }
  /// What the optimizer makes of gradients that are stored.
  void add_step(const ops::Optimizer& optimizer) {
    if (!optimizer.needs_whole_gradient()) return;
    if (optimizer.accumulation > 1) add_trainable(Kind::accumulate);
    if (optimizer.clips_norms()) add_trainable(Kind::measure, Split::weight_panels);
    add(Kind::choose_scales, -1, Split::whole);
  }
  void add_constraints() { add_each(Kind::constrain, Split::weight_panels, is_constrained<T>); }
  void add_remembering() {
    add_each(Kind::remember, Split::whole, [](const Layer<T>& l) { return l.mixes_rows(); });
  }

  std::vector<Stage> stages;

private:
  const Layer<T>& layer(Index l) const { return trainer_.network_.layers()[static_cast<std::size_t>(l)]; }
  Split split(Index l, Index columns) const {
    if (training_ && layer(l).mixes_rows()) return Split::panels;
    return layer(l).template is<Dense>() ? split_of<T>(batch_size_, columns, threads_, training_) : Split::rows;
  }

  const Trainer& trainer_;
  Index batch_size_;
  int threads_;
  bool training_;
};

template <class T>
auto Trainer<T>::stages(Index batch_size, int threads, const EpochOptions* training) const -> std::vector<Stage> {
  using Kind = typename Stage::Kind;
  Plan plan(*this, batch_size, threads, training);
  plan.add_forward(true);
  plan.add(Kind::labels, top(), Split::rows);
  plan.add(Kind::loss, top(), Split::rows);
  if (training) plan.add_backward(lowest_trainable(network_));
  const bool staged =
      training && (training->staged || batch_size > staged_rows || training->optimizer.needs_whole_gradient());
  if (staged) plan.add_trainable(Kind::make_gradient);
  plan.add_each(Kind::penalize, Split::weight_panels, is_regularized<T>);
  plan.add(Kind::tally, -1, Split::whole);
  if (!training) return plan.stages;
  plan.add_step(training->optimizer);
  plan.add_trainable(staged ? Kind::apply_gradient : Kind::update);
  plan.add_constraints();
  plan.add_remembering();
  return plan.stages;
}

template <class T> int Trainer<T>::threads_of(Index batch_size, bool training) const {
  const double passes = training ? 3 : 1;
  return threads_for(passes * multiply_adds(network_) * static_cast<double>(batch_size), worth_waiting);
}

template <class T> PanelView<T> Trainer<T>::result(const Stage& stage, const Batch<T>& batch) {
  if (stage.kind != Stage::Kind::backward) return batch.output(stage.layer);
  return stage.layer > 0 ? batch.gradient(stage.layer - 1) : input_gradient_.view();
}

template <class T> Tiling Trainer<T>::tiling(const Stage& stage, const Batch<T>& batch, int threads) {
  switch (stage.split) {
  case Split::rows: return rows_tiling(batch.rows(), threads);
  case Split::columns: break;
  case Split::panels: return panels_tiling(result(stage, batch));
  case Split::weights: return weights_tiling(weights(layer(stage)), batch.rows());
  case Split::weight_panels: return panels_tiling(weights(layer(stage)));
  case Split::whole: return whole_tiling;
  }
  const PanelView<T> matrix = result(stage, batch);
  // A kernel is transposed once for each piece of a gradient.
  if (stage.kind == Stage::Kind::backward) return {matrix.rows, matrix.panels(), batch.rows(), batch.rows()};
  return columns_tiling(matrix, batch.output(stage.layer - 1).columns);
}

template <class T> void Trainer<T>::perform(const Stage& stage, Pass& pass, const Step& step, Block block) {
  using Kind = typename Stage::Kind;
  const Batch<T>& batch = step.batch;
  const RowRange rows{block.first, block.last};
  const Index l = stage.layer;
  if (stage.split == Split::rows) block = across(result(stage, batch), rows);
  switch (stage.kind) {
  case Kind::input: return load_input(pass, step, rows);
  case Kind::forward:
    if (pass.training) return cnet::forward(layer(stage), batch.place(l), block);
    return infer<T>(layer(stage), batch.output(l - 1), block, batch.output(l));
  case Kind::labels: return load_labels(pass.data, step, rows);
  case Kind::loss: return loss(pass.data, step, rows);
  case Kind::loss_gradient: return loss_gradient(pass, step, rows);
  case Kind::backward:
    if (l > 0) return cnet::backward(network_, batch, l, block);
    return cnet::backward<T>(layer(stage), batch.place(0), batch.gradient(0), nullptr, block, batch.scratch(),
                             input_gradient_.view());
  case Kind::make_gradient: return make_gradient(network_, batch, l, block, !pass.gradient, gradients_);
  case Kind::penalize: return penalize(network_, l, block, penalties_);
  case Kind::tally: return tally(pass, step);
  case Kind::accumulate: return accumulate(network_, l, block, step.rule.steps(), gradients_, put_by_);
  case Kind::measure:
    if (step.rule.steps()) measure(network_, l, block, gradients_);
    return;
  case Kind::choose_scales:
    if (step.rule.steps()) choose_scales(network_, pass.training->optimizer, gradients_);
    return;
  case Kind::apply_gradient: return apply_gradient(network_, l, block, gradients_, step.rule, slots_);
  case Kind::update: return update(network_, batch, l, block, step.rule, slots_);
  case Kind::constrain: return constrain(network_, l, block);
  case Kind::remember: return remember(layer(stage), batch.place(l));
  }
}

template <class T> void Trainer<T>::tally(Pass& pass, const Step& step) {
  if (pass.given_up()) {
    pass.ended = true;
    return;
  }
  const Batch<T>& batch = step.batch;
  Totals& totals = pass.totals;
  const double scale = static_cast<double>(batch.rows()) / step.divisor;
  for (Index i = 0; i < batch.rows(); ++i) {
    totals.data_loss += scale * static_cast<double>(buffers_.losses.data()[i]);
    totals.correct += static_cast<double>(buffers_.correct.data()[i]);
  }
  totals.rows += batch.rows();
  // While weights stay as they are, how samples come in batches must not be seen in the sum.
  const double penalty = total(penalties_);
  totals.penalties = pass.training ? totals.penalties + static_cast<double>(batch.rows()) * penalty
                                   : static_cast<double>(totals.rows) * penalty;
  latest_rows_ = batch.rows();
  totals.batches += 1;
  if (!pass.training) return;
  if (!pass.observer.every_batch) pass.pauses = Hold::is_waited_for();
  if (std::isfinite(totals.loss())) {
    steps_ = pass.steps_before + totals.batches;
    count_random_steps(network_, totals.batches);
  } else {
    pass.not_finite = first_not_finite(pass, step);
    pass.ended = true;
  }
}

template <class T> std::string Trainer<T>::first_not_finite(const Pass& pass, const Step& step) {
  const Batch<T>& batch = step.batch;
  const auto sample = [&](Index row) { return "sample " + std::to_string(step.selection[row]); };
  const Index of_input = first_not_finite_row<T>(batch.output(-1), batch.rows());
  if (of_input >= 0) return "the input is not finite, in " + sample(of_input);
  for (Index l = 0; l <= top(); ++l) {
    const Layer<T>& layer = network_.layers()[static_cast<std::size_t>(l)];
    for (const Variable<T>* variable : layer.all_variables()) {
      if (!is_finite<T>(variable->values(), variable->rows())) {
        return "the weights of layer '" + layer.name + "' are not finite";
      }
    }
    if (!is_finite<T>(batch.output(l), batch.rows())) {
      return "the first output that is not finite is that of layer '" + layer.name + "', whose weights are finite";
    }
  }
  for (Index i = 0; i < batch.rows(); ++i) {
    if (std::isfinite(buffers_.losses.data()[i])) continue;
    if (!has_ids_ && !is_finite(row_of(targets(batch.rows()).distribution, i), 1)) {
      return "y is not finite, in " + sample(i);
    }
    return "the outputs and y are finite, but the loss of " + sample(i) + " overflows or is not defined for them";
  }
  const bool is_penalty = pass.training && !std::isfinite(total(penalties_));
  return is_penalty ? "the losses of all samples are finite, but the penalty of the weights is not"
                    : "the losses of all samples are finite, but their sum is not";
}

template <class T> Totals Trainer<T>::run(Pass& pass) {
  const Index samples = pass.data.x.rows, batch_size = pass.batch_size;
  has_ids_ = pass.data.ids;
  const int threads = threads_of(batch_size, pass.training);
  const std::vector<Stage> stages = this->stages(batch_size, threads, pass.training);
  pass.own_inputs = stages[0].kind != Stage::Kind::input;
  reserve(batch_size, threads, pass.own_inputs);
  const auto is_staged = [](const Stage& stage) { return stage.kind == Stage::Kind::make_gradient; };
  if (gradients_.layers.empty() && std::any_of(stages.begin(), stages.end(), is_staged)) {
    gradients_ = Gradients<T>(network_);
  }
  if (penalties_.empty()) penalties_ = make_penalties(network_);

  Pulse pulse(pass.observer);
  for (Index first = 0; first < samples && !pass.ended && !pass.given_up();) {
    pass.pauses = false;
    run_from(first, pass, stages, threads, pulse);
    first = pass.totals.batches * batch_size;
    if (pass.pauses) pass.failure.guard([&] { pass.hold.pause(); });
  }

  pass.failure.rethrow();
  if (pass.not_finite.empty()) return pass.totals;
  throw NonFinite("the loss is not finite at batch " +
                  std::to_string(pass.training->first_batch + pass.totals.batches) + ": " + pass.not_finite);
}

template <class T>
void Trainer<T>::run_from(Index from, Pass& pass, const std::vector<Stage>& stages, int threads, Pulse& pulse) {
  const Index samples = pass.data.x.rows, batch_size = pass.batch_size;
  const bool every_batch = pass.observer.every_batch;
  const auto tell = [&] { pass.stopped = pass.stopped || !pulse(pass.totals); };
  Deal deal(threads, stages.size());
  run_parallel(threads, [&](Share share) {
    Hand hand(deal, share);
    const auto look_up = [&] {
      const unsigned forks_before = forks.load();
      tell();
      const bool is_alone = forks.load() != forks_before && share.count > 1;
      if (is_alone) throw std::runtime_error("the process was forked amid a batch, and other threads worked on it");
    };
    for (Index first = from; first < samples; first += batch_size) {
      const Step step(*this, pass, first, share.index);
      hand.begin();
      bool has_input = !pass.own_inputs;
      const auto perform_stages = [&](auto stage, auto end, Block block) {
        const bool may_be_given_up = stage->kind <= Stage::Kind::tally;
        if (may_be_given_up && pass.given_up() && stage->kind != Stage::Kind::tally) return;
        pass.failure.guard([&] {
          if (!has_input) load_input(pass, step, {0, step.batch.rows()});
          has_input = true;
          for (; stage != end; ++stage) perform(*stage, pass, step, block);
          // Ctrl-C need not wait for a large batch. Nobody writes the totals while this thread has a piece.
          if (may_be_given_up && share.index == 0 && !every_batch) look_up();
        });
      };
      for (auto stage = stages.begin(), end = stage; stage != stages.end(); stage = end) {
        end = std::find_if_not(stage + 1, stages.end(), [&](const Stage& next) { return stage->flows_into(next); });
        // Rows go through all stages at once, all else from one to the next.
        const auto stride = stage->split == Split::rows ? end - stage : 1;
        for (auto from = stage; from != end; from += stride) {
          hand.each(tiling(*from, step.batch, share.count),
                    [&](Block piece) { perform_stages(from, from + stride, piece); });
        }
        hand.wait();
        if (pass.ended) return;
      }
      if (pass.pauses) return;
      if (!every_batch) continue;
      hand.first_alone([&] { pass.failure.guard([&] { pass.training ? pass.hold.pause(tell) : tell(); }); });
      hand.wait();
      if (pass.given_up()) return;
    }
  });
}

template <class T>
Totals Trainer<T>::train_epoch(const Dataset<T>& data, const EpochOptions& options, const Observer& observer) {
  Hold hold(owning(guard_, uses_of_training(network_)));
  const Index batch_size = std::min(options.batch_size, data.x.rows);
  const Index batch_count = batch_size == 0 ? 0 : (data.x.rows + batch_size - 1) / batch_size;
  const auto batches = static_cast<std::size_t>(batch_count);
  if (!options.learning_rates.empty() && options.learning_rates.size() < batches) {
    throw std::invalid_argument("train_epoch: learning_rates: expected one for each of " + std::to_string(batches) +
                                " batches, got " + std::to_string(options.learning_rates.size()));
  }
  prepare(options.optimizer);
  // What clipping chose for an epoch before is not for this one.
  if (!options.optimizer.needs_whole_gradient()) gradients_.forget_scales();
  std::vector<std::uint32_t> order;
  if (options.shuffle) {
    order.resize(static_cast<std::size_t>(data.x.rows));
    random::permutation({options.seed, options.epoch}, data.x.rows, order.data());
  }
  begin_random_steps(network_);
  Pass pass{data, options.shuffle ? order.data() : nullptr, batch_size, &options, observer, hold, steps_};
  return run(pass);
}

template <class T> void Trainer<T>::run_piece(Pass& pass, const std::vector<Stage>& stages, int threads) {
  Pulse pulse(pass.observer);
  run_from(0, pass, stages, threads, pulse);
  pass.failure.rethrow();
}

template <class T> void Trainer<T>::forward(const Samples& x, const Observer& observer) {
  Hold hold(owning(guard_, uses_of_recording(network_)));
  const int threads = threads_of(x.rows, true);
  Plan plan(*this, x.rows, threads, true);
  plan.add_forward(false);
  plan.add_remembering();
  reserve(x.rows, threads, false);
  begin_random_steps(network_);
  const Dataset<T> data{x, {}, false};
  const EpochOptions options{x.rows, false, 0, 0, {}};
  Pass pass{data, nullptr, x.rows, &options, observer, hold, steps_};
  run_piece(pass, plan.stages, threads);
  count_random_steps(network_, 1);
  latest_rows_ = x.rows;
  writes_before_ = writes();
}

template <class T> std::uint64_t Trainer<T>::writes() const {
  std::uint64_t count = 0;
  for (const Layer<T>& layer : network_.layers()) {
    if (layer.mixes_rows()) { // its moving moments are written by other ways forward, and not gone by
      for (const SharedVariable<T>& variable : layer.variables) count += variable ? variable->guard.writes() : 0;
    } else {
      for (const Variable<T>* variable : layer.all_variables()) count += variable->guard.writes();
    }
  }
  return count;
}

template <class T>
void Trainer<T>::go_back(const Samples& gradient, bool of_input, const Observer& observer, Hold& hold) {
  if (writes() != writes_before_) {
    throw std::runtime_error("weights have changed since the way forward: ask for gradients before they are updated");
  }
  const Index rows = gradient.rows;
  if (gradients_.layers.empty()) gradients_ = Gradients<T>(network_);
  if (of_input) input_gradient_ = PanelMatrix<T>(rows, network_.inputs());
  if (top() < 0) {
    if (of_input) gather(gradient, {nullptr, 0}, T(1), T(-0.0), {0, rows}, input_gradient_.view());
    return;
  }
  // There may be more by now than the way forward has made room for.
  const int threads = std::min(threads_of(rows, true), static_cast<int>(buffers_.workspace.threads()));
  Plan plan(*this, rows, threads, true);
  plan.add_backward(of_input ? -1 : lowest_trainable(network_));
  plan.add_trainable(Stage::Kind::make_gradient);
  const Dataset<T> data{gradient, {}, false};
  const EpochOptions options{rows, false, 0, 0, {}};
  Pass pass{data, nullptr, rows, &options, observer, hold, steps_, &gradient};
  run_piece(pass, plan.stages, threads);
}

template <class T> void Trainer<T>::apply_gradients(const ops::Optimizer& optimizer, double learning_rate, Hold& hold) {
  prepare(optimizer);
  if (!optimizer.needs_whole_gradient()) gradients_.forget_scales();
  double parameters = 0;
  each_learning([&](const Variable<T>& variable, std::size_t, std::size_t) {
    parameters += static_cast<double>(variable.rows() * variable.columns());
  });
  const int threads = threads_for(parameters * worth_of_update, worth_waiting);
  Plan plan(*this, 1, threads, true);
  plan.add_step(optimizer);
  plan.add_trainable(Stage::Kind::apply_gradient);
  plan.add_constraints();
  Samples none{};
  none.rows = 1;
  const Dataset<T> data{none, {}, false};
  const EpochOptions options{1, false, 0, 0, optimizer, true, {learning_rate}};
  const Observer observer{[](const Totals&) { return true; }};
  Pass pass{data, nullptr, 1, &options, observer, hold, steps_};
  run_piece(pass, plan.stages, threads);
  ++steps_;
}

template <class T> void Trainer<T>::prepare(const ops::Optimizer& optimizer) {
  if (slots_.layers.empty() || slots_.rule != optimizer.rule || slots_.has_averages != optimizer.averages) {
    slots_ = Slots<T>(network_, optimizer);
  }
  if (optimizer.accumulation > 1 && put_by_.layers.empty()) put_by_ = Gradients<T>(network_);
  optimizer_ = optimizer;
}

template <class T> void Trainer<T>::finish() {
  if (!slots_.has_averages) return; // another call may have begun to train what layers are shared
  const Hold hold(owning(guard_, uses_of_training(network_)));
  overwrite_by_average(network_, slots_);
}

template <class T> Totals Trainer<T>::evaluate(const Dataset<T>& data, Index batch_size, const Observer& observer) {
  Hold hold(owning(guard_, uses_of_evaluation(network_)));
  Index rows = std::min(batch_size, data.x.rows);
  // Else the results do not depend on the batch size; the memory that they take does.
  if (!loss_.depends_on_batch()) rows = std::min(rows, block_rows * thread_limit());
  Pass pass{data, nullptr, rows, nullptr, observer, hold, steps_};
  return run(pass);
}

#define CNET_INSTANTIATE(T) template class Trainer<T>;
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
