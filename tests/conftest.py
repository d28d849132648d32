"""The three forms of the tests, what runs in which, and the figures that tests have reached."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import settings

T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--ci",
        action="store_true",
        help="run what .ci/run runs: all combinations, and the tests and examples that take long",
    )
    parser.addoption(
        "--long",
        action="store_true",
        help="run that, and let the tests in tests/trust reach the promised figures: hours",
    )


def form_of(config: pytest.Config) -> int:
    """Return 0 for the default form, 1 for --ci and 2 for --long."""
    return 2 if config.getoption("--long") else int(config.getoption("--ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples Hypothesis makes of each property."""
    settings.register_profile("form", deadline=None, max_examples=(40, 300, 300)[form_of(config)])
    settings.load_profile("form")


def is_left_out(item: pytest.Item) -> bool:
    """Return whether a test is not of this form, or compares speeds while other tests run."""
    if item.get_closest_marker("ci") and not form_of(item.config):
        return True
    return bool(item.get_closest_marker("speed")) and "PYTEST_XDIST_WORKER" in os.environ


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is of another form; skip what measures memory under a sanitizer."""
    left_out = {item for item in items if is_left_out(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
    if "CNET_SANITIZER" in os.environ:
        for item in items:
            for marker, measured in {"memory": "memory", "speed": "time"}.items():
                if item.get_closest_marker(marker):
                    reason = f"measures {measured}, of which a sanitizer takes many times as much"
                    item.add_marker(pytest.mark.skip(reason=reason))


def pytest_report_header(config: pytest.Config) -> str:
    form = ["default; --ci and --long run more", "--ci; --long runs more", "--long"]
    return f"form: {form[form_of(config)]}; tests of speed run by: pytest -n 0 -m speed"


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Callable[[T, T, T], T]:
    """Choose between the amounts of the default form, of --ci and of --long."""
    form = form_of(request.config)
    return lambda *amounts: amounts[form]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note a figure that a test has reached, for the end of the run, whether or not it passes."""
    return lambda figure: request.node.user_properties.append(("figure", figure))


def figures(reporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in reporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                yield from (text for name, text in report.user_properties if name == "figure")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the figures, with --ci, --long or -s."""
    if form_of(config) or config.getoption("capture") == "no":
        terminalreporter.section("figures")
        for figure in figures(terminalreporter):
            terminalreporter.line(figure)
