// Hashes the results of training and prediction (weights, losses and outputs). The hashes in golden.txt, one of chains
// and one of graphs, are the same for every instruction set, compiler, architecture and number of threads.
//
// Usage: golden FILE, with the instruction set in CNET_ISA; exits with 77 if the CPU does not support it.

#include "check.hpp"
#include "core/thread_pool.hpp"
#include "training.hpp"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <fstream>

using namespace cnet;

namespace {

constexpr int skipped = 77;
constexpr int thread_counts[] = {1, 2, 3, 8};

/// 64-bit FNV-1a of numbers in little-endian byte order.
class Hash {
public:
  template <class T> void add(T number) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t> bits;
    std::memcpy(&bits, &number, sizeof(T));
    for (std::size_t n = 0; n < sizeof(T); ++n, bits >>= 8) value_ = (value_ ^ (bits & 0xff)) * 0x100000001b3;
  }
  template <class T> void add(const std::vector<T>& numbers) {
    for (const T number : numbers) add(number);
  }
  void add(const Totals& totals) {
    add(totals.loss());
    for (const Totals::Head& head : totals.heads) add(static_cast<std::int64_t>(head.correct));
  }
  std::uint64_t value() const { return value_; }

private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

/// A training to be hashed. The last batch is smaller than the others.
struct Case {
  const char* name;
  std::vector<Index> widths;
  Index rows;
  Index batch;
  std::uint32_t epochs;
  ops::Optimizer optimizer;
  bool decorated = false; ///< with normalization, dropout, noise, penalties and constraints
};

std::vector<Case> cases() {
  using ops::Rule;
  const std::vector<Index> small{20, 33, 17, 5};
  // Large enough for eight threads. The first is split by columns and has more inputs than a k-block; the second is
  // split by rows, more than a k-block and than a thread takes at a time.
  const std::vector<Index> wide{1030, 144, 8}, tall{48, 80, 40, 10};
  return {
      {"sgd", small, 100, 24, 2, optimizer(Rule::sgd, 0.125)},
      {"sgd_momentum", small, 100, 24, 2, optimizer(Rule::sgd_momentum, 0.0625)},
      {"nesterov", small, 100, 24, 2, optimizer(Rule::sgd_momentum, 0.0625, true)},
      {"rmsprop", small, 100, 24, 2, optimizer(Rule::rmsprop, 0x1p-8)},
      {"adam", small, 100, 24, 2, optimizer(Rule::adam, 0x1p-8)},
      {"wide sgd", wide, 54, 36, 1, optimizer(Rule::sgd, 0.0625)},
      {"wide adam", wide, 54, 36, 1, optimizer(Rule::adam, 0x1p-10)},
      {"tall sgd", tall, 930, 720, 1, optimizer(Rule::sgd, 0.125)},
      {"tall rmsprop", tall, 930, 720, 1, optimizer(Rule::rmsprop, 0x1p-8)},
      {"decorated adam", small, 100, 24, 2, optimizer(Rule::adam, 0x1p-8), true},
      {"decorated wide sgd", wide, 54, 36, 1, optimizer(Rule::sgd, 0x1p-8), true},
      {"decorated tall sgd", tall, 930, 720, 1, optimizer(Rule::sgd, 0x1p-8), true},
  };
}

template <class T> std::vector<T> predictions_row_by_row(const Network<T>& network, const Data<T>& data) {
  std::vector<T> result;
  for (Index i = 0; i < data.rows; ++i) {
    Samples row = data.features();
    row.data += i * row.row_stride;
    row.rows = 1;
    const std::vector<T> output = predictions(network, row);
    result.insert(result.end(), output.begin(), output.end());
  }
  return result;
}

/// The hash of a case on `threads` threads.
template <class T> std::uint64_t train(const Case& task, int threads, bool ids) {
  set_thread_limit(threads);
  const Data<T> data(task.rows, task.widths.front(), task.widths.back());
  const Dataset<T> dataset = ids ? data.with_ids() : data.with_distributions();
  const Network<T> network = make_network<T>(task.widths, task.decorated);
  Trainer<T> trainer(network, {{0, Loss{Loss::Kind::cross_entropy}}});
  Hash hash;
  for (std::uint32_t epoch = 0; epoch < task.epochs; ++epoch) {
    const EpochOptions options{task.batch, true, 7, epoch, task.optimizer};
    const Totals totals = trainer.train_epoch(dataset, options, no_observer());
    CHECK(std::isfinite(totals.loss()), "%s: the loss is not finite", task.name);
    hash.add(totals);
  }
  hash.add(trainer.evaluate(dataset, task.batch, no_observer()));
  hash.add(weights(network));
  const std::vector<T> whole = predictions(network, data.features());
  const std::vector<T> rows = predictions_row_by_row(network, data);
  const bool equal = std::memcmp(whole.data(), rows.data(), whole.size() * sizeof(T)) == 0;
  CHECK(equal, "%s on %d threads: predictions depend on the batch", task.name, threads);
  hash.add(whole);
  return hash.value();
}

template <class T> void train_all(Hash& hash) {
  for (const Case& task : cases()) {
    for (const bool ids : {true, false}) {
      std::uint64_t first = 0;
      for (const int threads : thread_counts) {
        const std::uint64_t value = train<T>(task, threads, ids);
        if (threads == 1) first = value;
        CHECK(value == first, "%s of %zu-byte elements: %d threads differ from one", task.name, sizeof(T), threads);
      }
      hash.add(first);
    }
  }
}

/// The hash of a graph's training on `threads` threads.
template <class T>
std::uint64_t train_graph(const GraphSizes& sizes, Index rows, Index batch, const ops::Optimizer& optimizer,
                          int threads) {
  set_thread_limit(threads);
  const GraphData<T> data(rows, sizes);
  const Network<T> network = make_graph<T>(sizes);
  Trainer<T> trainer(network, data.heads());
  Hash hash;
  const Totals totals = trainer.train_epoch(data.dataset(), {batch, true, 7, 0, optimizer}, no_observer());
  CHECK(std::isfinite(totals.loss()), "graph: the loss is not finite");
  hash.add(totals);
  for (const Totals::Head& head : totals.heads) hash.add(head.loss);
  hash.add(trainer.evaluate(data.dataset(), batch, no_observer()));
  hash.add(weights(network));
  const std::vector<T> whole = predictions(network, rows, data.inputs());
  const Index classes = sizes.classes;
  for (Index i = 0; i < rows; ++i) {
    std::vector<Samples> row = data.inputs();
    for (Samples& each : row) {
      each.data += i * each.row_stride;
      each.rows = 1;
    }
    const std::vector<T> one = predictions(network, 1, row);
    for (std::size_t output = 0; output < 2; ++output) {
      const auto size = static_cast<std::size_t>(classes);
      const auto at = output * static_cast<std::size_t>(rows * classes) + static_cast<std::size_t>(i * classes);
      const bool equal = std::memcmp(&whole[at], &one[output * size], size * sizeof(T)) == 0;
      CHECK(equal, "graph on %d threads: predictions depend on the batch", threads);
    }
  }
  hash.add(whole);
  return hash.value();
}

template <class T> void train_graphs(Hash& hash) {
  struct Case {
    GraphSizes sizes;
    Index rows, batch;
    ops::Optimizer optimizer;
  };
  // The last is large enough for eight threads.
  const Case cases[] = {{{20, 33, 5}, 50, 24, optimizer(ops::Rule::sgd, 0x1p-5)},
                        {{20, 33, 5}, 50, 24, optimizer(ops::Rule::adam, 0x1p-8)},
                        {{70, 144, 10}, 240, 200, optimizer(ops::Rule::sgd, 0x1p-5)}};
  for (const Case& task : cases) {
    std::uint64_t first = 0;
    for (const int threads : thread_counts) {
      const std::uint64_t value = train_graph<T>(task.sizes, task.rows, task.batch, task.optimizer, threads);
      if (threads == 1) first = value;
      CHECK(value == first, "graph of %zu-byte elements: %d threads differ from one", sizeof(T), threads);
    }
    hash.add(first);
  }
}

/// Compares a hash with the next line of the file.
void check_hash(const char* name, const Hash& hash, std::istream& file) {
  char actual[17];
  std::snprintf(actual, sizeof(actual), "%016" PRIx64, hash.value());
  std::string expected;
  file >> expected;
  std::printf("%s, %s: %s\n", kernels::chosen_isa(), name, actual);
  CHECK(actual == expected, "%s: expected %s, got %s", name, expected.c_str(), actual);
}

/// Checks that the large cases are split by rows and by columns as intended, given enough threads.
void check_cases() {
  const int most = *std::max_element(std::begin(thread_counts), std::end(thread_counts));
  set_thread_limit(most);
  int by_rows = 0, by_columns = 0;
  for (const Case& task : cases()) {
    const int threads = threads_for(3.0 * static_cast<double>(multiply_adds(task.widths) * task.batch), worth_waiting);
    if (threads < most) continue;
    const Split split = split_of<float>(task.batch, task.widths[1], threads, true);
    ++(split == Split::columns ? by_columns : by_rows);
  }
  CHECK(by_rows == 3 && by_columns == 3, "%d large cases split by rows, %d by columns", by_rows, by_columns);
}

/// True if this CPU supports the instruction set named by CNET_ISA; fails if it was not built.
bool is_supported() {
  const char* wanted = std::getenv("CNET_ISA");
  if (wanted == nullptr || *wanted == '\0') return true;
  int count;
  const kernels::InstructionSet* isas = kernels::built_isas(count);
  const auto* isa = std::find_if(isas, isas + count, [&](const auto& i) { return std::string(i.name) == wanted; });
  CHECK(isa != isas + count, "CNET_ISA: '%s' was not built", wanted);
  return isa->supported();
}

} // namespace

int main(int argc, char** argv) {
  CHECK(argc == 2, "usage: golden FILE");
  if (!is_supported()) {
    std::printf("this CPU does not support %s\n", std::getenv("CNET_ISA"));
    return skipped;
  }
  check_cases();
  Hash chains, graphs;
  train_all<float>(chains);
  train_all<double>(chains);
  train_graphs<float>(graphs);
  train_graphs<double>(graphs);

  std::ifstream file(argv[1]);
  check_hash("chains", chains, file);
  check_hash("graphs", graphs, file);
}
