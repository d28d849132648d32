"""GradientTape, as in TensorFlow: watching, None gradients, nesting, persistence, memory."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

from cnet import autodiff
from cnet._tapes import running
from cnet.autodiff import GradientTape, Tensor, Variable, constant
from cnet.autodiff.recording import read, record_result


def values(structure: Any) -> Any:
    """Return nested gradients as lists."""
    if isinstance(structure, dict):
        return {key: values(value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return type(structure)(map(values, structure))
    return None if structure is None else structure.numpy().tolist()


@pytest.fixture(autouse=True)
def no_tape_stays_active() -> Any:
    yield
    assert running.tapes == []


def test_gradients_have_the_nesting_of_the_sources() -> None:
    x, y, unused = Variable(2.0), Variable([1.0, 3.0]), Variable(1.0)
    with GradientTape(persistent=True) as tape:
        loss = autodiff.reduce_sum(x * y)
    assert values(tape.gradient(loss, x)) == 4
    assert values(tape.gradient(loss, [x, y])) == [4, [2, 2]]
    nested = {"a": (x, [y]), "b": unused, "c": []}
    assert values(tape.gradient(loss, nested)) == {"a": (4, [[2, 2]]), "b": None, "c": []}
    assert values(tape.gradient(loss, unused, unconnected_gradients="zero")) == 0
    assert isinstance(tape.gradient(loss, x), Tensor)


def test_targets_are_summed() -> None:
    x = Variable([1.0, 2.0])
    with GradientTape(persistent=True) as tape:
        squares, cubes = x**2, x**3
    assert values(tape.gradient([squares, {"cubes": cubes}], x)) == [5, 16]
    assert values(tape.gradient([squares, squares], x)) == [4, 8]
    assert values(tape.gradient(squares, x, [10.0, 1.0])) == [20, 4]
    assert values(tape.gradient([squares, cubes], x, [None, [1, 0]])) == [5, 4]


def test_gradients_of_repeated_uses_are_summed() -> None:
    x = Variable(3.0)
    with GradientTape() as tape:
        y = x * x
        z = y + y * x
    assert values(tape.gradient(z, x)) == 2 * 3 + 3 * 9


def test_sources_may_be_intermediate_results() -> None:
    x = Variable(3.0)
    with GradientTape() as tape:
        y = x * x
        z = y * y
    assert values(tape.gradient(z, [y, x, z])) == [18, 108, 1]


@pytest.mark.parametrize(
    "function",
    [
        autodiff.stop_gradient,
        lambda x: constant(x.numpy()),
        lambda x: autodiff.cast(autodiff.cast(x, "int32"), "float32"),
        lambda x: autodiff.where(x > 0, constant(1.0), constant(2.0)),
    ],
)
def test_the_gradient_without_a_path_is_none(function: Any) -> None:
    x = Variable(3.0)
    with GradientTape() as tape:
        y = function(x)
    assert tape.gradient(y, x) is None


def test_watched_tensors() -> None:
    x, fixed, outside = constant(2.0), Variable(2.0, trainable=False), constant(2.0)
    with GradientTape(persistent=True) as tape:
        before = x * x
        tape.watch([x, {"fixed": fixed}])
        y = before + x**3 + fixed * outside
    assert values(tape.gradient(y, [x, fixed, outside])) == [12, 2, None]
    assert tape.gradient(before, x) is None


def test_watch_accessed_variables_false() -> None:
    x, y = Variable(2.0), Variable(3.0)
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(y)
        z = x * y
    assert values(tape.gradient(z, [x, y])) == [None, 2]


def test_a_variable_assigned_after_its_use() -> None:
    x = Variable(2.0)
    with GradientTape() as tape:
        y = x * x
        x.assign(10.0)
        y = y + x**3
    assert values(tape.gradient(y, x)) == 4 + 300


def test_only_a_persistent_tape_gives_gradients_twice() -> None:
    x = Variable(2.0)
    with GradientTape() as tape:
        y = x * x
        assert values(tape.gradient(y, x)) == 4  # inside, too
        assert running.tapes == []
    with pytest.raises(RuntimeError, match="persistent=True"):
        tape.gradient(y, x)


def test_a_tape_can_be_reentered() -> None:
    x = Variable(2.0)
    tape = GradientTape()
    with tape:
        y = x * x
    with tape:
        y = y * x
        with pytest.raises(ValueError, match="already recording"), tape:
            pass
    assert values(tape.gradient(y, x)) == 12


def test_tapes_end_in_any_order() -> None:
    x = Variable(2.0)
    first, second = GradientTape(), GradientTape()
    first.__enter__()
    second.__enter__()
    y = x * x
    first.__exit__(None, None, None)
    z = y * x
    second.__exit__(None, None, None)
    assert values(first.gradient(y, x)) == 4
    assert values(second.gradient(z, x)) == 12


def test_third_derivatives() -> None:
    x = Variable([1.0, 2.0])
    with GradientTape() as third:
        with GradientTape() as second:
            with GradientTape() as first:
                y = x**4 + autodiff.exp(x)
            slope = first.gradient(y, x)
        bend = second.gradient(slope, x)
    expected = 24 * x.value + np.exp(x.value)
    np.testing.assert_allclose(third.gradient(bend, x), expected, rtol=1e-6)


def test_second_derivatives_on_one_persistent_tape() -> None:
    x = Variable(3.0)
    with GradientTape(persistent=True) as tape:
        slope = tape.gradient(x**3, x)
    assert values(tape.gradient(slope, x)) == 18


def test_a_penalty_on_the_gradient_trains() -> None:
    """d/dw (∂/∂x tanh(w x))², as in a Wasserstein critic."""
    w, x = Variable(0.7), constant(0.4)
    with GradientTape() as outer:
        with GradientTape() as inner:
            inner.watch(x)
            y = autodiff.tanh(w * x)
        penalty = inner.gradient(y, x) ** 2
    t = np.tanh(0.7 * 0.4)
    slope = 0.7 * (1 - t**2)
    expected = 2 * slope * ((1 - t**2) - 0.7 * 2 * t * (1 - t**2) * 0.4)
    assert float(outer.gradient(penalty, w)) == pytest.approx(expected, rel=1e-5)


def test_tapes_are_per_thread() -> None:
    x, found = Variable(2.0), []

    def work() -> None:
        y = x * x
        with GradientTape() as tape:
            z = x * 3
        found.append((running.tapes, values(tape.gradient(z, x)), y))

    with GradientTape() as tape:
        y = x * x
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        y = y + found[0][2]  # which this tape has not recorded
    assert found[0][:2] == ([], 3)
    assert values(tape.gradient(y, x)) == 4


def test_a_tape_frees_what_it_recorded() -> None:
    x = Variable(np.ones(3))
    gc.collect()
    gc.disable()
    try:
        with GradientTape() as tape:
            middle = x * 2.0
            loss = autodiff.reduce_sum(middle)
        kept = weakref.ref(middle)
        del middle
        assert kept() is not None
        tape.gradient(loss, x)
        assert kept() is None  # at the first gradient

        with GradientTape(persistent=True) as tape:
            kept = weakref.ref(x * 2.0)
        assert kept() is not None
        del tape
        assert kept() is None  # or with the tape, without the cycle collector
    finally:
        gc.enable()


def test_a_long_chain_neither_recurses_nor_leaks() -> None:
    x = Variable(1.0)
    with GradientTape() as tape:
        y = x
        for _ in range(100_000):
            y = y + 1
    assert values(tape.gradient(y, x)) == 1


def test_only_gradients_towards_the_sources_are_computed() -> None:
    calls = []

    @autodiff.custom_gradient
    def costly(x: Any) -> Any:
        return x.value * 2, lambda gradient: calls.append(0) or gradient * 2

    w, b = Variable(2.0), Variable(3.0)
    with GradientTape(persistent=True) as tape:
        y = costly(w) + b
    assert values(tape.gradient(y, b)) == 1
    assert calls == []
    assert values(tape.gradient(y, [w, b])) == [2, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda t, _, y: t.gradient(y, np.ones(2)),
            TypeError,
            "gradient: sources: expected a Tensor",
        ),
        (lambda t, x, y: t.gradient(y.numpy(), x), TypeError, "gradient: target: .* got ndarray"),
        (lambda t, x, _: t.gradient(3.0, x), TypeError, "gradient: target: .* got float"),
        (
            lambda t, x, y: t.gradient(y, x, [1.0]),
            ValueError,
            r"expected the target's shape \(2,\), got \(1,\)",
        ),
        (lambda t, x, y: t.gradient([y, y], x, [y]), ValueError, "output_gradients: expected 2"),
        (lambda t, x, y: t.gradient(y, x, "ab"), TypeError, "output_gradients: expected numbers"),
        (lambda t, x, y: t.gradient(y, x, None, "no"), ValueError, "expected 'none' or 'zero'"),
        (lambda t, *_: t.watch(np.ones(2)), TypeError, "watch: tensor: expected a Tensor"),
        (lambda t, *_: t.watch(Variable([1])), TypeError, "floating-point numbers, got int64"),
    ],
)
def test_errors_leave_the_tape_unchanged(call: Any, error: type[Exception], message: str) -> None:
    x = Variable([1.0, 2.0])
    with GradientTape() as tape:
        y = x * x
    with pytest.raises(error, match=message):
        call(tape, x, y)
    assert values(tape.gradient(y, x)) == [2, 4]


# -- Custom gradients ------------------------------------------------------------------------


def test_custom_gradients_of_several_arguments() -> None:
    @autodiff.custom_gradient
    def product(x: Any, y: Any) -> Any:
        def gradient_function(gradient: Tensor) -> Any:
            assert isinstance(gradient, Tensor)
            return gradient * y * 10, None

        return x * y, gradient_function

    x, y = Variable(2.0), Variable(3.0)
    with GradientTape() as tape:
        z = product(x, y) ** 2
    assert z.value == 36
    names = [operation.name for _, operation, *_ in tape.records]
    assert names == ["read", "read", "product", "power"]  # but not the operations inside product
    assert values(tape.gradient(z, [x, y])) == [2 * 6 * 3 * 10, None]
    assert product(2.0, 3.0).value == 6


def test_second_derivatives_of_custom_gradients() -> None:
    @autodiff.custom_gradient
    def cube(x: Any) -> Any:
        return x**3, lambda gradient: gradient * 3 * x**2

    x = Variable(2.0)
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = cube(x)
        slope = inner.gradient(y, x)
    assert values(outer.gradient(slope, x)) == 12


def test_a_wrong_number_of_custom_gradients() -> None:
    @autodiff.custom_gradient
    def wrong(x: Any, y: Any) -> Any:
        return x * y, lambda gradient: gradient

    x = Variable(2.0)
    with GradientTape() as tape:
        y = wrong(x, x)
    with pytest.raises(
        ValueError, match="wrong: expected 2 gradients, one for each argument, got 1"
    ):
        tape.gradient(y, x)


class ForeignSource:
    """A source of another class, like a weight of a layer."""

    trainable = True

    def __init__(self, value: float) -> None:
        self.number = np.float32(value)
        self.shape, self.dtype = (), np.dtype("float32")

    def __tensor__(self) -> Tensor:
        tensor = constant(self.number)
        read(self, tensor)
        return tensor


def test_foreign_sources() -> None:
    weight, other = ForeignSource(3.0), ForeignSource(5.0)
    with GradientTape() as tape:
        y = autodiff.square(weight) * weight
    assert values(tape.gradient(y, [weight, other])) == [27, None]


def test_results_computed_elsewhere_are_recorded_with_one_function_for_all_gradients() -> None:
    weight, frozen, x = ForeignSource(3.0), ForeignSource(5.0), Variable(2.0)
    frozen.trainable = False
    calls = []

    def vjp(gradient: Any) -> list[Any]:
        assert not isinstance(gradient, Tensor)
        calls.append(gradient)
        return [gradient * weight.number, gradient * 2, gradient]

    with GradientTape(persistent=True) as tape:
        y = Tensor(np.float32(6))
        record_result(y, [x.__tensor__(), weight, frozen], vjp, "product")
        z = y * 10
    assert values(tape.gradient(z, [x, weight, frozen])) == [30, 20, None]
    assert calls == [10]
    assert values(tape.gradient(y, x)) == 3


def test_results_computed_elsewhere_have_no_second_derivatives() -> None:
    """Without an error they would be zero."""
    x, w = Variable(2.0), Variable(3.0)
    with GradientTape(persistent=True) as outer:
        with GradientTape() as inner:
            tensor = x.__tensor__()
            y = Tensor(tensor.value**2)
            record_result(
                y, [tensor], lambda gradient: [gradient * 2 * tensor.value], "square_of_mine"
            )
            loss = y * w
        slope = inner.gradient(loss, x)
    assert values(slope) == 12
    for source in (x, w):
        with pytest.raises(NotImplementedError, match="square_of_mine: its second derivative"):
            outer.gradient(slope, source)
    assert values(outer.gradient(loss, [x, w])) == [12, 4]
