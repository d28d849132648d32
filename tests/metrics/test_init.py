"""Metrics by name, in models, and their common behaviour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.instances import METRICS, Maker, name_of

import cnet
from cnet import metrics

RNG = np.random.default_rng(0)
X = RNG.random((50, 4))
IDS = RNG.integers(0, 3, 50)
ONE_HOT = np.eye(3)[IDS]
NAMES = sorted(name for name in metrics._CLASSES if name.islower())


def compiled_model(which: Any, loss: str = "categorical_crossentropy") -> cnet.Sequential:
    cnet.utils.set_random_seed(0)
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile(cnet.optimizers.SGD(0.5), loss, metrics=which)
    return model


# -- Names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_get_accepts_names_classes_configs_and_objects(name: str) -> None:
    metric = metrics.get(name)
    cls = type(metric)
    assert type(metrics.get(cls)) is cls
    assert type(metrics.get(cls.__name__)) is cls
    assert metrics.get(metric) is metric
    config = {"class_name": cls.__name__, "config": {"name": "other"}}
    assert metrics.get(config).name == "other"


def test_get_accepts_functions() -> None:
    def bias(y_true: Any, y_pred: Any) -> Any:
        return y_pred - y_true

    metric = metrics.get(bias)
    assert metric.name == "bias"
    assert metric([1.0, 2.0], [2.0, 2.0]) == 0.5


@pytest.mark.parametrize("identifier", ["auk", "", None, 3, int, ["accuracy"]])
def test_get_refuses_others(identifier: Any) -> None:
    error = ValueError if isinstance(identifier, str) else TypeError
    with pytest.raises(error, match=r"metrics: expected one of accuracy, .*, got "):
        metrics.get(identifier)


@pytest.mark.parametrize("name", ["categorical_accuracy", "sparse_top_k_categorical_accuracy"])
def test_a_metric_for_labels_other_than_the_loss_is_refused(name: str) -> None:
    prefix = "" if name.startswith("sparse") else "sparse_"
    loss = f"{prefix}categorical_crossentropy"
    with pytest.raises(ValueError, match=rf"compile: metrics: '{name}' is for .*, the loss for "):
        compiled_model([name], loss)


# -- Models ----------------------------------------------------------------------------------------


def test_logs_have_the_given_names() -> None:
    model = compiled_model(["acc", "mse", metrics.AUC(name="area"), "mse"])
    names = ["loss", "acc", "mse", "area", "mse_1"]
    assert model.metrics_names == names
    assert list(model.evaluate(X, ONE_HOT, verbose=0, return_dict=True)) == names


WHICH = ["accuracy", "mse", metrics.AUC(), metrics.F1Score(average="macro"), "precision", "recall"]


@pytest.mark.parametrize("hooked", [False, True])
def test_metrics_see_all_predictions_of_evaluate(hooked: bool) -> None:
    model = compiled_model(WHICH)
    hooks = [cnet.callbacks.LambdaCallback(on_test_batch_end=lambda *_: None)] if hooked else []
    logs = model.evaluate(X, ONE_HOT, batch_size=7, verbose=0, return_dict=True, callbacks=hooks)
    outputs = model.predict(X, verbose=0)
    for metric in model.metrics[1:]:
        twin = metrics.get(type(metric)) if metric.name != "f1_score" else metrics.F1Score("macro")
        assert logs[metric.name] == pytest.approx(twin(ONE_HOT, outputs), rel=1e-12), metric.name
    assert logs["accuracy"] == metrics.CategoricalAccuracy()(ONE_HOT, outputs)


@pytest.mark.parametrize("shuffle", [False, True])
def test_metrics_see_the_predictions_before_each_step_of_fit(shuffle: bool) -> None:
    # The same count as the engine's, in Python: equal if it sees the same predictions, in any order.
    class Twin(metrics.CategoricalAccuracy):
        name = "twin"

    model = compiled_model(["accuracy", Twin(), "mse"])
    history = model.fit(
        X, ONE_HOT, batch_size=7, epochs=4, shuffle=shuffle, validation_split=0.3, verbose=0
    ).history
    assert history["twin"] == history["accuracy"]
    assert history["val_twin"] == history["val_accuracy"]
    plain = compiled_model(["accuracy"]).fit(
        X, ONE_HOT, batch_size=7, epochs=4, shuffle=shuffle, validation_split=0.3, verbose=0
    )
    for name, values in plain.history.items():
        assert history[name] == values, "the bits of training stay the same"


def test_fit_and_train_on_batch_have_equal_means() -> None:
    model, twin = compiled_model(["mse"]), compiled_model(["mse"])
    logged: list[float] = []
    log = cnet.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: logged.append(logs["mse"])
    )
    model.fit(X[:40], ONE_HOT[:40], batch_size=10, shuffle=False, verbose=0, callbacks=[log])
    each = [twin.train_on_batch(X[i : i + 10], ONE_HOT[i : i + 10])[1] for i in range(0, 40, 10)]
    assert logged == pytest.approx([np.mean(each[: n + 1]) for n in range(4)], rel=1e-12)


def test_sparse_labels_reach_functions_as_a_column() -> None:
    def shape(y_true: Any, y_pred: Any) -> Any:
        return np.full(len(y_pred), float(y_true.shape == (len(y_pred), 1)))

    model = compiled_model([shape], "sparse_categorical_crossentropy")
    assert model.evaluate(X, IDS, verbose=0)[1] == 1.0


def test_a_metric_that_refuses_the_labels_leaves_the_model_unchanged() -> None:
    model = compiled_model(["precision"], "sparse_categorical_crossentropy")
    model.build((None, 4))
    before = [weight.tolist() for weight in model.get_weights()]
    with pytest.raises(ValueError, match=r"Precision: y_true: expected shape .* as y_pred, got"):
        model.fit(X, IDS, verbose=0)
    assert [weight.tolist() for weight in model.get_weights()] == before


def test_metrics_of_several_values_are_displayed(capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled_model(["f1_score"])
    history = model.fit(X, ONE_HOT, verbose=2)
    values = history.history["f1_score"][0]
    assert values.shape == (3,)
    shown = " ".join(f"{value:.4f}" for value in values)
    assert f"f1_score: [{shown}]" in capsys.readouterr().out


def test_one_output_and_accuracy() -> None:
    model = cnet.Sequential([cnet.layers.Dense(1, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    assert model.evaluate(X, IDS > 0, verbose=0)[1] == pytest.approx(np.mean(IDS > 0))


# -- Common behaviour -----------------------------------------------------------------------


def draw(metric: Any, samples: int) -> tuple[Any, Any]:
    """Return labels and predictions for any metric."""
    rng = np.random.default_rng(samples)
    scores, ids = rng.random((samples, 4)), rng.integers(0, 4, samples)
    return (ids if metric.sparse else np.eye(4)[ids]), scores


PAIRED = [make for make in METRICS if make.func is not metrics.Mean]


@pytest.mark.parametrize("make", PAIRED, ids=name_of)
def test_batches_accumulate_until_reset(make: Maker) -> None:
    whole, parts = make(), make()
    y, p = draw(whole, 30)
    parts.update_state(*draw(whole, 9))
    parts.reset_state()
    for rows in (slice(0, 7), slice(7, 8), slice(8, 30)):
        parts.update_state(y[rows], p[rows])
    np.testing.assert_allclose(parts.result(), whole(y, p), rtol=1e-12)


# An adjusted R² counts samples, not weights.
@pytest.mark.parametrize(
    "make", [m for m in PAIRED if "num_regressors" not in m.keywords], ids=name_of
)
@pytest.mark.parametrize("shape", [(30,), (30, 1)])
def test_an_integer_weight_equals_repeating_samples(make: Maker, shape: tuple[int, ...]) -> None:
    weighted, repeated = make(), make()
    y, p = draw(weighted, 30)
    weights = np.random.default_rng(1).integers(0, 4, 30)
    weighted.update_state(y, p, sample_weight=weights.reshape(shape))
    repeated.update_state(np.repeat(y, weights, axis=0), np.repeat(p, weights, axis=0))
    np.testing.assert_allclose(weighted.result(), repeated.result(), rtol=1e-12)


@pytest.mark.parametrize("make", PAIRED, ids=name_of)
def test_without_samples(make: Maker) -> None:
    result = np.asarray(make().result())
    assert np.isnan(result).all() if make.func is metrics.R2Score else (result == 0).all()


@pytest.mark.parametrize("make", PAIRED, ids=name_of)
def test_invalid_batches_are_refused_and_change_nothing(make: Maker) -> None:
    metric = make()
    y, p = draw(metric, 30)
    before = metric(y, p)
    cls = type(metric).__name__
    loss = cls.replace("CoshError", "Cosh")
    for wrong in ((y[:5], p), (y, p[:5])):
        with pytest.raises(ValueError, match=rf"^{loss}: y_true: expected .*, got "):
            metric.update_state(*wrong)
    for weights in (np.ones(5), np.ones((30, 9))):
        with pytest.raises(ValueError, match=rf"^{cls}: sample_weight: expected shape \(30,\)"):
            metric.update_state(y, p, sample_weight=weights)
    with pytest.raises(TypeError, match=rf"^{cls}: y_pred: expected numbers"):
        metric.update_state(y, [["a"]] * 30)
    np.testing.assert_array_equal(metric.result(), before)
