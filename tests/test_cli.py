# SPDX-License-Identifier: Apache-2.0
"""The commands as a user types them: an exit code, one line of what is wrong and one of what to do, no traceback."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from acreline import cli
from acreline.decision_log import read_log
from acreline.errors import SourceError
from acreline.privacy import kept_until
from acreline.store import Store
from acreline.terminal import executor, stop_on_term
from tests.test_river import own_region

pytestmark = pytest.mark.xdist_group("river")
COMMANDS = [info.name or str(info.callback and info.callback.__name__) for info in cli.app.registered_commands]
DEMO = "configs/regions/flanders-2018.yaml"


Acreline = Callable[..., SimpleNamespace]


@pytest.fixture
def acreline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Acreline:
    """The entry point, in this process."""

    def call(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["acreline", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        told = capsys.readouterr()
        return SimpleNamespace(code=caught.value.code or 0, out=told.out, err=told.err)

    return call


def refused(done: SimpleNamespace, code: int, *words: str) -> None:
    """One line that says what is wrong, one that says what to do."""
    assert done.code == code, done.err
    told = [line for line in done.err.splitlines() if not line.startswith("timestamp=")]
    assert [line.split(":")[0] for line in told] == ["error", "hint"], done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


# --- what is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["check", "nowhere.yaml"], 2, ["nowhere.yaml: no such file"]),
        (["search", "nowhere.yaml"], 2, ["nowhere.yaml"]),
        (["run", "nowhere.yaml"], 2, ["nowhere.yaml"]),
        (["run", DEMO, "--as-of", "nonsense", "--out", "{tmp}/out"], 2, ["--as-of: 'nonsense'", "2018-12-15"]),
        (["search", DEMO, "--as-of", "2018-02-30"], 2, ["'2018-02-30' is not a date"]),
        (["run", DEMO, "--out", "{tmp}/file"], 6, ["file: cannot be written", "--out"]),
        (["run", DEMO, "--out", "{tmp}/out", "--scheduler", "tcp://x"], 2, ["Dask", "pip install"]),
        (["init", "{tmp}/nowhere.shp", "--datum", "wgs84"], 3, ["nowhere.shp"]),
        (["init", "{tmp}/file", "--datum", "wgs84", "--season-end", "soon"], 2, ["--season-end: 'soon'"]),
        (["credit", "{tmp}", "--policy", "demo"], 6, ["no publication here", "acreline run"]),
        (["explain", "{tmp}", "F1"], 6, ["no publication here"]),
        (["report", "{tmp}"], 6, ["no publication here"]),
        (["verify", "{tmp}"], 6, ["no publication here"]),
        (["list", "crop"], 2, ["'crop' is no kind", "crops, providers"]),
        (["evaluate", "acrenet-xl"], 2, ["'acrenet-xl' is not known", "did you mean 'acrenet-xs'"]),
        (["evaluate", "acrenet-xs"], 2, ["acrenet-xs: no weights", "train it first: acreline train acrenet-xs"]),
        (["train", "acrenet-xl", "--out", "{tmp}/out"], 2, ["'acrenet-xl' is not known"]),
        (["train", "acrenet-xs", "--out", "{tmp}/out", "--device", "tpu"], 2, ["recipe: device: ", "found 'tpu'"]),
    ],
)
def test_what_is_wrong_and_what_to_do(
    acreline: Acreline, repo: Path, tmp_path: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    (tmp_path / "file").write_text("I was here first")
    places = [str(repo / word) if word == DEMO else word.replace("{tmp}", str(tmp_path)) for word in arguments]
    refused(acreline(*places), code, *words)
    assert not (tmp_path / "out" / "latest").exists()


def test_what_a_finished_run_refuses(acreline: Acreline, demo_run: Path) -> None:
    refused(acreline("credit", demo_run, "--policy", "dmeo"), 2, "'dmeo' is not known", "did you mean 'demo'")
    refused(acreline("explain", demo_run, "nobody"), 2, "no farm 'nobody'", "known: ")
    farm = acreline("credit", demo_run, "--policy", "demo").out.split()[0]
    refused(acreline("explain", demo_run, farm, "--lang", "fr"), 2, "'fr' is not spoken", "en or zh")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["nonsense"],
        ["run", DEMO, "--workers", "0"],
        ["run", DEMO, "--speed"],
        ["explain", "a"],
        ["credit", "a"],
    ],
)
def test_usage_exits_2(acreline: Acreline, arguments: list[str]) -> None:
    done = acreline(*arguments)
    assert done.code == 2
    assert "Usage: acreline" in done.err
    assert "Traceback" not in done.err


# --- the last door ---------------------------------------------------------------------------------------------------
def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("acreline.desk.list_kind", fail)


def test_an_exception_nobody_foresaw_is_one_line(acreline: Acreline, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, RuntimeError("two\nlines of https://a.example/b?sig=SECRET"))
    done = acreline("list", "crops")
    refused(done, 1, "RuntimeError: two lines of https://a.example/b?...", "fault of acreline", "-v")
    assert "SECRET" not in done.err


def test_a_traceback_is_for_those_who_ask_and_keeps_code_and_secrets(
    acreline: Acreline, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = SourceError("https://u:SECRET@a.example/b?sig=SECRET said 403", hint="sign in")
    error.__cause__ = OSError("GET https://a.example/b?sig=SECRET")
    raising(monkeypatch, error)
    refused(acreline("list", "crops"), 4, "https://...@a.example/b?... said 403", "sign in")
    done = acreline("-v", "list", "crops")
    assert done.code == 4
    assert "Traceback" in done.err
    assert "OSError" in done.err
    assert "hint: sign in" in done.err
    assert "SECRET" not in done.err


def test_ctrl_c_exits_5_with_words(acreline: Acreline, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    done = acreline("list", "crops")
    assert done.code == 5
    assert done.err.strip() == "stopped; what is done is kept: run the same command again to go on"


def wait_for(happened: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert child.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_stops_a_run_soon_and_the_next_one_goes_on(repo: Path, tmp_path: Path, workers: str) -> None:
    region, out = own_region(repo, tmp_path, block_px=32), tmp_path / "out"
    command = [sys.executable, "-m", "acreline", "run", str(region), "--out", str(out), "--scheduled"]
    with subprocess.Popen(
        [*command, "--workers", workers],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as child:
        try:
            wait_for(lambda: len(list(out.glob("parts/[!.]*/part.json"))) >= 1, child)
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=30) == 5  # 1 to 2 s on an idle machine
        finally:
            child.kill()
        assert child.stderr is not None
        told = child.stderr.read()
    assert "stopped; what is done is kept" in told.splitlines()[-1]
    assert "Traceback" not in told
    done = len(list(out.glob("parts/[!.]*/part.json")))
    assert not (out / "latest").exists()
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    kept = re.search(r"blocks: \d+ made, (\d+) kept, 0 failed", again.stdout)
    assert kept is not None, again.stdout
    assert int(kept[1]) == done >= 1
    assert not [path for path in (out / "parts").iterdir() if path.name.startswith(".")]


def test_an_interruption_that_python_dropped_is_raised_between_blocks() -> None:
    before = signal.getsignal(signal.SIGTERM)
    told: list[tuple[int, int, str]] = []
    with stop_on_term(lambda *step: told.append(step)) as progress:
        progress(1, 2, "b1")
        with contextlib.suppress(KeyboardInterrupt):  # as a destructor would
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            progress(2, 2, "b2")
    assert told == [(1, 2, "b1")]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_held_region_exits_7(acreline: Acreline, repo: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "out").locked("cron-1", "2018-12-15T02:30:00+00:00"):
        done = acreline("run", repo / DEMO, "--out", tmp_path / "out")
    refused(done, 7, "run cron-1, started 2018-12-15T02:30")


# --- what is told ----------------------------------------------------------------------------------------------------
def test_a_run_in_one_process_tells_its_farms_and_leaves_the_lock_free(
    acreline: Acreline, repo: Path, demo_run: Path
) -> None:
    done = acreline("run", repo / DEMO, "--out", demo_run)
    assert done.code == 0, done.err
    assert "no news: the publication that is there stays" in done.out
    assert "first reason" in done.out
    assert re.search(r"^farms, by the machine: \d approve, 7 in, \d refer$", done.out, re.M)
    assert "\x1b[" not in done.out + done.err
    quiet = acreline("run", repo / DEMO, "--out", demo_run, "--scheduled")
    assert "first reason" not in quiet.out
    assert all(line.startswith("timestamp=") for line in quiet.err.splitlines())
    with Store(demo_run).locked("next", "now"):
        pass


def test_an_odd_farm_name_is_told_as_it_is(
    acreline: Acreline, monkeypatch: pytest.MonkeyPatch, repo: Path, tmp_path: Path, demo_run: Path
) -> None:
    """Square brackets are markup to the library that draws the table; a farm may be called so."""
    from acreline.desk import decide_again, read_farms
    from acreline.run import RunResult

    farms, _ = read_farms((demo_run / "latest").resolve())
    decisions, _ = decide_again((demo_run / "latest").resolve(), "demo")
    odd = [replace(farms[0], farm_id="[red]F[/b]1"), *farms[1:]]
    result = RunResult(
        (demo_run / "latest").resolve(),
        True,
        tuple(decisions),
        tuple(odd),
        SimpleNamespace(provider="made"),
        ("b",),
        (),
        {"b2": "x"},
    )  # type: ignore[arg-type]
    monkeypatch.setattr("acreline.run.run_region", lambda *_, **__: result)
    done = acreline("run", repo / DEMO, "--out", tmp_path / "out")
    assert done.code == 5
    assert "[red]F[/b]1" in done.out
    assert "block b2 was not measured: x" in done.out
    assert "Traceback" not in done.err


def test_a_finished_run_can_be_asked(acreline: Acreline, demo_run: Path, tmp_path: Path) -> None:
    lines = acreline("credit", demo_run, "--policy", "demo").out.splitlines()
    assert all(line[13:49].strip() == line[53:].strip() for line in lines)  # the same policy, the same words
    farm = lines[0].split()[0]
    assert acreline("explain", demo_run, farm, "--lang", "zh").out.startswith(farm)
    page, farm_pages = (Path(line) for line in acreline("report", demo_run).out.splitlines())
    assert page.name == "index.html"
    assert sorted(path.stem for path in farm_pages.iterdir()) == [line.split()[0] for line in lines]
    verified = acreline("verify", demo_run)
    assert verified.code == 0
    assert verified.out.startswith(page.parents[1].name)
    (tmp_path / "manifest.json").write_text((demo_run / "latest" / "manifest.json").read_text())
    refused(acreline("report", tmp_path), 6, "no map page")
    written = acreline("report", demo_run, "--out", tmp_path / "page.html").out.strip()
    assert Path(written).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert acreline("report", demo_run, "--farm", farm, "--out", tmp_path / "farm.html").code == 0
    refused(acreline("report", demo_run, "--watch", tmp_path / "w.csv"), 2, "no place is given", "--out FILE")
    refused(acreline("report", demo_run, "--earlier", demo_run), 2, "for the page of one farm", "--farm")
    refused(acreline("report", demo_run, "--pictures"), 2, "for the page of one farm", "--farm")
    refused(acreline("report", demo_run, "--farm", farm, "--cases", tmp_path / "c"), 2, "for the portfolio")
    refused(acreline("report", demo_run, "--farm", "F-999", "--out", tmp_path / "f.html"), 2, "no farm 'F-999'")
    gone = acreline("verify", tmp_path)
    assert "missing: farms.parquet" in gone.out.splitlines()
    refused(gone, 6, "files are not as published")


def test_a_decision_is_proved_from_the_command_line(acreline: Acreline, demo_run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(demo_run / "latest", tmp_path / "copy"))
    assert acreline("replay", copy, "F-004").out == "F-004: same, byte for byte\n"
    assert acreline("replay", copy, "--all").out.startswith("7 of 7 decisions: same, byte for byte")
    refused(acreline("replay", copy, "F-999"), 2, "no farm 'F-999'")
    trail = copy / "trail.jsonl"
    trail.write_text(
        trail.read_text(encoding="utf-8").replace('"clear_looks":36', '"clear_looks":37', 1), encoding="utf-8"
    )
    changed = acreline("replay", copy, "--all")
    assert "  fact clear_looks (F-001): 36 in farms.parquet, 37 in the trail" in changed.out.splitlines()
    refused(changed, 6, "1 of 7 decisions are not made again as published")
    edited = acreline("verify", copy)
    assert "trail.jsonl: line 1 does not follow" in edited.out
    refused(edited, 6, "files are not as published")


def test_a_person_is_given_out_and_kept_until_the_term_is_over(
    acreline: Acreline, demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = acreline("person", "export", demo_run, "--person", "P-0001", "--out", tmp_path / "p.json")
    assert told.out == f"{tmp_path / 'p.json'}: 1 decisions of 1 publications\n"
    ask = ("person", "delete", demo_run, "--person", "P-0001", "--receipt", tmp_path / "r.json", "--term-check")
    published = date.fromisoformat(next(one["at"] for one in read_log(demo_run) if one["event"] == "published")[:10])
    until = kept_until(published)
    refused(acreline(*ask, "2022-01-01"), 2, f"until {until}")  # of a season long past, but decided today
    refused(acreline(*ask, "tomorrow"), 2, "is not a date")
    own = Path(shutil.copytree(demo_run, tmp_path / "own", symlinks=True))
    over = until + timedelta(days=1)
    monkeypatch.setattr("acreline.person.utc_now", lambda: datetime(over.year, over.month, over.day, 12, tzinfo=UTC))
    done = acreline("person", "delete", own, *ask[3:], str(over))
    assert done.out.splitlines()[0].endswith("1 decisions under pseudonym")
    assert acreline("verify", own).code == 0
    assert "P-0001" not in (own / "latest" / "trail.jsonl").read_text(encoding="utf-8")


def test_a_region_is_compiled_and_searched(acreline: Acreline, repo: Path) -> None:
    assert "all of it fits" in acreline("check", repo / DEMO).out
    told = acreline("search", repo / DEMO, "--as-of", "2018-06-01").out.splitlines()
    assert "used " in told[-1]
    assert max(line[:10] for line in told[:-1] if line.startswith("20")) <= "2018-06-01"


def test_a_crop_that_the_model_cannot_name_is_told(acreline: Acreline, repo: Path, tmp_path: Path) -> None:
    region = yaml.safe_load((repo / DEMO).read_text(encoding="utf-8"))
    base = (repo / DEMO).parent
    for place, key in ((region, "catalog"), (region, "applicants"), (region, "weather"), (region["parcels"], "path")):
        place[key] = str((base / place[key]).resolve())
    flax = yaml.safe_load((repo / "configs" / "crops" / "maize.yaml").read_text(encoding="utf-8"))
    flax |= {"slug": "flax", "name_en": "flax", "name_zh": "亚麻"}
    (tmp_path / "flax.yaml").write_text(yaml.safe_dump(flax, allow_unicode=True), encoding="utf-8")
    region["crops"].append("flax.yaml")
    (tmp_path / "region.yaml").write_text(yaml.safe_dump(region), encoding="utf-8")
    told = acreline("check", tmp_path / "region.yaml").out.splitlines()
    assert told[-1] == "the model has no class for flax: it will never name them"


@pytest.mark.parametrize("kind", ["crops", "providers", "rules", "events", "policies", "models", "regions"])
def test_every_kind_is_listed(acreline: Acreline, kind: str) -> None:
    done = acreline("list", kind)
    assert done.code == 0
    assert done.out.splitlines()[-1].startswith("next: ")
    assert "\x1b[" not in done.out


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_every_command_helps_without_a_heavy_library(command: str | None) -> None:
    """`--help` answers at once: none of the libraries that take seconds is loaded."""
    words = [command, "--help"] if command else ["--help"]
    script = (
        f"import sys; sys.argv = ['acreline', *{words!r}]\nfrom acreline.cli import main\n"
        "try: main()\nexcept SystemExit as end: code = end.code or 0\n"
        "print([n for n in ('torch', 'pandas', 'rasterio', 'geopandas', 'xarray') if n in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    *help_text, last = done.stdout.splitlines()
    assert last == "[] 0", done.stderr
    assert "Usage: acreline" in "\n".join(help_text)
    assert "\x1b[" not in done.stdout


def test_a_pool_that_is_left_in_anger_drops_its_work() -> None:
    slow: list[Any] = []

    def work() -> None:
        with executor(2, None) as pool:
            slow.extend(pool.submit(time.sleep, 30) for _ in range(4))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    # A future that was cancelled is done at once, but may never be told to `wait` once its pool is broken.
    deadline = time.monotonic() + 10
    while not all(one.done() for one in slow) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(one.done() for one in slow)
    assert all(one.cancelled() or one.exception() is not None for one in slow)  # none of them slept to its end


# --- help ------------------------------------------------------------------------------------------------------------
def test_help_groups_every_command_by_who_uses_it(acreline: Acreline) -> None:
    from typer.main import get_command

    from acreline.cli.app import GROUPS, UNPLACED

    placed = [name for names in GROUPS.values() for name in names]
    assert sorted(placed) == sorted(get_command(cli.app).commands), "give a new command its place in cli/app.py"  # type: ignore[attr-defined]
    told = acreline("--help").out
    titles = re.findall(r"^(\S.*):$", told, re.MULTILINE)
    assert titles == ["Options", *GROUPS], "in this order, and nothing unplaced"
    assert f"{UNPLACED}:" not in told
    for title, names in GROUPS.items():
        part = told.split(f"{title}:\n")[1].split("\n\n")[0]
        assert tuple(re.findall(r"^  (\S+)", part, re.MULTILINE)) == names
    assert "..." not in told.split("Every night")[1].split("Look at")[0], "whole sentences"


def test_a_command_without_a_place_is_shown_all_the_same(acreline: Acreline, monkeypatch: pytest.MonkeyPatch) -> None:
    from acreline.cli.app import GROUPS

    monkeypatch.setitem(GROUPS, "Decide", ("credit",))
    assert acreline("--help").out.split("Others:\n")[1].startswith("  override ")
