"""What comparisons with Keras share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import cnet


@pytest.fixture
def in_float64() -> Iterator[None]:
    """Let cnet and Keras compute in float64; Keras's policy, too, as another test may have set that."""
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    for dtype in ("float64", "float32"):
        for library in (cnet, keras):
            library.config.set_floatx(dtype)
        keras.config.set_dtype_policy(dtype)
        if dtype == "float64":
            yield
