"""Instances of every public class, for the tests of all layers, losses and so on.

An entry is a `functools.partial` of the class; calling it makes an instance, and further arguments may be
given. The first entry of a class has as few arguments as possible, the others set every argument to another
value than its default: test_instances.py checks that nothing is missing. All layers but `CATEGORY_LAYERS` accept 4 features.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from cnet import activations, constraints, initializers, layers, losses, metrics, optimizers
from cnet import regularizers as r
from cnet.optimizers import schedules as s

Maker = partial[Any]

# Layers for data of any dtype, without a gradient.
CATEGORY_LAYERS: list[Maker] = [
    partial(layers.CategoryEncoding, 4),
    partial(layers.CategoryEncoding, num_tokens=5, output_mode="count"),
    partial(layers.Discretization, num_bins=3),
    partial(layers.Discretization, num_bins=4, epsilon=0.1, dtype="float64"),
    partial(layers.Discretization, [0.0, 0.5], output_mode="one_hot"),
    partial(layers.HashedCrossing, 7),
    partial(layers.HashedCrossing, 8, output_mode="one_hot", dtype="float64"),
    partial(layers.Hashing, 7),
    partial(layers.Hashing, 8, mask_value="a", salt=[1, 2], output_mode="count"),
    partial(layers.IntegerLookup),
    partial(layers.IntegerLookup, 9, 2, mask_token=3, oov_token=-5, invert=True),
    partial(layers.IntegerLookup, vocabulary=[5, 1], oov_method="farmhash", salt=[1, 2]),
    partial(
        layers.IntegerLookup,
        max_tokens=9,
        vocabulary=[5, 1],
        idf_weights=[0.5, 0.25],
        output_mode="tf_idf",
        pad_to_max_tokens=True,
    ),
    partial(layers.StringLookup),
    partial(layers.StringLookup, 9, 2, mask_token="", oov_token="?", invert=True),
    partial(layers.StringLookup, vocabulary=["a", "b"], encoding="latin-1", salt=[1, 2]),
    partial(
        layers.StringLookup,
        max_tokens=9,
        vocabulary=["a", "b"],
        idf_weights=[0.5, 0.25],
        output_mode="tf_idf",
        pad_to_max_tokens=True,
    ),
]

LAYERS: list[Maker] = [
    *CATEGORY_LAYERS,
    partial(layers.Activation, "relu"),
    partial(layers.Activation, "log_softmax"),
    partial(layers.Activation, partial(activations.relu, max_value=0.5, negative_slope=0.25)),
    partial(layers.BatchNormalization),
    partial(layers.BatchNormalization, momentum=0.5, epsilon=0.25, center=False, scale=False),
    partial(
        layers.BatchNormalization,
        beta_initializer="random_normal",
        gamma_initializer="random_normal",
        moving_mean_initializer="random_normal",
        moving_variance_initializer=initializers.Constant(2.0),
        beta_regularizer="l1",
        gamma_regularizer="l2",
        beta_constraint="non_neg",
        gamma_constraint="max_norm",
    ),
    partial(layers.Dense, 3),
    partial(layers.Dense, 1, use_bias=False),
    partial(layers.Dense, 3, "gelu", kernel_initializer="zeros"),
    partial(layers.Dense, 3, partial(activations.gelu, approximate=True)),
    partial(
        layers.Dense,
        2,
        "softmax",
        kernel_initializer=initializers.Orthogonal(2.0, seed=3),
        bias_initializer=initializers.Constant(0.5),
        kernel_regularizer=r.L1L2(0.5, 0.25),
        bias_regularizer="l2",
        kernel_constraint="unit_norm",
        bias_constraint=constraints.MaxNorm(3.0),
    ),
    partial(layers.Dropout, 0.5),
    partial(layers.Dropout, 0.25, seed=7),
    partial(layers.ELU),
    partial(layers.ELU, alpha=0.5),
    partial(layers.Flatten),
    partial(layers.Flatten, data_format="channels_last"),
    partial(layers.GaussianNoise, 0.5),
    partial(layers.GaussianNoise, 0.25, seed=7),
    partial(layers.InputLayer, (4,)),
    partial(layers.InputLayer, input_shape=(4,)),
    partial(layers.InputLayer, batch_shape=(None, 4)),
    partial(layers.InputLayer, (4,), batch_size=8),
    partial(layers.Lambda, abs),
    partial(layers.Lambda, pow, output_shape=(4,), arguments={"exp": 2}),
    partial(layers.LayerNormalization),
    partial(layers.LayerNormalization, epsilon=0.25, center=False, scale=False),
    partial(
        layers.LayerNormalization,
        beta_initializer="random_normal",
        gamma_initializer="random_normal",
        beta_regularizer="l1",
        gamma_regularizer="l2",
        beta_constraint="non_neg",
        gamma_constraint="max_norm",
    ),
    partial(layers.LeakyReLU),
    partial(layers.LeakyReLU, negative_slope=0.25),
    partial(layers.LeakyReLU, alpha=0.5),
    partial(layers.Normalization, mean=0.5, variance=2.0),
    partial(layers.Normalization, mean=[1, 2, 3, 4], variance=[5, 6, 7, 8], invert=True),
    partial(layers.Normalization, axis=None, mean=0.5, variance=2.0),
    partial(layers.ReLU),
    partial(layers.ReLU, max_value=6.0, negative_slope=0.125, threshold=0.5),
    partial(layers.Rescaling, 2.0),
    partial(layers.Rescaling, 0.5, offset=-0.5),
    partial(layers.Reshape, (2, -1)),
    partial(layers.Softmax),
]

LOSSES: list[Maker] = [
    partial(losses.BinaryCrossentropy),
    partial(losses.BinaryCrossentropy, from_logits=True, label_smoothing=0.5, reduction="sum"),
    partial(losses.BinaryFocalCrossentropy),
    partial(
        losses.BinaryFocalCrossentropy,
        apply_class_balancing=True,
        alpha=0.5,
        gamma=1.5,
        from_logits=True,
        label_smoothing=0.5,
        reduction="sum",
    ),
    partial(losses.CategoricalCrossentropy),
    partial(losses.CategoricalCrossentropy, from_logits=True, label_smoothing=0.5, reduction="sum"),
    partial(losses.CategoricalFocalCrossentropy),
    partial(
        losses.CategoricalFocalCrossentropy,
        alpha=0.5,
        gamma=1.5,
        from_logits=True,
        label_smoothing=0.5,
        reduction="sum",
    ),
    partial(losses.Hinge),
    partial(losses.Hinge, reduction="sum"),
    partial(losses.Huber),
    partial(losses.Huber, delta=2.5, reduction="sum"),
    partial(losses.KLDivergence),
    partial(losses.KLDivergence, reduction="sum"),
    partial(losses.LogCosh),
    partial(losses.LogCosh, reduction="sum"),
    partial(losses.MeanAbsoluteError),
    partial(losses.MeanAbsoluteError, reduction="sum"),
    partial(losses.MeanAbsolutePercentageError),
    partial(losses.MeanAbsolutePercentageError, reduction="sum"),
    partial(losses.MeanSquaredError),
    partial(losses.MeanSquaredError, reduction="sum"),
    partial(losses.MeanSquaredLogarithmicError),
    partial(losses.MeanSquaredLogarithmicError, reduction="sum"),
    partial(losses.Poisson),
    partial(losses.Poisson, reduction="sum"),
    partial(losses.SparseCategoricalCrossentropy),
    partial(
        losses.SparseCategoricalCrossentropy, from_logits=True, ignore_class=1, reduction="sum"
    ),
    partial(losses.SquaredHinge),
    partial(losses.SquaredHinge, reduction="sum"),
]

# Of four classes or labels.
METRICS: list[Maker] = [
    partial(metrics.AUC),
    partial(metrics.AUC, 5, "PR", "minoring", from_logits=True),
    partial(metrics.AUC, thresholds=[0.25, 0.5]),
    partial(metrics.AUC, multi_label=True, num_labels=4, label_weights=[1, 2, 0.5, 1]),
    partial(metrics.Accuracy),
    partial(metrics.BinaryAccuracy),
    partial(metrics.BinaryAccuracy, threshold=0.25),
    partial(metrics.BinaryCrossentropy),
    partial(metrics.BinaryCrossentropy, from_logits=True, label_smoothing=0.5),
    partial(metrics.CategoricalAccuracy),
    partial(metrics.CategoricalCrossentropy),
    partial(metrics.CategoricalCrossentropy, from_logits=True, label_smoothing=0.5),
    partial(metrics.FalseNegatives),
    partial(metrics.FalseNegatives, [0.25, 0.5]),
    partial(metrics.FalsePositives),
    partial(metrics.FalsePositives, 0.25),
    partial(metrics.TrueNegatives),
    partial(metrics.TrueNegatives, [0.5, 0.25]),
    partial(metrics.TruePositives),
    partial(metrics.TruePositives, 0.75),
    partial(metrics.F1Score),
    partial(metrics.F1Score, "macro", 0.25),
    partial(metrics.Hinge),
    partial(metrics.KLDivergence),
    partial(metrics.LogCoshError),
    partial(metrics.Mean),
    partial(metrics.MeanAbsoluteError),
    partial(metrics.MeanAbsolutePercentageError),
    partial(metrics.MeanSquaredError),
    partial(metrics.MeanSquaredLogarithmicError),
    partial(metrics.Poisson),
    partial(metrics.Precision),
    partial(metrics.Precision, [0.25, 0.5], top_k=2, class_id=1),
    partial(metrics.R2Score),
    partial(metrics.R2Score, None),
    partial(metrics.R2Score, "variance_weighted_average", num_regressors=2),
    partial(metrics.Recall),
    partial(metrics.Recall, [0.25, 0.5], top_k=2, class_id=1),
    partial(metrics.RootMeanSquaredError),
    partial(metrics.SparseCategoricalAccuracy),
    partial(metrics.SparseCategoricalCrossentropy),
    partial(metrics.SparseCategoricalCrossentropy, from_logits=True, ignore_class=1),
    partial(metrics.SparseTopKCategoricalAccuracy),
    partial(metrics.SparseTopKCategoricalAccuracy, 2),
    partial(metrics.SparseTopKCategoricalAccuracy, 1, from_sorted_ids=True),
    partial(metrics.SquaredHinge),
    partial(metrics.TopKCategoricalAccuracy),
    partial(metrics.TopKCategoricalAccuracy, 2),
]

# They include every rule of the engine, and every option that all optimizers have.
OPTIMIZERS: list[Maker] = [
    partial(optimizers.Adadelta),
    partial(optimizers.Adadelta, 1.0, rho=0.75, epsilon=1e-5),
    partial(optimizers.Adagrad),
    partial(optimizers.Adagrad, 0.1, initial_accumulator_value=0.25, epsilon=1e-5),
    partial(optimizers.Adam),
    partial(optimizers.Adam, 0.01, beta_1=0.75, beta_2=0.875, epsilon=1e-5),
    partial(optimizers.Adam, amsgrad=True, clipnorm=0.05),
    partial(optimizers.Adam, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    partial(optimizers.AdamW),
    partial(optimizers.AdamW, s.CosineDecay(0.01, 9), weight_decay=0.125),
    partial(optimizers.AdamW, 0.01, beta_1=0.75, beta_2=0.875, epsilon=1e-5, amsgrad=True),
    partial(optimizers.Lion),
    partial(optimizers.Lion, 0.01, beta_1=0.75, beta_2=0.875, use_ema=True),
    partial(optimizers.Nadam),
    partial(optimizers.Nadam, 0.01, beta_1=0.75, beta_2=0.875, epsilon=1e-5),
    partial(optimizers.Nadam, gradient_accumulation_steps=2, global_clipnorm=0.1),
    partial(optimizers.RMSprop),
    partial(optimizers.RMSprop, 0.01, rho=0.75, momentum=0.5, epsilon=1e-5),
    partial(optimizers.RMSprop, centered=True, clipvalue=0.01),
    partial(optimizers.SGD),
    partial(optimizers.SGD, 0.1, momentum=0.9),
    partial(optimizers.SGD, 0.1, momentum=0.9, nesterov=True),
    partial(optimizers.SGD, 0.1, momentum=0.9, gradient_accumulation_steps=3),
    partial(optimizers.SGD, s.ExponentialDecay(0.1, 1, 0.5), weight_decay=0.125),
]

SCHEDULES: list[Maker] = [
    partial(s.CosineDecay, initial_learning_rate=0.5, decay_steps=10),
    partial(s.CosineDecay, 0.5, 10, alpha=0.25, warmup_target=1.0, warmup_steps=3),
    partial(s.CosineDecayRestarts, initial_learning_rate=0.5, first_decay_steps=10),
    partial(s.CosineDecayRestarts, 0.5, 10, t_mul=1.5, m_mul=0.5, alpha=0.25),
    partial(s.ExponentialDecay, initial_learning_rate=0.5, decay_steps=10, decay_rate=0.5),
    partial(s.ExponentialDecay, 0.5, 10, 0.5, staircase=True),
    partial(s.InverseTimeDecay, initial_learning_rate=0.5, decay_steps=10, decay_rate=0.5),
    partial(s.InverseTimeDecay, 0.5, 10, 0.5, staircase=True),
    partial(s.PiecewiseConstantDecay, boundaries=[2, 5], values=[0.5, 0.25, 0.125]),
    partial(s.PolynomialDecay, initial_learning_rate=0.5, decay_steps=10),
    partial(s.PolynomialDecay, 0.5, 10, end_learning_rate=0.25, power=2.0, cycle=True),
]

INITIALIZERS: list[Maker] = [
    partial(initializers.Constant),
    partial(initializers.Constant, 0.5),
    partial(initializers.GlorotNormal),
    partial(initializers.GlorotNormal, seed=7),
    partial(initializers.GlorotUniform),
    partial(initializers.GlorotUniform, seed=7),
    partial(initializers.HeNormal),
    partial(initializers.HeNormal, seed=7),
    partial(initializers.HeUniform),
    partial(initializers.HeUniform, seed=7),
    partial(initializers.Identity),
    partial(initializers.Identity, gain=2.0),
    partial(initializers.LecunNormal),
    partial(initializers.LecunNormal, seed=7),
    partial(initializers.LecunUniform),
    partial(initializers.LecunUniform, seed=7),
    partial(initializers.Ones),
    partial(initializers.Orthogonal),
    partial(initializers.Orthogonal, gain=2.0, seed=7),
    partial(initializers.RandomNormal),
    partial(initializers.RandomNormal, mean=1.0, stddev=2.0, seed=7),
    partial(initializers.RandomUniform),
    partial(initializers.RandomUniform, minval=1.0, maxval=2.0, seed=7),
    partial(initializers.TruncatedNormal),
    partial(initializers.TruncatedNormal, mean=1.0, stddev=2.0, seed=7),
    partial(initializers.VarianceScaling),
    partial(
        initializers.VarianceScaling, scale=2.0, mode="fan_avg", distribution="uniform", seed=7
    ),
    partial(initializers.Zeros),
]

REGULARIZERS: list[Maker] = [
    partial(r.L1),
    partial(r.L1, 0.5),
    partial(r.L2),
    partial(r.L2, 0.5),
    partial(r.L1L2),
    partial(r.L1L2, 0.5, 0.25),
]

CONSTRAINTS: list[Maker] = [
    partial(constraints.MaxNorm),
    partial(constraints.MaxNorm, 0.5),
    partial(constraints.MinMaxNorm),
    partial(constraints.MinMaxNorm, 0.25, 0.5, rate=0.75),
    partial(constraints.NonNeg),
    partial(constraints.UnitNorm),
]

# Layers that a config describes completely: users' functions have no description.
# Layers that take a list of inputs, or ids, or the steps of embeddings.
MERGES: list[Maker] = [
    partial(layers.Add),
    partial(layers.Average),
    partial(layers.Concatenate),
    partial(layers.Concatenate, axis=1),
    partial(layers.Dot, axes=1),
    partial(layers.Dot, axes=(1, -1), normalize=True),
    partial(layers.Embedding, 5, 3),
    partial(
        layers.Embedding,
        input_dim=5,
        output_dim=3,
        embeddings_initializer="ones",
        embeddings_regularizer="l2",
        embeddings_constraint="max_norm",
        mask_zero=True,
        input_length=4,
    ),
    partial(layers.GlobalAveragePooling1D),
    partial(layers.GlobalAveragePooling1D, data_format="channels_last", keepdims=True),
    partial(layers.GlobalMaxPooling1D),
    partial(layers.GlobalMaxPooling1D, data_format="channels_last", keepdims=True),
    partial(layers.Maximum),
    partial(layers.Minimum),
    partial(layers.Multiply),
    partial(layers.Subtract),
]
SERIALIZABLE_LAYERS = [make for make in LAYERS if make.func is not layers.Lambda]
# Layers that can follow other layers.
INNER_LAYERS = [
    make
    for make in SERIALIZABLE_LAYERS
    if make.func is not layers.InputLayer and not make.func.takes_any_dtype
]


def name_of(make: Any) -> str:
    """Return a test id: the class and its arguments."""
    given = [*map(_short, make.args), *(f"{k}={_short(v)}" for k, v in make.keywords.items())]
    return f"{make.func.__name__}({', '.join(given)})"


def _short(value: Any) -> str:
    if isinstance(value, partial):
        return name_of(value)
    return getattr(value, "__name__", None) or (
        repr(value) if isinstance(value, (int, float, str, list, tuple)) else type(value).__name__
    )


def first_of_each(makers: Iterable[Maker]) -> list[Maker]:
    """Return one entry of each class."""
    found: dict[Any, Maker] = {}
    for make in makers:
        found.setdefault(make.func, make)
    return list(found.values())
