#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace cnet {

using kernels::ElementType;

/// A view of a user's array, which is converted batch by batch. Strides are in bytes.
struct Samples {
  const std::byte* data;
  ElementType type;
  Index rows;
  Index features;
  Index row_stride;
  Index feature_stride;
};

/// The samples of a batch: order[first], order[first + 1], …, or first, first + 1, … if order is null.
struct Selection {
  const std::uint32_t* order;
  Index first;
  Index operator[](Index i) const { return order ? static_cast<Index>(order[first + i]) : first + i; }
};

/// Writes sample selection[i] · scale + offset, rounded once, to row i of out, for some rows.
template <class T>
void gather(const Samples& samples, Selection selection, T scale, T offset, RowRange rows, PanelView<T> out);

/// The allowed ids: [0, bound), and one that is ignored.
struct IdRange {
  Index bound;
  std::optional<Index> ignored = {};
  const char* reader = nullptr; ///< in error messages: the embedding that reads ids; null for labels
};

/// Writes the ids of sample selection[i] to out[i · features], …, for some rows. Throws std::invalid_argument if an id
/// is out of range.
void gather_ids(const Samples& samples, Selection selection, const IdRange& range, RowRange rows, Index* out);

/// Throws std::invalid_argument if an id of any sample is out of range.
void check_ids(const Samples& samples, const IdRange& range);

/// Return true if a sample's class id is `id`.
bool is_of_class(const Samples& samples, Index row, Index id);

} // namespace cnet
