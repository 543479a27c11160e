# SPDX-License-Identifier: Apache-2.0
"""The log of runs and how a region stands: what ended, what was killed, what is at work, and the exit code of each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from acreline.config import read_region
from acreline.errors import SourceError, StoreError
from acreline.ops.ledger import RUNS_FILE, add_line, holder_of, logged_run, read_lines, read_nights, run_facts
from acreline.ops.status import region_status, run_line, spell_seconds, status_lines
from acreline.store import open_publication
from tests.test_cli import Acreline, acreline, refused  # noqa: F401 - a fixture
from tests.test_freshness import made_region, made_scenes, measure
from tests.test_river import own_region

pytestmark = pytest.mark.xdist_group("river")


def test_a_run_leaves_a_start_and_an_end(tmp_path: Path) -> None:
    with logged_run(tmp_path, "r1", "made") as end:
        end |= {"published": True, "exit": 9}
    (night,) = read_nights(tmp_path)
    assert (night.run, night.exit, night.values["published"], night.values["region"]) == ("r1", 9, True, "made")
    assert night.ended is not None
    assert night.started <= night.ended
    assert night.seconds is not None


@pytest.mark.parametrize(
    ("error", "code", "why"),
    [
        (SourceError("made: https://a.example/x?sig=SECRET: HTTP 503", hint="later"), 4, "?..."),
        (KeyboardInterrupt(), 5, "KeyboardInterrupt"),
        (ValueError("farm F-007 of Zhang San"), 1, "ValueError"),
    ],
)
def test_however_a_run_ends_its_end_is_kept(tmp_path: Path, error: BaseException, code: int, why: str) -> None:
    with pytest.raises(type(error)), logged_run(tmp_path, "r1", "made"):
        raise error
    text = (tmp_path / RUNS_FILE).read_text()
    assert read_nights(tmp_path)[0].exit == code
    assert why in text
    assert "SECRET" not in text
    assert "Zhang" not in text


def test_a_run_that_was_killed_has_a_start_alone(tmp_path: Path) -> None:
    add_line(tmp_path, "started", {"run": "dead", "region": "made"})
    assert read_nights(tmp_path)[0].ended is None
    assert "broke off" in run_line(read_nights(tmp_path)[0], None)
    assert "is at work" in run_line(read_nights(tmp_path)[0], "dead")
    assert "not in the log of runs" in run_line(None, None)


def test_lines_that_are_cut_or_nonsense_are_passed_over_and_none_is_lost(tmp_path: Path) -> None:
    add_line(tmp_path, "started", {"run": "r1", "region": "made"})
    with (tmp_path / RUNS_FILE).open("ab") as stream:
        stream.write(b'[1]\n{"event":"ended","run":"r1"}\n{"event":"ended","run":"r')
    with logged_run(tmp_path, "r2", "made"):
        pass
    assert [(night.run, night.exit) for night in read_nights(tmp_path)] == [("r1", None), ("r2", 0)]
    assert len(read_lines(tmp_path)) == 4


def test_a_log_that_cannot_be_written_is_an_error_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(StoreError, match=r"runs\.jsonl: cannot be written"):
        add_line(tmp_path, "started", {})
    (tmp_path / "log").unlink()

    def broken() -> None:
        with logged_run(tmp_path, "r1", "made"):
            (tmp_path / RUNS_FILE).unlink()
            (tmp_path / "log").rmdir()
            (tmp_path / "log").write_text("a file")
            raise SourceError("the catalogue", hint="later")

    with pytest.raises(SourceError, match="the catalogue"):
        broken()


def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_line(tmp_path, "started", {"run": "r1", "region": "made"})

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(StoreError, match=r"runs\.jsonl: cannot be read: Permission denied"):
        read_lines(tmp_path)


def test_who_holds_a_folder_is_told_while_he_does(tmp_path: Path) -> None:
    assert holder_of(tmp_path) is None
    (tmp_path / "log").mkdir()
    with FileLock(tmp_path / "lock"):
        assert holder_of(tmp_path) == "that has just started"
        (tmp_path / "log" / "holder.json").write_text('{"run": "r9", "started": "now"}')
        assert holder_of(tmp_path) == "r9"
    assert holder_of(tmp_path) is None


@pytest.mark.parametrize(
    ("seconds", "words", "zh"),
    [
        (0.4, "0 s", "0秒"),
        (59.6, "1 min 0 s", "1分0秒"),
        (61, "1 min 1 s", "1分1秒"),
        (3720, "1 h 2 min", "1小时2分"),
    ],
)
def test_lengths_of_time(seconds: float, words: str, zh: str) -> None:
    assert spell_seconds(seconds) == words
    assert spell_seconds(seconds, zh=True) == zh


# --- exit codes of a run ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scheduled", "alarm", "failed", "code"),
    [
        (True, "no_new_scene", {}, 9),
        (False, "no_new_scene", {}, 0),
        (True, None, {}, 0),
        (True, "no_new_scene", {"b1": "a server"}, 5),
    ],
)
def test_a_stale_region_ends_with_9_under_cron_alone_and_never_hides_a_lost_block(
    acreline: Acreline,  # noqa: F811
    repo: Path,
    tmp_path: Path,
    demo_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    scheduled: bool,
    alarm: str | None,
    failed: dict[str, str],
    code: int,
) -> None:
    fresh = measure(made_region(), made_scenes(("2018-06-01", "used", None)), date(2018, 7, 1), "2018-06-01")
    result = made_result(demo_run, freshness=replace(fresh, alarm=alarm), failed_blocks=failed)
    monkeypatch.setattr("acreline.run.run_region", lambda *_, **__: result)
    done = acreline("run", own_region(repo, tmp_path), "--out", tmp_path / "out", *["--scheduled"][: int(scheduled)])
    assert done.code == code
    assert ("alarm no_new_scene: no new scene since 2018-06-01" in done.out) == (alarm is not None)
    (night,) = read_nights(tmp_path / "out")
    assert (night.exit, night.values["freshness"]["alarm"]) == (code, alarm)


def made_result(demo_run: Path, **values: Any) -> SimpleNamespace:
    known: dict[str, Any] = {
        "publication": open_publication(demo_run),
        "published": True,
        "decisions": (),
        "farms": (),
        "scenes": SimpleNamespace(provider="made"),
        "made_blocks": ("b1",),
        "kept_blocks": (),
        "failed_blocks": {},
        "freshness": None,
        "fell_over": (),
    }
    return SimpleNamespace(**{**known, **values})


def test_the_end_of_a_run_tells_counts_and_days_and_no_farm(demo_run: Path) -> None:
    told = run_facts(made_result(demo_run))
    assert told["counts"]["parcels"]["in"] == 19
    assert told["blocks"] == {"made": 1, "kept": 0, "failed": 0}
    assert "F-00" not in json.dumps(told)


# --- status ----------------------------------------------------------------------------------------------------------
def test_status_tells_freshness_as_of_today_not_of_the_last_run(
    acreline: Acreline,  # noqa: F811
    repo: Path,
    tmp_path: Path,
    demo_run: Path,
) -> None:
    region = read_region(own_region(repo, tmp_path, fresh_within_days=10))
    early, late = (region_status(region, demo_run, today=date(2018, 12, day)) for day in (7, 8))
    assert early.freshness is not None
    assert late.freshness is not None
    assert (early.freshness.days_since, early.freshness.alarm) == (10, None)
    assert (late.freshness.days_since, late.freshness.alarm) == (11, "no_new_scene")
    assert "no alarm: 10 days since the newest scene, the region allows 10" in status_lines(early)
    assert status_lines(late)[-1].startswith("alarm no_new_scene: no new scene since 2018-11-27: 11 days on 2018-12-08")
    done = acreline("status", own_region(repo, tmp_path, fresh_within_days=10), "--out", demo_run)
    assert done.code == 0
    assert done.out.splitlines()[-1] == "no alarm: the season is over"
    stale = acreline("status", own_region(repo, tmp_path, fresh_within_days=9, as_of="2018-12-07"), "--out", demo_run)
    assert stale.code == 9
    full = acreline("status", own_region(repo, tmp_path, disk_ceiling_gb=0.001), "--out", demo_run)
    assert full.code == 6  # a monitor that reads exit codes hears of it before the night
    assert "alarm over_disk_ceiling: the next run will not start" in full.out
    quiet = region_status(read_region(own_region(repo, tmp_path)), demo_run, today=date(2018, 12, 8))
    assert status_lines(quiet)[-1].startswith("no alarm: the region sets no fresh_within_days; 11 days")


def test_status_of_nothing(acreline: Acreline, repo: Path, tmp_path: Path) -> None:  # noqa: F811
    region = own_region(repo, tmp_path)
    refused(acreline("status", region, "--out", tmp_path / "no"), 6, "no: no such run folder", "run the region first")
    refused(acreline("status", region, "--out", tmp_path), 6, "no publication here")
