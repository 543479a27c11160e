# SPDX-License-Identifier: Apache-2.0
"""The examples of the reference, run one after another on the demo region in a folder that looks like a checkout."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPO = HERE.parent


@dataclass(frozen=True)
class Printed:
    """An example and what it printed."""

    source: str
    output: str


def run_examples(work: Path) -> dict[str, Printed]:
    """Run every example in order and in one namespace: each goes on from the one before.

    Args:
        work: a folder to run in; the demo's run is written below it.

    Returns:
        module name -> source and output.
    """
    namespace: dict[str, Any] = {}
    told = {}
    with _checkout(work):
        for path in sorted((HERE / "examples").glob("*.py")):
            source, out = path.read_text(encoding="utf-8"), io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(source, str(path), "exec"), namespace)
            told[path.stem.split("_", 1)[1]] = Printed(source, out.getvalue())
    return told


@contextlib.contextmanager
def _checkout(work: Path) -> Iterator[None]:
    work.mkdir(parents=True, exist_ok=True)
    for name in ("configs", "data"):
        if not (work / name).exists():
            (work / name).symlink_to(REPO / name)
    before = Path.cwd()
    os.chdir(work)
    try:
        yield
    finally:
        os.chdir(before)
