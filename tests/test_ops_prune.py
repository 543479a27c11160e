# SPDX-License-Identifier: Apache-2.0
"""What prune takes and what it never takes: decisions stay replayable and verifiable, a run is never disturbed."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from acreline.chain import check_chain
from acreline.config import read_region
from acreline.decision_log import LOG_FILE, append_log, check_log, pruned_files, read_log
from acreline.errors import BusyError, ConfigError, CreditError, StoreError
from acreline.ops import disk
from acreline.ops.disk import Room, check_room, folder_bytes, freed_bytes, measure_room, spell_bytes
from acreline.ops.ledger import add_line, read_lines
from acreline.ops.prune import Keep, find_run_folders, look, prune, prune_lines
from acreline.replay import replay_run
from acreline.store import Store, read_manifest, verify_publication
from acreline.verify import verify_run
from tests.test_cli import Acreline, acreline, refused  # noqa: F401 - a fixture
from tests.test_river import own_region

pytestmark = pytest.mark.xdist_group("river")
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=400)


def publish(root: Path, name: str, **files: str) -> Path:
    """A publication of a few files, pages and maps with it."""
    store = Store(root)
    with store.staging() as staging:
        given = {
            "trail.jsonl": name,
            "report/index.html": name * 100,
            "maps/b_crop.tif": name * 50,
            "catalog.json": "{}",
        }
        for file, text in {**given, **files}.items():
            (staging / file).parent.mkdir(exist_ok=True)
            (staging / file).write_text(text)
        return store.publish(staging, {"region": "made", "as_of": "2018-12-15"})


def age(root: Path, days: float, *, of: str | None = None) -> None:
    """Let lines of the log be as old as that, the chain made anew; a test may forge."""
    from acreline.chain import Chain

    chain, lines = Chain(), []
    for entry in read_log(root):
        if of is None or of in (entry.get("publication_id"), entry.get("publication")):
            entry["at"] = (NOW - timedelta(days=days)).isoformat(timespec="seconds")
        lines.append(chain.seal(entry) + "\n")
    (root / LOG_FILE).write_text("".join(lines))


def set_time(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five publications of long ago, the last of them current."""
    root = tmp_path / "out"
    for name in "abcde":
        publish(root, name)
    age(root, 100)
    return root.resolve()


def names(found: Any, kind: str) -> list[str]:
    return [item.name for item in found.items if item.kind == kind]


# --- publications ----------------------------------------------------------------------------------------------------
def test_pages_and_maps_of_old_publications_go_and_their_evidence_stays(root: Path) -> None:
    ids = [str(entry["publication_id"]) for entry in read_log(root)]
    done = prune(root, Keep(days=30, last=2))
    assert names(done, "views") == ids[:3]
    assert done.freed_bytes == 3 * (100 + 50 + 2)
    for name in ids:
        publication = root / "publications" / name
        assert sorted(path.name for path in publication.iterdir()) == (
            ["manifest.json", "trail.jsonl"]
            if name in ids[:3]
            else ["catalog.json", "manifest.json", "maps", "report", "trail.jsonl"]
        )
        assert verify_publication(publication, pruned=pruned_files(publication)) == []
    assert not check_chain(root / LOG_FILE).faults
    assert prune(root, Keep(days=30, last=2)).items == ()


@pytest.mark.parametrize(("days", "last", "gone"), [(101, 1, 0), (99, 5, 0), (99, 9, 0), (99, 1, 4), (0, 3, 2)])
def test_what_is_young_or_among_the_last_stays_whole(root: Path, days: int, last: int, gone: int) -> None:
    assert len(names(look(root, Keep(days, last)), "views")) == gone


def test_the_current_one_stays_whole_however_old_it_is(root: Path) -> None:
    first = str(read_log(root)[0]["publication_id"])
    (root / "latest").unlink()
    (root / "latest").symlink_to(Path("publications") / first)
    found = look(root, Keep(0, 1))
    assert first not in names(found, "views")
    assert len(names(found, "views")) == 3


def test_one_made_current_again_is_young(root: Path) -> None:
    publish(root, "a")
    assert names(look(root, Keep(30, 1)), "views") == [str(e["publication_id"]) for e in read_log(root)[1:5]]


def test_old_decisions_of_the_demo_are_made_again_and_verified_after_pruning(demo_run: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(demo_run, tmp_path / "out", symlinks=True)).resolve()
    old = (out / "latest").resolve()
    store = Store(out)
    with store.staging() as staging:
        shutil.copytree(old, staging, dirs_exist_ok=True)
        manifest = {k: v for k, v in read_manifest(old).items() if k not in ("publication_id", "files")}
        (staging / "manifest.json").unlink()
        (staging / "more.txt").write_text("so that it is another one")
        store.publish(staging, manifest)
    assert verify_run(old).faults == ()
    done = prune(out, Keep(0, 1))
    assert not (old / "report").exists()
    assert done.freed_bytes > 1_000_000
    verdict = verify_run(old)
    assert verdict.faults == ()
    assert "every file is as it was published; pruned" in verdict.lines[0]
    assert "catalog.json, maps, report" in verdict.lines[0]
    again = replay_run(old, whole=True)
    assert len(again.decisions) == 7
    assert all(one.same for one in again.decisions)
    assert verify_run((out / "latest").resolve()).faults == ()
    (old / "trail.jsonl").unlink()
    assert any("missing: trail.jsonl" in fault for fault in verify_run(old).faults)


def test_a_file_taken_away_without_the_log_is_still_a_fault(root: Path) -> None:
    publication = root / "publications" / str(read_log(root)[0]["publication_id"])
    shutil.rmtree(publication / "maps")
    assert verify_publication(publication, pruned=pruned_files(publication)) == ["missing: maps/b_crop.tif"]
    copied = Path(shutil.copytree(publication, root.parent / "copy"))
    assert pruned_files(copied) == {}


def test_pages_of_a_publication_that_was_written_anew_without_a_person_are_known_as_pruned(root: Path) -> None:
    prune(root, Keep(30, 1))
    old = str(read_log(root)[0]["publication_id"])
    append_log(root, lambda: ("person_deleted", {"publication_id": "new", "instead_of": old}))
    assert set(pruned_files(root / "publications" / "new")) == {"catalog.json", "maps", "report"}


# --- whole publications ----------------------------------------------------------------------------------------------
def test_evidence_goes_only_when_a_day_is_named_past_every_legal_term(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CreditError, match=r"decisions of that day must be kept until \d{4}"):
        look(root, Keep(30, 1, NOW.date() - timedelta(days=90)))
    with pytest.raises(ConfigError, match="lies ahead"):
        look(root, Keep(30, 1, NOW.date() + timedelta(days=2)))
    monkeypatch.setattr("acreline.ops.prune.kept_until", lambda day: day)
    acted, current = (str(read_log(root)[k]["publication_id"]) for k in (1, 4))
    append_log(root, lambda: ("override", {"farm_id": "f", "decided_in": acted}))
    young = publish(root, "young")
    shutil.copytree(young, root / "publications" / "unlogged")
    set_time(root / "publications" / "unlogged" / "manifest.json", LONG_AGO)
    found = look(root, Keep(30, 1, NOW.date() - timedelta(days=90)))
    assert len(names(found, "publications")) == 4
    assert not {acted, young.name, "unlogged"} & set(names(found, "publications"))
    assert found.kept == (
        "unlogged stays: the log of decisions does not know it",
        f"{acted} stays: a person acted on it",
    )
    (root / "latest").unlink()
    (root / "latest").symlink_to(Path("publications") / current)
    done = prune(root, Keep(30, 1, NOW.date() - timedelta(days=90)))
    assert f"{current} stays: it is the current one" in done.kept
    gone = set(names(done, "publications"))
    assert len(gone) == 3
    assert not any((root / "publications" / name).exists() for name in gone)
    told = [entry for entry in read_log(root) if entry["event"] == "pruned" and entry.get("whole")]
    assert {entry["publication"] for entry in told} == gone
    latest = (root / "latest").resolve()
    log = check_log(latest, {**read_manifest(latest), "trail": None})
    assert {entry["publication"] for entry in log.pruned} == gone
    assert log.gone == []
    (publish_of,) = [entry for entry in read_log(root) if entry.get("publication_id") == acted]
    shutil.rmtree(root / "publications" / acted)
    assert check_log(latest, {**read_manifest(latest), "trail": None}).gone == [publish_of["publication_id"]]


# --- caches, leftovers, logs -----------------------------------------------------------------------------------------
def test_parts_that_no_run_used_of_late_go_and_those_of_the_newest_run_stay(root: Path) -> None:
    add_line(root, "started", {"run": "r"})
    add_line(root, "ended", {"run": "r", "exit": 0})
    (line, *rest) = (root / "log" / "runs.jsonl").read_text().splitlines()
    start = (NOW - timedelta(days=60)).isoformat(timespec="seconds")
    (root / "log" / "runs.jsonl").write_text("\n".join([json.dumps({**json.loads(line), "at": start}), *rest]) + "\n")
    for name, days in (("idle", 61), ("used", 59), ("young", 1)):
        (root / "parts" / name).mkdir()
        (root / "parts" / name / "crop.tif").write_text("12345")
        set_time(root / "parts" / name, NOW - timedelta(days=days))
    (root / "coverage").mkdir()
    for name, days in (("old.npz", 70), ("new.npz", 1)):
        (root / "coverage" / name).write_text("1")
        set_time(root / "coverage" / name, NOW - timedelta(days=days))
    found = prune(root, Keep(30, 9))
    assert (names(found, "parts"), names(found, "coverage")) == (["idle"], ["old.npz"])
    assert sorted(path.name for path in (root / "parts").iterdir()) == ["used", "young"]
    assert found.counts() == {"parts": [1, 5], "coverage": [1, 1]}
    assert read_lines(root)[-1]["items"] == {"parts": [1, 5], "coverage": [1, 1]}
    (log,) = (root / "log").glob("????-??-??_*.jsonl")
    assert [json.loads(text)["name"] for text in log.read_text().splitlines()] == ["idle", "old.npz"]


def test_a_part_that_is_read_counts_as_used(root: Path) -> None:
    store = Store(root)
    part = root / "parts" / "key"
    part.mkdir()
    from acreline.hashing import canonical_json, digest

    head = {"block_id": "b", "notes": [], "files": {}}
    (part / "part.json").write_text(canonical_json({**head, "seal": digest(head)}))
    set_time(part, LONG_AGO)
    assert names(look(root, Keep(30, 9)), "parts") == ["key"]
    assert store.part("key") is not None
    assert look(root, Keep(30, 9)).items == ()


def test_leftovers_go_those_in_use_by_people_do_not(root: Path) -> None:
    (root / "evidence").mkdir()
    for name in ("parts/.half", "publications/.staging-1"):
        (root / name).mkdir()
    for name in ("evidence/.photo-1", "evidence/.photo-2", "log/.decisions.jsonl-1", ".probe-1"):
        (root / name).write_text("x")
        if name != "evidence/.photo-2":
            set_time(root / name, LONG_AGO)
    done = prune(root, Keep(101, 1))
    assert names(done, "leftovers") == [".half", ".staging-1", ".probe-1", ".decisions.jsonl-1", ".photo-1"]
    assert (root / "evidence" / ".photo-2").exists()
    assert not list((root / "parts").iterdir())


def test_lines_of_old_runs_go_the_log_of_decisions_never(root: Path) -> None:
    days = [(NOW - timedelta(days=k)).date().isoformat() for k in (90, 80, 1)]
    for day in days:
        (root / "log" / f"{day}_x.jsonl").write_text("{}")
    assert names(look(root, Keep(30, 1)), "run logs") == [f"{day}_x.jsonl" for day in days[:2]]
    assert names(look(root, Keep(30, 2)), "run logs") == [f"{days[0]}_x.jsonl"]


def test_what_people_were_given_is_never_touched(root: Path) -> None:
    kept = ["letters/F1_zh.html", "shadow/x/challenge.json", "appeals/A1/run/parts/p/crop.tif", "evidence/ab.jpg"]
    for name in kept:
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("x")
        set_time(root / name, LONG_AGO)
    prune(root, Keep(0, 1))
    assert all((root / name).is_file() for name in kept)


# --- beside a run, and what is refused -------------------------------------------------------------------------------
def test_while_a_run_works_nothing_goes(root: Path) -> None:
    with FileLock(root / "lock"):
        before = {path: path.stat().st_size for path in root.rglob("*") if path.is_file()}
        with pytest.raises(BusyError, match="another run holds this region"):
            prune(root, Keep(0, 1))
        assert {path: path.stat().st_size for path in root.rglob("*") if path.is_file()} == before
        assert "works there now" in prune_lines(look(root, Keep(0, 1)), done=False)[-2]


def test_a_busy_region_does_not_keep_the_others_from_being_pruned(
    acreline: Acreline,  # noqa: F811
    tmp_path: Path,
) -> None:
    for region in ("one", "two"):
        for name in "abc":
            publish(tmp_path / region, name)
    with FileLock(tmp_path / "one" / "lock"):
        done = acreline("prune", tmp_path, "--keep-days", 0, "--keep-last", 1)
    refused(done, 7, "one: another run holds this region", "nothing was changed")
    assert f"{tmp_path / 'two'}: takes" in done.out
    assert "removed 2 publications' pages and maps: 304 bytes" in done.out
    assert "freed 304 bytes" in done.out
    assert "one" not in done.out.replace(str(tmp_path), "")


def test_a_dry_run_changes_nothing(acreline: Acreline, root: Path) -> None:  # noqa: F811
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = acreline("prune", root, "--keep-days", 0, "--keep-last", 1, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "would remove 4 publications' pages and maps: 608 bytes" in done.out
    assert done.out.splitlines()[-1] == "  would free 608 bytes"
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tmp}/nowhere"], 6, ["nowhere: no run folder here"]),
        (["{tmp}"], 6, ["no run folder here", "OUT folder"]),
        (["{tmp}/out", "--evidence-before", "soon"], 2, ["--evidence-before: 'soon' is not a date"]),
        (["{tmp}/out", "--evidence-before", "2999-01-01"], 2, ["lies ahead"]),
    ],
)
def test_what_prune_refuses(
    acreline: Acreline,  # noqa: F811
    tmp_path: Path,
    arguments: list[str],
    code: int,
    words: list[str],
) -> None:
    if any(argument.endswith("/out") for argument in arguments):
        publish(tmp_path / "out", "a")
    refused(acreline("prune", *(word.replace("{tmp}", str(tmp_path)) for word in arguments)), code, *words)


@pytest.mark.parametrize(("days", "last"), [(-1, 3), (3, 0)])
def test_to_keep_less_than_the_least(days: int, last: int) -> None:
    with pytest.raises(ConfigError, match=f"keep {last} publications and {days} days: too few"):
        Keep(days, last)


def test_a_folder_that_cannot_be_freed_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("acreline.ops.prune._remove", refuse)
    with pytest.raises(StoreError, match=r"not pruned to the end.*Permission denied"):
        prune(root, Keep(0, 1))
    monkeypatch.setattr("acreline.ops.prune._find", refuse)
    with pytest.raises(StoreError, match="cannot be read: Permission denied"):
        look(root)


def test_run_folders_are_found_one_by_one_or_in_a_folder_each_once(root: Path) -> None:
    assert find_run_folders([root.parent, root]) == [root]


# --- the ceiling -----------------------------------------------------------------------------------------------------
def test_bytes_are_counted_once_and_free_only_with_their_last_name(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (one / "a").write_text("12345")
    (two / "a").hardlink_to(one / "a")
    (two / "b").write_text("123")
    (two / "link").symlink_to(one / "a")
    assert (folder_bytes(tmp_path), folder_bytes(one), folder_bytes(two)) == (8, 5, 8)
    assert (freed_bytes([one]), freed_bytes([two]), freed_bytes([one, two])) == (0, 3, 8)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1_834_000_000, "1.83 GB"), (10**16, "10000 TB")],
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert spell_bytes(count) == words
    assert spell_bytes(count, zh=True) == words.replace("bytes", "字节")


@given(count=st.integers(0, 10**18))
def test_bytes_in_words_are_short_and_have_a_unit(count: int) -> None:
    number, unit = spell_bytes(count).split()
    assert unit in disk.UNITS
    assert float(number) >= 0
    assert len(number) <= 7


@pytest.mark.parametrize(
    ("taken", "more", "free", "ceiling", "trouble"),
    [
        (60, 40, 10**12, 100, None),
        (61, 40, 10**12, 100, "over_disk_ceiling"),
        (61, 40, 10**12, None, None),
        (0, 100, 100 + disk.RESERVE_BYTES, None, None),
        (0, 100, 99 + disk.RESERVE_BYTES, None, "disk_nearly_full"),
    ],
)
def test_when_there_is_room(taken: int, more: int, free: int, ceiling: int | None, trouble: str | None) -> None:
    assert Room(taken, more, free, ceiling).trouble == trouble


def test_a_run_may_add_a_publication_and_its_blocks(root: Path) -> None:
    for name in ("p1", "p2"):
        (root / "parts" / name).mkdir()
        (root / "parts" / name / "x").write_text("x" * 10)
    latest = (root / "latest").resolve()
    assert measure_room(root).next_run_bytes == folder_bytes(latest)  # of a publication that tells no blocks
    manifest = {**read_manifest(latest), "counts": {"blocks": {"measured": 3}}}
    (latest / "manifest.json").write_text(json.dumps(manifest))
    assert measure_room(root).next_run_bytes == folder_bytes(latest) + 30
    assert measure_room(root.parent).next_run_bytes == 0


@pytest.mark.parametrize("full", [True, False])
def test_a_run_without_room_is_refused_before_anything_is_written(
    acreline: Acreline,  # noqa: F811
    repo: Path,
    tmp_path: Path,
    demo_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    full: bool,
) -> None:
    out = Path(shutil.copytree(demo_run, tmp_path / "out", symlinks=True))
    before = {path for path in out.rglob("*") if not {"log", "lock"} & {*path.parts}}
    if full:
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, 10**6))  # type: ignore[attr-defined]
    region = own_region(repo, tmp_path, **({} if full else {"disk_ceiling_gb": 0.003}))
    done = acreline("run", region, "--out", out, "--scheduled")
    words = ["has 1 MB free"] if full else ["disk_ceiling_gb is 0.003 (3 MB)"]
    refused(done, 6, "flanders-2018: not started", "--keep-days 0 --keep-last 1 --dry-run", *words)
    assert {path for path in out.rglob("*") if not {"log", "lock"} & {*path.parts}} == before
    assert read_lines(out)[-1]["exit"] == 6
    if full:
        return
    named = re.search(r"disk_ceiling_gb in the region file, to ([0-9.]+) at least", done.err)
    assert named is not None, "how much would do"
    room = measure_room(out, float(named[1]))
    assert room.trouble is None
    assert room.ceiling_bytes is not None
    assert room.ceiling_bytes - room.taken_bytes - room.next_run_bytes < 1_000_000, "and no more than that"
    assert "alarm over_disk_ceiling" in acreline("morning", out).out, "not only run_failed: the guide says what to do"


def test_a_disk_that_does_not_answer(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the disk does not answer"):
        check_room(read_region(own_region(repo, tmp_path)), tmp_path / "gone")
