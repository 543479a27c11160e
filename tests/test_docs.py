# SPDX-License-Identifier: Apache-2.0
"""The README keeps its word: every command is in it, and every command in it runs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.xdist_group("docs")


@dataclass(frozen=True)
class Block:
    """A fenced shell block of the README; tags `network` and `long` say it is not run here."""

    tags: frozenset[str]
    commands: tuple[str, ...]


def blocks() -> list[Block]:
    found = []
    for info, body in re.findall(r"^```sh([^\n]*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        lines = body.replace("\\\n", " ").splitlines()
        commands = tuple(line.split("  #")[0].strip() for line in lines if line.strip() and line[0] != "#")
        found.append(Block(frozenset(info.split()), commands))
    return found


BLOCKS = blocks()
RUN = [command for block in BLOCKS if not block.tags for command in block.commands]
TOLD = [command for block in BLOCKS if block.tags for command in block.commands]


def command_names() -> list[str]:
    from acreline.cli import app

    return sorted(info.name or info.callback.__name__ for info in app.registered_commands if info.callback)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the checkout to a reader of the README, where runs may be written."""
    place = tmp_path_factory.mktemp("readme")
    files = ("Makefile", "README.md", "pyproject.toml", "constraints.txt", "constraints-torch.txt")
    for name in ("configs", "data", "notebooks", "pipeline", *files):
        (place / name).symlink_to(REPO / name)
    (place / ".venv").mkdir()
    (place / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return place


def shell(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    bin_folder = Path(sys.executable).parent
    return subprocess.run(
        ["/bin/sh", "-c", f'PATH="{bin_folder}:$PATH"; {command}'],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_blocks_are_tagged_with_known_words() -> None:
    """How many are run and which are only checked stands in the summary of every test run (conftest)."""
    tags = {tag for block in BLOCKS for tag in block.tags}
    assert tags <= {"network", "long"}
    assert RUN, "no command of the README is run"
    assert len(TOLD) < len(RUN)


@pytest.mark.slow
def test_every_untagged_command_runs_in_order(checkout: Path) -> None:
    for command in RUN:
        done = shell(command, checkout)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.slow
def test_the_python_of_the_readme_runs(checkout: Path) -> None:
    scripts = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert scripts
    for script in scripts:
        done = subprocess.run([sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "approve" in done.stdout


@pytest.mark.parametrize("command", TOLD)
def test_tagged_commands_are_at_least_well_formed(command: str, checkout: Path) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        done = shell(f"make -n {' '.join(words[1:])}", checkout)
    elif words[:2] == ["acreline", "run"] and (REPO / words[2]).exists():
        done = shell(f"acreline check {words[2]}", checkout)
        if "/runs/" in done.stderr and any(f"simulate {Path(words[2]).stem} " in told for told in TOLD):
            done = shell("acreline run --help", checkout)  # what it reads is made by a command that no test runs
    elif words[0] == "acreline":
        done = shell(f"acreline {words[1]} --help", checkout)
    else:
        pytest.fail(f"nobody knows how to check {command!r}")
    assert done.returncode == 0, done.stderr


def alike(told: list[str], found: list[str]) -> bool:
    """Same words; numbers within a hundredth (another processor may round a pixel the other way)."""
    number = re.compile(r"\d[\d,]*(?:\.\d+)?")
    if [number.sub("#", line) for line in told] != [number.sub("#", line) for line in found]:
        return False
    pairs = zip(number.findall("\n".join(told)), number.findall("\n".join(found)), strict=True)
    values = [(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs]
    return all(abs(a - b) <= max(0.01, 0.01 * abs(b)) for a, b in values)


def test_two_tables_are_alike_or_not() -> None:
    assert alike(["maize 72% 8,000"], ["maize 72% 8,000"])
    assert alike(["accuracy 0.820"], ["accuracy 0.825"])
    assert not alike(["accuracy 0.820"], ["accuracy 0.840"])
    assert not alike(["maize 72%"], ["grassland 72%"])
    assert not alike(["a"], ["a", "b"])


def test_the_farm_table_of_the_readme_is_what_the_demo_prints(demo_run: Path) -> None:
    from acreline.credit import decision_from_json
    from acreline.desk import farm_rows, read_farms

    publication = (demo_run / "latest").resolve()
    trail = (publication / "trail.jsonl").read_text(encoding="utf-8").splitlines()
    decisions = [decision_from_json(json.loads(line)) for line in trail]
    rows = [f"| {' | '.join(row)} |" for row in farm_rows(read_farms(publication)[0], decisions)]
    told = [line for line in README.splitlines() if re.match(r"\| F-\d+ \|", line)]
    assert alike(told, rows)


@pytest.mark.slow
def test_the_accuracy_of_the_readme_and_the_card_is_what_the_evaluation_prints() -> None:
    from acreline.model import load_model, report_lines
    from acreline.trial import evaluate_on_demo

    told = re.search(r"<!-- accuracy -->.*?```text\n(.*?)```", README, re.DOTALL)
    assert told
    assert alike(told[1].splitlines(), list(evaluate_on_demo("acrenet-s")))
    measured = load_model("acrenet-s").card.metrics["demo_square"]
    assert alike(told[1].splitlines()[1:], list(report_lines(measured)))


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"`acreline {name}\b", README), f"the README's table does not name `acreline {name}`"


@pytest.mark.parametrize("name", command_names())
def test_every_command_has_help(name: str) -> None:
    from typer.testing import CliRunner

    from acreline.cli import app

    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 3


def test_the_readme_says_what_each_exit_code_means() -> None:
    for code in range(10):
        assert re.search(rf"^\| {code} \|", README, re.MULTILINE), f"exit code {code}"


@pytest.mark.parametrize("word", ["house", "river"])
def test_the_map_of_the_house_is_there(word: str) -> None:
    text = (REPO / "pipeline" / "README.md").read_text(encoding="utf-8")
    assert word in text
    rooms = {
        path.name.removesuffix(".py") for path in (REPO / "pipeline" / "acreline").iterdir() if path.suffix != ".npz"
    }
    for room in sorted(rooms - {"__init__", "__main__", "__pycache__"}):
        assert re.search(rf"\b{room}\b", text), f"pipeline/README.md does not show the room {room}"
