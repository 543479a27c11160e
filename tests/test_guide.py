# SPDX-License-Identifier: Apache-2.0
"""The guide and the reference keep their word: every block and every example runs, every public name is described."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import acreline

REPO = Path(__file__).parents[1]
DOCS = REPO / "docs"
PAGES = sorted((DOCS / "guide").glob("*.md"))
BLOCK = re.compile(r"^```(sh|python)(| long| network)\n(.*?)^```", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.xdist_group("guide")


def load(name: str) -> ModuleType:
    """A script of the docs as a module."""
    sys.path.insert(0, str(DOCS))
    try:
        spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # its dataclasses look themselves up
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, demo_run: Path) -> Path:
    """A folder that looks like a checkout in which the demo region was run."""
    place = tmp_path_factory.mktemp("guide")
    for name in ("configs", "data"):
        (place / name).symlink_to(REPO / name)
    shutil.copytree(demo_run, place / "runs" / "flanders-2018", symlinks=True)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_the_guide_runs(page: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acreline.cli import app

    monkeypatch.chdir(checkout)
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks, "a page of the guide shows how"
    namespace: dict[str, Any] = {}
    for kind, tag, body in blocks:
        if tag:
            continue
        if kind == "python":
            exec(compile(body, str(page), "exec"), namespace)
            continue
        for line in body.splitlines():
            words = shlex.split(line)
            assert words[0] == "acreline", f"nobody knows how to check {line!r}"
            done = CliRunner().invoke(app, words[1:])
            assert done.exit_code == 0, f"{line}\n{done.output}"


@pytest.mark.slow
def test_examples_run_and_stand_in_the_reference(checkout: Path, tmp_path: Path) -> None:
    pytest.importorskip("griffe")
    build, run = load("build"), load("examples_run")
    printed = run.run_examples(checkout)
    build.write_reference(tmp_path, printed)
    pages = {path.stem.split("-", 1)[1]: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md")}
    assert set(pages) == set(printed) == set(acreline._HOME.values())
    for name, home in acreline._HOME.items():
        assert f"## `{name}`" in pages[home]
        assert name in printed[home].source, f"no example shows {name}"
        assert printed[home].output.strip(), f"the example of {home} prints nothing"


def test_every_public_name_is_described_with_its_arguments() -> None:
    for name in acreline._HOME:
        thing = getattr(acreline, name)
        text = inspect.getdoc(thing) or ""
        assert text, name
        if inspect.isfunction(thing):
            missing = [one for one in inspect.signature(thing).parameters if f"{one}:" not in text]
            assert not missing, f"{name}: {missing}"
