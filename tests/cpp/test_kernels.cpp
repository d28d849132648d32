// Matrix products and elementwise kernels.

#include "kernel_comparison.hpp"

using namespace cnet;

namespace {

template <class T> void products(Index rows, Index depth, Index columns) {
  const Index width = panel_width<T>, panels = panel_count<T>(columns);
  Numbers<T> x(rows * padded<T>(depth), 1), weights(depth * padded<T>(columns), 2), bias(padded<T>(columns), 3);
  Numbers<T> y(rows * padded<T>(columns), 4);
  for (const auto epilogue : {kernels::Epilogue::none, kernels::Epilogue::relu, kernels::Epilogue::relu_gradient}) {
    for (const bool has_bias : {false, true}) {
      compare<T>("product", rows * padded<T>(columns), [&](const kernels::Table<T>& table, std::vector<T>& out) {
        table.product({rows, depth, panels, x.data(), rows * width, weights.data(), depth * width,
                       has_bias ? bias.data() : nullptr, out.data(), rows * width, epilogue, y.data(), true,
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
                               y.data(),
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
    table.bias_gradient(rows, panels, y.data(), rows * width, out.data());
  });
}

/// Σ x[i] y[i] in k-blocks, as table.hpp defines it.
template <class T> T sum_of_products(Index size, const T* x, const T* y, Index y_stride) {
  T sum = 0;
  for (Index first = 0; first < size; first += kernels::k_block_size) {
    T block = 0;
    for (Index i = first; i < std::min(first + kernels::k_block_size, size); ++i) {
      block = std::fma(x[i], y[i * y_stride], block);
    }
    sum = first == 0 ? block : sum + block;
  }
  return sum;
}

/// One element of each product, for sums around and beyond one k-block.
template <class T> void k_blocks(Index size) {
  const Index width = panel_width<T>;
  Numbers<T> x(padded<T>(size), 14), y(size * width, 15);
  const T expected = sum_of_products(size, x.data(), y.data(), width);
  const auto check = [&](const char* what, const std::vector<T>& out, Index at) {
    const T actual = out[static_cast<std::size_t>(at)];
    CHECK(std::memcmp(&actual, &expected, sizeof(T)) == 0, "%s of %td: got %.9g, expected %.9g", what, size,
          double(actual), double(expected));
  };
  for (const Index rows : {Index(1), Index(2)}) { // with two rows, each is x
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

/// Sums of rows, which are the gradient of the kernel that one-hot rows multiply.
template <class T> void row_sums(Index rows, Index columns) {
  constexpr Index width = panel_width<T>, depth = width; // row i names kernel row i · i modulo 7
  const Index panels = panel_count<T>(columns);
  Numbers<T> grad(rows * padded<T>(columns), 26), kernel(depth * padded<T>(columns), 27);
  std::vector<T> one_hot(static_cast<std::size_t>(rows * width));
  for (Index i = 0; i < rows; ++i) one_hot[static_cast<std::size_t>(i * width + i * i % 7)] = 1;
  std::vector<unsigned> starts{0}, named, to_rows;
  for (unsigned id = 0; id < 7; ++id) {
    for (Index i = 0; i < rows; ++i) {
      if (i * i % 7 == id) named.push_back(static_cast<unsigned>(i));
    }
    if (named.size() == starts.back()) continue;
    to_rows.push_back(id);
    starts.push_back(static_cast<unsigned>(named.size()));
  }
  for (const bool fused_sgd : {false, true}) {
    if (fused_sgd && rows > kernels::k_block_size) continue;
    compare<T>("row_sums", depth * padded<T>(columns), [&](const kernels::Table<T>& table, std::vector<T>& out) {
      std::copy_n(kernel.data(), out.size(), out.begin());
      if (!fused_sgd) std::fill(out.begin(), out.end(), T(0));
      std::vector<T> expected = out;
      table.row_sums({0, static_cast<Index>(to_rows.size()), starts.data(), named.data(), panels, grad.data(),
                      rows * width, to_rows.data(), out.data(), 0, depth * width, fused_sgd, T(-0.1)});
      table.kernel_gradient({rows,
                             0,
                             depth,
                             panels,
                             one_hot.data(),
                             rows * width,
                             grad.data(),
                             rows * width,
                             expected.data(),
                             depth * width,
                             {},
                             0,
                             fused_sgd,
                             T(-0.1)});
      CHECK(std::memcmp(out.data(), expected.data(), out.size() * sizeof(T)) == 0, "row_sums of %td rows", rows);
    });
  }
}

template <class T> void sums(Index rows) {
  constexpr Index width = panel_width<T>;
  Numbers<T> x(rows * width, 25);
  // The sums are doubles: their bytes are stored in elements of T.
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
  for (int merge = 0; merge < kernels::merge_count; ++merge) {
    compare<T>("merge", size,
               [&](const Table& table, Out& out) { table.merge[merge](size, x.data(), param.data(), out.data()); });
    for (const int operand : {0, 1}) {
      compare<T>("merge_backward", size, [&](const Table& table, Out& out) {
        table.merge_backward[merge][operand](size, grad.data(), x.data(), param.data(), out.data());
      });
    }
  }
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

/// Small, large and special values of both signs.
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
    }
    elementwise<T>(rows);
    activations<T>(rows);
    sums<T>(rows);
    for (const Index columns : {Index(1), Index(20)}) row_sums<T>(rows, columns);
    products<T>(rows, 0, 17);
  }
  constexpr Index block = kernels::k_block_size;
  for (const Index size : {block - 1, block, block + 1, 2 * block, 2 * block + 17}) {
    k_blocks<T>(size);
    row_sums<T>(size, 20);
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
