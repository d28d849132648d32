#pragma once

#include "core/types.hpp"

/// The contract between the maths (ops/) and the instruction sets.
///
/// A table holds one pointer per kernel; there is one table per instruction set and element type,
/// all made from the same bodies (activations.cpp and its neighbours), all giving the same bits. A kernel is a serial
/// function over a range that its caller chose. Matrices are in panels (core/panels.hpp): a pointer to the first row, a
/// number of rows or columns, and the stride from a panel to the next.
namespace cnet::kernels {

/// What becomes of a finished sum before it is stored.
enum class Epilogue {
  none,
  relu,          ///< max(sum, 0)
  relu_gradient, ///< sum where gate > 0, else 0
};

/// A sum of products is made of chains of so many fused multiply-adds, in order; each starts from zero
/// and is then added to what those before it gave. The longer a chain, the larger its rounding errors.
inline constexpr Index chain_length = 512;

/// out = epilogue(start + x · weights), each element in chains of increasing depth, the first of them
/// from start (zero if null).
template <class T> struct Product {
  Index rows;
  Index depth;
  Index panels; ///< of weights and out
  const T* x;
  Index x_stride;
  const T* weights;
  Index weights_stride; ///< at least depth · width
  const T* start;       ///< [panels][width], or null
  T* out;
  Index out_stride;
  Epilogue epilogue;
  const T* gate; ///< laid out as out; read by relu_gradient alone
  bool are_far;  ///< the weights: worth bringing nearer before their turn comes
  const T* next; ///< weights laid out as these that will be read after them, or null
};

/// out[k, j] = Σᵢ x[i, k] grad[i, j] for rows k in [first, last) of a kernel, each element in chains of
/// increasing i. `first` starts a panel of x.
template <class T> struct KernelGradient {
  Index rows;
  Index first;
  Index last;
  Index panels; ///< of grad and out
  const T* x;
  Index x_stride;
  const T* grad;
  Index grad_stride;
  T* out;           ///< row `first` of the result
  Index out_stride; ///< at least (last - first) · width
  /// What the caller will work on next, row for row of the result: brought near while the sums are made.
  const T* ahead[3];
  Index ahead_stride;
  /// Plain gradient descent: out += rate · gradient, instead of the gradient itself; for a gradient that
  /// is a single chain.
  bool descends;
  T rate;
};

/// Rows of logits or probabilities, and what they should have been: class ids, or (if ids is null)
/// a distribution over the classes in panels.
template <class T> struct Rows {
  Index rows;
  Index columns;
  const T* x;
  Index x_stride;
};
template <class T> struct Targets {
  const Index* ids;
  const T* distribution;
  Index stride;
};

/// Losses that compare predictions with targets number by number: a row's is the mean over its columns,
/// or their sum for kl_divergence and categorical_focal_crossentropy, which compares what each number is
/// of its row's whole. The formulas stand in kernels/losses.cpp.
enum class PointwiseLoss {
  mean_squared_error,
  mean_absolute_error,
  mean_absolute_percentage_error,
  mean_squared_logarithmic_error,
  huber,
  poisson,
  kl_divergence,
  hinge,
  squared_hinge,
  binary_crossentropy,
  binary_crossentropy_from_logits,
  log_cosh,
  binary_focal_crossentropy,
  binary_focal_crossentropy_from_logits,
  categorical_focal_crossentropy,
  categorical_focal_crossentropy_from_logits,
};
inline constexpr int pointwise_losses = 16;

/// What some of these losses read beside predictions and targets.
template <class T> struct LossParameters {
  T delta = 1;           ///< huber: where its square ends and its line begins
  T gamma = 2;           ///< focal: the power of how far off a prediction is, by which its loss is scaled
  T positive_weight = 1; ///< focal: of targets that are 1
  T negative_weight = 1; ///< binary focal: of targets that are 0
};

/// The types that samples may have; float16 is IEEE binary16.
enum class ElementType { uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, float32, float64 };
inline constexpr int element_types = 11;

/// Row r of out = from[r] · scale + offset, converted to T and then rounded once more at most; `from`
/// may be unaligned. Rows of `ahead`, as many, will be gathered next.
template <class T> struct Gather {
  Index rows;
  Index columns;
  const void* const* from;
  const void* const* ahead;
  Index stride; ///< bytes from an element to the next
  bool rescales;
  T scale;
  T offset;
  T* out;
  Index out_stride;
};

/// Numbers that an optimizer's rule keeps for each parameter, at most.
inline constexpr int most_slots = 3;

/// Functions of one element that layers apply, and what they compute beside their names.
enum class Activation {
  relu,      ///< negative_slope · (x − threshold) up to the threshold, then min(x, max_value)
  elu,       ///< alpha · (eˣ − 1) up to 0, then scale · x
  gelu,      ///< x Φ(x)
  gelu_tanh, ///< ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))
  silu,
  mish,
  tanh,
  sigmoid,
  hard_sigmoid,
  softplus,
  softsign,
  exponential,
};
inline constexpr int activations = 12;

/// What an activation reads of these is told above. As they are, ReLU is the plain one.
template <class T> struct ActivationParameters {
  T negative_slope = 0;
  T threshold = 0;
  T max_value = static_cast<T>(__builtin_inf());
  T alpha = 1;
  T scale = 1;
};

/// A step of an optimizer over a stretch of parameters; a rule reads what it has a use for.
template <class T> struct Step {
  Index size;
  T* param;
  const T* grad;
  T* slots[most_slots];
  T learning_rate;
  T momentum;
  bool nesterov;
  T rho;
  T one_minus_rho; ///< of the double, before it is rounded to T
  T beta_1;
  T beta_2;
  T one_minus_beta_1;
  T one_minus_beta_2;
  T epsilon;
  T gradient_rate; ///< learning rate of the gradient itself, beside that of its mean
  T square_scale;  ///< for a mean square that is not scaled along with the learning rate
};

/// Some panels of a matrix, less their columns' means and times their columns' `inverse`, one over the
/// deviation; both are [panels][width].
template <class T> struct Standardized {
  Index rows;
  Index panels;
  const T* x;
  Index x_stride;
  const T* mean;
  const T* inverse;
};

/// Whole rows of a matrix whose every element has 32 random bits of its own, by Philox4x32-10: those of
/// (row, column) are word column / 16 mod 4 of counter (row, column / 64 · 16 + column mod 16, step).
struct Draw {
  unsigned key[2];
  unsigned step[2];
  Index first; ///< row of the batch
  Index rows;
  Index columns;
};

/// Made by kernels/products.cpp.
template <class T> struct ProductKernels {
  void (*product)(const Product<T>&);
  void (*kernel_gradient)(const KernelGradient<T>&);
  /// out[j] = Σᵢ grad[i, j], added in increasing i.
  void (*bias_gradient)(Index rows, Index panels, const T* grad, Index grad_stride, T* out);

  /// to[j, i] = from[i, j] for a block of width × width without gaps.
  void (*transpose)(const T* from, T* to);
};

/// Made by kernels/activations.cpp.
template <class T> struct ActivationKernels {
  /// Within units in the last place: elu 1.1, sigmoid 1.6, softsign 1.6, tanh 1.8, softplus 2, gelu_tanh 2.1, silu 2.2,
  /// mish 3, gelu 3.8, subnormal results included; the limit at infinities; NaN stays.
  void (*activation_forward[activations])(Index size, const ActivationParameters<T>&, const T* x, T* out);
  /// out = grad · f′(x), where y = f(x). By y for elu, tanh, sigmoid, exponential, else by x.
  void (*activation_backward[activations])(Index size, const ActivationParameters<T>&, const T* grad, const T* x,
                                           const T* y, T* out);

  /// Within 1.1 units in the last place, subnormal results included.
  void (*exp)(Index size, const T* x, T* out);
  /// Within 1 unit in the last place for float, 1.2 for double.
  void (*log)(Index size, const T* x, T* out);
  /// out = x · scale + offset, rounded once.
  void (*rescale)(Index size, const T* x, T scale, T offset, T* out);
};

/// Made by kernels/softmax.cpp.
template <class T> struct SoftmaxKernels {
  void (*softmax)(Rows<T>, T* out, Index out_stride);
  /// out = probabilities · (grad − Σ grad · probabilities)
  void (*softmax_backward)(Rows<T> probabilities, const T* grad, Index grad_stride, T* out, Index out_stride);
  /// out = x − log Σ eˣ
  void (*log_softmax)(Rows<T>, T* out, Index out_stride);
  /// out = grad − exp(logarithms) · Σ grad
  void (*log_softmax_backward)(Rows<T> logarithms, const T* grad, Index grad_stride, T* out, Index out_stride);
  /// Writes the softmax of the logits and each row's loss.
  void (*softmax_cross_entropy_forward)(Rows<T> logits, Targets<T>, T* probabilities, Index stride, T* losses);
  /// out = (probabilities · Σtargets − targets) / divisor
  void (*softmax_cross_entropy_backward)(Rows<T> probabilities, Targets<T>, T divisor, T* out, Index out_stride);
  /// Each row's loss, −Σ y log q, where q = clip(p / Σp, ε, 1 − ε) and ε = 1e-7.
  void (*cross_entropy_forward)(Rows<T> probabilities, Targets<T>, T* losses);
  void (*cross_entropy_backward)(Rows<T> probabilities, Targets<T>, T divisor, T* out, Index out_stride);
  /// out[i] = the column of row i's first greatest value, or of its first NaN.
  void (*argmax)(Rows<T>, T* out);
};

/// Made by kernels/losses.cpp.
template <class T> struct LossKernels {
  /// For each PointwiseLoss.
  void (*pointwise_loss_forward[pointwise_losses])(Rows<T> predictions, const T* targets, Index targets_stride,
                                                   const LossParameters<T>&, T* losses);
  /// The gradient of the losses' sum over `divisor`.
  void (*pointwise_loss_backward[pointwise_losses])(Rows<T> predictions, const T* targets, Index targets_stride,
                                                    const LossParameters<T>&, T divisor, T* out, Index out_stride);
};

/// Made by kernels/normalization.cpp.
template <class T> struct NormalizationKernels {
  /// Each column's mean, and mean square about it: sums in increasing row.
  void (*column_moments)(Index rows, Index panels, const T* x, Index x_stride, T* mean, T* variance);
  /// out = 1 / √(variance + epsilon)
  void (*inverse_deviation)(Index size, const T* variance, T epsilon, T* out);
  /// out = gamma · standardized + beta; null stands for 1 and 0.
  void (*standardize)(const Standardized<T>&, const T* gamma, const T* beta, T* out, Index out_stride);
  /// The gradient with respect to x, of which mean and inverse were made; gamma may be null.
  void (*standardize_backward)(const Standardized<T>&, const T* grad, Index grad_stride, const T* gamma, T* out,
                               Index out_stride);
  /// out[j] = Σᵢ grad[i, j] · standardized[i, j], added in increasing i.
  void (*standardized_gradient)(const Standardized<T>&, const T* grad, Index grad_stride, T* out);
  /// out[i, j] = x[i, j] · factor[j] · (second[j], unless it is null)
  void (*scale_columns)(Index rows, Index panels, const T* x, Index x_stride, const T* factor, const T* second, T* out,
                        Index out_stride);

  /// The same for rows, which are standardized by their own moments: writes each row's mean and inverse.
  void (*standardize_rows)(Rows<T>, T epsilon, const T* gamma, const T* beta, T* mean, T* inverse, T* out,
                           Index out_stride);
  void (*standardize_rows_backward)(Rows<T>, const T* mean, const T* inverse, const T* grad, Index grad_stride,
                                    const T* gamma, T* out, Index out_stride);
  /// For some panels of the rows.
  void (*standardized_rows_gradient)(Index rows, Index panels, const T* x, Index x_stride, const T* mean,
                                     const T* inverse, const T* grad, Index grad_stride, T* out);
};

/// Made by kernels/random.cpp.
template <class T> struct RandomKernels {
  /// An element is kept where its random bits are at least `threshold`: mask = scale there and 0 elsewhere,
  /// out = mask · x, zero where the mask is. x, mask and out start with the draw's first row.
  void (*dropout)(const Draw&, unsigned threshold, T scale, const T* x, T* mask, T* out, Index stride);
  /// out = mask · x, zero where the mask is.
  void (*mask)(Index size, const T* x, const T* mask, T* out);
  /// out = x + deviation · a normal number, which has 24 random bits.
  void (*add_noise)(const Draw&, T deviation, const T* x, T* out, Index stride);
};

/// Made by kernels/optimizers.cpp.
template <class T> struct OptimizerKernels {
  /// One optimizer's rule each: param and slots are updated in place, as ops/optimizers.hpp tells.
  void (*sgd_update)(const Step<T>&);
  void (*sgd_momentum_update)(const Step<T>&);
  void (*rmsprop_update)(const Step<T>&);
  void (*rmsprop_momentum_update)(const Step<T>&);
  void (*rmsprop_centered_update)(const Step<T>&);
  void (*adagrad_update)(const Step<T>&);
  void (*adadelta_update)(const Step<T>&);
  void (*adam_update)(const Step<T>&);
  void (*adam_amsgrad_update)(const Step<T>&);
  void (*nadam_update)(const Step<T>&);
  void (*lion_update)(const Step<T>&);

  /// out = x, but no less than −limit and no more than limit; NaN stays NaN.
  void (*clip)(Index size, const T* x, T limit, T* out);
  /// average += (1 − momentum) (x − average)
  void (*average)(Index size, const T* x, T one_minus_momentum, T* average);
  /// grad += l1 · sign(param) + twice_l2 · param
  void (*regularize)(Index size, const T* param, T l1, T twice_l2, T* grad);
  /// sums[j] = Σᵢ |x[i, j]|, and Σᵢ x[i, j]², down `rows` rows of a panel.
  void (*sum_magnitudes)(Index rows, const T* panel, double* sums);
  void (*sum_squares)(Index rows, const T* panel, double* sums);
};

/// Made by kernels/gather.cpp.
template <class T> struct GatherKernels {
  void (*gather[element_types])(const Gather<T>&);
};

/// All kernels of an instruction set.
template <class T>
struct Table : ProductKernels<T>,
               ActivationKernels<T>,
               SoftmaxKernels<T>,
               LossKernels<T>,
               NormalizationKernels<T>,
               RandomKernels<T>,
               OptimizerKernels<T>,
               GatherKernels<T> {};

/// An instruction set that this build has kernels for.
struct InstructionSet {
  const char* name;
  bool (*supported)();
  const Table<float>* float_table;
  const Table<double>* double_table;
};

/// The table in use: the widest that the CPU supports, or the one that CNET_ISA names.
template <class T> const Table<T>& table();

/// The name of the instruction set in use.
///
/// Throws std::invalid_argument if CNET_ISA names one that is unknown, not built or not supported.
const char* chosen_isa();

/// All that were built, the widest last; `count` receives their number.
const InstructionSet* built_isas(int& count);

} // namespace cnet::kernels
