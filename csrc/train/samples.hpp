#pragma once

#include "core/panels.hpp"
#include "kernels/table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace cnet {

using kernels::ElementType;

/// The user's array, where it lies: never copied, converted a batch at a time. Strides in bytes.
struct Samples {
  const std::byte* data;
  ElementType type;
  Index rows;
  Index features;
  Index row_stride;
  Index feature_stride;
};

/// Which samples make a batch: order[first], order[first + 1], …, or first, first + 1, … without an order.
struct Selection {
  const std::uint32_t* order;
  Index first;
  Index operator[](Index i) const { return order ? static_cast<Index>(order[first + i]) : first + i; }
};

/// Row i of out = sample selection[i] · scale + offset, rounded once, for the rows given.
template <class T>
void gather(const Samples& samples, Selection selection, T scale, T offset, RowRange rows, PanelView<T> out);

/// out[i] = class id of sample selection[i], for the rows given. Throws std::invalid_argument for an id
/// outside [0, classes) that is not `ignored`.
void gather_ids(const Samples& samples, Selection selection, Index classes, std::optional<Index> ignored, RowRange rows,
                Index* out);

/// Whether a sample of class ids is of this one.
bool is_of_class(const Samples& samples, Index row, Index id);

} // namespace cnet
