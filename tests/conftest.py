# SPDX-License-Identifier: Apache-2.0
"""What every test shares; a service test that skips fails where services were promised (ACRELINE_REQUIRE_SERVICES)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

REPO = Path(__file__).parents[1]

# A test that fails where the machine is busy says nothing of the code: speed is shown in benchmarks/.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    promised = os.environ.get("ACRELINE_REQUIRE_SERVICES") == "1"
    if report.skipped and promised and item.get_closest_marker("service"):
        report.outcome = "failed"
        report.longrepr = f"skipped although services were promised: {call.excinfo}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which commands of the README no test runs, so that nobody takes them for proven."""
    from tests.test_docs import RUN, TOLD

    terminalreporter.section("README")
    terminalreporter.write_line(f"{len(RUN)} commands run; {len(TOLD)} only checked, tagged network or long:")
    for command in TOLD:
        terminalreporter.write_line(f"  {command}")


@pytest.fixture(scope="session")
def repo() -> Path:
    """The top of the checkout."""
    return REPO


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ACRELINE_* variables must not reach a test."""
    for name in list(os.environ):
        if name.startswith("ACRELINE_") and name != "ACRELINE_REQUIRE_SERVICES":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """Put the process's logging back as it was: a command that a test runs sends it to a stream that is gone then."""
    root, ours = logging.getLogger(), logging.getLogger("acreline")
    handlers, levels, config = root.handlers[:], (root.level, ours.level), structlog.get_config()
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the packaged demo region; read it, do not hurt it."""
    from acreline.config import read_region
    from acreline.run import run_region
    from acreline.store import Store

    out = tmp_path_factory.mktemp("demo") / "flanders-2018"
    run_region(read_region(REPO / "configs" / "regions" / "flanders-2018.yaml"), Store(out))
    return out
