#include "train/predict.hpp"

#include "train/exclusive.hpp"
#include "train/schedule.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>

namespace cnet {

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
  const Index part = (samples.rows + threads - 1) / threads;
  const Index piece = std::clamp(part / 4, std::min(part, few_rows), block_rows);
  const Index capacity = std::min((piece + row_group - 1) / row_group * row_group, samples.rows);
  std::atomic<Index> next{0};
  Failure failure;
  Pulse pulse(observer);
  run_parallel(threads, [&](Share share) {
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
          infer<T>(network.layers()[static_cast<std::size_t>(l)], turns.output(network, l - 1, rows.last),
                   across(y, rows), y);
        }
        const PanelView<T> y = turns.output(network, layers - 1, rows.last);
        unpack<T>(y, {out + first * y.columns, rows.last, y.columns});
        totals.rows = first + rows.last;
        if (share.index == 0) pulse(totals);
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
  run_parallel(threads, [&](Share share) {
    Hand hand(deal, share);
    hand.begin();
    for (Index l = 0; l < layers; ++l) {
      const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
      const PanelView<T> y = turns.output(network, l, rows.last);
      const PanelView<T> x = turns.output(network, l - 1, rows.last);
      const auto make = [&](Block block) { infer<T>(layer, x, block, y); };
      if (layer.template is<Dense>()) {
        hand.each(columns_tiling(y, x.columns), make);
      } else {
        hand.each(whole_tiling, [&](Block) { make(across(y, rows)); });
      }
      hand.wait();
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

template <class T> void predict_in_training(const Network<T>& network, const Samples& samples, T* out) {
  if (samples.rows < 1) throw std::invalid_argument("a batch of training has one sample at least");
  const Exclusive<T> exclusive(network);
  Workspace<T> workspace(network, samples.rows, 1, false);
  const Batch<T> batch(network, workspace, samples.rows, 0, 0);
  begin_random_steps(network);
  gather(samples, {nullptr, 0}, network.input_scale(), network.input_offset(), {0, samples.rows}, batch.output(-1));
  const auto layers = static_cast<Index>(network.layers().size());
  for (Index l = 0; l < layers; ++l) {
    forward(network.layers()[static_cast<std::size_t>(l)], batch.place(l), whole(batch.output(l)));
  }
  for (Index l = 0; l < layers; ++l) {
    const Layer<T>& layer = network.layers()[static_cast<std::size_t>(l)];
    remember(layer, batch.place(l));
  }
  count_random_steps(network, 1);
  const PanelView<T> y = batch.output(layers - 1);
  unpack<T>(y, {out, y.rows, y.columns});
}

#define CNET_INSTANTIATE(T)                                                                                            \
  template void predict(const Network<T>&, const Samples&, T*, const Observer&);                                       \
  template void predict_in_training(const Network<T>&, const Samples&, T*);
CNET_INSTANTIATE(float)
CNET_INSTANTIATE(double)
#undef CNET_INSTANTIATE

} // namespace cnet
