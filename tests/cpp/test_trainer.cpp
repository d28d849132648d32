// Training and prediction on several threads, and every way to end an epoch early: the same bytes as on one thread, no
// race (by ThreadSanitizer) and no thread left waiting.

#include "check.hpp"
#include "core/errors.hpp"
#include "core/thread_pool.hpp"
#include "training.hpp"

#include <limits>
#include <stdexcept>
#include <thread>

using namespace cnet;

namespace {

/// A network whose batches use several threads, and its data: four batches, the last one smaller.
struct Shape {
  const char* name;
  Split split; ///< of its largest products
  std::vector<Index> widths;
  Index batch;

  Index rows() const { return 3 * batch + batch / 2; }
};

const Shape shapes[] = {
    {"by columns", Split::columns, {110, 272, 10}, 168},
    {"by rows", Split::rows, {40, 100, 48, 10}, 600},
};

constexpr int thread_counts[] = {1, 2, 3, 8};

template <class T> struct Training {
  explicit Training(const Shape& shape)
      : data(shape.rows(), shape.widths.front(), shape.widths.back()), network(make_network<T>(shape.widths)),
        trainer(network, {{0, Loss{Loss::Kind::cross_entropy}}}), batch(shape.batch) {}

  Totals epoch(const Observer& observer = no_observer()) {
    return trainer.train_epoch(data.with_ids(), {batch, true, 1, 0, optimizer(ops::Rule::adam, 0x1p-8)}, observer);
  }
  Totals epoch_in_order() {
    return trainer.train_epoch(data.with_ids(), {batch, false, 0, 0, optimizer(ops::Rule::adam, 0x1p-8)},
                               no_observer());
  }

  Data<T> data;
  Network<T> network;
  Trainer<T> trainer;
  Index batch;
};

/// Return true if f throws an E whose message contains `text`.
template <class E, class F> bool throws(F f, const char* text) {
  try {
    f();
  } catch (const E& error) {
    return std::strstr(error.what(), text) != nullptr;
  }
  return false;
}

void test_shapes() {
  set_thread_limit(8);
  for (const Shape& shape : shapes) {
    const int threads =
        threads_for(3.0 * static_cast<double>(multiply_adds(shape.widths) * shape.batch), worth_waiting);
    CHECK(threads == 8, "%s: %d threads", shape.name, threads);
    CHECK(split_of<float>(shape.batch, shape.widths[1], threads, true) == shape.split, "%s", shape.name);
  }
}

template <class T> void test_training(const Shape& shape) {
  std::vector<T> expected, expected_outputs;
  double expected_loss = 0;
  for (const int threads : thread_counts) {
    set_thread_limit(threads);
    Training<T> training(shape);
    training.epoch();
    const double loss = training.trainer.evaluate(training.data.with_ids(), 50, no_observer()).loss();
    const std::vector<T> outputs = predictions(training.network, training.data.features());
    if (threads == 1) expected = weights(training.network), expected_outputs = outputs, expected_loss = loss;
    CHECK(weights(training.network) == expected, "%s: other weights on %d threads", shape.name, threads);
    CHECK(outputs == expected_outputs, "%s: other predictions on %d threads", shape.name, threads);
    CHECK(loss == expected_loss, "%s: another loss on %d threads", shape.name, threads);
  }
}

void test_predictions_at_once(const Shape& shape) {
  const Data<float> data(shape.rows(), shape.widths.front(), shape.widths.back());
  const Network<float> network = make_network<float>(shape.widths);
  set_thread_limit(1);
  const std::vector<float> expected = predictions(network, data.features());
  set_thread_limit(4);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int n = 0; n < 5; ++n) CHECK(predictions(network, data.features()) == expected, "%s", shape.name);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

void test_trainings_at_once() {
  set_thread_limit(3);
  std::vector<std::vector<float>> expected;
  for (const Shape& shape : shapes) {
    Training<float> training(shape);
    training.epoch();
    expected.push_back(weights(training.network));
  }
  std::vector<std::thread> callers;
  for (std::size_t n = 0; n < expected.size(); ++n) {
    callers.emplace_back([&, n] {
      for (int again = 0; again < 3; ++again) {
        Training<float> training(shapes[n]);
        training.epoch();
        CHECK(weights(training.network) == expected[n], "%s at once with another", shapes[n].name);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

/// While a network trains, other trainers are refused; afterwards they are not.
void test_busy(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  Trainer<float> other(training.network, {{0, Loss{Loss::Kind::cross_entropy}}});
  const auto evaluate = [&](Trainer<float>& trainer) { trainer.evaluate(training.data.with_ids(), 32, no_observer()); };
  const auto train = [&](Trainer<float>& trainer) {
    trainer.train_epoch(training.data.with_ids(), {32, false, 0, 0, {}}, no_observer());
  };
  int refused = 0;
  training.epoch({[&](const Totals&) {
                    refused += throws<Busy>([&] { train(other); }, "in use");
                    refused += throws<Busy>([&] { evaluate(training.trainer); }, "in use");
                    evaluate(other); // allowed between two batches
                    return true;
                  },
                  true});
  CHECK(refused == 8, "%s on %d threads: %d refusals", shape.name, threads, refused);
  evaluate(training.trainer);
  train(other);
}

void test_observer_stops(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  const Totals totals = training.epoch({[](const Totals& seen) { return seen.batches < 2; }, true});
  CHECK(totals.batches == 2 && training.trainer.steps() == 2, "%s on %d threads: %td batches, %td steps", shape.name,
        threads, totals.batches, training.trainer.steps());
  CHECK(training.epoch().batches == 4, "%s: an epoch after that", shape.name);
}

/// An observer of every batch sees the weights after the batch.
void test_observer_sees_weights(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  std::vector<float> seen;
  training.epoch({[&](const Totals&) { return seen = weights(training.network), true; }, true});
  CHECK(seen == weights(training.network), "%s on %d threads", shape.name, threads);
}

/// For an observer of every batch, outputs() has the prediction for the batch.
void test_outputs(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  const Dataset<float> data = training.data.with_ids();
  const Index columns = training.network.output_size(0);
  CHECK(training.trainer.outputs(0).rows == 0, "%s: outputs without a batch", shape.name);
  std::vector<float> expected(static_cast<std::size_t>(data.rows * columns)), seen;
  float* const out = expected.data();
  predict(training.network, data.rows, data.x.data(), &out, no_observer());
  const auto look = [&](const Totals& totals) {
    const PanelView<const float> outputs = training.trainer.outputs(0);
    seen.resize(static_cast<std::size_t>(totals.rows * columns));
    unpack<float>(outputs, {seen.data() + (totals.rows - outputs.rows) * columns, outputs.rows, columns});
    return true;
  };
  training.trainer.evaluate(data, shape.batch, {look, true});
  CHECK(seen == expected, "%s on %d threads: an evaluation", shape.name, threads);
  seen.clear();
  training.trainer.train_epoch(data, {shape.batch, false, 0, 0, optimizer(ops::Rule::sgd, 0)}, {look, true});
  CHECK(seen == expected, "%s on %d threads: an epoch with learning rate 0", shape.name, threads);
}

void test_observer_throws(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  Dataset<float> endless = training.data.with_ids(); // repeats one sample
  endless.rows = endless.x[0].rows = endless.y[0].y.rows = Index(1) << 40;
  endless.x[0].row_stride = endless.y[0].y.row_stride = 0;
  for (const bool every_batch : {true, false}) {
    const Observer observer{[](const Totals&) -> bool { throw std::domain_error("enough"); }, every_batch};
    const auto train = [&] {
      training.trainer.train_epoch(endless, {shape.batch, false, 0, 0, optimizer(ops::Rule::sgd, 0)}, observer);
    };
    CHECK(throws<std::domain_error>(train, "enough"), "%s on %d threads", shape.name, threads);
    const auto evaluate = [&] { training.trainer.evaluate(endless, shape.batch, observer); };
    CHECK(throws<std::domain_error>(evaluate, "enough"), "%s on %d threads", shape.name, threads);
    CHECK(training.epoch().batches == 4, "%s: an epoch after that", shape.name);
  }
}

void test_invalid_label(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  const auto row = static_cast<std::size_t>(2 * shape.batch + shape.batch - 1); // the last of the third batch
  const std::int64_t valid = training.data.ids[row];
  training.data.ids[row] = 10;
  const auto run = [&] { training.epoch_in_order(); };
  CHECK(throws<std::invalid_argument>(run, "labels: 10 at row"), "%s on %d threads", shape.name, threads);
  const auto check = [&] { training.trainer.check(training.data.with_ids()); };
  CHECK(throws<std::invalid_argument>(check, "labels: 10 at row"), "%s", shape.name);
  training.data.ids[row] = valid;
  CHECK(training.epoch().batches == 4, "%s: an epoch after that", shape.name);
}

void test_loss_not_finite(const Shape& shape, int threads) {
  set_thread_limit(threads);
  Training<float> training(shape);
  const auto element = static_cast<std::size_t>((2 * shape.batch + 1) * shape.widths.front()); // of the third batch
  training.data.x[element] = std::numeric_limits<float>::infinity();
  const auto run = [&] { training.epoch_in_order(); };
  CHECK(throws<NonFinite>(run, "batch 3: the input is not finite"), "%s on %d threads", shape.name, threads);
  CHECK(training.trainer.steps() == 2, "%s on %d threads: %td steps", shape.name, threads, training.trainer.steps());
}

/// Gradient accumulation, clipping by norm and running averages.
template <class T> void test_options(const Shape& shape) {
  ops::Optimizer options = optimizer(ops::Rule::nadam, 0x1p-8);
  options.weight_decay = 0x1p-4;
  options.global_clip_norm = 0x1p-6;
  options.accumulation = 2;
  options.averages = true;
  options.average_momentum = 0.5;
  std::vector<T> expected;
  for (const int threads : thread_counts) {
    set_thread_limit(threads);
    Training<T> training(shape);
    training.trainer.train_epoch(training.data.with_ids(), {shape.batch, true, 1, 0, options}, no_observer());
    training.trainer.finish();
    const std::vector<T> trained = weights(training.network);
    if (expected.empty()) expected = trained;
    const bool equal = std::memcmp(trained.data(), expected.data(), trained.size() * sizeof(T)) == 0;
    CHECK(equal, "%s on %d threads: other weights", shape.name, threads);
    CHECK(trained != weights(Training<T>(shape).network), "%s: the weights have not changed", shape.name);
  }
}

/// A step in parts has the bytes of train_epoch(), on any number of threads.
template <class T> void test_step_in_parts(const Shape& shape) {
  const ops::Optimizer adam = optimizer(ops::Rule::adam, 0x1p-8);
  const Index rows = shape.batch, classes = shape.widths.back();
  const Data<T> data(rows, shape.widths.front(), classes);
  const auto features = static_cast<std::size_t>(rows * shape.widths.front());
  for (const int threads : thread_counts) {
    set_thread_limit(threads);
    const Network<T> network = make_network<T>(shape.widths), twin = make_network<T>(shape.widths);
    Trainer<T> whole(network, {{0, Loss{Loss::Kind::cross_entropy}}}), parts(twin, {{0, Loss{Loss::Kind::external}}});
    for (int step = 0; step < 2; ++step) {
      whole.train_epoch(data.with_ids(), {rows, false, 0, 0, adam}, no_observer());

      set_thread_limit(threads);
      parts.forward({data.features()}, no_observer());
      set_thread_limit(8); // the workspace has room for fewer threads
      PanelMatrix<T> gradient(rows, classes);
      const std::vector<Index> ids(data.ids.begin(), data.ids.end());
      std::vector<T> losses(static_cast<std::size_t>(rows));
      ops::softmax_cross_entropy_forward<T>(parts.outputs(0), {ids.data(), {}}, {0, rows}, gradient.view(),
                                            losses.data());
      ops::softmax_cross_entropy_backward<T>(gradient.view(), {ids.data(), {}}, static_cast<double>(rows), {0, rows},
                                             gradient.view());
      std::vector<T> by_rows(static_cast<std::size_t>(rows * classes));
      unpack<T>(gradient.view(), {by_rows.data(), rows, classes});
      std::vector<T> first(features), again(features);
      for (std::vector<T>* of_input : {&first, &again}) { // repeatedly
        parts.backward({samples(by_rows, rows, classes)}, {true}, no_observer(),
                       [&] { unpack<T>(parts.input_gradient(0), {of_input->data(), rows, shape.widths.front()}); });
      }
      CHECK(first == again && *std::max_element(first.begin(), first.end()) > 0, "%s: other gradients", shape.name);
      std::vector<PanelMatrix<T>> gradients;
      parts.for_each_gradient([&](const Variable<T>& variable, PanelView<const T> values) {
        gradients.emplace_back(variable.rows(), variable.columns());
        std::copy_n(values.data, values.panels() * values.stride(), gradients.back().view().data);
      });
      auto next = gradients.begin();
      parts.apply(adam, adam.learning_rate, [&](const Variable<T>&, PanelView<T> values) {
        std::copy_n((next++)->view().data, values.panels() * values.stride(), values.data);
      });
      const auto backward = [&] { parts.backward({samples(by_rows, rows, classes)}, {false}, no_observer(), [] {}); };
      CHECK(throws<std::runtime_error>(backward, "weights have changed"), "%s: gradients after an update", shape.name);
    }
    CHECK(weights(network) == weights(twin), "%s on %d threads: other weights", shape.name, threads);
    CHECK(parts.steps() == 2, "%s: %td steps", shape.name, parts.steps());
  }
}

/// Sums down each column and then over the columns, without the padding.
void test_sum_of_squares() {
  constexpr Index width = panel_width<float>, rows = 3;
  for (Index columns = 1; columns <= width; ++columns) {
    std::vector<float> panel(static_cast<std::size_t>(rows * width), std::numeric_limits<float>::quiet_NaN());
    double expected = 0;
    for (Index j = 0; j < columns; ++j) {
      for (Index i = 0; i < rows; ++i) panel[static_cast<std::size_t>(i * width + j)] = float(i + j);
      expected += double(j * j + (j + 1) * (j + 1) + (j + 2) * (j + 2));
    }
    CHECK(ops::sum_of_squares(panel.data(), rows, columns) == expected, "%td columns", columns);
  }
}

} // namespace

int main() {
  test_sum_of_squares();
  test_shapes();
  test_trainings_at_once();
  for (const Shape& shape : shapes) {
    test_training<float>(shape);
    test_training<double>(shape);
    test_options<float>(shape);
    test_options<double>(shape);
    test_step_in_parts<float>(shape);
    test_step_in_parts<double>(shape);
    test_predictions_at_once(shape);
    for (const int threads : thread_counts) {
      test_busy(shape, threads);
      test_observer_stops(shape, threads);
      test_observer_sees_weights(shape, threads);
      test_outputs(shape, threads);
      test_observer_throws(shape, threads);
      test_invalid_label(shape, threads);
      test_loss_not_finite(shape, threads);
    }
  }
}
