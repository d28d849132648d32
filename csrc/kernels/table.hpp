#pragma once

#include "core/types.hpp"

/// The interface between the operations (ops/) and the instruction sets.
///
/// A table holds one function pointer per kernel. There is one table per instruction set and element type, all compiled
/// from the same sources (activations.cpp etc.), and all give the same bits. A kernel is a serial function over a range
/// that the caller chooses. Matrices are in panels (core/panels.hpp), given by a pointer to the first row, the number
/// of rows or columns, and the stride between panels.
namespace cnet::kernels {

/// What is applied to a finished sum before it is stored.
enum class Epilogue {
  none,
  relu,          ///< max(sum, 0)
  relu_gradient, ///< sum where relu_mask > 0, else 0
};

/// A sum of products is split into k-blocks of this many fused multiply-adds. Each block is summed in order from zero,
/// then added to the sum of the blocks before it. Longer blocks would have larger rounding errors.
inline constexpr Index k_block_size = 512;

/// out = epilogue(bias + x · weights), each element in k-blocks of increasing k. The first block starts from the bias
/// (zero if null).
template <class T> struct Product {
  Index rows;
  Index depth;
  Index panels; ///< of weights and out
  const T* x;
  Index x_stride;
  const T* weights;
  Index weights_stride; ///< at least depth · width
  const T* bias;        ///< [panels][width], or null
  T* out;
  Index out_stride;
  Epilogue epilogue;
  const T* relu_mask;     ///< laid out as out; read by relu_gradient only
  bool prefetch_weights;  ///< for weights too large for the cache
  const T* prefetch_next; ///< the weights read after these, in the same layout, or null
};

/// out[k, j] = Σᵢ x[i, k] grad[i, j] for rows k in [first, last) of a kernel, each element in k-blocks of
/// increasing i. `first` is the first column of a panel of x.
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
  /// Matrices with the rows of the result that the caller reads next, or null: prefetched during the sums.
  const T* prefetch[3];
  Index prefetch_stride;
  /// Plain SGD: out −= learning_rate · gradient in place of out = gradient. At most one k-block of rows.
  bool fused_sgd;
  T minus_learning_rate;
};

/// Sums of some rows of x: row to_rows[n] of the result is Σ x[rows[i]] over i in [starts[n], starts[n + 1]), for
/// n in [first, last), in k-blocks of the rows of x.
template <class T> struct RowSums {
  Index first;
  Index last;
  const unsigned* starts;
  const unsigned* rows; ///< increasing within a sum
  Index panels;         ///< of x and out
  const T* x;
  Index x_stride;
  const unsigned* to_rows;
  T* out; ///< row `first_row` of the result
  Index first_row;
  Index out_stride;
  bool fused_sgd; ///< out −= learning_rate · sum in place of out = sum
  T minus_learning_rate;
};

/// Rows of a matrix, such as logits or probabilities.
template <class T> struct Rows {
  Index rows;
  Index columns;
  const T* x;
  Index x_stride;
};

/// The targets of Rows: class ids or, if ids is null, a distribution over the classes in panels.
template <class T> struct Targets {
  const Index* ids;
  const T* distribution;
  Index stride;
};

/// Losses that compare predictions with targets elementwise. The loss of a row is the mean over its columns; for
/// kl_divergence and the categorical focal losses, which first normalize each row, it is the sum. The formulas are in
/// kernels/losses.cpp.
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
inline constexpr int pointwise_loss_count = 16;

/// Parameters of the losses above.
template <class T> struct LossParameters {
  T delta = 1;           ///< huber: the |p − t| up to which the loss is quadratic
  T gamma = 2;           ///< focal: the exponent of 1 − pₜ
  T positive_weight = 1; ///< focal: weight of targets that are 1
  T negative_weight = 1; ///< binary focal: weight of targets that are 0
};

/// Element types of samples; float16 is IEEE binary16.
enum class ElementType { uint8, int8, uint16, int16, uint32, int32, uint64, int64, float16, float32, float64 };
inline constexpr int element_type_count = 11;

/// Row r of out = from[r] · scale + offset: converted to T, then rescaled with one rounding. `from` may be unaligned.
/// `prefetch` points to the `rows` rows that are gathered next.
template <class T> struct Gather {
  Index rows;
  Index columns;
  const void* const* from;
  const void* const* prefetch;
  Index stride; ///< bytes between elements
  bool rescales;
  T scale;
  T offset;
  T* out;
  Index out_stride;
};

/// Largest number of slots that an optimizer's rule keeps per parameter.
inline constexpr int max_slots = 3;

/// Activation functions; the names follow Keras.
enum class Activation {
  relu,      ///< negative_slope · (x − threshold) for x ≤ threshold, else min(x, max_value)
  elu,       ///< alpha · (eˣ − 1) for x ≤ 0, else scale · x
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
inline constexpr int activation_count = 12;

/// Parameters of relu and elu; the defaults give the plain functions.
template <class T> struct ActivationParameters {
  T negative_slope = 0;
  T threshold = 0;
  T max_value = static_cast<T>(__builtin_inf());
  T alpha = 1;
  T scale = 1;
};

/// Elementwise functions of two operands.
enum class Merge { add, subtract, multiply, divide, maximum, minimum };
inline constexpr int merge_count = 6;

/// A step of an optimizer over contiguous parameters; a rule reads the fields it uses.
template <class T> struct Step {
  Index size;
  T* param;
  const T* grad;
  T* slots[max_slots];
  T learning_rate;
  T momentum;
  bool nesterov;
  T rho;
  T one_minus_rho; ///< computed in double, then rounded to T
  T beta_1;
  T beta_2;
  T one_minus_beta_1;
  T one_minus_beta_2;
  T epsilon;
  T gradient_rate; ///< nadam: learning rate of the gradient
  T square_scale;  ///< nadam: factor of the mean square
};

/// Panels of (x − mean) · inverse, where inverse is 1 / standard deviation; mean and inverse are [panels][width].
template <class T> struct Standardized {
  Index rows;
  Index panels;
  const T* x;
  Index x_stride;
  const T* mean;
  const T* inverse;
};

/// Random 32-bit words for whole rows of a matrix, by Philox4x32-10: element (row, column) has word column / 16 mod 4
/// of counter (row, column / 64 · 16 + column mod 16, step).
struct Draw {
  unsigned key[2];
  unsigned step[2];
  Index first; ///< first row, counted in the batch
  Index rows;
  Index columns;
};

/// Implemented in kernels/products.cpp.
template <class T> struct ProductKernels {
  void (*product)(const Product<T>&);
  void (*kernel_gradient)(const KernelGradient<T>&);
  /// out[j] = Σᵢ grad[i, j], added in increasing i.
  void (*bias_gradient)(Index rows, Index panels, const T* grad, Index grad_stride, T* out);
  void (*row_sums)(const RowSums<T>&);

  /// to[j, i] = from[i, j] for a contiguous width × width block.
  void (*transpose)(const T* from, T* to);
};

/// Implemented in kernels/activations.cpp.
template <class T> struct ActivationKernels {
  /// Largest error in ulp, also of subnormal results: elu 1.1, sigmoid 1.6, softsign 1.6, tanh 1.8, softplus 2,
  /// gelu_tanh 2.1, silu 2.2, mish 3, gelu 3.8. Infinities give the limit, NaN gives NaN.
  void (*activation_forward[activation_count])(Index size, const ActivationParameters<T>&, const T* x, T* out);
  /// out = grad · f′(x), where y = f(x). elu, tanh, sigmoid and exponential read y, the others x.
  void (*activation_backward[activation_count])(Index size, const ActivationParameters<T>&, const T* grad, const T* x,
                                                const T* y, T* out);

  /// Largest error 1.1 ulp, also of subnormal results.
  void (*exp)(Index size, const T* x, T* out);
  /// Largest error 1 ulp for float, 1.2 ulp for double.
  void (*log)(Index size, const T* x, T* out);
  /// out = x · scale + offset, rounded once.
  void (*rescale)(Index size, const T* x, T scale, T offset, T* out);
};

/// Implemented in kernels/softmax.cpp.
template <class T> struct SoftmaxKernels {
  void (*softmax)(Rows<T>, T* out, Index out_stride);
  /// out = probabilities · (grad − Σ grad · probabilities)
  void (*softmax_backward)(Rows<T> probabilities, const T* grad, Index grad_stride, T* out, Index out_stride);
  /// out = x − log Σ eˣ
  void (*log_softmax)(Rows<T>, T* out, Index out_stride);
  /// out = grad − exp(logarithms) · Σ grad
  void (*log_softmax_backward)(Rows<T> logarithms, const T* grad, Index grad_stride, T* out, Index out_stride);
  /// Writes the softmax of the logits and the loss of each row. `probabilities` must not overlap the logits.
  void (*softmax_cross_entropy_forward)(Rows<T> logits, Targets<T>, T* probabilities, Index stride, T* losses);
  /// out = (probabilities · Σtargets − targets) / divisor
  void (*softmax_cross_entropy_backward)(Rows<T> probabilities, Targets<T>, T divisor, T* out, Index out_stride);
  /// The loss of each row, −Σ y log q, where q = clip(p / Σp, ε, 1 − ε) and ε = 1e-7.
  void (*cross_entropy_forward)(Rows<T> probabilities, Targets<T>, T* losses);
  void (*cross_entropy_backward)(Rows<T> probabilities, Targets<T>, T divisor, T* out, Index out_stride);
  /// out[i] = the column of the first maximum of row i, or of its first NaN.
  void (*argmax)(Rows<T>, T* out);
};

/// Implemented in kernels/losses.cpp.
template <class T> struct LossKernels {
  /// Indexed by PointwiseLoss.
  void (*pointwise_loss_forward[pointwise_loss_count])(Rows<T> predictions, const T* targets, Index targets_stride,
                                                       const LossParameters<T>&, T* losses);
  /// The gradient of Σ losses / divisor.
  void (*pointwise_loss_backward[pointwise_loss_count])(Rows<T> predictions, const T* targets, Index targets_stride,
                                                        const LossParameters<T>&, T divisor, T* out, Index out_stride);
};

/// Implemented in kernels/normalization.cpp.
template <class T> struct NormalizationKernels {
  /// Mean and variance of each column, summed in increasing row.
  void (*column_moments)(Index rows, Index panels, const T* x, Index x_stride, T* mean, T* variance);
  /// out = 1 / √(variance + epsilon)
  void (*inverse_deviation)(Index size, const T* variance, T epsilon, T* out);
  /// out = gamma · standardized + beta; a null gamma is 1, a null beta 0.
  void (*standardize)(const Standardized<T>&, const T* gamma, const T* beta, T* out, Index out_stride);
  /// The gradient with respect to x, on which mean and inverse depend; gamma may be null.
  void (*standardize_backward)(const Standardized<T>&, const T* grad, Index grad_stride, const T* gamma, T* out,
                               Index out_stride);
  /// out[j] = Σᵢ grad[i, j] · standardized[i, j], added in increasing i.
  void (*standardized_gradient)(const Standardized<T>&, const T* grad, Index grad_stride, T* out);
  /// out[i, j] = x[i, j] · factor[j] · second[j]; a null second is 1.
  void (*scale_columns)(Index rows, Index panels, const T* x, Index x_stride, const T* factor, const T* second, T* out,
                        Index out_stride);

  /// Standardizes each row by its own moments, and writes those to mean and inverse.
  void (*standardize_rows)(Rows<T>, T epsilon, const T* gamma, const T* beta, T* mean, T* inverse, T* out,
                           Index out_stride);
  void (*standardize_rows_backward)(Rows<T>, const T* mean, const T* inverse, const T* grad, Index grad_stride,
                                    const T* gamma, T* out, Index out_stride);
  /// out[j] = Σᵢ grad[i, j] · standardized[i, j] for some panels of the rows.
  void (*standardized_rows_gradient)(Index rows, Index panels, const T* x, Index x_stride, const T* mean,
                                     const T* inverse, const T* grad, Index grad_stride, T* out);
};

/// Implemented in kernels/merging.cpp.
template <class T> struct MergingKernels {
  /// out = f(x, y). A maximum or minimum is NaN if an operand is.
  void (*merge[merge_count])(Index size, const T* x, const T* y, T* out);
  /// grad · ∂f/∂x and grad · ∂f/∂y. Where x = y is the maximum or minimum, x has the gradient.
  void (*merge_backward[merge_count][2])(Index size, const T* grad, const T* x, const T* y, T* out);
  /// out[i] = the dot product of rows i.
  void (*dot)(Rows<T> x, const T* y, Index y_stride, T* out);
};

/// Implemented in kernels/random.cpp.
template <class T> struct RandomKernels {
  /// mask = scale where the random bits are at least `threshold`, else 0; out = mask · x, and 0 where the mask is 0.
  /// x, mask and out start at the first row of the draw.
  void (*dropout)(const Draw&, unsigned threshold, T scale, const T* x, T* mask, T* out, Index stride);
  /// out = mask · x, and 0 where the mask is 0.
  void (*mask)(Index size, const T* x, const T* mask, T* out);
  /// out = x + deviation · a standard normal number, made of 24 random bits.
  void (*add_noise)(const Draw&, T deviation, const T* x, T* out, Index stride);
};

/// Implemented in kernels/optimizers.cpp.
template <class T> struct OptimizerKernels {
  /// The rules of ops::Rule (ops/optimizers.hpp); param and slots are updated in place.
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

  /// out = x clipped to [−limit, limit]; NaN stays NaN.
  void (*clip)(Index size, const T* x, T limit, T* out);
  /// average += (1 − momentum) (x − average)
  void (*average)(Index size, const T* x, T one_minus_momentum, T* average);
  /// grad += l1 · sign(param) + twice_l2 · param
  void (*regularize)(Index size, const T* param, T l1, T twice_l2, T* grad);
  /// sums[j] = Σᵢ |x[i, j]| over the rows of a panel; sum_squares: Σᵢ x[i, j]².
  void (*sum_magnitudes)(Index rows, const T* panel, double* sums);
  void (*sum_squares)(Index rows, const T* panel, double* sums);
};

/// Implemented in kernels/gather.cpp.
template <class T> struct GatherKernels {
  void (*gather[element_type_count])(const Gather<T>&);
};

/// All kernels of an instruction set, for one element type.
template <class T>
struct Table : ProductKernels<T>,
               ActivationKernels<T>,
               SoftmaxKernels<T>,
               LossKernels<T>,
               NormalizationKernels<T>,
               MergingKernels<T>,
               RandomKernels<T>,
               OptimizerKernels<T>,
               GatherKernels<T> {};

/// An instruction set that this build includes.
struct InstructionSet {
  const char* name;
  bool (*supported)();
  const Table<float>* float_table;
  const Table<double>* double_table;
};

/// The table in use: that of the widest instruction set the CPU supports, or of the one named by the environment
/// variable CNET_ISA.
template <class T> const Table<T>& table();

/// The name of the instruction set in use.
///
/// Throws std::invalid_argument if CNET_ISA names one that is unknown, not built or not supported by the CPU.
const char* chosen_isa();

/// All instruction sets in this build, the widest last; `count` receives their number.
const InstructionSet* built_isas(int& count);

} // namespace cnet::kernels
