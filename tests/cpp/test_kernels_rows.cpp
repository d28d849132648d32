// Kernels over rows: softmax, losses, argmax, normalization, gather and random numbers.

#include "kernel_comparison.hpp"

using namespace cnet;

namespace {

template <class T> void softmaxes(Index rows, Index columns) {
  const Index size = rows * padded<T>(columns), stride = rows * panel_width<T>;
  Numbers<T> x(size, 5), grad(size, 6), distribution(size, 7), positive(size, 8);
  for (Index i = 0; i < size; ++i) positive.data()[i] = positive.data()[i] * positive.data()[i];
  std::vector<Index> ids(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) ids[static_cast<std::size_t>(i)] = i * 7 % columns;
  const kernels::Rows<T> input{rows, columns, x.data(), stride};
  const kernels::Rows<T> probabilities{rows, columns, positive.data(), stride};

  using Table = kernels::Table<T>;
  using Out = std::vector<T>;
  compare<T>("softmax", size, [&](const Table& table, Out& out) { table.softmax(input, out.data(), stride); });
  compare<T>("softmax_backward", size, [&](const Table& table, Out& out) {
    table.softmax_backward(probabilities, grad.data(), stride, out.data(), stride);
  });
  compare<T>("dot", rows, [&](const Table& table, Out& out) { table.dot(input, grad.data(), stride, out.data()); });
  compare<T>("log_softmax", size, [&](const Table& table, Out& out) { table.log_softmax(input, out.data(), stride); });
  compare<T>("log_softmax_backward", size, [&](const Table& table, Out& out) {
    table.log_softmax_backward(input, grad.data(), stride, out.data(), stride);
  });
  for (const kernels::Targets<T> targets :
       {kernels::Targets<T>{ids.data(), nullptr, 0}, kernels::Targets<T>{nullptr, distribution.data(), stride}}) {
    compare<T>("softmax_cross_entropy_forward", size + rows, [&](const Table& table, Out& out) {
      table.softmax_cross_entropy_forward(input, targets, out.data(), stride, out.data() + size);
    });
    compare<T>("softmax_cross_entropy_backward", size, [&](const Table& table, Out& out) {
      table.softmax_cross_entropy_backward(input, targets, T(3), out.data(), stride);
    });
    compare<T>("cross_entropy_forward", rows,
               [&](const Table& table, Out& out) { table.cross_entropy_forward(probabilities, targets, out.data()); });
    compare<T>("cross_entropy_backward", size, [&](const Table& table, Out& out) {
      table.cross_entropy_backward(probabilities, targets, T(3), out.data(), stride);
    });
  }
}

/// The value of a float16, by its definition.
float half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa == 0 ? sign * HUGE_VALF : std::nanf("");
  if (exponent == 0) return sign * std::ldexp(float(mantissa), -24);
  return sign * std::ldexp(float(1024 + mantissa), exponent - 25);
}

/// Rows of elements of type Source, with `gap` bytes between elements, against the definition.
template <class Source, class T> void gathers(kernels::ElementType type, Index rows, Index columns, Index gap) {
  const Index stride = Index(sizeof(Source)) + gap, row_size = columns * stride + 1; // rows are unaligned
  std::vector<std::byte> memory(static_cast<std::size_t>(rows * row_size + 1));
  for (std::size_t i = 0; i < memory.size(); ++i) {
    memory[i] = static_cast<std::byte>(philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {14, 0})[0]);
  }
  std::vector<const void*> from(static_cast<std::size_t>(rows));
  for (Index r = 0; r < rows; ++r) from[static_cast<std::size_t>(r)] = memory.data() + r * row_size + 1;
  for (const bool rescales : {false, true}) {
    const Index out_stride = rows * panel_width<T>, size = rows * padded<T>(columns);
    compare<T>("gather", size, [&](const kernels::Table<T>& table, std::vector<T>& out) {
      table.gather[static_cast<int>(type)](
          {rows, columns, from.data(), from.data(), stride, rescales, T(0.1), T(-0.3), out.data(), out_stride});
      const PanelView<T> view{out.data(), rows, columns};
      for (Index r = 0; r < rows; ++r) {
        for (Index j = 0; j < columns; ++j) {
          Source source;
          std::memcpy(&source, static_cast<const std::byte*>(from[static_cast<std::size_t>(r)]) + j * stride,
                      sizeof(source));
          T expected;
          if (type == kernels::ElementType::float16)
            expected = static_cast<T>(half_value(static_cast<std::uint16_t>(source)));
          else
            expected = static_cast<T>(source);
          if (rescales) expected = std::fma(expected, T(0.1), T(-0.3));
          T& actual = view.at(r, j);
          const bool is_nan = std::isnan(expected) && std::isnan(actual);
          CHECK(is_nan || std::memcmp(&actual, &expected, sizeof(T)) == 0, "gather: type %d, row %td, column %td",
                static_cast<int>(type), r, j);
          if (is_nan) actual = T(0); // the payload is unspecified
        }
      }
    });
  }
}

template <class T> void all_gathers(Index rows, Index columns) {
  using Type = kernels::ElementType;
  for (const Index gap : {0, 3}) {
    gathers<std::uint8_t, T>(Type::uint8, rows, columns, gap);
    gathers<std::int8_t, T>(Type::int8, rows, columns, gap);
    gathers<std::uint16_t, T>(Type::uint16, rows, columns, gap);
    gathers<std::int16_t, T>(Type::int16, rows, columns, gap);
    gathers<std::uint32_t, T>(Type::uint32, rows, columns, gap);
    gathers<std::int32_t, T>(Type::int32, rows, columns, gap);
    gathers<std::uint64_t, T>(Type::uint64, rows, columns, gap);
    gathers<std::int64_t, T>(Type::int64, rows, columns, gap);
    gathers<std::uint16_t, T>(Type::float16, rows, columns, gap);
    gathers<float, T>(Type::float32, rows, columns, gap);
    gathers<double, T>(Type::float64, rows, columns, gap);
  }
}

/// Predictions in [−2, 2) or in [0, 1], and targets likewise or 0 and 1.
template <class T> void pointwise_losses(Index rows, Index columns) {
  const Index size = rows * padded<T>(columns), stride = rows * panel_width<T>;
  Numbers<T> x(size, 16), t(size, 17);
  using Table = kernels::Table<T>;
  for (const bool are_probabilities : {false, true}) {
    for (Index i = 0; are_probabilities && i < size; ++i) {
      x.data()[i] = std::min(std::abs(x.data()[i]), T(1));
      t.data()[i] = t.data()[i] > 0;
    }
    const kernels::Rows<T> predictions{rows, columns, x.data(), stride};
    const kernels::LossParameters<T> parameters{T(0.7), T(1.5), T(0.3), T(0.6)};
    for (int loss = 0; loss < kernels::pointwise_loss_count; ++loss) {
      const std::string name = "pointwise loss " + std::to_string(loss);
      compare<T>(name, rows, [&](const Table& table, std::vector<T>& out) {
        table.pointwise_loss_forward[loss](predictions, t.data(), stride, parameters, out.data());
        for (T& number : out) number = std::isnan(number) ? T(0) : number; // logarithms of negative numbers
      });
      compare<T>(name, size, [&](const Table& table, std::vector<T>& out) {
        table.pointwise_loss_backward[loss](predictions, t.data(), stride, parameters, T(3), out.data(), stride);
        for (T& number : out) number = std::isnan(number) ? T(0) : number;
      });
    }
  }
}

/// Rows with few distinct values, so that the maximum occurs more than once; some have NaNs and infinities.
template <class T> void argmaxes(Index rows, Index columns) {
  const Index stride = rows * panel_width<T>;
  std::vector<T> x(static_cast<std::size_t>(rows * padded<T>(columns)));
  const PanelView<T> view{x.data(), rows, columns};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto word = philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {15, 0})[0];
    x[i] = word % 31 == 0 ? T(NAN) : word % 31 == 1 ? T(INFINITY) : word % 31 == 2 ? T(-INFINITY) : T(word % 7) - T(3);
  }
  if (rows > 1) {
    for (Index j = 0; j < columns; ++j) view.at(1, j) = T(-INFINITY);
  }
  compare<T>("argmax", rows, [&](const kernels::Table<T>& table, std::vector<T>& out) {
    table.argmax({rows, columns, x.data(), stride}, out.data());
    for (Index i = 0; i < rows; ++i) {
      Index expected = 0;
      for (Index j = 0; j < columns && !std::isnan(view.at(i, expected)); ++j) {
        if (std::isnan(view.at(i, j)) || view.at(i, j) > view.at(i, expected)) expected = j;
      }
      CHECK(out[static_cast<std::size_t>(i)] == T(expected), "argmax: row %td of %td columns", i, columns);
    }
  });
}

template <class T> void normalizations(Index rows, Index columns) {
  const Index width = panel_width<T>, panels = panel_count<T>(columns), size = rows * padded<T>(columns);
  const Index stride = rows * width, wide = padded<T>(columns);
  Numbers<T> x(size, 18), grad(size, 19), mean(std::max(wide, rows), 20), inverse(std::max(wide, rows), 21);
  Numbers<T> gamma(wide, 22), beta(wide, 23);
  using Table = kernels::Table<T>;
  using Out = std::vector<T>;
  const kernels::Standardized<T> task{rows, panels, x.data(), stride, mean.data(), inverse.data()};
  const kernels::Rows<T> input{rows, columns, x.data(), stride};
  compare<T>("column_moments", 2 * wide, [&](const Table& table, Out& out) {
    table.column_moments(rows, panels, x.data(), stride, out.data(), out.data() + wide);
  });
  compare<T>("standardized_gradient", wide,
             [&](const Table& table, Out& out) { table.standardized_gradient(task, grad.data(), stride, out.data()); });
  compare<T>("standardized_rows_gradient", wide, [&](const Table& table, Out& out) {
    table.standardized_rows_gradient(rows, panels, x.data(), stride, mean.data(), inverse.data(), grad.data(), stride,
                                     out.data());
  });
  for (const bool is_affine : {false, true}) {
    const T* scale = is_affine ? gamma.data() : nullptr;
    const T* offset = is_affine ? beta.data() : nullptr;
    compare<T>("standardize", size,
               [&](const Table& table, Out& out) { table.standardize(task, scale, offset, out.data(), stride); });
    compare<T>("standardize_backward", size, [&](const Table& table, Out& out) {
      table.standardize_backward(task, grad.data(), stride, scale, out.data(), stride);
    });
    compare<T>("scale_columns", size, [&](const Table& table, Out& out) {
      table.scale_columns(rows, panels, x.data(), stride, inverse.data(), scale, out.data(), stride);
    });
    compare<T>("standardize_rows", size + 2 * rows, [&](const Table& table, Out& out) {
      table.standardize_rows(input, T(0.01), scale, offset, out.data() + size, out.data() + size + rows, out.data(),
                             stride);
    });
    compare<T>("standardize_rows_backward", size, [&](const Table& table, Out& out) {
      table.standardize_rows_backward(input, mean.data(), inverse.data(), grad.data(), stride, scale, out.data(),
                                      stride);
    });
  }
}

/// Random numbers, against core/philox.hpp.
template <class T> void draws(Index rows, Index columns) {
  const Index size = rows * padded<T>(columns), stride = rows * panel_width<T>, first = 1000;
  const kernels::Draw draw{{7, 8}, {9, 10}, first, rows, columns};
  Numbers<T> x(size, 24);
  constexpr unsigned threshold = 1u << 30;
  using Table = kernels::Table<T>;
  using Out = std::vector<T>;
  compare<T>("dropout", 2 * size, [&](const Table& table, Out& out) {
    table.dropout(draw, threshold, T(1.25), x.data(), out.data(), out.data() + size, stride);
    const PanelView<T> mask{out.data(), rows, columns}, result{out.data() + size, rows, columns};
    const PanelView<T> input{x.data(), rows, columns};
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) {
        const auto counter = static_cast<std::uint32_t>(j / 64 * 16 + j % 16);
        const auto words = philox4x32({static_cast<std::uint32_t>(first + i), counter, 9, 10}, {7, 8});
        const bool is_kept = words[static_cast<std::size_t>(j / 16 % 4)] >= threshold;
        CHECK(mask.at(i, j) == (is_kept ? T(1.25) : T(0)), "dropout: mask at row %td, column %td", i, j);
        CHECK(result.at(i, j) == (is_kept ? input.at(i, j) * T(1.25) : T(0)), "dropout: row %td, column %td", i, j);
      }
    }
  });
  compare<T>("add_noise", size,
             [&](const Table& table, Out& out) { table.add_noise(draw, T(0.7), x.data(), out.data(), stride); });
}

template <class T> void all() {
  for (const Index rows : sizes) {
    for (const Index columns : sizes) {
      draws<T>(rows, columns);
      if (rows <= 9) all_gathers<T>(rows, columns);
      if (columns == 0) continue;
      softmaxes<T>(rows, columns);
      argmaxes<T>(rows, columns);
      pointwise_losses<T>(rows, columns);
      if (rows > 0) normalizations<T>(rows, columns);
    }
  }
}

} // namespace

int main() {
  all<float>();
  all<double>();
  std::printf("%d comparisons\n", comparisons);
}
