#include "train/trainer.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

// A training step in parts: forward, backward, apply.

namespace cnet {

namespace {

/// Multiply-adds that take as long as the update of a parameter, which is bound by memory.
constexpr double multiply_adds_per_update = 8;

} // namespace

template <class T> void Trainer<T>::forward(const std::vector<Samples>& x, const Observer& observer) {
  ScopedLockSet locks(reserving(lock_, forward_locks(network_)));
  const Index rows = x[0].rows;
  const int threads = threads_for_batch(rows, true);
  Plan<T> plan = this->plan(rows, threads, true);
  plan.add_forward(false);
  plan.add_moving_statistics();
  reserve(rows, threads, false);
  begin_random_steps(network_);
  const Dataset<T> data{rows, x, {}};
  const EpochOptions options{rows, false, 0, 0, {}};
  Run run{data, nullptr, rows, &options, observer, locks, steps_};
  run_batches(0, run, plan.stages, threads);
  run.exception.rethrow();
  set_random_steps(network_, 1);
  latest_rows_ = rows;
  forward_write_count_ = write_count();
}

template <class T> std::uint64_t Trainer<T>::write_count() const {
  std::uint64_t count = 0;
  for (const Node<T>& node : network_.nodes()) {
    if (node.uses_batch_statistics()) { // other forward passes write its moving statistics, which it does not use
      for (const SharedVariable<T>& variable : node.variables) count += variable ? variable->lock.write_count() : 0;
    } else {
      for (const Variable<T>* variable : node.all_variables()) count += variable->lock.write_count();
    }
  }
  return count;
}

template <class T>
void Trainer<T>::run_backward(const std::vector<Samples>& output_gradients, const std::vector<bool>& of_inputs,
                              const Observer& observer, ScopedLockSet& locks) {
  if (write_count() != forward_write_count_) {
    throw std::runtime_error("weights have changed since the forward pass: compute gradients before updating them");
  }
  const Index rows = latest_rows_;
  if (gradients_.nodes.empty()) gradients_ = Gradients<T>(network_);
  if (of_inputs != of_inputs_) {
    GradientFlow<T> flow(network_, head_tensors_, of_inputs);
    workspace_.gradients = GradientBuffers<T>(network_, std::move(flow), workspace_.capacity);
    of_inputs_ = of_inputs;
  }
  // The thread limit may have grown since the workspace was made.
  const int threads = std::min(threads_for_batch(rows, true), static_cast<int>(workspace_.scratch.size()));
  Plan<T> plan = this->plan(rows, threads, true);
  plan.add_backward(heads_.size());
  plan.add_trainable(Stage::Kind::compute_gradient);
  const Dataset<T> data{rows, {}, {}};
  const EpochOptions options{rows, false, 0, 0, {}};
  Run run{data, nullptr, rows, &options, observer, locks, steps_, &output_gradients};
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
  const Dataset<T> data{1, {}, {}};
  const EpochOptions options{1, false, 0, 0, optimizer, true, {learning_rate}};
  const Observer observer{[](const Totals&) { return true; }};
  Run run{data, nullptr, 1, &options, observer, locks, steps_};
  run_batches(0, run, plan.stages, threads);
  run.exception.rethrow();
  ++steps_;
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void Trainer<T>::forward(const std::vector<Samples>&, const Observer&);                                     \
  template void Trainer<T>::run_backward(const std::vector<Samples>&, const std::vector<bool>&, const Observer&,       \
                                         ScopedLockSet&);                                                              \
  template void Trainer<T>::run_apply(const ops::Optimizer&, double, ScopedLockSet&);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
