"""Sample weights and class weights in fit, evaluate and the calls on batches."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import ELEMENTARY_ROUNDINGS, training_bound
from threadpoolctl import threadpool_limits

import cnet
from cnet import Sequential, layers, losses, optimizers, reference

RNG = np.random.default_rng(0)
X, IDS = RNG.normal(size=(40, 6)), RNG.integers(3, size=40)
ONE_HOT = np.eye(3)[IDS]
COUNTS = RNG.integers(4, size=40)  # 0 … 3
LOSSES = {"sparse_categorical_crossentropy": IDS, "categorical_crossentropy": ONE_HOT}
STEPS, RATE = 10, 0.5
# Forward and backward through both layers, the sum over the batch, and the softmax.
ROUNDINGS = 2 * (6 + 5 + 3) + 3 * len(X) + ELEMENTARY_ROUNDINGS


def make_model(
    loss: str = "sparse_categorical_crossentropy",
    *,
    rate: float = RATE,
    dtype: str = "float32",
    last: str = "softmax",
) -> Sequential:
    cnet.utils.set_random_seed(1)
    model = Sequential(
        [
            layers.Input((6,)),
            layers.Dense(5, "relu", dtype=dtype),
            layers.Dense(3, last, dtype=dtype),
        ]
    )
    model.compile(optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def bits(model: Sequential) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


@pytest.mark.parametrize("loss", LOSSES)
def test_an_integer_weight_equals_repeating_the_sample(loss: str) -> None:
    weighted = make_model(loss, dtype="float64")
    weighted.fit(X, LOSSES[loss], len(X), STEPS, verbose=0, shuffle=False, sample_weight=COUNTS)
    copies = np.repeat(np.arange(len(X)), COUNTS)
    # The sum is divided by the number of samples, not by the sum of their weights.
    repeated = make_model(loss, dtype="float64", rate=RATE * len(copies) / len(X))
    repeated.fit(X[copies], LOSSES[loss][copies], len(copies), STEPS, verbose=0, shuffle=False)
    bound = training_bound(STEPS, RATE, ROUNDINGS, "float64")
    for one, other in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        assert abs(one - other).max() <= bound * abs(other).max()


def test_a_step_matches_the_reference() -> None:
    model = make_model(dtype="float64")
    weights = model.get_weights()
    counts = RNG.uniform(-1, 2, len(X))
    logits, inputs = reference.network.forward(X, weights)
    _, probabilities = reference.softmax_cross_entropy_forward(logits, IDS)
    grad = reference.softmax_cross_entropy_backward(probabilities, IDS) * counts[:, np.newaxis]
    gradients = reference.network.backward(grad, inputs, weights)
    model.train_on_batch(X, IDS, sample_weight=counts)
    for before, gradient, after in zip(weights, gradients, model.get_weights(), strict=True):
        np.testing.assert_allclose(after, before - RATE * gradient, rtol=0, atol=1e-15)


@pytest.mark.parametrize("batch_size", [7, 40])
def test_samples_of_weight_zero_may_have_any_value(batch_size: int) -> None:
    counts = np.where(np.arange(len(X)) % 3 == 0, 0.0, 1.0)
    wild = np.where(counts[:, np.newaxis] == 0, 1e30, X)  # infinite logits, NaN loss
    models = [make_model(), make_model()]
    histories = [
        model.fit(x, IDS, batch_size, 3, verbose=0, sample_weight=counts).history["loss"]
        for model, x in zip(models, (X, wild), strict=True)
    ]
    assert bits(models[0]) == bits(models[1])
    assert histories[0] == histories[1]


def test_weights_of_one_have_the_bits_of_no_weights() -> None:
    plain, weighted = make_model(), make_model()
    plain.fit(X, IDS, 7, 3, verbose=0)
    weighted.fit(X, IDS, 7, 3, verbose=0, sample_weight=np.ones((40, 1)), class_weight={1: 1})
    assert bits(plain) == bits(weighted)


@pytest.mark.parametrize("loss", LOSSES)
def test_class_weights_are_the_weights_of_their_samples(loss: str) -> None:
    by_class, by_sample = make_model(loss), make_model(loss)
    weights = {0: 0.5, np.int64(2): 3}
    of_samples = np.array([0.5, 1.0, 3.0])[IDS]
    by_class.fit(X, LOSSES[loss], 7, 2, verbose=0, class_weight=weights, sample_weight=COUNTS)
    by_sample.fit(X, LOSSES[loss], 7, 2, verbose=0, sample_weight=of_samples * COUNTS)
    assert bits(by_class) == bits(by_sample)
    by_class.train_on_batch(X, LOSSES[loss], class_weight=weights)
    by_sample.train_on_batch(X, LOSSES[loss], sample_weight=of_samples)
    assert bits(by_class) == bits(by_sample)
    by_class.train_on_batch(X, LOSSES[loss], class_weight={})
    by_sample.train_on_batch(X, LOSSES[loss])
    assert bits(by_class) == bits(by_sample)


@pytest.mark.parametrize(
    ("loss", "labels", "weights", "of_samples"),
    [
        ("binary_crossentropy", [0, 1, 1, 0], {0: 0.5, 1: 3}, [0.5, 3, 3, 0.5]),
        ("binary_crossentropy", [[False], [True], [True], [False]], {1: 3}, [1, 3, 3, 1]),
        ("hinge", [-1, 1, 1, -1], {-1: 0.5, 1: 3}, [0.5, 3, 3, 0.5]),
        ("mse", [0.2, 1.4, 7.0, 2.6], {0: 0.5, 1: 3, 3: 2}, [0.5, 3, 1, 2]),
    ],
)
def test_class_weights_of_a_single_output(
    loss: str, labels: Any, weights: dict[int, float], of_samples: list[float]
) -> None:
    """The rounded label is the class, as in Keras."""
    models = []
    for options in ({"class_weight": weights}, {"sample_weight": np.array(of_samples)}):
        cnet.utils.set_random_seed(1)
        model = Sequential([layers.Input((6,)), layers.Dense(1, "sigmoid")])
        model.compile("sgd", loss)
        model.fit(X[:4], labels, epochs=2, verbose=0, **options)
        models.append(bits(model))
    assert models[0] == models[1]


def test_the_loss_is_weighted_and_the_accuracy_is_not() -> None:
    model = make_model(dtype="float64")
    loss, accuracy = model.evaluate(X, IDS, verbose=0, sample_weight=COUNTS)
    of_samples = -np.log(model.predict(X, verbose=0)[np.arange(len(X)), IDS])
    assert loss == pytest.approx((of_samples * COUNTS).mean(), rel=1e-12)
    assert accuracy == model.evaluate(X, IDS, verbose=0)[1]
    assert model.test_on_batch(X, IDS, sample_weight=COUNTS) == [loss, accuracy]
    history = model.fit(
        X, IDS, verbose=0, validation_data=(X, IDS, COUNTS), class_weight={0: 9}
    ).history
    assert history["val_loss"] == [model.evaluate(X, IDS, verbose=0, sample_weight=COUNTS)[0]]


@pytest.mark.parametrize("options", [{}, {"class_weight": {0: 9}}])
def test_validation_split_splits_the_weights(options: dict[str, Any]) -> None:
    split, apart = make_model(), make_model()
    first = split.fit(X, IDS, verbose=0, validation_split=0.25, sample_weight=COUNTS, **options)
    second = apart.fit(
        X[:30],
        IDS[:30],
        verbose=0,
        sample_weight=COUNTS[:30],
        validation_data=(X[30:], IDS[30:], COUNTS[30:]),
        **options,
    )
    assert first.history == second.history
    assert bits(split) == bits(apart)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [np.float16, np.int8, np.float64, list])
def test_weights_of_any_dtype(kind: Any, dtype: str) -> None:
    expected, model = make_model(dtype=dtype), make_model(dtype=dtype)
    expected.fit(X, IDS, verbose=0, sample_weight=COUNTS.astype(dtype))
    counts: npt.ArrayLike = COUNTS.tolist() if kind is list else COUNTS.astype(kind)
    model.fit(X, IDS, verbose=0, sample_weight=counts)
    assert bits(model) == bits(expected)


@pytest.mark.parametrize("last", ["linear", "softmax"])
def test_any_number_of_threads_gives_the_same_bits(last: str) -> None:
    x = RNG.normal(size=(600, 6))

    def trained(threads: int) -> list[bytes]:
        cnet.utils.set_random_seed(1)
        model = Sequential([layers.Dense(400, "relu"), layers.Dense(300, "relu")])
        model.add(layers.Dense(3, last))
        model.compile("adam", cnet.losses.SparseCategoricalCrossentropy(last == "linear"))
        counts = np.resize(COUNTS, 600)
        with threadpool_limits(threads):
            model.fit(x, np.resize(IDS, 600), 150, 2, verbose=0, sample_weight=counts)
        return bits(model)

    cnet.config.register_threadpoolctl()
    assert trained(1) == trained(2) == trained(5)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"sample_weight": np.ones(39)}, ValueError, "sample_weight: expected shape (40,), got (39,)"),
    ({"sample_weight": np.ones((40, 2))}, ValueError, "expected shape (40,), got (40, 2)"),
    ({"sample_weight": 1.0}, ValueError, "expected shape (40,), got ()"),
    ({"sample_weight": np.full(40, np.nan)}, ValueError, "nan at row 0 is not a finite float32"),
    ({"sample_weight": np.full(40, 1e300)}, ValueError, "1e+300 at row 0 is not a finite float32"),
    ({"sample_weight": ["a"] * 40}, TypeError, "sample_weight: "),
    ({"class_weight": [1, 2, 3]}, TypeError, "class_weight: expected a dict of class to weight"),
    ({"class_weight": {3: 1.0}}, ValueError, "class_weight: class 3 is outside [0, 3)"),
    ({"class_weight": {-1: 1.0}}, ValueError, "class_weight: class -1 is outside [0, 3)"),
    ({"class_weight": {"0": 1.0}}, TypeError, "class_weight: expected classes as integers"),
    ({"class_weight": {0: "a"}}, TypeError, "class_weight[0]: expected a number, got 'a'"),
    ({"class_weight": {1: np.inf}}, ValueError, "class_weight[1]: inf is not a finite float32"),
]


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG, ids=[m for _, _, m in WRONG])
@pytest.mark.parametrize("call", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_invalid_weights_are_refused_and_change_nothing(
    call: str, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    if "class_weight" in wrong and call in ("evaluate", "test_on_batch"):
        error, message = TypeError, "unexpected keyword argument 'class_weight'"
    model = make_model()
    before = bits(model)
    with pytest.raises(error, match=re.escape(message)):
        getattr(model, call)(X, IDS, **wrong)
    assert bits(model) == before


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf])
def test_a_sample_of_weight_zero_may_be_infinite_or_nan(wild: float) -> None:
    rng = np.random.default_rng(0)
    x, ids, weights = rng.normal(size=(20, 3)), rng.integers(3, size=20), np.ones(20)
    x[[3, 11]], weights[[3, 11]] = wild, 0

    def trained(x: Any, **arguments: Any) -> list[bytes]:
        cnet.utils.set_random_seed(1)
        model = cnet.Sequential(
            [layers.Dense(9, "relu"), layers.LayerNormalization(), layers.Dense(3, "softmax")]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, ids, batch_size=8, epochs=2, verbose=0, **arguments)
        return [weight.tobytes() for weight in model.get_weights()]

    tame = np.where(np.isfinite(x), x, 0)
    assert trained(x, sample_weight=weights) == trained(tame, sample_weight=weights)
    with pytest.raises(FloatingPointError):
        trained(x)


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_metrics_do_not_change_the_loss_of_evaluate(reduction: str) -> None:
    rng = np.random.default_rng(0)
    x, y, weights = rng.normal(size=(50, 3)), rng.normal(size=(50, 2)), rng.uniform(size=50)
    model = cnet.Sequential([layers.Dense(2)])
    found = []
    for metrics in ([], ["mae"]):
        model.compile("sgd", losses.MeanSquaredError(reduction=reduction), metrics=metrics)
        result = model.evaluate(
            x, y, batch_size=8, sample_weight=weights, verbose=0, return_dict=True
        )
        found.append(result["loss"])
    assert found[0] == found[1]
