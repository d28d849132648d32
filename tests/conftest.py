"""The three forms of a test run (default, --ci, --long), and the figures that tests report."""

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
        help="run all combinations and the slow tests and examples, as .ci/run does",
    )
    parser.addoption(
        "--long",
        action="store_true",
        help="run these, and the full number of trials in tests/trust: hours",
    )


def form_of(config: pytest.Config) -> int:
    """Return 0 for the default form, 1 for --ci and 2 for --long."""
    return 2 if config.getoption("--long") else int(config.getoption("--ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Set the number of Hypothesis examples for the form."""
    settings.register_profile("form", deadline=None, max_examples=(40, 300, 300)[form_of(config)])
    settings.load_profile("form")


def is_left_out(item: pytest.Item) -> bool:
    """Return True for tests of another form, and for speed tests while other tests run."""
    if item.get_closest_marker("ci") and not form_of(item.config):
        return True
    return bool(item.get_closest_marker("speed")) and "PYTEST_XDIST_WORKER" in os.environ


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests of other forms; skip measurements under a sanitizer."""
    left_out = {item for item in items if is_left_out(item)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
    if "CNET_SANITIZER" in os.environ:
        for item in items:
            for marker, measured in {"memory": "memory", "speed": "time"}.items():
                if item.get_closest_marker(marker):
                    reason = f"measures {measured}, which a sanitizer multiplies"
                    item.add_marker(pytest.mark.skip(reason=reason))


def pytest_report_header(config: pytest.Config) -> str:
    form = ["default; --ci and --long run more", "--ci; --long runs more", "--long"]
    return f"form: {form[form_of(config)]}; speed tests: pytest -n 0 -m speed"


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Callable[[T, T, T], T]:
    """Return a function that selects the amount for the default form, --ci or --long."""
    form = form_of(request.config)
    return lambda *amounts: amounts[form]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that reports a figure at the end of the run, whether or not the test passes."""
    return lambda figure: request.node.user_properties.append(("figure", figure))


def figures(reporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in reporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                yield from (text for name, text in report.user_properties if name == "figure")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the reported figures, with --ci, --long or -s."""
    if form_of(config) or config.getoption("capture") == "no":
        terminalreporter.section("figures")
        for figure in figures(terminalreporter):
            terminalreporter.line(figure)
