#include "train/predict.hpp"

#include "train/lock_sets.hpp"
#include "train/schedule.hpp"
#include "train/workspace.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>
#include <utility>

namespace cnet {

namespace {

/// Two matrices, alternately a layer's input and output. Valid until the same thread makes the next two.
template <class T> class PingPongBuffers {
public:
  PingPongBuffers(const Network<T>& network, Index rows) {
    Index widest = network.inputs();
    for (const Layer<T>& layer : network.layers()) widest = std::max(widest, layer.outputs);
    const Index size = checked_product(rows, panel_count<T>(widest) * panel_width<T>);
    thread_local std::array<AlignedBuffer<T>, 2> reused;
    for (std::size_t n = 0; n < 2; ++n) {
      AlignedBuffer<T>& buffer = size <= most_reused ? reused[n] : own_[n];
      if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
      data_[n] = buffer.data();
    }
  }
  /// The output of layer l; that of layer −1 is the input.
  PanelView<T> output(const Network<T>& network, Index l, Index rows) const {
    const Index columns = l < 0 ? network.inputs() : network.layers()[static_cast<std::size_t>(l)].outputs;
    return {data_[static_cast<std::size_t>(l + 1) % 2], rows, columns};
  }

private:
  /// Elements that a thread reuses, because new memory costs a page fault per page.
  static constexpr Index most_reused = 1 << 19;

  std::array<AlignedBuffer<T>, 2> own_;
  std::array<T*, 2> data_;
};

/// Each thread repeatedly takes a few rows through all layers.
template <class T>
void predict_by_rows(const Network<T>& network, const Samples& samples, T* out, int threads, const Observer& observer) {
  const auto layers = static_cast<Index>(network.layers().size());
  const Index part = (samples.rows + threads - 1) / threads;
  const Index piece = std::clamp(part / 4, std::min(part, few_rows), block_rows);
  const Index capacity = std::min((piece + row_group - 1) / row_group * row_group, samples.rows);
  std::atomic<Index> next{0};
  FirstException exception;
  ProgressThrottle progress(observer);
  run_parallel(threads, [&](TeamMember member) {
    exception.capture([&] {
      Totals totals;
      while (!exception && totals.rows < samples.rows) {
        const Index first = next.fetch_add(capacity);
        if (first >= samples.rows) break;
        const RowRange rows{0, std::min(capacity, samples.rows - first)};
        const PingPongBuffers<T> buffers(network, capacity); // in the loop, because an observer may predict, too
        gather(samples, {nullptr, first}, network.input_scale(), network.input_offset(), rows,
               buffers.output(network, -1, rows.last));
        for (Index l = 0; l < layers; ++l) {
          const PanelView<T> y = buffers.output(network, l, rows.last);
          infer<T>(network.layers()[static_cast<std::size_t>(l)], buffers.output(network, l - 1, rows.last),
                   across(y, rows), y);
        }
        const PanelView<T> y = buffers.output(network, layers - 1, rows.last);
        unpack<T>(y, {out + first * y.columns, rows.last, y.columns});
        totals.rows = first + rows.last;
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

/// All threads work on each layer together, for few rows.
template <class T> void predict_by_columns(const Network<T>& network, const Samples& samples, T* out, int threads) {
  const auto layers = static_cast<Index>(network.layers().size());
  const RowRange rows{0, samples.rows};
  const PingPongBuffers<T> buffers(network, rows.last);
  gather(samples, {nullptr, 0}, network.input_scale(), network.input_offset(), rows,
         buffers.output(network, -1, rows.last));
  WorkStealingSchedule schedule(threads, network.layers().size());
  run_parallel(threads, [&](TeamMember member) {
    Worker worker(schedule, member);
    worker.begin_round();
    for (Index l = 0; l < layers; ++l) {
      const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
      const PanelView<T> y = buffers.output(network, l, rows.last);
      const PanelView<T> x = buffers.output(network, l - 1, rows.last);
      const auto compute = [&](Block block) { infer<T>(layer, x, block, y); };
      if (layer.template is<Dense>()) {
        worker.parallel_for(columns_tiling(y, x.columns), compute);
      } else {
        worker.parallel_for(whole_tiling, [&](Block) { compute(across(y, rows)); });
      }
      worker.wait();
    }
  });
  const PanelView<T> y = buffers.output(network, layers - 1, rows.last);
  unpack<T>(y, {out, rows.last, y.columns});
}

} // namespace

template <class T> void predict(const Network<T>& network, const Samples& samples, T* out, const Observer& observer) {
  const SharedLock lock(network.reader_count());
  const int threads = threads_for(multiply_adds(network) * static_cast<double>(samples.rows), worth_waking);
  if (threads > 1 && samples.rows < threads * few_rows) return predict_by_columns(network, samples, out, threads);
  predict_by_rows(network, samples, out, threads, observer);
}

template <class T> void forward_training(const Network<T>& network, const Samples& samples, T* out) {
  if (samples.rows < 1) throw std::invalid_argument("expected at least one sample");
  LockSet locks = training_locks(network);
  locks.reserve_shared.clear(); // it may run between two batches of a call that trains the variables it reads
  const ScopedLockSet held(std::move(locks));
  Workspace<T> workspace(network, samples.rows, 1, false);
  const BatchContext<T> batch{network, workspace, samples.rows};
  begin_random_steps(network);
  gather(samples, {nullptr, 0}, network.input_scale(), network.input_offset(), {0, samples.rows}, batch.output(-1));
  const auto layers = static_cast<Index>(network.layers().size());
  for (Index l = 0; l < layers; ++l) {
    forward(network.layers()[static_cast<std::size_t>(l)], batch.layer(l), whole(batch.output(l)));
  }
  for (Index l = 0; l < layers; ++l) {
    update_moving_statistics(network.layers()[static_cast<std::size_t>(l)], batch.layer(l));
  }
  set_random_steps(network, 1);
  const PanelView<T> y = batch.output(layers - 1);
  unpack<T>(y, {out, y.rows, y.columns});
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void predict(const Network<T>&, const Samples&, T*, const Observer&);                                       \
  template void forward_training(const Network<T>&, const Samples&, T*);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
