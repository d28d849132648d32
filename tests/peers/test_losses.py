"""Losses compared with Keras and PyTorch, in float32: per sample, reduced, and gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.tolerances import relative_bound

import cnet
from cnet import Sequential, layers, losses, optimizers

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the peers

Array = npt.NDArray[Any]
ROWS, COLUMNS = 17, 5

# The peers state no bounds. Their logarithms, exponentials and powers are within about ten units in the
# last place, of 2 u each. A formula has up to a dozen operations more, a row five terms and a batch
# seventeen.
ROUNDINGS = 2 * 10 + 12 + COLUMNS + ROWS
RELATIVE = relative_bound(ROUNDINGS, np.float32)
assert RELATIVE <= 1e-5


def draw(kind: str) -> tuple[Array, Array]:
    """Return labels and predictions, away from kinks and steep parts of the losses."""
    rng = np.random.default_rng(3)
    shape = (ROWS, COLUMNS)
    numbers = rng.normal(size=shape) * 2
    uniform = rng.uniform(0.2, 0.8, shape)
    y, p = {
        "numbers": lambda: (np.round(rng.normal(size=shape), 1) + 3, numbers + 3),
        "positive": lambda: (rng.uniform(0.5, 3, shape), uniform + 3),
        "shares": lambda: (rng.uniform(0.2, 0.8, shape), uniform),
        "margins": lambda: (rng.choice([-1.0, 1.0], shape), numbers),
        "bits": lambda: (rng.choice([0.0, 1.0], shape), numbers),
        "probabilities": lambda: (rng.choice([0.0, 1.0], shape), uniform),
        "one-hot": lambda: (np.eye(COLUMNS)[rng.integers(COLUMNS, size=ROWS)], uniform),
        "one-hot logits": lambda: (np.eye(COLUMNS)[rng.integers(COLUMNS, size=ROWS)], numbers),
        "ids": lambda: (rng.integers(COLUMNS, size=ROWS), uniform),
        "ids logits": lambda: (rng.integers(COLUMNS, size=ROWS), numbers),
    }[kind]()
    if (
        kind == "ids"
    ):  # Keras does not normalize these; cnet does, and so does Keras for one-hot labels
        p = p / p.sum(axis=1, keepdims=True)
    return y if "ids" in kind else y.astype(np.float32), p.astype(np.float32)


Case = tuple[str, dict[str, Any], str]
CASES: list[Case] = [
    ("MeanSquaredError", {}, "numbers"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("Huber", {}, "numbers"),
    ("Huber", {"delta": 0.3}, "numbers"),
    ("LogCosh", {}, "numbers"),
    ("Poisson", {}, "positive"),
    ("KLDivergence", {}, "shares"),
    ("Hinge", {}, "margins"),
    ("Hinge", {}, "bits"),
    ("SquaredHinge", {}, "margins"),
    ("SquaredHinge", {}, "bits"),
    ("BinaryCrossentropy", {}, "probabilities"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "probabilities"),
    ("BinaryCrossentropy", {"from_logits": True}, "bits"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, "bits"),
    ("BinaryFocalCrossentropy", {}, "probabilities"),
    ("BinaryFocalCrossentropy", {"gamma": 0.0}, "probabilities"),
    ("BinaryFocalCrossentropy", {"gamma": 1.5}, "probabilities"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True}, "probabilities"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.7}, "probabilities"),
    ("BinaryFocalCrossentropy", {"label_smoothing": 0.2}, "probabilities"),
    ("BinaryFocalCrossentropy", {"from_logits": True}, "bits"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.5}, "bits"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "apply_class_balancing": True}, "bits"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, "bits"),
    ("CategoricalCrossentropy", {}, "one-hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "one-hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one-hot logits"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, "one-hot logits"),
    ("CategoricalFocalCrossentropy", {}, "one-hot"),
    ("CategoricalFocalCrossentropy", {"gamma": 0.0, "alpha": 0.7}, "one-hot"),
    ("CategoricalFocalCrossentropy", {"gamma": 1.5, "label_smoothing": 0.2}, "one-hot"),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, "one-hot logits"),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 3.0}, "one-hot logits"),
    ("SparseCategoricalCrossentropy", {}, "ids"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "ids"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "ids logits"),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, "ids logits"),
]
IDS = [f"{name}-{options}-{kind}" for name, options, kind in CASES]
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None]
WEIGHTS = np.random.default_rng(5).uniform(0.5, 2, ROWS).astype(np.float32)
WEIGHTS[3] = 0


def largest(name: str, y: Array, p: Array) -> float:
    """Return the magnitude of the terms of a loss if they cancel, else 0."""
    match name:
        case "MeanSquaredLogarithmicError":  # the difference of two logarithms, squared
            return float((np.log1p(y) + np.log1p(p)).max() ** 2)
        case "LogCosh":
            return float(np.abs(y - p).max() + np.log(2))
        case "Poisson":
            return float((p + y * np.log(p)).max())
        case (
            "KLDivergence"
        ):  # the logarithm has the roundings of its argument, a quotient of about 1
            return COLUMNS * float(y.max())
        case "Hinge" | "SquaredHinge":
            return float((1 + np.abs(p)).max())
        case "BinaryCrossentropy":
            return float((1 + np.abs(p)).max())
    return 0.0


def assert_close(actual: Any, expected: Any, terms: float = 0.0) -> None:
    expected = np.asarray(expected, np.float64)
    bound = RELATIVE * np.maximum(np.abs(expected), terms)
    error = np.abs(np.asarray(actual, np.float64) - expected)
    assert error.shape == expected.shape
    assert (error <= bound).all(), (error / bound).max()


def assert_gradients_close(actual: Any, expected: Any) -> None:
    # Slopes are differences of terms as large as the largest slope.
    assert np.abs(expected).max() > 0
    assert_close(actual, expected, float(np.abs(expected).max()))


RATE = 2.0**20  # so large that subtracting a gradient from the weight loses none of its digits


def step(
    loss: losses.Loss, y: Array, p: Array, sample_weight: Array | None = None
) -> tuple[float, Array]:
    """Return the loss that training reports, and the gradient by predictions that it follows.

    The predictions are a kernel, with a row for each sample.
    """
    model = Sequential([layers.Input((len(p),)), layers.Dense(p.shape[1], use_bias=False)])
    model.set_weights([p])
    model.compile(optimizers.SGD(RATE), loss)
    reported = model.train_on_batch(np.eye(len(p)), y, sample_weight=sample_weight)
    (moved,) = model.get_weights()
    return reported, (p.astype(np.float64) - moved) / RATE


# -- Keras -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras() -> Any:
    keras = pytest.importorskip("keras", exc_type=ImportError)
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradients are TensorFlow's: run with KERAS_BACKEND=tensorflow")
    return keras


def keras_gradient(
    theirs: Callable[..., Any], y: Array, p: Array, sample_weight: Array | None = None
) -> tuple[Array, Array]:
    import tensorflow as tf

    variable = tf.Variable(p)
    with tf.GradientTape() as tape:
        loss = theirs(y, variable, sample_weight)
    return np.asarray(loss), np.asarray(tape.gradient(loss, variable))


@pytest.mark.parametrize(("name", "options", "kind"), CASES, ids=IDS)
def test_keras(keras: Any, name: str, options: dict[str, Any], kind: str) -> None:
    y, p = draw(kind)
    ours, theirs = getattr(losses, name)(**options), getattr(keras.losses, name)(**options)
    expected, gradient = keras_gradient(theirs, y, p)
    reported, actual = step(ours, y, p)
    terms = largest(name, y, p)
    assert_close(ours(y, p), expected, terms)
    assert_close(reported, expected, terms)
    assert_gradients_close(actual, gradient)
    function = losses._FUNCTIONS[type(ours)]
    expected = getattr(keras.losses, function.__name__)(y, p, **options)
    assert_close(function(y, p, **options), expected, terms)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("MeanSquaredError", {}, "numbers"),
        ("KLDivergence", {}, "shares"),
        ("BinaryFocalCrossentropy", {"from_logits": True}, "bits"),
        ("CategoricalFocalCrossentropy", {}, "one-hot"),
        ("CategoricalCrossentropy", {"from_logits": True}, "one-hot logits"),
        ("SparseCategoricalCrossentropy", {}, "ids"),
        ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "ids"),
        ("SparseCategoricalCrossentropy", {"ignore_class": 255}, "ids"),
        ("SparseCategoricalCrossentropy", {"ignore_class": -1, "from_logits": True}, "ids logits"),
    ],
    ids=str,
)
def test_reductions_match_keras(
    keras: Any, name: str, options: dict[str, Any], kind: str, weighted: bool, reduction: Any
) -> None:
    y, p = draw(kind)
    if options.get("ignore_class") in (255, -1):
        y[::4] = options["ignore_class"]
    ours = getattr(losses, name)(**options, reduction=reduction)
    theirs = getattr(keras.losses, name)(**options, reduction=reduction)
    weights = WEIGHTS if weighted else None
    expected, gradient = keras_gradient(theirs, y, p, weights)
    terms = largest(name, y, p)
    assert_close(ours(y, p, weights), expected, terms)
    if reduction in ("none", None):
        with pytest.raises(
            ValueError, match=f"reduction: .* need a single number, got {reduction!r}"
        ):
            step(ours, y, p, weights)
        ours.reduction = "sum"  # the gradient of a vector is that of its sum
        _, actual = step(ours, y, p, weights)
    else:
        reported, actual = step(ours, y, p, weights)
        assert_close(reported, expected, terms)
    assert_gradients_close(actual, gradient)


def test_a_batch_of_zero_weights_matches_keras(keras: Any) -> None:
    p, y = draw("ids logits")[1], np.full(ROWS, -1)
    for reduction in REDUCTIONS[:4]:
        options = {"from_logits": True, "ignore_class": -1, "reduction": reduction}
        ours = losses.SparseCategoricalCrossentropy(**options)
        theirs = keras.losses.SparseCategoricalCrossentropy(**options)
        expected, gradient = keras_gradient(theirs, y, p)
        reported, actual = step(ours, y, p)
        assert ours(y, p) == reported == expected == 0
        np.testing.assert_array_equal(actual, gradient)


@pytest.mark.parametrize(
    ("shape_true", "shape_pred"), [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (4,)), ((2, 3), (2, 3))]
)
def test_shapes_match_keras(
    keras: Any, shape_true: tuple[int, ...], shape_pred: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    y, p = (rng.normal(size=shape).astype(np.float32) for shape in (shape_true, shape_pred))
    assert_close(losses.MeanSquaredError()(y, p), keras.losses.MeanSquaredError()(y, p))
    expected = np.asarray(keras.losses.mean_squared_error(y, p))
    assert_close(losses.mean_squared_error(y, p), expected)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in CASES}))
def test_signatures_match_keras(keras: Any, name: str) -> None:
    def describe(function: Any) -> list[tuple[str, Any]]:
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in parameters if p.name != "name"]

    function = losses._FUNCTIONS[getattr(losses, name)].__name__
    assert describe(getattr(losses, name)) == describe(getattr(keras.losses, name))
    assert describe(getattr(losses, function)) == describe(getattr(keras.losses, function))
    ours, theirs = getattr(losses, name)().get_config(), getattr(keras.losses, name)().get_config()
    for key in set(ours) & set(theirs):
        assert ours[key] == theirs[key]


def test_each_loss_that_keras_has_is_a_case(keras: Any) -> None:
    classes = {cls.__name__ for cls in losses._FUNCTIONS}
    assert {name for name, *_ in CASES} == {name for name in classes if hasattr(keras.losses, name)}


def test_each_keras_loss_is_supported_or_refused_by_name(keras: Any) -> None:
    for name in dir(keras.losses):
        if name.startswith("_") or name in losses.__all__:
            continue
        with pytest.raises(AttributeError, match=f"has no attribute '{name}': "):
            getattr(losses, name)
    from keras.src.losses import ALL_OBJECTS_DICT

    for name, theirs in ALL_OBJECTS_DICT.items():
        if name.lower() in ("bce", "kld", "mae", "mape", "mse", "msle"):
            assert getattr(losses, name).__name__ == theirs.__name__
            assert losses.get(name).name == theirs.__name__


NETS: list[tuple[str, dict[str, Any], str, str]] = [
    ("LogCosh", {}, "numbers", "linear"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True}, "bits", "sigmoid"),
    ("BinaryFocalCrossentropy", {"from_logits": True}, "bits", "linear"),
    ("CategoricalFocalCrossentropy", {}, "one-hot", "softmax"),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, "one-hot", "linear"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "ids", "softmax"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 9, "from_logits": True}, "ids", "linear"),
    ("MeanSquaredError", {"reduction": "sum"}, "numbers", "linear"),
    ("MeanSquaredError", {"reduction": "mean_with_sample_weight"}, "numbers", "linear"),
]


@pytest.mark.parametrize(("name", "options", "kind", "last"), NETS, ids=str)
def test_training_a_network_matches_keras(
    keras: Any, name: str, options: dict[str, Any], kind: str, last: str
) -> None:
    y, _ = draw(kind)
    if options.get("ignore_class") == 9:
        y[::3] = 9
    x = np.random.default_rng(1).normal(size=(ROWS, 4)).astype(np.float32)
    batch_size, epochs, rate = 6, 5, 0.05
    cnet.utils.set_random_seed(1)
    ours = Sequential([layers.Input((4,)), layers.Dense(8, "tanh"), layers.Dense(COLUMNS, last)])
    theirs = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(8, "tanh"),
            keras.layers.Dense(COLUMNS, last),
        ]
    )
    theirs.set_weights(ours.get_weights())
    ours.compile(optimizers.SGD(rate), getattr(losses, name)(**options))
    theirs.compile(keras.optimizers.SGD(rate), getattr(keras.losses, name)(**options))
    reported, expected = (
        model.fit(
            x, y, batch_size, epochs, verbose=0, shuffle=False, sample_weight=WEIGHTS
        ).history["loss"]
        for model in (ours, theirs)
    )
    # At these rates a step does not amplify earlier errors: each adds those of one gradient.
    steps = epochs * -(-ROWS // batch_size)
    np.testing.assert_allclose(reported, expected, rtol=RELATIVE * steps)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(one - other).max() <= RELATIVE * steps * np.abs(other).max()
    for size in (4, ROWS):
        theirs_now = theirs.evaluate(x, y, batch_size=size, verbose=0, sample_weight=WEIGHTS)
        ours_now = ours.evaluate(x, y, batch_size=size, verbose=0, sample_weight=WEIGHTS)
        assert ours_now == pytest.approx(theirs_now, rel=RELATIVE * steps)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("columns", [1, COLUMNS])
def test_binary_accuracy_matches_keras(keras: Any, from_logits: bool, columns: int) -> None:
    x = np.random.default_rng(1).normal(size=(ROWS, 4)).astype(np.float32)
    y = draw("bits")[0][:, :columns]
    last = "linear" if from_logits else "sigmoid"
    ours = Sequential([layers.Input((4,)), layers.Dense(columns, last)])
    theirs = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(columns, last)])
    theirs.set_weights(ours.get_weights())
    ours.compile("sgd", losses.BinaryCrossentropy(from_logits, 0.2), metrics=["binary_accuracy"])
    loss = keras.losses.BinaryCrossentropy(from_logits, 0.2)
    theirs.compile("sgd", loss, metrics=["binary_accuracy"])
    assert ours.evaluate(x, y, verbose=0)[1] == pytest.approx(
        theirs.evaluate(x, y, verbose=0)[1], rel=RELATIVE
    )


# -- PyTorch ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


LOGITS = {"from_logits": True}
IGNORE = {"from_logits": True, "ignore_class": 2}
# Its means are over all elements, which equals the mean over rows of equal length; "batchmean" is over rows.
TORCH: list[tuple[Case, str, dict[str, Any]]] = [
    (("MeanSquaredError", {}, "numbers"), "mse_loss", {}),
    (("MeanAbsoluteError", {}, "numbers"), "l1_loss", {}),
    (("Huber", {"delta": 0.3}, "numbers"), "huber_loss", {"delta": 0.3}),
    (("Poisson", {}, "positive"), "poisson_nll_loss", {"log_input": False, "eps": 1e-7}),
    (("KLDivergence", {}, "shares"), "kl_div", {"reduction": "batchmean"}),
    (("BinaryCrossentropy", {}, "probabilities"), "binary_cross_entropy", {}),
    (("BinaryCrossentropy", LOGITS, "bits"), "binary_cross_entropy_with_logits", {}),
    (("CategoricalCrossentropy", LOGITS, "one-hot logits"), "cross_entropy", {}),
    (
        ("CategoricalCrossentropy", LOGITS | {"label_smoothing": 0.2}, "one-hot logits"),
        "cross_entropy",
        {"label_smoothing": 0.2},
    ),
    (("SparseCategoricalCrossentropy", LOGITS, "ids logits"), "cross_entropy", {}),
    (("SparseCategoricalCrossentropy", IGNORE, "ids logits"), "cross_entropy", {"ignore_index": 2}),
    (
        ("SparseCategoricalCrossentropy", IGNORE | {"reduction": "sum"}, "ids logits"),
        "cross_entropy",
        {"ignore_index": 2, "reduction": "sum"},
    ),
]


@pytest.mark.parametrize(("case", "function", "theirs"), TORCH, ids=str)
def test_torch(torch: Any, case: Case, function: str, theirs: dict[str, Any]) -> None:
    name, options, kind = case
    y, p = draw(kind)
    variable = torch.tensor(p, requires_grad=True)
    given = variable.log() if function == "kl_div" else variable
    expected = getattr(torch.nn.functional, function)(given, torch.tensor(y), **theirs)
    expected.backward()
    ours = getattr(losses, name)(**options)
    reported, actual = step(ours, y, p)
    terms = largest(name, y, p)
    assert_close(ours(y, p), expected.detach().numpy(), terms)
    assert_close(reported, expected.detach().numpy(), terms)
    assert_gradients_close(actual, variable.grad.numpy())
