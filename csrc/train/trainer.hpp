#pragma once

#include "network/update.hpp"
#include "train/samples.hpp"
#include "train/schedule.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace cnet {

enum class Loss {
  cross_entropy,             ///< of probabilities; fused with a softmax that ends the network
  cross_entropy_from_logits, ///< of logits, whatever the last layer is
};

/// Samples and what they should come out as: class ids (one integer a row) or distributions.
struct Dataset {
  Samples x;
  Samples y;
  bool ids;
};

/// Sums over the samples seen; the mean loss is loss / rows.
struct Totals {
  Index rows = 0;
  Index batches = 0;
  double loss = 0;
  Index correct = 0;
};

/// Told of the totals between two batches; false ends the call there, as does what it throws.
struct Observer {
  std::function<bool(const Totals&)> tell;
  bool every_batch = false; ///< else about every 50 ms
};

struct EpochOptions {
  Index batch_size;
  bool shuffle;
  std::uint64_t seed;
  std::uint32_t epoch; ///< with the seed, it decides the order of the samples
  ops::Optimizer optimizer;
  bool staged = false; ///< store the gradients before the update; large batches do in any case
};

/// A network, its loss, and what training keeps from step to step.
template <class T> class Trainer {
public:
  /// The network must outlive the trainer.
  Trainer(const Network<T>& network, Loss loss) : network_(network), loss_(loss) {}

  /// Throws std::invalid_argument if a label is not a class; looks at them all.
  void check(const Dataset&) const;

  /// One pass over the data. Throws NonFinite before an update that a loss of inf or NaN would have
  /// led to; std::invalid_argument as check().
  Totals train_epoch(const Dataset&, const EpochOptions&, const Observer&);

  /// Loss and accuracy, without training.
  Totals evaluate(const Dataset&, Index batch_size, const Observer&);

  /// Steps that the optimizer has taken.
  Index steps() const { return slots_.steps; }

private:
  /// One pass in batches; trains if there are options.
  Totals run(const Dataset&, Index batch_size, const std::uint32_t* order, const EpochOptions*, const Observer&);

  /// What is done to a batch before the weights are updated, one thing after the other.
  struct Stage {
    enum class Kind { input, forward, labels, loss, loss_gradient, backward } kind;
    Index layer;
    Split split;
  };
  std::vector<Stage> stages(Index batch_size, int threads, bool training) const;
  /// Does a block of a stage, of the rows of `data` that are selected.
  void perform(const Stage&, const Dataset& data, Selection, const Batch<T>&, Block);
  /// What a stage writes.
  PanelView<T> result(const Stage&, const Batch<T>&) const;
  Tiling columns_tiling_of(const Stage&, const Batch<T>&) const;

  void load_labels(const Dataset&, Selection, RowRange rows, Index batch);
  void loss(const Batch<T>&, RowRange rows);
  void loss_gradient(const Batch<T>&, RowRange rows);

  void reserve(Index rows, int threads, bool own_inputs);
  /// Adds a batch's losses and right predictions.
  void add(Index rows, Totals& totals) const;
  std::string first_not_finite(const Batch<T>&) const;
  ops::Targets<T> targets(Index batch);
  bool fused() const { return loss_ == Loss::cross_entropy && network_.ends_in_softmax(); }
  /// The layer whose output the loss's gradient is taken with respect to.
  Index top() const { return static_cast<Index>(network_.layers().size()) - (fused() ? 2 : 1); }

  const Network<T>& network_;
  Loss loss_;
  /// Made anew, whole or not at all, for a batch that is larger than any before.
  struct Buffers {
    Buffers() = default;
    Buffers(const Network<T>& network, Index rows, int threads, bool own_inputs)
        : workspace(network, rows, threads, own_inputs), probabilities(rows, network.outputs()),
          distribution(rows, network.outputs()), ids(rows), losses(rows), correct(rows) {}

    Workspace<T> workspace;
    PanelMatrix<T> probabilities;
    PanelMatrix<T> distribution;
    AlignedBuffer<Index> ids;
    AlignedBuffer<T> losses;
    AlignedBuffer<std::uint8_t> correct;
  };
  Buffers buffers_;
  Gradients<T> gradients_; ///< empty until a staged step
  bool has_ids_ = false;
  Slots<T> slots_;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
};

/// out[i] = the network's output for sample i, whatever the other samples are. The observer can end it
/// by an exception alone.
template <class T> void predict(const Network<T>&, const Samples&, T* out, const Observer&);

} // namespace cnet
