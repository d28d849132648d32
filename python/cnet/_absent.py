"""Public names of Keras that cnet lacks, with alternatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["absent", "alternatives_of"]

_KERAS = "Keras and PyTorch have it"
_SCIKIT_LEARN = "scikit-learn has it"
_MODELS = "Input returns symbolic tensors, and cnet.Model makes models of them"
_BACKEND = "cnet is its own backend"
_VERBOSE = "fit(verbose=...) controls the output"

# The names that each module lacks, by their alternatives.
_ALTERNATIVES: dict[str, dict[str, str]] = {
    "cnet": {
        _MODELS: "Function KerasTensor InputSpec Operation",
        "it is in cnet.autodiff": "Variable",
        "it is in cnet.initializers": "Initializer",
        "it is in cnet.layers": "Layer",
        "it is in cnet.losses": "Loss",
        "it is in cnet.metrics": "Metric",
        "it is in cnet.optimizers": "Optimizer",
        "it is in cnet.regularizers": "Regularizer",
        "use model.save": "export",
        "dtype is float32 or float64": """
            DTypePolicy FloatDTypePolicy dtype_policies mixed_precision quantizers Quantizer""",
        _BACKEND: """
            device distribution legacy name_scope RematScope remat StatelessScope SymbolicScope tree
            version""",
        _KERAS: "applications distillation preprocessing visualization",
    },
    "cnet.layers": {
        _KERAS: """
            AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
            AdaptiveMaxPooling2D AdaptiveMaxPooling3D AdditiveAttention AlphaDropout Attention AugMix AutoContrast
            AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D Bidirectional
            CenterCrop ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose
            Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose
            Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D
            Cropping3D CutMix DepthwiseConv1D DepthwiseConv2D EinsumDense Equalization FlaxLayer GRU
            GRUCell GaussianDropout GlobalAveragePooling2D GlobalAveragePooling3D
            GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool2D GlobalMaxPool3D
            GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention
            JaxLayer LSTM LSTMCell Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D MaxPooling1D
            MaxPooling2D MaxPooling3D MelSpectrogram MixUp MultiHeadAttention PReLU RMSNormalization RNN
            RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop
            RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue
            RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness
            RandomShear RandomTranslation RandomZoom Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D
            SeparableConv2D SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Solarization
            SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells TFSMLayer
            TextVectorization TimeDistributed TorchModuleWrapper UpSampling1D UpSampling2D UpSampling3D Wrapper
            ZeroPadding1D ZeroPadding2D ZeroPadding3D""",
        "use GlobalAveragePooling1D": "GlobalAvgPool1D",
        "use GlobalMaxPooling1D": "GlobalMaxPool1D",
        "use Sequential": "Pipeline",
        "layers check their inputs": "InputSpec",
        "use layers.Lambda with a function": "Identity Permute RepeatVector UnitNormalization",
        "layers have kernel_regularizer and bias_regularizer": "ActivityRegularization",
    },
    "cnet.losses": {
        "compile accepts a function as a loss": """
            CTC CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Tversky
            categorical_generalized_cross_entropy categorical_hinge circle cosine_similarity ctc dice tversky""",
    },
    "cnet.metrics": {
        "compile accepts a function as a metric": """
            BinaryIoU CategoricalHinge ConcordanceCorrelation CosineSimilarity FBetaScore IoU MeanIoU OneHotIoU
            OneHotMeanIoU PearsonCorrelation Sum categorical_hinge concordance_correlation pearson_correlation""",
        "Precision and Recall have thresholds": """
            PrecisionAtRecall RecallAtPrecision
            SensitivityAtSpecificity SpecificityAtSensitivity""",
    },
    "cnet.optimizers": {
        _KERAS: """
            Adafactor Adamax Ftrl Lamb LossScaleOptimizer MultiOptimizer Muon OptimizerMap ScheduleFreeAdamW""",
        "cnet.optimizers has the optimizers of Keras 3": "legacy",
    },
    "cnet.callbacks": {
        "fit(verbose=1) shows a bar": "ProgbarLogger",
        "optimizers have use_ema": "SwapEMAWeights",
        "use callbacks.LambdaCallback with a function": "RemoteMonitor",
        "use callbacks.BackupAndRestore or ModelCheckpoint": "OrbaxCheckpoint",
    },
    "cnet.initializers": {
        _KERAS: "STFT STFTInitializer stft",
    },
    "cnet.regularizers": {
        "kernel_regularizer takes a function that computes it": """
            OrthogonalRegularizer orthogonal_regularizer""",
    },
    "cnet.constraints": {},
    "cnet.activations": {
        "use layers.Lambda with operations of cnet.ops": """
            celu glu hard_shrink hard_silu hard_swish hard_tanh log_sigmoid soft_shrink sparse_plus
            sparse_sigmoid sparsemax squareplus tanh_shrink threshold""",
    },
    "cnet.utils": {
        "use cnet.ops.normalize": "normalize",
        _SCIKIT_LEARN: "split_dataset FeatureSpace",
        _KERAS: """
            array_to_img audio_dataset_from_directory bounding_boxes image_dataset_from_directory img_to_array
            load_img pad_sequences save_img text_dataset_from_directory timeseries_dataset_from_array legacy""",
        "use pooch.retrieve": "get_file",
        "use model.inputs": "get_source_inputs",
        _VERBOSE: """
            Progbar disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled""",
        "cnet.config has the defaults": "Config",
        "cnet.autodiff has the tensors": "is_keras_tensor",
        "cnet.config has floatx": "standardize_dtype",
    },
    "cnet.datasets": {
        _SCIKIT_LEARN: "boston_housing california_housing",
        _KERAS: "cifar10 cifar100 imdb reuters",
    },
    "cnet.random": {
        "use numpy.random.Generator; layers have a seed": """
            SeedGenerator beta binomial categorical dropout gamma randint shuffle"""
    },
    "cnet.config": {
        _BACKEND: """
            backend set_backend disable_flash_attention enable_flash_attention is_flash_attention_enabled
            image_data_format set_image_data_format is_nnx_enabled""",
        "layers and losses have their own epsilon": "epsilon set_epsilon",
        "fit has epochs and steps_per_epoch": """
            max_epochs set_max_epochs max_steps_per_epoch set_max_steps_per_epoch""",
        _VERBOSE: """
            disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled""",
        "model files contain no code": "enable_unsafe_deserialization",
        "use config.set_floatx": "dtype_policy set_dtype_policy",
    },
    "cnet.backend": {
        "it is in numpy": "is_float_dtype is_int_dtype result_type",
        "layers and losses have their own epsilon": "epsilon set_epsilon",
        _BACKEND: "backend image_data_format set_image_data_format",
        "names are numbered automatically": "get_uid",
        "cnet.autodiff has the tensors": "is_keras_tensor",
        "cnet.config has floatx": "standardize_dtype",
    },
    "cnet.saving": {
        "it is in cnet.models": "load_model save_model",
        "models have it as a method": "load_weights save_weights",
        "the files are safetensors, which other programs read": "KerasFileEditor",
    },
    "cnet.ops": {
        _KERAS: """
            adaptive_average_pool adaptive_max_pool average_pool max_pool conv conv_transpose depthwise_conv
            separable_conv ctc_decode ctc_loss dot_product_attention depth_to_space space_to_depth fold unfold
            image extract_sequences fft fft2 ifft2 irfft rfft stft istft sparse_plus sparse_sigmoid sparsemax
            segment_max segment_min segment_prod""",
        "numpy.linalg has it, without gradients": """
            cholesky cholesky_inverse det eig eigh inv linalg logdet lstsq lu_factor matrix_rank pinv qr slogdet
            solve solve_triangular svd""",
        "scipy.special has it, without gradients": "erf erfc erfinv i0",
        "numpy has it, without gradients": """
            angle append argpartition array_split average bartlett bincount blackman cbrt conj conjugate
            corrcoef correlate cross cumprod deg2rad rad2deg diagflat diff digitize fmax fmin fmod gcd geomspace
            hamming hanning heaviside histogram hypot imag isin isneginf isposinf isreal kaiser kron lcm ldexp
            left_shift right_shift logaddexp2 logspace median meshgrid nanargmax nanargmin nancumprod nancumsum
            nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar nextafter
            nonzero numpy percentile polar ptp quantile real rot90 searchsorted select signbit sinc trapezoid
            unique unravel_index vander vectorize bitwise_and bitwise_invert bitwise_left_shift bitwise_not
            bitwise_or bitwise_right_shift bitwise_xor view_as_complex view_as_real""",
        "use abs": "fabs",
        "use matmul with one_hot": "segment_sum",
        "use flip": "fliplr flipud",
        "use concatenate or stack": "dstack hstack vstack",
        "use split": "dsplit hsplit vsplit",
        "use reshape and transpose": "rearrange",
        "multiply by eye": "diag diagonal trace",
        "use all and isclose": "allclose",
        "use clip and cast": "saturate_cast",
        "use where or one_hot": "scatter scatter_update slice_update",
        "use top_k or argsort": "in_top_k",
        "use sum and square": "cdist psnr",
        "use Python's loops and ifs": """
            associative_scan fori_loop map scan switch vectorized_map while_loop""",
        "cnet.layers has it": "batch_normalization layer_normalization",
        "use mean, square and rsqrt": "rms_normalization",
        "it is in cnet.autodiff": "custom_gradient",
        "use nested tapes of cnet.autodiff": "jvp",
        "use isinstance(x, cnet.autodiff.Tensor)": "is_tensor",
        "use numpy's copy or view": "copy view",
        "all are in cnet.ops": "nn",
    },
    "cnet.optimizers.schedules": {},
}


def alternatives_of(module: str) -> dict[str, str]:
    """Return the alternative for each of Keras's names that a module lacks."""
    return {
        name: alternative
        for alternative, names in _ALTERNATIVES.get(module, {}).items()
        for name in names.split()
    }


def absent(module: str) -> Callable[[str], Any]:
    """Return a `__getattr__` for a module whose errors name alternatives for Keras's names."""
    alternatives = alternatives_of(module)

    def __getattr__(name: str) -> Any:
        text = f"module {module!r} has no attribute {name!r}"
        raise AttributeError(f"{text}: {alternatives[name]}" if name in alternatives else text)

    return __getattr__
