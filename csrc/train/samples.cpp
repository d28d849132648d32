#include "train/samples.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

namespace cnet {

namespace {

template <class Source> Source read(const std::byte* from) {
  Source value;
  std::memcpy(&value, from, sizeof(value)); // the array may be unaligned
  return value;
}

/// Calls f with a value of the C++ type of integer elements.
template <class F> void with_integer(ElementType type, F f) {
  switch (type) {
  case ElementType::uint8: return f(std::uint8_t());
  case ElementType::int8: return f(std::int8_t());
  case ElementType::uint16: return f(std::uint16_t());
  case ElementType::int16: return f(std::int16_t());
  case ElementType::uint32: return f(std::uint32_t());
  case ElementType::int32: return f(std::int32_t());
  case ElementType::uint64: return f(std::uint64_t());
  case ElementType::int64: return f(std::int64_t());
  default: throw std::logic_error("gather_ids: expected integers");
  }
}

/// The rows to prefetch while those of a batch are read, since shuffled rows are strangers to the hardware's
/// prefetcher: some kilobytes ahead, those of the next batch among them.
class RowsAhead {
public:
  RowsAhead(const Samples& samples, Selection selection) : samples_(samples), selection_(selection) {
    constexpr Index bytes_ahead = 4096, fewest = 8, most = 64;
    const Index row_size = std::max(samples.features * std::abs(samples.feature_stride), Index(1));
    distance_ = std::clamp(bytes_ahead / row_size, fewest, most);
  }
  /// The data to prefetch for row i of the batch.
  const std::byte* operator[](Index i) const {
    const Index last = samples_.rows - 1 - selection_.first;
    return samples_.data + selection_[std::min(i + distance_, last)] * samples_.row_stride;
  }

private:
  const Samples& samples_;
  Selection selection_;
  Index distance_;
};

} // namespace

template <class T>
void gather(const Samples& samples, Selection selection, T scale, T offset, RowRange rows, PanelView<T> out) {
  constexpr Index group = 8;
  kernels::Gather<T> task{};
  task.columns = samples.features;
  task.stride = samples.feature_stride;
  task.rescales = scale != T(1) || offset != T(0);
  task.scale = scale;
  task.offset = offset;
  task.out_stride = out.stride();
  const RowsAhead rows_ahead(samples, selection);
  const void *from[group], *ahead[group];
  task.from = from;
  task.prefetch = ahead;
  for (Index first = rows.first; first < rows.last; first += group) {
    task.rows = std::min(group, rows.last - first);
    for (Index r = 0; r < task.rows; ++r) {
      from[r] = samples.data + selection[first + r] * samples.row_stride;
      ahead[r] = rows_ahead[first + r];
    }
    task.out = out.row(first);
    kernels::table<T>().gather[static_cast<int>(samples.type)](task);
  }
}

namespace {

template <class Id> std::string out_of_range(Id id, Index row, Index column, const IdRange& range) {
  const std::string what = range.reader ? "ids of '" + std::string(range.reader) + "': " : "labels: ",
                    place = range.reader ? ", column " + std::to_string(column) : "";
  return what + std::to_string(id) + " at row " + std::to_string(row) + place + " is outside [0, " +
         std::to_string(range.bound) + ")";
}

/// Calls f(id) for some rows, column by column.
template <class F>
void for_each_id(const Samples& samples, Selection selection, const IdRange& range, RowRange rows, F f) {
  with_integer(samples.type, [&](auto source) {
    using Source = decltype(source);
    const auto bound = static_cast<std::uint64_t>(range.bound);
    const RowsAhead rows_ahead(samples, selection);
    for (Index i = rows.first; i < rows.last; ++i) {
      __builtin_prefetch(rows_ahead[i]);
      const Index row = selection[i];
      const std::byte* from = samples.data + row * samples.row_stride;
      for (Index j = 0; j < samples.features; ++j, from += samples.feature_stride) {
        const auto id = read<Source>(from);
        const bool inside = static_cast<std::uint64_t>(id) < bound; // a negative id is larger than any bound
        if (!inside && static_cast<Index>(id) != range.ignored) {
          throw std::invalid_argument(out_of_range(id, row, j, range));
        }
        f(static_cast<Index>(id));
      }
    }
  });
}

} // namespace

void gather_ids(const Samples& samples, Selection selection, const IdRange& range, RowRange rows, Index* out) {
  Index* next = out + rows.first * samples.features;
  for_each_id(samples, selection, range, rows, [&](Index id) { *next++ = id; });
}

void check_ids(const Samples& samples, const IdRange& range) {
  for_each_id(samples, {nullptr, 0}, range, {0, samples.rows}, [](Index) {});
}

bool is_of_class(const Samples& samples, Index row, Index id) {
  bool is = false;
  with_integer(samples.type, [&](auto source) {
    is = static_cast<Index>(read<decltype(source)>(samples.data + row * samples.row_stride)) == id;
  });
  return is;
}

template void gather(const Samples&, Selection, float, float, RowRange, PanelView<float>);
template void gather(const Samples&, Selection, double, double, RowRange, PanelView<double>);

} // namespace cnet
