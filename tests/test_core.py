"""Invalid calls of the compiled module raise errors and never crash."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import _core, layers, ops

Variable, Network, Trainer = (
    _core.Variable["float32"],
    _core.Network["float32"],
    _core.Trainer["float32"],
)
LOSS = _core.Loss("cross_entropy")
X, IDS = np.zeros((5, 3), np.float32), np.zeros((5, 1), np.int64)


def unfinished() -> Any:
    """A network with input −1 and the tensors 0, a dense layer of 2 columns, and 1, its softmax."""
    made = Network()
    made.add_input(3)
    made.add_dense("dense", -1, Variable([3, 2]), Variable([2]), True)
    made.add_softmax("softmax", 0)
    return made


def network() -> Any:
    made = unfinished()
    made.finish([1])
    return made


def with_ids() -> Any:
    """A network with an embedding of ids, tensor 0, of 2 rows per sample."""
    made = Network()
    made.add_ids(2)
    made.add_embedding("embedding", -1, Variable([10, 3]), True)
    return made


def normalized(gamma: Any, mean: Any) -> None:
    unfinished().add_batch_normalization("n", 0, gamma, None, mean, Variable([2]), 0.9, 0.1, True)


def new_trainer(made: Any, loss: Any = LOSS, **options: Any) -> Any:
    return Trainer(made, [_core.Head(0, loss, sparse=True, **options)])


def train(trainer: Any, x: Any = X, y: Any = IDS, batch_size: int = 5) -> Any:
    sgd = _core.Optimizer("sgd", learning_rate=0.1)
    options = _core.EpochOptions(batch_size=batch_size, optimizer=sgd)
    return trainer.train_epoch([x], [y], options, None, None, False)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: Network().add_input(0), ValueError),
        (lambda: Network().add_ids(-5), ValueError),
        (lambda: Network().add_softmax("none", 0), ValueError),
        (lambda: unfinished().add_input(3), ValueError),
        (lambda: unfinished().add_softmax("before", -2), ValueError),
        (lambda: unfinished().add_softmax("after", 2), ValueError),
        (lambda: unfinished().finish([2]), ValueError),
        (lambda: network().finish([1]), ValueError),
        (lambda: network().add_softmax("later", 0), ValueError),
        (lambda: unfinished().predict([X], None), ValueError),
        (lambda: new_trainer(unfinished()), ValueError),
        (lambda: unfinished().add_merge("widths", -1, 0, "add"), ValueError),
        (lambda: unfinished().add_merge("function", 0, 1, "magic"), ValueError),
        (lambda: unfinished().add_dot("widths", -1, 0), ValueError),
        (lambda: unfinished().add_concatenate("nothing", []), ValueError),
        (lambda: unfinished().add_rearrangement("few", 0, np.arange(1), 1, 2), ValueError),
        (lambda: unfinished().add_rearrangement("after", 0, np.arange(1, 3), 1, 2), ValueError),
        (lambda: unfinished().add_global_pooling("function", 0, "magic"), ValueError),
        (lambda: unfinished().add_embedding("numbers", -1, Variable([10, 3]), True), ValueError),
        (lambda: with_ids().add_softmax("of ids", -1), ValueError),
        (lambda: with_ids().finish([-1]), ValueError),
        (lambda: with_ids().add_concatenate("rows", [0, -1]), ValueError),
        (lambda: Variable([-1, -1]), ValueError),
        (lambda: Variable([]), ValueError),
        (lambda: Variable([1, 1, 1]), ValueError),
        (lambda: Variable([2**62, 2**62]), MemoryError),
        (lambda: Variable([3]).constrain("magic", 0, 1, 1), ValueError),
        (lambda: unfinished().add_dense("none", 0, None, None, True), TypeError),
        (
            lambda: unfinished().add_dense("wide", 0, Variable([1_000_000, 64]), None, True),
            ValueError,
        ),
        (
            lambda: unfinished().add_dense("bias", 0, Variable([2, 4]), Variable([3]), True),
            ValueError,
        ),
        (
            lambda: unfinished().add_dense("row", 0, Variable([2, 4]), Variable([1, 4]), True),
            ValueError,
        ),
        (lambda: unfinished().add_dropout("none", 0, 0.5, None), TypeError),
        (
            lambda: unfinished().add_dropout("nan", 0, float("nan"), _core.RandomState(0)),
            ValueError,
        ),
        (lambda: normalized(Variable([3]), Variable([2])), ValueError),
        (lambda: normalized(None, Variable([1, 2])), ValueError),
        (lambda: normalized(None, None), TypeError),
        (
            lambda: unfinished().add_layer_normalization(
                "short", 0, None, Variable([1]), 0.1, True
            ),
            ValueError,
        ),
        (lambda: network().forward_training([np.zeros((5, 4), np.float32)]), ValueError),
        (lambda: network().predict([np.zeros((5, 4), np.float32)], None), ValueError),
        (lambda: network().predict([np.zeros((5, 3), complex)], None), TypeError),
        (lambda: network().predict([np.zeros(3, np.float32)], None), ValueError),
        (lambda: network().predict([], None), ValueError),
        (lambda: network().predict([X, X], None), ValueError),
        (lambda: new_trainer(None), TypeError),
        (lambda: Trainer(network(), [_core.Head(1, LOSS)]), ValueError),
        (lambda: train(new_trainer(network()), batch_size=0), ValueError),
        (lambda: train(new_trainer(network()), y=IDS[:3]), ValueError),
        (lambda: train(new_trainer(network()), y=IDS + 2), ValueError),
        (lambda: train(new_trainer(network()), y=IDS.astype(float)), TypeError),
        (lambda: new_trainer(network(), _core.Loss("huber")), ValueError),
        (lambda: _core.Loss("magic"), ValueError),
        (lambda: _core.Optimizer("magic", learning_rate=0.1), ValueError),
        (lambda: _core.random_uniform(0, 0, -1), ValueError),
    ],
)
def test_invalid_arguments_are_refused(call: Callable[[], Any], error: Any) -> None:
    with pytest.raises(error):
        call()


def embedded() -> Any:
    made = with_ids()
    made.finish([made.add_global_pooling("pooling", 0, "average")])
    return made


def test_ids_are_checked_before_anything_is_computed() -> None:
    made = embedded()
    ids = np.array([[0, 9], [3, 10], [-1, 2]])
    assert made.predict([ids[:1]], None)[0].shape == (1, 3)
    with pytest.raises(
        ValueError, match=r"ids of 'embedding': 10 at row 1, column 1 is outside \[0, 10\)"
    ):
        made.predict([ids], None)
    with pytest.raises(
        ValueError, match=r"ids of 'embedding': -1 at row 0, column 0 is outside \[0, 10\)"
    ):
        made.forward_training([ids[2:]])
    with pytest.raises(TypeError, match="expected integer ids, got float64"):
        made.predict([ids[:1].astype(float)], None)
    trainer = Trainer(made, [_core.Head(0, _core.Loss("mean_squared_error"))])
    with pytest.raises(
        ValueError, match=r"ids of 'embedding': 10 at row 1, column 1 is outside \[0, 10\)"
    ):
        trainer.check([ids], [np.zeros((3, 3), np.float32)])


def test_ids_of_a_single_class_are_checked() -> None:
    model = cnet.Sequential([layers.Dense(1, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, np.zeros(5, int), verbose=0)
    assert model.layers[0].bias.item() == 0
    with pytest.raises(ValueError, match=r"labels: 7 at row 0 is outside \[0, 1\)"):
        model.evaluate(X, np.full(5, 7), verbose=0)


RULES: dict[str, dict[str, Any]] = {
    "sgd": {},
    "sgd_momentum": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {"rho": 0.9, "epsilon": 1e-7},
    "rmsprop_momentum": {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-7},
    "rmsprop_centered": {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-7},
    "adagrad": {"initial_slot": 0.1, "epsilon": 1e-7},
    "adadelta": {"rho": 0.95, "epsilon": 1e-7},
    "adam": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    "adam_amsgrad": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    "nadam": {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7},
    "lion": {"beta_1": 0.9, "beta_2": 0.99},
}
# Options that a fused step supports; the others need the whole gradient.
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "decay": {"weight_decay": 0.1},
    "clip": {"clip_value": 1e-3, "weight_decay": 0.1},
    "average": {"averages": True, "average_momentum": 0.5, "overwrite_frequency": 3},
}


def test_rules_lists_every_rule() -> None:
    updates = {name for name in cnet.ops.__all__ if name.endswith("_update")}
    assert {f"{rule}_update" for rule in RULES} == updates


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("rule", RULES)
def test_a_staged_step_has_the_bits_of_a_fused_one(rule: str, option: str, dtype: str) -> None:
    """Storing the gradients before they are applied changes only the memory used."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 70)).astype(dtype), rng.integers(5, size=(200, 1))
    first = [rng.normal(size=shape).astype(dtype) for shape in ((70, 130), 130)]
    scales = [rng.uniform(0.5, 2, size=130).astype(dtype) for _ in range(4)]
    last = [rng.normal(size=shape).astype(dtype) for shape in ((130, 5), 5)]
    optimizer = _core.Optimizer(rule, learning_rate=0.01, **RULES[rule], **OPTIONS[option])

    def trained(staged: bool) -> list[bytes]:
        variables = []

        def add(values: Any) -> Any:
            variables.append(_core.Variable[dtype](values.shape))
            variables[-1].assign(values)
            variables[-1].regularize(0.01, 0.02)
            variables[-1].constrain("norm", 0.0, 1.5, 1.0)
            return variables[-1]

        made = _core.Network[dtype]()
        tensor = made.add_input(70)
        tensor = made.add_dense("dense", tensor, *map(add, first), True)
        tensor = made.add_batch_normalization("norm", tensor, *map(add, scales), 0.9, 1e-3, True)
        tensor = made.add_activation("relu", tensor, "relu", {})
        tensor = made.add_dropout("dropout", tensor, 0.2, _core.RandomState(5))
        tensor = made.add_layer_normalization("rows", tensor, *map(add, scales[:2]), 1e-3, True)
        tensor = made.add_dense("top", tensor, *map(add, last), True)
        made.finish([made.add_softmax("softmax", tensor)])
        trainer = _core.Trainer[dtype](made, [_core.Head(0, LOSS, sparse=True)])
        for epoch in range(3):
            options = _core.EpochOptions(
                batch_size=64, shuffle=True, epoch=epoch, optimizer=optimizer, staged=staged
            )
            trainer.train_epoch([x], [y], options, None, None, False)
        return [variable.numpy().tobytes() for variable in variables]

    limit = cnet.get_num_threads()
    try:
        for threads in (1, 2, 3):
            cnet.set_num_threads(threads)
            assert trained(staged=True) == trained(staged=False), threads
    finally:
        cnet.set_num_threads(limit)


def test_operations_check_the_number_of_arguments_first() -> None:
    param = np.ones(3, np.float32)
    for arguments in ((param, param.copy()), (param, param.copy(), 0.1, 0.2)):
        with pytest.raises(
            TypeError, match=f"sgd_update: expected 3 arguments, got {len(arguments)}"
        ):
            _core.sgd_update(*arguments)
    assert (param == 1).all()


class Emptying:
    """A number whose conversion empties its container."""

    def __init__(self, container: Any) -> None:
        self.container = container

    def __float__(self) -> float:
        self.container.clear()
        gc.collect()
        return 1.0


def test_a_conversion_that_changes_its_container_is_safe() -> None:
    rates: list[Any] = []
    rates += [Emptying(rates), *(float(n) for n in range(1000, 1064))]
    x = np.ones((64, 3), np.float32)
    trainer = new_trainer(network())
    sgd = _core.Optimizer("sgd", learning_rate=0.1)
    ids = np.zeros((64, 1), np.int64)
    options = _core.EpochOptions(batch_size=1, optimizer=sgd, learning_rates=rates)
    trainer.train_epoch([x], [ids], options, None, None, False)
    parameters: dict[str, Any] = {}
    parameters |= {"negative_slope": Emptying(parameters), "threshold": 0.5, "max_value": 2.0}
    assert _core.activation_forward(x, "relu", None, parameters).shape == x.shape


def test_objects_with_a_false_class_are_refused() -> None:
    class Pretender:
        __class__ = _core.Optimizer  # a lie

    trainer = new_trainer(network())
    with pytest.raises(TypeError, match="apply: optimizer: expected Optimizer, got Pretender"):
        trainer.apply([], Pretender(), None)


def test_the_error_for_another_layout_names_it() -> None:
    strided = np.ones((4, 6), np.float32)[:, ::2]
    with pytest.raises(TypeError, match="expected C-contiguous float32, got float32"):
        _core.relu_forward(strided, None)


@pytest.mark.parametrize("array", ["out", "param"])
def test_an_array_that_is_written_to_cannot_be_resized(array: str) -> None:
    """Another thread tries to resize it during the call."""
    large = np.ones((512, 512), np.float32)
    target = np.empty_like(large)
    done = threading.Event()
    resized = 0

    def resize() -> None:
        nonlocal resized
        while not done.is_set():
            for size in (1, 512):
                try:
                    target.resize((size, size), refcheck=False)
                    resized += 1
                except ValueError:  # noqa: PERF203 # a call has it
                    continue

    thread = threading.Thread(target=resize)
    thread.start()
    for _ in range(300):
        try:
            if array == "out":
                ops.softmax(large, out=target)
            else:
                ops.sgd_update(target, large, 0.1)
        except (ValueError, TypeError):  # noqa: PERF203 # it was of another size when the call began
            continue
    done.set()
    thread.join()
    assert resized > 0
