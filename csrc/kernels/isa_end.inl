// What every instruction set's file closes with: the bodies over its registers, and its tables.

#include "kernels/lanes.inl"

#include "kernels/products.inl"

#include "kernels/elementwise.inl"

#include "kernels/activations.inl"

#include "kernels/rows.inl"

#include "kernels/pointwise.inl"

#include "kernels/gather.inl"

#include "kernels/normalization.inl"

#include "kernels/random.inl"

#include "kernels/updates.inl"

template <class T> constexpr Table<T> make_table() {
  return {
      // In the order of ElementType.
      {
          gather<unsigned char, T>,
          gather<signed char, T>,
          gather<unsigned short, T>,
          gather<short, T>,
          gather<unsigned int, T>,
          gather<int, T>,
          gather<unsigned long long, T>,
          gather<long long, T>,
          gather<Half, T>,
          gather<float, T>,
          gather<double, T>,
      },
      // In the order of Activation.
      {
          relu_forward<T>,
          elu_forward<T>,
          gelu_forward<T>,
          gelu_tanh_forward<T>,
          silu_forward<T>,
          mish_forward<T>,
          tanh_forward<T>,
          sigmoid_forward<T>,
          hard_sigmoid_forward<T>,
          softplus_forward<T>,
          softsign_forward<T>,
          exponential_forward<T>,
      },
      {
          relu_backward<T>,
          elu_backward<T>,
          gelu_backward<T>,
          gelu_tanh_backward<T>,
          silu_backward<T>,
          mish_backward<T>,
          tanh_backward<T>,
          sigmoid_backward<T>,
          hard_sigmoid_backward<T>,
          softplus_backward<T>,
          softsign_backward<T>,
          exponential_backward<T>,
      },
      product<T>,
      kernel_gradient<T>,
      bias_gradient<T>,
      transpose<T>,
      exp<T>,
      log<T>,
      rescale<T>,
      softmax<T>,
      softmax_backward<T>,
      log_softmax<T>,
      log_softmax_backward<T>,
      softmax_cross_entropy_forward<T>,
      softmax_cross_entropy_backward<T>,
      cross_entropy_forward<T>,
      cross_entropy_backward<T>,
      // In the order of PointwiseLoss.
      {
          pointwise_loss_forward<T, MeanSquaredError<T>>,
          pointwise_loss_forward<T, MeanAbsoluteError<T>>,
          pointwise_loss_forward<T, MeanAbsolutePercentageError<T>>,
          pointwise_loss_forward<T, MeanSquaredLogarithmicError<T>>,
          pointwise_loss_forward<T, Huber<T>>,
          pointwise_loss_forward<T, Poisson<T>>,
          pointwise_loss_forward<T, KLDivergence<T>>,
          pointwise_loss_forward<T, Hinge<T>>,
          pointwise_loss_forward<T, SquaredHinge<T>>,
          pointwise_loss_forward<T, BinaryCrossentropy<T>>,
          pointwise_loss_forward<T, BinaryCrossentropyFromLogits<T>>,
          pointwise_loss_forward<T, LogCosh<T>>,
          pointwise_loss_forward<T, BinaryFocalCrossentropy<T>>,
          pointwise_loss_forward<T, BinaryFocalCrossentropyFromLogits<T>>,
          categorical_focal_forward<T, false>,
          categorical_focal_forward<T, true>,
      },
      {
          pointwise_loss_backward<T, MeanSquaredError<T>>,
          pointwise_loss_backward<T, MeanAbsoluteError<T>>,
          pointwise_loss_backward<T, MeanAbsolutePercentageError<T>>,
          pointwise_loss_backward<T, MeanSquaredLogarithmicError<T>>,
          pointwise_loss_backward<T, Huber<T>>,
          pointwise_loss_backward<T, Poisson<T>>,
          pointwise_loss_backward<T, KLDivergence<T>>,
          pointwise_loss_backward<T, Hinge<T>>,
          pointwise_loss_backward<T, SquaredHinge<T>>,
          pointwise_loss_backward<T, BinaryCrossentropy<T>>,
          pointwise_loss_backward<T, BinaryCrossentropyFromLogits<T>>,
          pointwise_loss_backward<T, LogCosh<T>>,
          pointwise_loss_backward<T, BinaryFocalCrossentropy<T>>,
          pointwise_loss_backward<T, BinaryFocalCrossentropyFromLogits<T>>,
          categorical_focal_backward<T, false>,
          categorical_focal_backward<T, true>,
      },
      argmax<T>,
      column_moments<T>,
      inverse_deviation<T>,
      standardize<T>,
      standardize_backward<T>,
      standardized_gradient<T>,
      scale_columns<T>,
      standardize_rows<T>,
      standardize_rows_backward<T>,
      standardized_rows_gradient<T>,
      dropout<T>,
      mask<T>,
      add_noise<T>,
      sgd_update<T>,
      sgd_momentum_update<T>,
      rmsprop_update<T>,
      rmsprop_momentum_update<T>,
      rmsprop_centered_update<T>,
      adagrad_update<T>,
      adadelta_update<T>,
      adam_update<T>,
      adam_amsgrad_update<T>,
      nadam_update<T>,
      lion_update<T>,
      clip<T>,
      average<T>,
      regularize<T>,
      sum_magnitudes<T>,
      sum_squares<T>,
  };
}

} // namespace

const Table<float> float_table = make_table<float>();
const Table<double> double_table = make_table<double>();

} // namespace cnet::kernels::CNET_ISA
