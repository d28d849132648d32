#pragma once

#include "core/access.hpp"
#include "network/update.hpp"
#include "train/observer.hpp"
#include "train/samples.hpp"
#include "train/schedule.hpp"
#include "train/uses.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cnet {

/// What training makes small.
struct Loss {
  enum class Kind {
    cross_entropy,             ///< of probabilities; fused with a softmax that ends the network
    cross_entropy_from_logits, ///< of logits, whatever the last layer is
    pointwise,                 ///< of numbers with numbers
    elsewhere,                 ///< computed by others, who give its gradient
  } kind;
  ops::PointwiseLoss pointwise = {};
  ops::LossParameters parameters = {};
  /// What becomes of targets that are no ids: smoothed labels, for example.
  double target_scale = 1, target_offset = 0;
  /// What the sum of a batch's losses is divided by.
  enum class Reduction {
    mean,          ///< rows, but those that are ignored
    weighted_mean, ///< the sum of what they count
    sum,           ///< 1
  } reduction = Reduction::mean;
  std::optional<Index> ignored_class = {}; ///< of rows that have no loss and no gradient

  /// Whether a sample's part in the loss depends on the others in its batch.
  bool depends_on_batch() const { return reduction != Reduction::mean || ignored_class; }
  ops::Accuracy accuracy() const {
    return kind == Kind::pointwise ? ops::accuracy_of(pointwise) : ops::Accuracy::categorical;
  }
};

/// Samples and what they should come out as: class ids (one integer a row) or distributions; and how
/// much each of them counts.
template <class T> struct Dataset {
  Samples x;
  Samples y;
  bool ids;
  const T* weights = nullptr; ///< of each sample; all 1 if null
};

struct EpochOptions {
  Index batch_size;
  bool shuffle;
  std::uint64_t seed;
  std::uint32_t epoch; ///< with the seed, it decides the order of the samples
  ops::Optimizer optimizer;
  bool staged = false;                  ///< store the gradients before the update; large batches do in any case
  std::vector<double> learning_rates{}; ///< of each batch; without any, the optimizer's
  Index first_batch = 0;                ///< batches of the same epoch in calls before: messages count on
};

/// A network, its loss, and what training keeps from step to step.
template <class T> class Trainer {
public:
  /// The network must outlive the trainer.
  Trainer(const Network<T>& network, Loss loss) : network_(network), loss_(loss) {}

  /// Throws std::invalid_argument if a label is not a class; looks at them all.
  void check(const Dataset<T>&) const;

  /// One pass over the data, in which others may read and write the network's variables while the
  /// observer is told of a batch, and whenever they wait. Throws Busy if another call trains them or, all
  /// along, reads those that this one would change; NonFinite before an update that a loss of inf or NaN would have
  /// led to; std::invalid_argument as check().
  Totals train_epoch(const Dataset<T>&, const EpochOptions&, const Observer&);

  /// Loss and accuracy, without training. Waits while others train the network.
  Totals evaluate(const Dataset<T>&, Index batch_size, const Observer&);

  // A batch's step in pieces, for losses that are computed elsewhere: with the bits of train_epoch().

  /// The way forward, as in training, up to what outputs() then has: logits, where a softmax ends the network.
  void forward(const Samples& x, const Observer&);
  /// From the gradient with respect to those outputs to that of each variable that learns and, if asked for, that
  /// of x as the network took it; without penalties. Of the latest forward(), as often as wanted. Calls after(),
  /// which may read them, before anybody else can ask for others. Throws std::runtime_error if a variable has been
  /// written since.
  template <class After> void backward(const Samples& gradient, bool of_input, const Observer& observer, After after) {
    Hold hold(owning(guard_, uses_of_evaluation(network_)));
    go_back(gradient, of_input, observer, hold);
    after();
  }
  /// Calls see(variable, gradient) from the first variable that learns to the last.
  template <class See> void read_gradients(See see) { each_gradient(see); }
  PanelView<const T> input_gradient() const { return input_gradient_.view(); }

  /// A step of the optimizer by gradients from elsewhere, which fill(variable, gradient) sets in the same order.
  template <class Fill> void apply(const ops::Optimizer& optimizer, double learning_rate, Fill fill) {
    Hold hold(owning(guard_, uses_of_training(network_)));
    if (gradients_.layers.empty()) gradients_ = Gradients<T>(network_);
    each_gradient(fill);
    apply_gradients(optimizer, learning_rate, hold);
  }

  /// Puts the running means of the parameters in their place, if the optimizer kept them.
  void finish();

  /// The network's output for the latest batch: for an observer of every batch, while it is told.
  PanelView<const T> outputs();

  /// Whether a sample's part in the loss depends on the others in its batch.
  bool depends_on_batch() const { return loss_.depends_on_batch(); }

  /// Batches that the optimizer has seen; with gradient accumulation several make a step of it.
  Index steps() const { return steps_; }

  /// The optimizer that has trained last, whose slots are kept; none if there are none.
  const std::optional<ops::Optimizer>& optimizer() const { return optimizer_; }

  /// Calls see(variable, values) for all that it keeps: from the first trainable variable to the last, for
  /// each in the order of ops::Optimizer::slot_names().
  template <class See> void read_slots(See see) {
    if (optimizer_) each_slot(see);
  }

  /// Takes over what another trainer kept: fill(variable, values) sets them, in the same order.
  template <class Fill> void write_slots(const ops::Optimizer& optimizer, Index batches, Fill fill) {
    const Hold hold(owning(guard_));
    prepare(optimizer);
    each_slot(fill);
    steps_ = batches;
  }

  /// f(variable, l, v) for each variable that learns: the v-th of layer l.
  template <class F> void each_learning(F f) const {
    for (std::size_t l = 0; l < network_.layers().size(); ++l) {
      const Layer<T>& layer = network_.layers()[l];
      for (std::size_t v = 0; v < layer.variables.size() && layer.learns(); ++v) {
        if (layer.variables[v]) f(*layer.variables[v], l, v);
      }
    }
  }

private:
  /// Makes room for what this optimizer keeps, unless it is there.
  void prepare(const ops::Optimizer&);
  template <class F> void each_slot(F f) {
    each_learning([&](const Variable<T>& variable, std::size_t l, std::size_t v) {
      for (AlignedBuffer<T>& slot : slots_.layers[l][v]) {
        f(variable, PanelView<T>{slot.data(), variable.rows(), variable.columns()});
      }
      if (optimizer_->accumulation > 1) f(variable, put_by_.layers[l][v].values.view());
    });
  }
  template <class F> void each_gradient(F f) {
    each_learning([&](const Variable<T>& variable, std::size_t l, std::size_t v) {
      f(variable, gradients_.layers[l][v].values.view());
    });
  }

  /// What is done to a batch, one thing after the other.
  struct Stage {
    enum class Kind {
      input,
      forward,
      labels,
      loss,
      loss_gradient,
      backward, ///< to the layer before, or to the input
      make_gradient,
      penalize,      ///< large weights
      tally,         ///< adds the batch to the totals, or ends the pass without it
      accumulate,    ///< with the gradients of batches before
      measure,       ///< the gradients' norms
      choose_scales, ///< by which they are clipped
      apply_gradient,
      update,
      constrain, ///< the weights
      remember,  ///< what layers keep of a batch beyond it
    } kind;
    Index layer;
    Split split;

    /// Whether a thread that has done its part of this stage may go on to the next at once.
    bool flows_into(const Stage& next) const {
      const bool is_of_weights = split == Split::weights || split == Split::weight_panels;
      return split == next.split && (split == Split::rows || (is_of_weights && kind == next.kind));
    }
  };
  /// What a batch goes through.
  class Plan;
  std::vector<Stage> stages(Index batch_size, int threads, const EpochOptions*) const;
  const Layer<T>& layer(const Stage& stage) const { return network_.layers()[static_cast<std::size_t>(stage.layer)]; }
  Tiling tiling(const Stage&, const Batch<T>&, int threads);
  /// What a stage of rows, columns or panels writes.
  PanelView<T> result(const Stage&, const Batch<T>&);

  /// One way through the data, and how far it has come.
  struct Pass {
    const Dataset<T>& data;
    const std::uint32_t* order;
    const Index batch_size;
    const EpochOptions* training; ///< or null: only look
    const Observer& observer;
    Hold& hold;
    const Index steps_before; ///< batches that the optimizer had seen

    /// Of the loss with respect to the outputs, if that is given: penalties are not part of it then.
    const Samples* gradient = nullptr;
    bool own_inputs = false; ///< whether each thread gathers all of the input for itself

    Failure failure{};
    std::atomic<bool> stopped{false}; ///< by the observer
    std::atomic<bool> ended{false};   ///< no batch is to follow, for all threads alike: tally() decides
    std::atomic<bool> pauses{false};  ///< after the batch, as others wait; tally() sees it
    Totals totals{};                  ///< tally() writes them
    std::string not_finite{};         ///< and this, if that is why it has ended

    /// Whether the batch is not to be counted, nor learnt from.
    bool given_up() const { return failure || stopped; }
  };
  Totals run(Pass&);
  /// One batch through some of the stages.
  void run_piece(Pass&, const std::vector<Stage>&, int threads);
  void go_back(const Samples& gradient, bool of_input, const Observer&, Hold&);
  void apply_gradients(const ops::Optimizer&, double learning_rate, Hold&);
  /// How often the variables that a way back goes by have been written.
  std::uint64_t writes() const;
  int threads_of(Index batch_size, bool training) const;
  /// Batches on, from that of this first sample, until there are no more or somebody waits.
  void run_from(Index first, Pass&, const std::vector<Stage>&, int threads, Pulse&);

  /// A batch, and what is to be done with it, as one thread sees them.
  struct Step {
    Step(Trainer& trainer, const Pass& pass, Index first, int thread)
        : selection{pass.order, first},
          batch(trainer.network_, trainer.buffers_.workspace, std::min(pass.batch_size, pass.data.x.rows - first),
                thread, first / pass.batch_size),
          divisor(trainer.divisor(pass.data, selection, batch.rows())),
          rule(pass.training ? pass.training->optimizer : ops::Optimizer{},
               pass.steps_before + first / pass.batch_size + 1, learning_rate(pass, first / pass.batch_size)) {}

    static double learning_rate(const Pass& pass, Index batch) {
      if (!pass.training) return 0;
      const std::vector<double>& rates = pass.training->learning_rates;
      return rates.empty() ? pass.training->optimizer.learning_rate : rates[static_cast<std::size_t>(batch)];
    }

    Selection selection;
    Batch<T> batch;
    double divisor; ///< of the sum of its losses
    ops::Update<T> rule;
  };
  void perform(const Stage&, Pass&, const Step&, Block);

  void load_input(const Pass&, const Step&, RowRange rows) const;
  void load_labels(const Dataset<T>&, const Step&, RowRange rows);
  /// What a batch's sum of losses is divided by; infinity where nothing counts: all becomes zero.
  double divisor(const Dataset<T>&, Selection, Index rows) const;
  bool is_ignored(const Dataset<T>&, Index row) const;
  /// Whether a sample has a part in the loss.
  bool counts(const Dataset<T>&, Index row) const;
  bool weighs(const Dataset<T>& data) const { return data.weights || loss_.ignored_class; }
  /// How much row i of a batch counts.
  T weight(const Dataset<T>&, const Step&, Index i) const;
  void loss(const Dataset<T>&, const Step&, RowRange rows);
  void loss_gradient(const Pass&, const Step&, RowRange rows);
  /// Adds a batch's losses and right predictions to the totals, or ends the pass.
  void tally(Pass&, const Step&);

  void reserve(Index rows, int threads, bool own_inputs);
  /// What is to blame for a loss that is not finite.
  std::string first_not_finite(const Pass&, const Step&);
  ops::Targets<T> targets(Index batch);
  /// Whether a softmax that ends the network is left to the loss.
  bool fused() const {
    const bool takes_logits = loss_.kind == Loss::Kind::cross_entropy || loss_.kind == Loss::Kind::elsewhere;
    return takes_logits && network_.ends_in_softmax();
  }
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
    AlignedBuffer<T> correct;
  };
  Buffers buffers_;
  Gradients<T> gradients_; ///< empty until a staged step
  Gradients<T> put_by_;    ///< empty until gradients are accumulated
  PanelMatrix<T> input_gradient_;
  Penalties penalties_;
  bool has_ids_ = false;
  Index latest_rows_ = 0;           ///< of the batch that was counted last
  std::uint64_t writes_before_ = 0; ///< the way back
  Slots<T> slots_;
  std::optional<ops::Optimizer> optimizer_;
  std::atomic<Index> steps_{0}; ///< others may read it meanwhile
  Guard guard_;                 ///< of the trainer itself
};

} // namespace cnet
