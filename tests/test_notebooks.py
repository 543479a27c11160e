# SPDX-License-Identifier: Apache-2.0
"""Notebooks: the stripped .ipynb says what the .py says, and each runs from top to bottom."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_the_pair_is_equal_and_stripped(script: Path) -> None:
    told = jupytext.read(script)
    kept = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert [(c.cell_type, c.source) for c in told.cells] == [(c.cell_type, c.source) for c in kept.cells]
    for cell in kept.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_a_notebook_makes_the_run_that_it_needs(script: Path) -> None:
    """A newcomer opens any of them first: without `make demo` it must not end with "no publication here"."""
    text = script.read_text(encoding="utf-8")
    opened = text.find("open_publication(")
    assert opened < 0 or 0 < text.find("run_region(") < opened


@pytest.mark.slow
def test_the_first_notebook_has_the_amounts_of_the_run_step_by_step(demo_run: Path) -> None:
    code = (
        "import json, pathlib, runpy\n"
        f"told = runpy.run_path({str(FOLDER / '01_first_farm.py')!r})['decisions']\n"
        "print(json.dumps({d.farm_id: [[s.rule, s.text_en] for s in d.trail] for d in told}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=400,
        env={**os.environ, "MPLBACKEND": "Agg"}, cwd=FOLDER.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    lines = map(json.loads, (demo_run / "latest" / "trail.jsonl").read_text(encoding="utf-8").splitlines())
    run = {line["farm_id"]: [[step["rule"], step["text_en"]] for step in line["trail"]] for line in lines}
    assert json.loads(done.stdout.splitlines()[-1]) == run


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_the_notebook_runs(script: Path, tmp_path: Path, demo_run: Path) -> None:
    """In a process of its own: Jupyter's client needs sockets of its own kind and warns about other people's code.

    The folder looks like the checkout after `acreline demo`: the finished region is not made again for each notebook.
    """
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "flanders-2018").symlink_to(demo_run)
    for name in ("configs", "data"):
        (tmp_path / name).symlink_to(FOLDER.parent / name)
    code = (
        "import nbformat, nbclient, pathlib\n"
        f"book = nbformat.read({str(script.with_suffix('.ipynb'))!r}, as_version=4)\n"
        f"place = {{'metadata': {{'path': {str(tmp_path / 'notebooks')!r}}}}}\n"
        "nbclient.NotebookClient(book, timeout=300, resources=place).execute()\n"
        f"pathlib.Path({str(tmp_path / 'done')!r}).write_text(str(len(book.cells)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int((tmp_path / "done").read_text()) > 10
