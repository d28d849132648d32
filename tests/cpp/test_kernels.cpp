// Every kernel of every table that this CPU can run against the scalar one, byte for byte (but for
// NaNs, which have no bits that are promised), over sizes that straddle the lanes and the register
// tiles, from memory that is not aligned.

#include "check.hpp"
#include "core/panels.hpp"
#include "core/philox.hpp"
#include "kernels/table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace cnet;

namespace {

const Index sizes[] = {0, 1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 24, 25, 31, 33, 47, 48, 49, 100};

/// Numbers from −2 to 2, one in eight zero, that start off a cache line.
template <class T> class Numbers {
public:
  explicit Numbers(Index size, std::uint32_t seed) : buffer_(size + 1) {
    for (Index i = 0; i <= size; ++i) {
      const auto words = philox4x32({static_cast<std::uint32_t>(i), 0, 0, 0}, {seed, 0});
      buffer_.data()[i] = words[1] % 8 == 0 ? T(0) : T(words[0]) / T(1u << 30) - T(2);
    }
  }
  T* data() { return buffer_.data() + 1; }

private:
  AlignedBuffer<T> buffer_;
};

/// What a kernel writes with one table; `run` fills the results it is given.
template <class T> using Run = std::function<void(const kernels::Table<T>&, std::vector<T>& results)>;

template <class T> const kernels::Table<T>& table_of(const kernels::InstructionSet& isa) {
  if constexpr (sizeof(T) == 4)
    return *isa.float_table;
  else
    return *isa.double_table;
}

int comparisons = 0;

/// What a kernel writes with one table, its NaNs made one.
template <class T> std::vector<T> result_of(const kernels::InstructionSet& isa, Index size, const Run<T>& run) {
  std::vector<T> result(static_cast<std::size_t>(size), T(-7));
  run(table_of<T>(isa), result);
  for (T& x : result) {
    if (std::isnan(x)) x = std::numeric_limits<T>::quiet_NaN();
  }
  return result;
}

template <class T> void compare(const std::string& what, Index size, const Run<T>& run) {
  int count;
  const kernels::InstructionSet* isas = kernels::built_isas(count);
  const std::vector<T> expected = result_of<T>(isas[0], size, run);
  for (int n = 1; n < count; ++n) {
    if (!isas[n].supported()) continue;
    const std::vector<T> actual = result_of<T>(isas[n], size, run);
    const bool equal = size == 0 || std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(T)) == 0;
    CHECK(equal, "%s of %zu-byte elements: %s is not scalar", what.c_str(), sizeof(T), isas[n].name);
    ++comparisons;
  }
}

template <class T> Index padded(Index columns) {
  return panel_count<T>(columns) * panel_width<T>;
}

template <class T> void products(Index rows, Index depth, Index columns) {
  const Index width = panel_width<T>, panels = panel_count<T>(columns);
  Numbers<T> x(rows * padded<T>(depth), 1), weights(depth * padded<T>(columns), 2), bias(padded<T>(columns), 3);
  Numbers<T> gate(rows * padded<T>(columns), 4);
  for (const auto epilogue : {kernels::Epilogue::none, kernels::Epilogue::relu, kernels::Epilogue::relu_gradient}) {
    for (const bool has_start : {false, true}) {
      compare<T>("product", rows * padded<T>(columns), [&](const kernels::Table<T>& table, std::vector<T>& out) {
        table.product({rows, depth, panels, x.data(), rows * width, weights.data(), depth * width,
                       has_start ? bias.data() : nullptr, out.data(), rows * width, epilogue, gate.data(), true,
                       weights.data()});
      });
    }
  }
  for (const Index first : {Index(0), width}) {
    if (first >= depth) continue;
    const Index size = (depth - first) * width;
    for (const bool fused_sgd : {false, true}) {
      if (fused_sgd && rows > kernels::k_block_size) continue;
      compare<T>("kernel_gradient", panels * size, [&](const kernels::Table<T>& table, std::vector<T>& out) {
        table.kernel_gradient({rows,
                               first,
                               depth,
                               panels,
                               x.data(),
                               rows * width,
                               gate.data(),
                               rows * width,
                               out.data(),
                               size,
                               {x.data()},
                               0,
                               fused_sgd,
                               T(-0.1)});
      });
    }
  }
  compare<T>("bias_gradient", padded<T>(columns), [&](const kernels::Table<T>& table, std::vector<T>& out) {
    table.bias_gradient(rows, panels, gate.data(), rows * width, out.data());
  });
}

/// Σ x[i] y[i] as table.hpp has it, written down once more.
template <class T> T sum_of_products(Index size, const T* x, const T* y, Index y_stride) {
  T sum = 0;
  for (Index first = 0; first < size; first += kernels::k_block_size) {
    T chain = 0;
    for (Index i = first; i < std::min(first + kernels::k_block_size, size); ++i) {
      chain = std::fma(x[i], y[i * y_stride], chain);
    }
    sum = first == 0 ? chain : sum + chain;
  }
  return sum;
}

/// One element of each product, of sums that are longer than a chain: x is a single column or row.
template <class T> void chains(Index size) {
  const Index width = panel_width<T>;
  Numbers<T> x(padded<T>(size), 14), y(size * width, 15);
  const T expected = sum_of_products(size, x.data(), y.data(), width);
  const auto check = [&](const char* what, const std::vector<T>& out, Index at) {
    const T actual = out[static_cast<std::size_t>(at)];
    CHECK(std::memcmp(&actual, &expected, sizeof(T)) == 0, "%s of %td: %.9g, not %.9g", what, size, double(actual),
          double(expected));
  };
  for (const Index rows : {Index(1), Index(2)}) { // both made of the same row, so far as there are two
    std::vector<T> repeated(static_cast<std::size_t>(rows * padded<T>(size)));
    for (Index k = 0; k < size; ++k) {
      for (Index row = 0; row < rows; ++row) {
        repeated[static_cast<std::size_t>((k / width * rows + row) * width + k % width)] = x.data()[k];
      }
    }
    compare<T>("product", rows * width, [&](const kernels::Table<T>& table, std::vector<T>& out) {
      table.product({rows, size, 1, repeated.data(), rows * width, y.data(), size * width, nullptr, out.data(),
                     rows * width, kernels::Epilogue::none, nullptr, false, nullptr});
      check("product", out, (rows - 1) * width);
    });
  }
  std::vector<T> column(static_cast<std::size_t>(size * width));
  for (Index i = 0; i < size; ++i) column[static_cast<std::size_t>(i * width)] = x.data()[i];
  compare<T>("kernel_gradient", width, [&](const kernels::Table<T>& table, std::vector<T>& out) {
    table.kernel_gradient(
        {size, 0, 1, 1, column.data(), size * width, y.data(), size * width, out.data(), width, {}, 0, false, T(0)});
    check("kernel_gradient", out, 0);
  });
}

template <class T> void rows_of(Index rows, Index columns) {
  if (columns == 0) return;
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

/// What a float16 is worth, by its definition.
float half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa == 0 ? sign * HUGE_VALF : std::nanf("");
  if (exponent == 0) return sign * std::ldexp(float(mantissa), -24);
  return sign * std::ldexp(float(1024 + mantissa), exponent - 25);
}

/// Samples of type Source, some rows a group, without gaps and with, against their definition.
template <class Source, class T> void gathers(kernels::ElementType type, Index rows, Index columns, Index gap) {
  const Index stride = Index(sizeof(Source)) + gap, row_size = columns * stride + 1; // no row is aligned
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
          if (is_nan) actual = T(0); // its payload may be any
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

/// Predictions between 0 and 1 or of any size, and targets of both kinds.
template <class T> void pointwise_losses(Index rows, Index columns) {
  const Index size = rows * padded<T>(columns), stride = rows * panel_width<T>;
  Numbers<T> x(size, 16), t(size, 17);
  using Table = kernels::Table<T>;
  for (const bool between : {false, true}) {
    for (Index i = 0; between && i < size; ++i) {
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

/// Rows of few values, so that the greatest stands there twice; NaNs and infinities in some.
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

/// Random numbers against core/philox.hpp, one by one.
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

template <class T> void sums(Index rows) {
  constexpr Index width = panel_width<T>;
  Numbers<T> x(rows * width, 25);
  // Sums in double go through results of T as their bytes.
  constexpr Index size = width * Index(sizeof(double) / sizeof(T));
  const auto check = [&](const char* what, void (*kernels::Table<T>::*sum)(Index, const T*, double*)) {
    compare<T>(what, size, [&](const kernels::Table<T>& table, std::vector<T>& out) {
      double totals[width];
      (table.*sum)(rows, x.data(), totals);
      std::memcpy(out.data(), totals, sizeof(totals));
    });
  };
  check("sum_magnitudes", &kernels::Table<T>::sum_magnitudes);
  check("sum_squares", &kernels::Table<T>::sum_squares);
}

template <class T> void elementwise(Index size) {
  using Table = kernels::Table<T>;
  using Out = std::vector<T>;
  Numbers<T> x(size, 9), grad(size, 10), param(size, 11), square(size, 12);
  for (Index i = 0; i < size; ++i) square.data()[i] = square.data()[i] * square.data()[i];
  compare<T>("exp", size, [&](const Table& table, Out& out) { table.exp(size, x.data(), out.data()); });
  compare<T>("log", size, [&](const Table& table, Out& out) { table.log(size, square.data(), out.data()); });
  compare<T>("inverse_deviation", size,
             [&](const Table& table, Out& out) { table.inverse_deviation(size, square.data(), T(0.01), out.data()); });
  compare<T>("mask", size, [&](const Table& table, Out& out) { table.mask(size, x.data(), param.data(), out.data()); });
  compare<T>("regularize", size, [&](const Table& table, Out& out) {
    std::copy_n(grad.data(), size, out.data());
    table.regularize(size, param.data(), T(0.1), T(0.3), out.data());
  });
  compare<T>("rescale", size,
             [&](const Table& table, Out& out) { table.rescale(size, x.data(), T(0.1), T(-0.3), out.data()); });

  const auto updates = [&](const char* what, void (*Table::*rule)(const kernels::Step<T>&), bool nesterov,
                           bool squares_first) {
    compare<T>(what, 4 * size, [&](const Table& table, Out& out) {
      std::copy_n(param.data(), size, out.data());
      std::copy_n(x.data(), size, out.data() + size);
      std::copy_n(square.data(), size, out.data() + 2 * size);
      std::copy_n(square.data(), size, out.data() + 3 * size);
      kernels::Step<T> step{};
      step.size = size;
      step.param = out.data();
      step.grad = grad.data();
      step.slots[0] = out.data() + (squares_first ? 2 : 1) * size;
      step.slots[1] = out.data() + (squares_first ? 3 : 2) * size;
      step.slots[2] = out.data() + (squares_first ? 1 : 3) * size;
      step.learning_rate = T(0.1);
      step.momentum = T(0.9);
      step.nesterov = nesterov;
      step.rho = T(0.9);
      step.one_minus_rho = step.one_minus_beta_1 = T(0.1);
      step.one_minus_beta_2 = T(0.001);
      step.beta_1 = T(0.9);
      step.beta_2 = T(0.999);
      step.epsilon = T(1e-7);
      step.gradient_rate = T(0.3);
      step.square_scale = T(7);
      (table.*rule)(step);
    });
  };
  updates("sgd_update", &Table::sgd_update, false, false);
  updates("sgd_momentum_update", &Table::sgd_momentum_update, false, false);
  updates("sgd_momentum_update", &Table::sgd_momentum_update, true, false);
  updates("rmsprop_update", &Table::rmsprop_update, false, true);
  updates("rmsprop_momentum_update", &Table::rmsprop_momentum_update, false, true);
  updates("rmsprop_centered_update", &Table::rmsprop_centered_update, false, true);
  updates("adagrad_update", &Table::adagrad_update, false, true);
  updates("adadelta_update", &Table::adadelta_update, false, true);
  updates("adam_update", &Table::adam_update, false, false);
  updates("adam_amsgrad_update", &Table::adam_amsgrad_update, false, false);
  updates("nadam_update", &Table::nadam_update, false, false);
  updates("lion_update", &Table::lion_update, false, false);

  compare<T>("clip", size, [&](const Table& table, Out& out) {
    Numbers<T> with_nan(size, 16);
    if (size > 3) with_nan.data()[3] = T(NAN);
    table.clip(size, with_nan.data(), T(0.7), out.data());
    for (Index i = 0; i < size; ++i) {
      const T value = with_nan.data()[i], clipped = out[static_cast<std::size_t>(i)];
      const bool right =
          std::isnan(value) ? std::isnan(clipped) : clipped == std::min(std::max(value, T(-0.7)), T(0.7));
      CHECK(right, "clip: element %td", i);
    }
  });
  compare<T>("average", size, [&](const Table& table, Out& out) {
    std::copy_n(param.data(), size, out.data());
    table.average(size, x.data(), T(0.3), out.data());
    for (Index i = 0; i < size; ++i) {
      const T mean = param.data()[i];
      const T expected = std::fma(x.data()[i] - mean, T(0.3), mean);
      CHECK(out[static_cast<std::size_t>(i)] == expected, "average: element %td", i);
    }
  });
}

/// Small numbers and large, of either sign, as well as those that are special.
template <class T> void activations(Index size) {
  Numbers<T> x(size, 16), y(size, 17), grad(size, 18);
  const T special[] = {T(0),   -T(0), T(INFINITY), -T(INFINITY),
                       T(NAN), T(6),  T(-3),       std::numeric_limits<T>::denorm_min()};
  for (Index i = 0; i < size; ++i) {
    T& value = x.data()[i];
    if (i % 3 == 1) value *= T(50);
    if (i % 9 == 2) value *= T(500);
    if (i % 11 == 3) value = special[i / 11 % 8];
  }
  kernels::ActivationParameters<T> parameters[3];
  parameters[1].negative_slope = T(0.3);
  parameters[1].alpha = T(0.7);
  parameters[1].scale = T(1.1);
  parameters[2].threshold = T(0.5);
  parameters[2].max_value = T(6);
  for (int n = 0; n < kernels::activation_count; ++n) {
    for (const auto& p : parameters) {
      const std::string what = "activation " + std::to_string(n);
      compare<T>(what + " forward", size, [&](const kernels::Table<T>& table, std::vector<T>& out) {
        table.activation_forward[n](size, p, x.data(), out.data());
      });
      compare<T>(what + " backward", size, [&](const kernels::Table<T>& table, std::vector<T>& out) {
        table.activation_backward[n](size, p, grad.data(), x.data(), y.data(), out.data());
      });
    }
  }
}

template <class T> void transposes() {
  constexpr Index width = panel_width<T>;
  Numbers<T> x(width * width, 13);
  compare<T>("transpose", width * width, [&](const kernels::Table<T>& table, std::vector<T>& out) {
    table.transpose(x.data(), out.data());
    for (Index i = 0; i < width * width; ++i) {
      const T expected = x.data()[i % width * width + i / width];
      CHECK(out[static_cast<std::size_t>(i)] == expected, "transpose: element %td", i);
    }
  });
}

template <class T> void all() {
  transposes<T>();
  for (const Index rows : sizes) {
    for (const Index columns : sizes) {
      for (const Index depth : {Index(1), Index(15), Index(16), Index(33)}) products<T>(rows, depth, columns);
      rows_of<T>(rows, columns);
      if (columns > 0) argmaxes<T>(rows, columns);
      if (columns > 0) pointwise_losses<T>(rows, columns);
      if (rows > 0 && columns > 0) normalizations<T>(rows, columns);
      draws<T>(rows, columns);
      if (rows <= 9) all_gathers<T>(rows, columns);
    }
    elementwise<T>(rows);
    activations<T>(rows);
    sums<T>(rows);
    products<T>(rows, 0, 17);
  }
  constexpr Index chain = kernels::k_block_size;
  for (const Index size : {chain - 1, chain, chain + 1, 2 * chain, 2 * chain + 17}) {
    chains<T>(size);
    products<T>(9, size, 33);
    products<T>(1, size, 33);
    products<T>(size, 17, 33);
  }
}

} // namespace

int main() {
  all<float>();
  all<double>();
  std::printf("%d comparisons\n", comparisons);
}
