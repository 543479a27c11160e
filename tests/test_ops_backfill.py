# SPDX-License-Identifier: Apache-2.0
"""Missed nights made up for beside the nightly run, and one parcel measured anew: the same bytes as in time."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acreline.config import read_region
from acreline.errors import ConfigError, SourceError
from acreline.ops import backfill as room
from acreline.ops.backfill import backfill, days_between, share_parts, worst
from acreline.ops.ledger import read_nights
from acreline.run import run_region
from acreline.store import Store, open_publication, read_manifest
from tests.test_cli import Acreline, acreline, refused  # noqa: F401 - a fixture
from tests.test_river import own_region

pytestmark = pytest.mark.xdist_group("river")
ONE, TWO, THREE = (date(2018, 11, day) for day in (21, 22, 23))


def test_days_of_a_range() -> None:
    assert days_between(ONE, THREE) == [ONE, TWO, THREE]
    assert days_between(ONE, THREE, 2) == [ONE, THREE]
    assert days_between(ONE, ONE, 9) == [ONE]
    with pytest.raises(ConfigError, match="--from 2018-11-23 lies after --to 2018-11-21"):
        days_between(THREE, ONE)
    with pytest.raises(ConfigError, match="401 days are more than 400"):
        days_between(date(2018, 1, 1), date(2019, 2, 5))


@pytest.mark.slow
def test_a_day_made_up_for_has_the_bytes_of_its_own_night(repo: Path, tmp_path: Path) -> None:
    region = read_region(own_region(repo, tmp_path, farm_pages=0))
    alone = run_region(region, Store(tmp_path / "alone"), as_of=TWO)
    done = backfill(region, [ONE, TWO], tmp_path / "days")
    assert [(one.day, one.exit) for one in done] == [(ONE, 0), (TWO, 0)]
    late = open_publication(tmp_path / "days" / str(TWO))
    assert late.name == alone.publication.name
    assert [read_manifest(open_publication(one.root))["as_of"] for one in done] == [str(ONE), str(TWO)]
    assert not (tmp_path / "days" / "latest").exists()
    assert read_nights(done[0].root)[0].exit == 0
    again = backfill(region, [TWO], tmp_path / "days")
    assert again[0].words.startswith("was there already; 0 blocks made, 1 kept")


def test_a_day_whose_source_does_not_answer_stops_no_other(
    repo: Path, tmp_path: Path, demo_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_region: Any, _store: Any, *, as_of: date, **_: Any) -> Any:
        if as_of == TWO:
            raise SourceError("made: HTTP 503", hint="later")
        blocks = {"made_blocks": (), "kept_blocks": ("b",), "failed_blocks": {"c": "x"} if as_of == THREE else {}}
        scenes = SimpleNamespace(provider="made")
        return SimpleNamespace(
            publication=open_publication(demo_run),
            published=False,
            freshness=None,
            fell_over=(),
            scenes=scenes,
            **blocks,
        )

    monkeypatch.setattr(room, "run_region", run)
    told: list[Any] = []
    done = backfill(read_region(own_region(repo, tmp_path)), [ONE, TWO, THREE], tmp_path / "d", tell=told.append)
    assert [one.exit for one in done] == [0, 4, 5]
    assert worst(done) == 4
    assert told == done
    assert done[1].words == "made: HTTP 503"
    assert [read_nights(one.root)[0].exit for one in done] == [0, 4, 5]


def test_what_backfill_refuses(acreline: Acreline, repo: Path, tmp_path: Path) -> None:  # noqa: F811
    region = own_region(repo, tmp_path)
    days = ["--from", "2018-11-21", "--to", "2018-11-20", "--out", tmp_path / "d"]
    refused(acreline("backfill", region, *days), 2, "--from 2018-11-21 lies after --to 2018-11-20")
    refused(acreline("backfill", region, "--from", "x", *days[2:]), 2, "--from: 'x' is not a date")
    early = ["--from", "2016-01-01", "--to", "2016-01-01", "--out", tmp_path / "d"]
    done = acreline("backfill", region, *early)
    assert done.code == 2, done.err


def test_parts_are_shared_whole_and_once(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one").root, Store(tmp_path / "two").root
    for name in ("p", ".half"):
        (one / "parts" / name).mkdir()
        (one / "parts" / name / "crop.tif").write_text("x")
    share_parts(one, two)
    share_parts(one, two)
    assert [path.name for path in (two / "parts").iterdir()] == ["p"]
    assert (two / "parts" / "p" / "crop.tif").samefile(one / "parts" / "p" / "crop.tif")


# --- one parcel anew -------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_one_parcel_anew_measures_its_blocks_alone_and_changes_nothing(repo: Path, tmp_path: Path) -> None:
    region = read_region(own_region(repo, tmp_path, block_px=32, farm_pages=0))
    first = run_region(region, Store(tmp_path / "out"))
    parcel = first.farms[0].parcel_ids[0]
    again = run_region(region, Store(tmp_path / "out"), again=[parcel])
    assert 0 < len(again.made_blocks) < len(first.made_blocks)
    assert len(again.made_blocks) + len(again.kept_blocks) == len(first.made_blocks)
    assert (again.published, again.publication) == (False, first.publication)


def test_a_parcel_that_is_not_there_is_refused(acreline: Acreline, repo: Path, tmp_path: Path) -> None:  # noqa: F811
    done = acreline("run", own_region(repo, tmp_path), "--out", tmp_path / "out", "--again", "P-9", "--scheduled")
    refused(done, 2, "no parcel 'P-9' in this region", "as the farm file has it")
