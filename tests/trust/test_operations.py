"""For any arrays an operation computes a result or refuses them as documented."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from support.op_arguments import ALL_NAMES

from .fuzz_operations import call


def test_arrays_of_any_kind(
    amount: Callable[[int, int, int], int], report: Callable[[str], None]
) -> None:
    rng = np.random.default_rng(0)
    calls, computed = amount(100, 100, 20_000), 0
    for number in range(len(ALL_NAMES)):
        results = [call(bytes([number]) + rng.bytes(150)) for _ in range(calls)]
        assert any(results), ALL_NAMES[number]  # not all are refused
        computed += sum(results)
    report(f"{len(ALL_NAMES) * calls} calls of operations, {computed} not refused")
