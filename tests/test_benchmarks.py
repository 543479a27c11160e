# SPDX-License-Identifier: Apache-2.0
"""Result files of benchmarks have one shape, and their page is the one that is made from them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FILES = sorted((BENCHMARKS / "results").glob("*.json"))


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("rows")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_result_is_a_list_of_rows(path: Path, rows: ModuleType) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, list)
    assert found
    for row in found:
        assert tuple(row) == rows.KEYS
        for key in ("quantity", "setting", "unit", "target", "baseline", "command"):
            assert isinstance(row[key], str), key
        assert isinstance(row["value"], int | float)
        assert isinstance(row["n"], int)
        assert row["n"] > 0
        assert row["met"] == rows.meets(row["value"], row["target"])
        assert (BENCHMARKS.parent / row["command"].split()[1]).is_file(), row["command"]
        assert row["quantity"]
        assert row["baseline"]


def test_the_page_is_the_one_that_the_results_make(rows: ModuleType) -> None:
    page = importlib.import_module("readme").make_readme()
    assert (BENCHMARKS / "README.md").read_text(encoding="utf-8") == page, "run python benchmarks/readme.py"
    for row in [row for path in FILES for row in rows.read_rows(path)]:
        assert row["setting"] in page


def test_a_target_is_a_sign_and_a_number(rows: ModuleType) -> None:
    assert rows.meets(0.95, ">= 0.95") is True
    assert rows.meets(0.81, "<= 0.80") is False
    assert rows.meets(1.0, "") is None
    assert [rows.meets(value, "0.88..0.92") for value in (0.879, 0.88, 0.9, 0.92, 0.921)] == [
        False,
        True,
        True,
        True,
        False,
    ]
    with pytest.raises(ValueError, match="write it as"):
        rows.meets(1.0, "about 1")
    row = rows.make_row("a", "b", 2.0, "s", n=3, target="<= 1", command="python benchmarks/rows.py", baseline="c")
    assert tuple(row) == rows.KEYS
    assert row["met"] is False


def test_a_missed_target_stays_on_the_page(rows: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = importlib.import_module("readme")
    for module in (rows, readme):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    missed = rows.make_row("speed", "here", 0.5, "ratio", n=1, target=">= 1", command="python x.py", baseline="1")
    rows.write_rows("slow", [missed])
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "## slow (0 of 1 targets met)" in page
    assert "| speed | here | 0.5 | 1 | >= 1 | **no** | 1 |" in page
