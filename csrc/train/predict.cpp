#include "train/predict.hpp"

#include "train/lock_sets.hpp"
#include "train/schedule.hpp"
#include "train/workspace.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <utility>
#include <vector>

namespace cnet {

namespace {

/// The memory of all tensors. Valid until the same thread makes the next.
template <class T> class Tensors {
public:
  Tensors(const Network<T>& network, Index rows) : network_(network), capacity_(rows) {
    const Index size = checked_product(rows, network.memory_size());
    thread_local AlignedBuffer<T> reused;
    AlignedBuffer<T>& buffer = size <= most_reused ? reused : own_;
    if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
    data_ = buffer.data();
    for (const Input<T>& input : network.inputs()) {
      if (!input.is_ids) continue;
      ids_.resize(network.inputs().size());
      ids_[static_cast<std::size_t>(&input - network.inputs().data())] =
          AlignedBuffer<Index>(checked_product(rows, input.columns));
    }
  }
  PanelView<T> operator()(Index tensor, Index rows) const {
    const auto& [shape, offset] = network_.layout(tensor);
    return {data_ + offset * capacity_, rows * shape.rows, shape.columns};
  }
  /// Reads samples [first, first + rows.last) of the arrays of all inputs.
  void gather_inputs(const Samples* x, Index first, Index rows) {
    for (std::size_t n = 0; n < network_.inputs().size(); ++n) {
      const Input<T>& input = network_.inputs()[n];
      if (input.is_ids) {
        gather_ids(x[n], {nullptr, first}, {input.id_bound, {}, input.id_reader.c_str()}, {0, rows}, ids_[n].data());
      } else {
        const PanelView<T> view = (*this)(-1 - static_cast<Index>(n), rows);
        gather(x[n], {nullptr, first}, input.scale, input.offset, {0, rows}, view);
      }
    }
  }
  /// Writes the outputs to rows from `first` on of `out`.
  void unpack_outputs(T* const* out, Index first, Index rows) const {
    for (std::size_t n = 0; n < network_.outputs().size(); ++n) {
      const PanelView<T> y = (*this)(network_.outputs()[n], rows);
      unpack<T>(y, {out[n] + first * network_.output_size(n), y.rows, y.columns});
    }
  }
  ForwardView<T> view(const Node<T>& node, Index n, std::size_t operand, Index rows) const {
    ForwardView<T> view{operand, {}, {}, nullptr, (*this)(n, rows)};
    const Index x = node.operands[operand];
    if (x < 0 && network_.input(x).is_ids) {
      view.ids = ids_[static_cast<std::size_t>(-1 - x)].data();
    } else {
      view.x = (*this)(x, rows);
    }
    if (node.operands.size() == 2) view.other = (*this)(node.operands[1 - operand], rows);
    return view;
  }

private:
  /// Elements that a thread reuses, because new memory costs a page fault per page.
  static constexpr Index most_reused = 1 << 20;

  const Network<T>& network_;
  Index capacity_;
  AlignedBuffer<T> own_;
  T* data_;
  std::vector<AlignedBuffer<Index>> ids_; ///< of each input, if any has ids
};

/// Each thread repeatedly takes a few samples through all nodes.
template <class T>
void predict_by_rows(const Network<T>& network, Index samples, const Samples* x, T* const* out, int threads,
                     const Observer& observer) {
  const auto nodes = static_cast<Index>(network.nodes().size());
  const Index part = (samples + threads - 1) / threads;
  const Index most = std::max(block_rows / network.most_rows(), Index(1));
  const Index piece = std::clamp(part / 4, std::min({part, few_rows, most}), most);
  const Index capacity = std::min((piece + row_group - 1) / row_group * row_group, samples);
  std::atomic<Index> next{0};
  FirstException exception;
  ProgressThrottle progress(observer);
  run_parallel(threads, [&](TeamMember member) {
    exception.capture([&] {
      Totals totals;
      while (!exception && totals.rows < samples) {
        const Index first = next.fetch_add(capacity);
        if (first >= samples) break;
        const Index rows = std::min(capacity, samples - first);
        Tensors<T> tensors(network, capacity); // in the loop, because an observer may predict, too
        tensors.gather_inputs(x, first, rows);
        for (Index n = 0; n < nodes; ++n) {
          const Node<T>& node = network.node(n);
          for (std::size_t k = 0; k < node.passes(); ++k) {
            const ForwardView<T> view = tensors.view(node, n, k, rows);
            infer(node, view, whole(view.out));
          }
        }
        tensors.unpack_outputs(out, first, rows);
        totals.rows = first + rows;
        if (member.rank > 0) continue;
        const unsigned forks_before = forks.load();
        progress(totals);
        if (forks.load() != forks_before && member.size > 1) {
          throw std::runtime_error("the process was forked during a prediction that other threads were working on");
        }
      }
    });
  });
  exception.rethrow();
}

/// All threads work on each node together, for few rows.
template <class T>
void predict_by_columns(const Network<T>& network, Index samples, const Samples* x, T* const* out, int threads) {
  const auto nodes = static_cast<Index>(network.nodes().size());
  Tensors<T> tensors(network, samples);
  tensors.gather_inputs(x, 0, samples);
  WorkStealingSchedule schedule(threads, network.nodes().size());
  run_parallel(threads, [&](TeamMember member) {
    Worker worker(schedule, member);
    worker.begin_round();
    for (Index n = 0; n < nodes; ++n) {
      const Node<T>& node = network.node(n);
      const ForwardView<T> first = tensors.view(node, n, 0, samples);
      if (node.template is<Dense>()) {
        worker.parallel_for(columns_tiling(first.out, first.x.columns),
                            [&](Block block) { infer(node, first, block); });
      } else {
        worker.parallel_for(whole_tiling, [&](Block) {
          for (std::size_t k = 0; k < node.passes(); ++k)
            infer(node, tensors.view(node, n, k, samples), whole(first.out));
        });
      }
      worker.wait();
    }
  });
  tensors.unpack_outputs(out, 0, samples);
}

} // namespace

template <class T>
void predict(const Network<T>& network, Index rows, const Samples* x, T* const* out, const Observer& observer) {
  const SharedLock lock(network.reader_count());
  const int threads = threads_for(network.multiply_adds() * static_cast<double>(rows), worth_waking);
  if (threads > 1 && rows < threads * few_rows) return predict_by_columns(network, rows, x, out, threads);
  predict_by_rows(network, rows, x, out, threads, observer);
}

template <class T> void forward_training(const Network<T>& network, Index rows, const Samples* x, T* const* out) {
  if (rows < 1) throw std::invalid_argument("expected at least one sample");
  LockSet locks = training_locks(network);
  locks.reserve_shared.clear(); // it may run between two batches of a call that trains the variables it reads
  const ScopedLockSet held(std::move(locks));
  Workspace<T> workspace(network, {}, rows, 1, false);
  BatchContext<T> batch(network, workspace, 0, rows);
  batch.make_views();
  begin_random_steps(network);
  for (std::size_t n = 0; n < network.inputs().size(); ++n) {
    const Input<T>& input = network.inputs()[n];
    if (input.is_ids) {
      gather_ids(x[n], {nullptr, 0}, {input.id_bound, {}, input.id_reader.c_str()}, {0, rows}, workspace.ids[n].data());
    } else {
      gather(x[n], {nullptr, 0}, input.scale, input.offset, {0, rows}, batch.tensor(-1 - static_cast<Index>(n)));
    }
  }
  const auto nodes = static_cast<Index>(network.nodes().size());
  for (Index n = 0; n < nodes; ++n) {
    const Node<T>& node = network.node(n);
    for (std::size_t k = 0; k < node.passes(); ++k) forward(node, batch.view(n, k), whole(batch.tensor(n)));
  }
  for (Index n = 0; n < nodes; ++n) update_moving_statistics(network.node(n), batch.view(n));
  set_random_steps(network, 1);
  for (std::size_t n = 0; n < network.outputs().size(); ++n) {
    const PanelView<T> y = batch.tensor(network.outputs()[n]);
    unpack<T>(y, {out[n], y.rows, y.columns});
  }
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void predict(const Network<T>&, Index, const Samples*, T* const*, const Observer&);                         \
  template void forward_training(const Network<T>&, Index, const Samples*, T* const*);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
