"""apply_gradients: variables and weights that are added and removed."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import numpy as np
import pytest
from support.instances import OPTIMIZERS, Maker, name_of

import cnet
from cnet import autodiff, layers, optimizers
from cnet.autodiff import Variable

RNG = np.random.default_rng(0)
SHAPES = [(3, 4), (4,), (), (2, 3, 2), (1, 1)]


def make_variables(dtype: str = "float32") -> list[Variable]:
    rng = np.random.default_rng(1)
    return [Variable(rng.normal(size=shape), dtype=dtype) for shape in SHAPES]


def make_gradients(step: int) -> list[Any]:
    rng = np.random.default_rng(step + 2)
    return [np.asarray(rng.normal(size=shape), np.float32) for shape in SHAPES]


# A global norm includes the variables of one call.
@pytest.mark.parametrize(
    "make", [m for m in OPTIMIZERS if "global_clipnorm" not in m.keywords], ids=name_of
)
def test_updating_variables_together_or_separately(make: Maker) -> None:
    together, alone = make_variables(), make_variables()
    optimizer, others = make(), [make() for _ in alone]
    for step in range(4):
        gradients = make_gradients(step)
        steps = (step + 1) // (optimizer.gradient_accumulation_steps or 1)
        assert optimizer.apply_gradients(zip(gradients, together, strict=True)) == steps
        for other, gradient, variable in zip(others, gradients, alone, strict=True):
            other.apply_gradients([(autodiff.constant(gradient), variable)])
    for one, other_one in zip(together, alone, strict=True):
        assert (one.numpy() == other_one.numpy()).all()
        assert one.shape == other_one.shape


def test_sgd_matches_its_formula() -> None:
    variables = make_variables("float64")
    before = [variable.numpy() for variable in variables]
    gradients = make_gradients(0)
    optimizers.SGD(0.25).apply_gradients(zip(gradients, variables, strict=True))
    for variable, old, gradient in zip(variables, before, gradients, strict=True):
        assert (variable.numpy() == old - 0.25 * gradient.astype(np.float64)).all()


@pytest.mark.parametrize("make", OPTIMIZERS, ids=name_of)
def test_slots_belong_to_variables(make: Maker) -> None:
    """Variables change their order, and are missing from a step without a gradient."""
    ordered, shuffled = make_variables(), make_variables()
    one, other = make(), make()
    for step in range(5):
        gradients: list[Any] = make_gradients(step)
        if step == 2:
            gradients[0] = gradients[3] = None
        one.apply_gradients(list(zip(gradients, ordered, strict=True)))
        order = np.random.default_rng(step).permutation(len(SHAPES))
        other.apply_gradients([(gradients[n], shuffled[n]) for n in order])
    for first, second in zip(ordered, shuffled, strict=True):
        assert (first.numpy() == second.numpy()).all()


def test_weights_and_variables_together() -> None:
    layer = layers.Dense(2)
    layer.build((None, 3))
    scale = Variable(1.0)
    x = RNG.normal(size=(5, 3)).astype(np.float32)
    optimizer = optimizers.Adam(0.1)
    losses = []
    for _ in range(50):
        with autodiff.GradientTape() as tape:
            loss = autodiff.reduce_mean((scale * layer(x) - 1.0) ** 2)
        sources = [*layer.trainable_weights, scale]
        optimizer.apply_gradients(zip(tape.gradient(loss, sources), sources, strict=True))
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 10
    assert float(scale) != 1


def test_constraints_apply_after_a_step() -> None:
    layer = layers.Dense(2, kernel_constraint="non_neg")
    layer.build((None, 3))
    kernel = layer.trainable_weights[0]
    optimizers.SGD(10.0).apply_gradients([(np.ones((3, 2), np.float32), kernel)])
    assert (kernel.numpy() == 0).all()


def test_ema_overwrites_variables() -> None:
    variable = Variable([1.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply_gradients([([1.0], variable)])
    assert variable.numpy().tolist() == [-1.0]
    optimizer.finalize_variable_values([variable])
    assert variable.numpy().tolist() == [-0.5]  # 0 at the first step, then (0 − 1) / 2


def test_a_strided_gradient() -> None:
    variable, twin = Variable(np.zeros((3, 4))), Variable(np.zeros((3, 4)))
    gradient = RNG.normal(size=(4, 3)).astype(np.float32).T
    for each, values in ((variable, gradient), (twin, gradient.copy())):
        optimizer = optimizers.SGD(0.1)
        for _ in range(2):
            optimizer.apply_gradients([(autodiff.Tensor(values), each)])
    assert (variable.numpy() == twin.numpy()).all()


def test_refused_calls_change_nothing() -> None:
    variable, other = Variable([1.0, 2.0]), Variable([1.0], dtype="float64")
    optimizer = optimizers.Adam()
    cases: list[tuple[Any, type[Exception], str]] = [
        ([], ValueError, "no variable has a gradient"),
        ([(None, variable)], ValueError, "no variable has a gradient"),
        ([variable], TypeError, "expected pairs"),
        ([7], TypeError, "expected pairs"),
        ([([1.0, 1.0], variable, 1)], TypeError, "expected pairs"),
        (
            [(variable, [1.0, 2.0])],
            TypeError,
            "expected pairs of a gradient and a weight or Variable",
        ),
        ([([1.0], variable)], ValueError, r"shape \(2,\) for Variable, got \(1,\)"),
        ([(["a", "b"], variable)], TypeError, "expected numbers"),
        ([([1.0, 1.0], variable)] * 2, ValueError, "occurs twice"),
        ([([1.0, 1.0], variable), ([1.0], other)], ValueError, "of one dtype"),
        ([([1], Variable([1]))], ValueError, "of one dtype, float32 or float64, got int64"),
    ]
    for pairs, error, message in cases:
        with pytest.raises(error, match=message):
            optimizer.apply_gradients(pairs)
    assert (variable.numpy().tolist(), optimizer.iterations) == ([1.0, 2.0], 0)


def test_a_copy_of_an_optimizer_has_no_slots_of_variables() -> None:
    variable, optimizer = Variable([1.0, 2.0]), optimizers.Adam(0.1)
    optimizer.apply_gradients([([1.0, 1.0], variable)])
    twin = pickle.loads(pickle.dumps(optimizer))
    assert (twin.iterations, twin.get_config()) == (1, optimizer.get_config())
    other = Variable(variable.numpy())
    assert twin.apply_gradients([([1.0, 1.0], other)]) == 1
    assert optimizer.apply_gradients([([1.0, 1.0], variable)]) == 2


def test_steps_of_fit_and_of_a_loop_are_counted_separately() -> None:
    """Adam's first step has the length of its rate, whatever the optimizer has done elsewhere."""
    optimizer, variable = optimizers.Adam(0.125), Variable([0.0])
    model = cnet.Sequential([cnet.Input((2,)), layers.Dense(1)])
    model.compile(optimizer, "mse")
    for _ in range(50):
        model.train_on_batch(np.ones((4, 2)), np.ones(4))
    assert optimizer.apply_gradients([([1.0], variable)]) == 1
    epsilon = 1e-7 / np.sqrt(1 - 0.999)  # with a second moment of 1 − 0.999
    assert variable.numpy()[0] == pytest.approx(-0.125 / (1 + epsilon), rel=4e-7)
    model.train_on_batch(np.ones((4, 2)), np.ones(4))
    assert optimizer.iterations == 51


def test_slots_of_deleted_variables_are_freed() -> None:
    optimizer = optimizers.Adam()
    for _ in range(20):
        optimizer.apply_gradients([([1.0], Variable([1.0]))])
    gc.collect()
    assert len(optimizer._updater._saved_slots) <= 1


def test_apply_gradients_refuses_a_model_in_training() -> None:
    model = cnet.Sequential([cnet.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    optimizer, raised = optimizers.SGD(), []

    def step(*_: Any) -> None:
        kernel = model.trainable_weights[0]
        try:
            optimizer.apply_gradients([(np.ones((2, 1), np.float32), kernel)])
        except RuntimeError as error:
            raised.append(str(error))

    hook = cnet.callbacks.LambdaCallback(on_train_batch_end=step)
    model.fit(np.ones((2, 2)), np.ones(2), verbose=0, callbacks=[hook])
    assert raised == ["the model is in use by another call"]
    assert optimizer.iterations == 0
