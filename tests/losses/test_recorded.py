"""Losses on a tape: equal values as for arrays, and the gradients of the engine."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import central_difference, difference_bound, unit_roundoff

from cnet import Input, Sequential, autodiff, layers, losses, ops, optimizers
from cnet.losses import _FUNCTIONS, Loss

Array = npt.NDArray[Any]

REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]
WEIGHTS = np.array([0.5, 0.0, 2.0, 1.0, 0.25])
LOGITS = [
    *(losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy),
    *(
        losses.BinaryCrossentropy,
        losses.BinaryFocalCrossentropy,
        losses.CategoricalFocalCrossentropy,
    ),
]


def draw(cls: type[Loss]) -> tuple[Array, Array]:
    """Return labels and predictions in float64, away from kinks and steep parts of the loss."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 0.8, (5, 3))
    if cls.sparse:
        return np.array([0, 2, 1, 1, 0]), p
    if cls.categorical:
        return np.eye(3)[[0, 2, 1, 1, 0]], p
    if "binary" in cls.name:
        return rng.choice([0.0, 1.0], p.shape), p
    if "hinge" in cls.name:
        return rng.choice([-1.0, 1.0], p.shape), p
    return rng.uniform(0.9, 1.1, p.shape), p


def gradient(function: Any, predictions: Array, grad: Any = None) -> tuple[Any, Array]:
    variable = autodiff.Variable(predictions)
    with autodiff.GradientTape() as tape:
        loss = function(variable)
    return loss, tape.gradient(loss, variable, grad).numpy()


def assert_gradient(function: Any, predictions: Array, steepness: float) -> None:
    """Compare with central differences of the loss of arrays, or of its product with a grad."""
    loss, found = gradient(function, predictions)
    assert isinstance(loss, autodiff.Tensor)
    assert loss.dtype == found.dtype == np.float64
    np.testing.assert_array_equal(loss.numpy(), function(predictions))
    differences = central_difference(lambda: float(np.sum(function(predictions))), predictions)
    # The third derivatives of the losses are below 2 / 0.2³ times the steepness, their terms below 2.
    bound = difference_bound(2 * predictions.size * steepness, 60, 250 * steepness)
    assert (np.abs(found - differences) <= bound).all()


@pytest.mark.parametrize("cls", _FUNCTIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reductions_and_weights(cls: type[Loss], reduction: Any) -> None:
    y, p = draw(cls)
    loss = cls(reduction=reduction)
    for weights in (None, WEIGHTS, WEIGHTS[:, None], 0.5):
        assert_gradient(partial(loss, y, sample_weight=weights), p, 100.0)


@pytest.mark.parametrize("cls", LOGITS)
def test_logits_and_smoothing(cls: Any) -> None:
    y, z = draw(cls)
    options = {} if cls.sparse else {"label_smoothing": 0.2}
    for from_logits in (False, True):
        loss = cls(from_logits=from_logits, **options)
        assert_gradient(lambda predictions: loss(y, predictions), z, 1.0)  # noqa: B023 # called at once


OF_DISTRIBUTIONS = [
    *(losses.CategoricalCrossentropy, losses.CategoricalFocalCrossentropy, losses.KLDivergence),
    *(losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy, losses.Poisson),
]
UNNORMALIZED = np.array([[0, 0, 0], [1, 1, 0], [0.5, 0.25, 0], [0.9, 0.8, 0.7], [0, 0, 0]])


@pytest.mark.parametrize("cls", OF_DISTRIBUTIONS)
def test_labels_that_do_not_sum_to_one(cls: Any) -> None:
    _, p = draw(cls)
    options: list[dict[str, Any]] = [{}]
    if cls in LOGITS:
        smoothings, kinds = (0.0, 0.2), (False, True)
        options = [{"label_smoothing": s, "from_logits": k} for s in smoothings for k in kinds]
    for given in options:
        assert_gradient(partial(cls(**given), UNNORMALIZED), p, 100.0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_classes(reduction: Any) -> None:
    y, p = draw(losses.SparseCategoricalCrossentropy)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1, reduction=reduction)
    assert_gradient(lambda predictions: loss(y, predictions, WEIGHTS), p, 1.0)
    _, found = gradient(lambda predictions: loss(y, predictions), p)
    assert not found[2:4].any()


@pytest.mark.parametrize(("cls", "function"), _FUNCTIONS.items())
def test_functions_of_samples(cls: type[Loss], function: Any) -> None:
    y, p = draw(cls)
    assert_gradient(lambda predictions: function(y, predictions), p, 100.0)
    grad = np.random.default_rng(1).normal(size=5)
    loss, found = gradient(lambda predictions: function(y, predictions), p, grad)
    assert loss.shape == (5,)
    rows = [gradient(lambda q: function(y[n : n + 1], q), p[n : n + 1])[1] for n in range(5)]  # noqa: B023 # called at once
    np.testing.assert_allclose(found, grad[:, None] * np.concatenate(rows), rtol=1e-14)


@pytest.mark.parametrize(
    ("y_shape", "p_shape"), [((4,), (4, 1)), ((4, 1), (4,)), ((2, 2), (2, 2, 1))]
)
def test_shapes_that_fit(y_shape: Any, p_shape: Any) -> None:
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=y_shape), rng.normal(size=p_shape)
    loss = losses.MeanSquaredError()
    assert_gradient(lambda predictions: loss(y, predictions), p, 10.0)


@pytest.mark.parametrize("cls", _FUNCTIONS)
def test_results_have_the_bits_of_the_engine(cls: type[Loss]) -> None:
    """With 17 samples, which is not a power of two."""
    y, p = draw(cls)
    y, p = np.resize(y, (17, *y.shape[1:])), np.resize(p, (17, 3)).astype(np.float32)
    loss = cls()
    result, found = gradient(lambda predictions: loss(y, predictions), p)
    assert result.dtype == np.float32
    if isinstance(loss, losses.PointwiseLoss):
        targets = y.astype(np.float32)
        expected = ops.pointwise_loss_backward(loss.rule, p, targets, **loss.engine_options())
    else:
        expected = ops.cross_entropy_backward(p, y)
    assert found.tobytes() == expected.tobytes()


def test_a_step_has_the_bits_of_fit() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(19, 7)).astype(np.float32), rng.integers(3, size=19)
    weight = rng.uniform(0, 2, 19).astype(np.float32)
    model = Sequential([Input((7,)), layers.Dense(3, use_bias=False)])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.SGD(0.1), loss)
    for sample_weight in (None, weight):
        (kernel,) = model.get_weights()
        variable = autodiff.Variable(kernel)
        with autodiff.GradientTape() as tape:
            value = loss(y, x @ variable, sample_weight)
        each = losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")(
            y, x @ kernel
        )
        ops.sgd_update(kernel, tape.gradient(value, variable).numpy(), 0.1)
        history = model.fit(
            x, y, batch_size=19, shuffle=False, sample_weight=sample_weight, verbose=0
        )
        assert model.get_weights()[0].tobytes() == kernel.tobytes()
        # The engine rounds each weighted loss to float32 and sums in float64.
        rounded = each if sample_weight is None else each * sample_weight
        assert rounded.dtype == np.float32
        assert history.history["loss"][0] == sum(map(float, rounded)) / 19
        assert abs(float(value) - history.history["loss"][0]) <= 2 * unit_roundoff(
            "float32"
        ) * float(value)


def test_empty_batches() -> None:
    loss = losses.MeanSquaredError()
    result, found = gradient(lambda p: loss(np.zeros((0, 2)), p), np.zeros((0, 2)))
    assert result == 0
    assert found.shape == (0, 2)


def test_second_derivatives_are_refused() -> None:
    x = autodiff.Variable([[1.0, 2.0]])
    with autodiff.GradientTape() as outer:
        with autodiff.GradientTape() as inner:
            loss = losses.MeanSquaredError()([[0.0, 0.0]], x)
        slope = inner.gradient(loss, x)
    assert slope.numpy().tolist() == [[1.0, 2.0]]
    with pytest.raises(NotImplementedError, match="MeanSquaredError: its second derivative"):
        outer.gradient(slope, x)


def test_graphs_are_refused() -> None:
    from cnet import graph

    with pytest.raises(TypeError, match="a node has no numbers before a Session runs it"):
        losses.MeanSquaredError()([1.0], graph.placeholder())


def test_ignored_samples_have_no_gradient() -> None:
    """The loss of each sample has none, nor the mean of no samples."""
    logits = autodiff.Variable([[1.0, 2.0, 3.0], [0.5, 0.25, 0.0]])
    with autodiff.GradientTape() as tape:
        each = losses.sparse_categorical_crossentropy([1, 7], logits, True, ignore_class=7)
        total = autodiff.reduce_sum(each)
    gradient = tape.gradient(total, logits).numpy()
    assert gradient[1].tolist() == [0, 0, 0]
    assert (gradient[0] != 0).all()

    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=7)
    with autodiff.GradientTape() as tape:
        nothing = loss([7, 7], logits)
    assert float(nothing) == 0
    assert tape.gradient(nothing, logits).numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
