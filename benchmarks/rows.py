# SPDX-License-Identifier: Apache-2.0
"""The one shape of a benchmark's result: a JSON list of rows, each a number with its target, baseline and command."""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
KEYS = ("quantity", "setting", "value", "unit", "n", "target", "met", "baseline", "command")
_COMPARE = {">=": operator.ge, "<=": operator.le}

Row = dict[str, Any]


def make_row(
    quantity: str, setting: str, value: float, unit: str, *, n: int, command: str, target: str = "", baseline: str = ""
) -> Row:
    """One row; whether the target is met follows from it.

    Args:
        quantity: what was measured, in words.
        setting: on what, and under which conditions; simulated figures say "on simulated data".
        value: the number.
        unit: its unit; "share" for 0 to 1, "ratio" for one over another.
        n: how many cases stand behind it.
        command: prints or writes the number again.
        target: ">= 0.95", "<= 0.80" or "0.88..0.92" (ends included); empty: none was set.
        baseline: what it is to be compared with, in words and numbers.
    """
    row = {"quantity": quantity, "setting": setting, "value": value, "unit": unit, "n": n, "target": target}
    return {**row, "met": meets(value, target), "baseline": baseline, "command": command}


def meets(value: float, target: str) -> bool | None:
    """Whether a number meets a target such as ">= 0.95" or "0.88..0.92"; None without a target.

    Raises:
        ValueError: the target is in other words.
    """
    if not target:
        return None
    low, dots, high = target.partition("..")
    if dots:
        return bool(float(low) <= value <= float(high))
    sign, _, number = target.partition(" ")
    if sign not in _COMPARE:
        raise ValueError(f"target {target!r}: write it as '>= 0.95', '<= 0.80' or '0.88..0.92'")
    return bool(_COMPARE[sign](value, float(number)))


def write_rows(name: str, rows: Sequence[Row]) -> Path:
    """Write `results/<name>.json`, missed targets and all, and make `README.md` again."""
    from readme import write_readme

    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_readme()
    return path


def read_rows(path: Path) -> list[Row]:
    """The rows of one result file."""
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))
    return rows
