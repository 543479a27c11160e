# SPDX-License-Identifier: Apache-2.0
"""The page of governance keeps its word: every row is there, every test, file and command that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
PAGE = REPO / "docs" / "governance.md"
NUMBERS = (1, 2, 4, 6, 7, 9, 11, 12, 13, 15, 16, 18, 20, 21, 23, 24, 26, 28, 29, 30, 31, 32, 34)
ROWS = tuple(f"G{number:02d}" for number in NUMBERS)
NOT_BUILT = "not built yet"


@cache
def rows() -> dict[str, tuple[str, ...]]:
    """Row -> what must hold, what keeps it, tests, command."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| G"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            assert name not in found, f"{name} stands twice"
            found[name] = tuple(cells)
    return found


@cache
def names_of_tests(file: str) -> set[str]:
    tree = ast.parse((REPO / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def missing_tests(cell: str) -> list[str]:
    """Tests that a cell names and that are not there."""
    named = [tuple(name.split("::")) for name in re.findall(r"`([^`]*)`", cell)]
    return [
        "::".join(one)
        for one in named
        if len(one) != 2 or not (REPO / "tests" / one[0]).is_file() or one[1] not in names_of_tests(one[0])
    ]


def test_every_row_is_there_in_order() -> None:
    assert tuple(rows()) == ROWS
    assert {len(cells) for cells in rows().values()} == {4}


@pytest.mark.parametrize("row", ROWS)
def test_every_test_that_a_row_names_exists(row: str) -> None:
    _, keeps, tests, _ = rows()[row]
    assert missing_tests(tests) == []
    if NOT_BUILT not in keeps:
        assert "::test_" in tests, "a row that is kept names the test that would fail without it"
    else:
        assert not tests, "a row that is not built has no test: say what keeps it instead"


def test_a_test_that_is_not_there_is_found() -> None:
    assert missing_tests("`test_reasons.py::test_nothing`, `test_none.py::test_a`, `test_reasons.py`") == [
        "test_reasons.py::test_nothing",
        "test_none.py::test_a",
        "test_reasons.py",
    ]


@pytest.mark.parametrize("row", ROWS)
def test_every_file_that_a_row_names_exists(row: str) -> None:
    for name in re.findall(r"`([\w./-]+\.(?:py|yaml|md)|configs/[\w/]+/)`", rows()[row][1]):
        assert (REPO / name).exists() or (REPO / "pipeline" / "acreline" / name).exists(), name


@pytest.mark.parametrize("row", ROWS)
def test_every_command_that_a_row_names_exists(row: str) -> None:
    from acreline.cli import app

    known = {info.name or info.callback.__name__ for info in app.registered_commands if info.callback}
    known |= {group.name or group.typer_instance.info.name for group in app.registered_groups}
    for command in re.findall(r"`([^`]*)`", rows()[row][3]):
        first, second, *_ = command.split()
        if first == "acreline":
            assert second in known, command
        else:
            assert (first, (REPO / second).is_file()) == ("python", True), command
