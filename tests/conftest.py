"""How often the tests in trust/ do what they do, and which can't under a sanitizer."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

# Markers of pyproject.toml, and of what they are.
MEASURED = {"memory": "memory", "speed": "time"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="let the tests in tests/trust reach the promised figures",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what measures memory or speed where a sanitizer takes many times as much of it."""
    if "CNET_SANITIZER" in os.environ:
        for item in items:
            for marker, measured in MEASURED.items():
                if item.get_closest_marker(marker):
                    reason = f"measures {measured}, of which a sanitizer takes many times as much"
                    item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """Choose between the amount of every run and the one of the long suite."""
    long = request.config.getoption("--long")
    return lambda short, whole: whole if long else short


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure that a test has reached, whether or not it passes."""

    def write(figure: str) -> None:
        with capsys.disabled():
            print(f"\n{figure}")  # noqa: T201 # for whoever runs the test to read

    return write
