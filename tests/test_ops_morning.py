# SPDX-License-Identifier: Apache-2.0
"""The morning: every way a night can end, counts that add up, money that moved by hand, and nobody's name in it."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock

from acreline.errors import ConfigError, InputError, SeveralErrors, SourceError, StoreError
from acreline.ops.changes import Move, compare_nights, publication_before
from acreline.ops.ledger import RUNS_FILE, add_line, logged_run, read_nights
from acreline.ops.morning import Morning, read_morning
from acreline.ops.told import morning_lines, morning_markdown, morning_page, write_morning
from acreline.records import OUTCOMES
from acreline.store import Store
from tests.test_cli import Acreline, acreline, refused  # noqa: F401 - a fixture
from tests.test_freshness import made_region, made_scenes, measure

NOW = datetime.now(UTC)
SECRET_FARM = "张三农场-13800138000"
Rows = list[tuple[str, str, int | None]]
FIRST: Rows = [("a", "approve", 100), ("b", "approve", 200), ("c", "refer", None), (SECRET_FARM, "decline", 0)]


def publish(root: Path, rows: Rows, **values: Any) -> Path:
    """A publication of some decisions (farm, outcome, limit)."""
    store = Store(root)
    outcomes = [outcome for _, outcome, _ in rows]
    manifest = {
        "region": "made",
        "season": {"start": "2018-03-01", "end": "2018-12-15"},
        "as_of": "2018-07-01",
        "counts": {
            "parcels": {"in": 4, "ok": 2, "degraded": 1, "insufficient": 1, "failed": 0, "rejected": 0},
            "farms": {"in": len(rows), **{name: outcomes.count(name) for name in OUTCOMES}},
        },
        **values,
    }
    with store.staging() as staging:
        table = pd.DataFrame(rows, columns=["farm_id", "outcome", "limit"])
        table["limit"] = [None if limit is None else Decimal(limit) for _, _, limit in rows]
        table.assign(currency="CNY").to_parquet(staging / "decisions.parquet")
        return store.publish(staging, manifest)


def run(root: Path, name: str = "r1", **values: Any) -> None:
    with logged_run(root, name, "made") as end:
        end |= values


def only(root: Path, **words: Any) -> Any:
    (one,) = read_morning([root], **words).regions
    return one


def codes(root: Path) -> list[str]:
    return [alarm.code for alarm in only(root).alarms]


def text(root: Path, lang: str = "en") -> str:
    return "\n".join(morning_lines(read_morning([root]), lang))


# --- how a night can end ---------------------------------------------------------------------------------------------
def test_a_calm_night_asks_for_nobody(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    run(tmp_path, published=True)
    told = text(tmp_path)
    assert codes(tmp_path) == []
    assert "The one region ran, nothing asks for anybody." in told
    assert "parcels: 4 = 3 judged + 1 too little seen + 0 failed" in told
    assert "farms: 4 = 2 approved + 1 to a person + 1 declined" in told
    assert "nothing to compare with" in told
    assert "exit 0: done; published" in told
    chinese = text(tmp_path, "zh")
    assert "1个区域全部运行，无需处理。" in chinese
    assert "地块: 4 = 3 已测定 + 1 依据不足 + 0 失败" in chinese


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            SourceError("made: HTTP 503 (5 tries)", hint="later"),
            "run_failed",
            "exit 4, source not available: made: HTTP",
        ),
        (ValueError(SECRET_FARM), "run_failed", "exit 1, a fault of acreline: ValueError"),
        (KeyboardInterrupt(), "run_failed", "exit 5, some blocks were not measured: KeyboardInterrupt"),
        (
            InputError(f"applicants.csv: {SECRET_FARM}", hint="mend it"),
            "run_failed",
            "an input file is refused: the run's",
        ),
        (
            SeveralErrors([ConfigError("policy: no such file", hint=""), InputError(SECRET_FARM, hint="")]),
            "run_failed",
            "exit 2, configuration or usage: policy: no such file; an input file is refused",
        ),
    ],
)
def test_a_run_that_failed_says_with_what_and_names_nobody(
    tmp_path: Path, error: BaseException, code: str, words: str
) -> None:
    publish(tmp_path, FIRST)
    with pytest.raises(type(error)), logged_run(tmp_path, "r1", "made"):
        raise error
    assert codes(tmp_path) == [code]
    assert words in text(tmp_path)
    assert SECRET_FARM not in text(tmp_path) + (tmp_path / RUNS_FILE).read_text()


def test_killed_at_work_and_never_started_are_told_apart(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    assert codes(tmp_path) == ["no_run"]
    add_line(tmp_path, "started", {"run": "r1", "region": "made"})
    assert codes(tmp_path) == ["broke_off"]
    with FileLock(tmp_path / "lock"):
        (tmp_path / "log" / "holder.json").write_text('{"run": "r1"}')
        assert codes(tmp_path) == ["at_work"]
    assert "not ended" in text(tmp_path)


def test_a_run_of_the_day_before_is_no_run_of_this_night(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    run(tmp_path)
    (tomorrow,) = read_morning([tmp_path], now=NOW + timedelta(hours=25)).regions
    assert [alarm.code for alarm in tomorrow.alarms] == ["no_run"]
    (late,) = read_morning([tmp_path], now=NOW + timedelta(hours=25), hours=48).regions
    assert late.alarms == ()


def test_lost_blocks_stale_scenes_a_full_disk_drift_and_counts_each_have_a_code(tmp_path: Path) -> None:
    wrong = {"parcels": {"in": 9, "ok": 1}, "farms": {"in": 4, "approve": 2, "decline": 1, "refer": 1}}
    publish(tmp_path, FIRST, counts=wrong)
    stale = measure(made_region(), made_scenes(("2018-06-01", "used", None)), datetime(2018, 7, 1).date(), "2018-06-01")
    run(tmp_path, exit=5, blocks={"failed": 2}, freshness=stale.facts(), disk_ceiling_gb=1e-9)
    (tmp_path / "drift").mkdir()
    rows = [{"verdict": "alert"}, {"verdict": "stable"}, {"verdict": "alert"}]
    (tmp_path / "drift" / "drift.json").write_text(json.dumps({"run": "made", "since": "old", "rows": rows}))
    assert codes(tmp_path) == ["blocks_failed", "no_new_scene", "counts_differ", "over_disk_ceiling", "drift"]
    chinese = text(tmp_path, "zh")
    assert " / 1 字节；剩余" in chinese
    assert "bytes" not in chinese
    told = text(tmp_path)
    for words in (
        "2 blocks were not measured",
        "no new scene since 2018-06-01: 30 days",
        "counts of parcels do not add up",
        "will not start",
        "drift: 2 alerts, made against old",
        "newest scene: 2018-06-01, 30 days before",
    ):
        assert words in told
    (tmp_path / "drift" / "drift.json").write_text("{}")
    assert "drift" not in codes(tmp_path)


def test_a_folder_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        publish(tmp_path / name, FIRST)
        run(tmp_path / name)
    (tmp_path / "one" / "latest" / "manifest.json").write_text("{")
    publish(tmp_path / "three", FIRST)
    found = read_morning([], tmp_path)
    assert [(one.root.name, [alarm.code for alarm in one.alarms]) for one in found.regions] == [
        ("one", ["unreadable"]),
        ("two", []),
    ]
    assert found.silent == ("three",)
    told = "\n".join(morning_lines(found))
    assert "1 of 2 regions asks for somebody" in told
    assert "Not told, for they keep no log of runs: three" in told


# --- what moved ------------------------------------------------------------------------------------------------------
def test_money_that_moved_is_counted_by_hand(tmp_path: Path) -> None:
    before = publish(tmp_path, [*FIRST, ("d", "approve", 50), ("e", "approve", 70), ("gone", "approve", 1)])
    after = publish(
        tmp_path,
        [("a", "approve", 130), ("b", "approve", 190), ("c", "approve", 40), (SECRET_FARM, "decline", 0),
         ("d", "refer", None), ("e", "approve", 70), ("new", "approve", 5)],
        as_of="2018-07-06",
    )  # fmt: skip
    found = compare_nights(after, before)
    assert found is not None
    assert (found.outcomes, found.new, found.gone, found.since) == (2, 1, 1, "2018-07-01")
    assert found.up == Move(1, Decimal(30))
    assert found.down == Move(1, Decimal(10))
    assert found.to_person == Move(1, Decimal(50))
    assert found.from_person == Move(1, Decimal(40))
    assert found.sum_money == Decimal(10)
    run(tmp_path, published=True)
    told = text(tmp_path)
    assert "changed: 2 outcomes since 2018-07-01; 1 new; 1 gone" in told
    assert (
        "+30 CNY for 1 farm; −10 CNY for 1 farm; 50 CNY of 1 farm to a person; 40 CNY for 1 farm back from a person"
        in told
    )
    assert "1户增加30 CNY；1户减少10 CNY；1户共50 CNY转人工；1户共40 CNY由人工转回" in text(tmp_path, "zh")


def test_two_seasons_are_not_compared(tmp_path: Path) -> None:
    before = publish(tmp_path, FIRST)
    after = publish(tmp_path, FIRST, season={"start": "2019-03-01", "end": "2019-12-15"})
    assert compare_nights(after, before) is None


def test_a_publication_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    before, after = publish(tmp_path, FIRST), publish(tmp_path, FIRST, as_of="2018-07-02")
    (before / "decisions.parquet").write_text("none")
    with pytest.raises(StoreError, match="decisions cannot be read"):
        compare_nights(after, before)


def test_the_one_before_is_found_under_its_present_name(tmp_path: Path) -> None:
    one = publish(tmp_path, FIRST)
    lines = [{"event": "published", "publication_id": "x", "at": (NOW - timedelta(days=2)).isoformat()}]
    assert publication_before(tmp_path, lines, NOW) is None
    lines.append({"event": "person_deleted", "publication_id": one.name, "instead_of": "x", "at": NOW.isoformat()})
    assert publication_before(tmp_path, lines, NOW) == one
    later = {"event": "published", "publication_id": "y", "at": (NOW + timedelta(hours=1)).isoformat()}
    assert publication_before(tmp_path, [*lines, later], NOW) == one
    first = [{"event": "published", "publication_id": one.name, "at": NOW.isoformat()}, later]
    assert publication_before(tmp_path, first, NOW) == one  # nothing was current before: the one before the newest
    assert publication_before(tmp_path, first[:1], NOW) is None


def test_the_watch_list_of_the_demo_against_itself_is_empty(demo_run: Path) -> None:
    latest = (demo_run / "latest").resolve()
    found = compare_nights(latest, latest)
    assert found is not None
    assert (found.outcomes, found.watch, found.sum_money) == (0, Move(0, Decimal(0)), 0)


# --- page and files --------------------------------------------------------------------------------------------------
class Words(HTMLParser):
    """Text of a page, and that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.open = "", []  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, _: Any) -> None:
        self.open += [tag] if tag not in ("meta", "rect") else []

    def handle_startendtag(self, tag: str, _: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def night(tmp_path: Path) -> Morning:
    publish(tmp_path / "one", FIRST, region="<b>made</b>")
    publish(
        tmp_path / "one", [(name, outcome, limit and 2 * limit) for name, outcome, limit in FIRST], region="<b>made</b>"
    )
    run(tmp_path / "one", published=True)
    publish(tmp_path / "two", FIRST)
    with pytest.raises(SourceError), logged_run(tmp_path / "two", "r", "made"):
        raise SourceError("https://user:pw@a.example/x?sig=SECRET: HTTP 503", hint="later")
    return read_morning([tmp_path])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_loads_nothing_and_tells_no_name_and_no_secret(night: Morning, lang: str) -> None:
    page = morning_page(night, lang)
    words = Words()
    words.feed(page)
    assert words.open == []
    assert "<b>made</b> (one)" in words.text
    assert "default-src 'none'" in html.unescape(page)
    for never in ("<script", "src=", "href=", "SECRET", "user:pw", SECRET_FARM, "13800138000"):
        assert never not in page + "\n".join(morning_lines(night, lang)) + morning_markdown(night, lang)
    assert morning_page(night, lang) == page
    assert page.index("two") < page.index("(one)"), "who asks for somebody stands first"


def test_the_page_names_what_the_terminal_names(night: Morning) -> None:
    words = Words()
    words.feed(morning_page(night))
    for line in morning_lines(night)[3:]:
        name, _, said = line.strip().partition(": ")
        assert said in words.text or name.startswith("alarm"), line


def test_markdown_shows_marks_as_they_are(night: Morning) -> None:
    assert "## \\<b\\>made\\</b\\> (one)" in morning_markdown(night)


def test_the_command_writes_a_page_and_markdown_and_refuses_others(
    acreline: Acreline,  # noqa: F811
    tmp_path: Path,
    night: Morning,
) -> None:
    assert len(night.regions) == 2
    done = acreline("morning", "--root", tmp_path, "--out", tmp_path / "m.html", "--lang", "zh")
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"written: {tmp_path / 'm.html'}"
    assert 'lang="zh-CN"' in (tmp_path / "m.html").read_text(encoding="utf-8")
    assert acreline("morning", tmp_path / "one", "--out", tmp_path / "m.md").code == 0
    assert (tmp_path / "m.md").read_text(encoding="utf-8").startswith("# The night")
    refused(acreline("morning", tmp_path, "--out", "m.pdf"), 2, "m.pdf: neither a page nor Markdown", ".html or .md")
    refused(acreline("morning", tmp_path, "--lang", "fr"), 2, "'fr' is not spoken")
    refused(acreline("morning", tmp_path / "nowhere"), 6, "nowhere: no run folder here")
    with pytest.raises(StoreError, match=r"m\.md: cannot be written"):
        write_morning(night, tmp_path / "none" / "m.md")


def test_no_region_at_all(tmp_path: Path) -> None:
    publish(tmp_path / "one", FIRST)
    assert "No region keeps a log of runs here." in morning_lines(read_morning([], tmp_path))
    assert read_nights(tmp_path / "one") == []
