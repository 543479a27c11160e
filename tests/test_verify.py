# SPDX-License-Identifier: Apache-2.0
"""Later edits of a decision or of the log: each is found, and its line named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acreline.chain import Chain
from acreline.config import read_region
from acreline.decision_log import LOG_FILE, append_log, check_log, read_log
from acreline.hashing import digest, file_sha256
from acreline.plan import Plan, plan_run
from acreline.store import read_manifest
from acreline.verify import verify_run
from tests.made_evidence import edit_line, evidence_farm, publish_evidence

pytestmark = pytest.mark.xdist_group("publish")


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture(scope="module")
def made(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that has published twice."""
    out = tmp_path_factory.mktemp("evidence") / "out"
    publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(10)))
    publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(12)))
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out", symlinks=True))


def latest(out: Path) -> Path:
    return (out / "latest").resolve()


def faults(out: Path) -> str:
    return "\n".join(verify_run(latest(out)).faults)


def forge(publication: Path) -> None:
    """Make the manifest fit the files that lie there, as somebody would who knows how it is made."""
    manifest = read_manifest(publication)
    trail = publication / "trail.jsonl"
    last = json.loads(trail.read_text(encoding="utf-8").splitlines()[-1])
    manifest["files"]["trail.jsonl"] = file_sha256(trail)
    manifest["trail"]["chain"] = last["chain"]
    head = {name: value for name, value in manifest.items() if name not in ("publication_id", "files")}
    manifest["publication_id"] = digest([head, manifest["files"]])
    (publication / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


# --- untouched --------------------------------------------------------------------------------------------------------
def test_an_untouched_run_holds_and_tells_its_heads_and_who_signed(out: Path) -> None:
    found = verify_run(latest(out))
    assert found.faults == ()
    trail = json.loads((latest(out) / "trail.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    log = read_log(out)
    assert [entry["event"] for entry in log] == ["published", "published"]
    assert f"trail: 12 decisions in an unbroken chain, head {trail['chain']}" in found.lines
    assert f"decisions.jsonl: 2 lines in an unbroken chain, head {log[-1]['chain']}" in found.lines
    assert "author demo credit analyst (invented), approver demo risk committee (invented)" in found.lines[-1]
    assert log[-1]["by"]
    assert log[-1]["at"].endswith("+00:00")
    assert log[-1]["publication_id"] == latest(out).name


def test_a_run_without_news_adds_no_line(plan: Plan, out: Path) -> None:
    publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(12)))
    assert len(read_log(out)) == 2
    publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(10)))  # back to what was published once
    assert [entry["trail"]["lines"] for entry in read_log(out)] == [10, 12, 10]
    assert faults(out) == ""


def test_a_copy_without_its_log_is_told(out: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(latest(out), tmp_path / "copy"))
    found = verify_run(copy)
    assert found.faults == ()
    assert found.lines[-1] == "decisions.jsonl: no log of decisions belongs to this folder, so none was looked at"


# --- the trail --------------------------------------------------------------------------------------------------------
def raise_limit(raw: dict[str, Any]) -> None:
    raw["limit"], raw["outcome"] = "1000000", "approve"


def test_an_edited_decision_is_named(out: Path) -> None:
    edit_line(latest(out), 5, raise_limit)
    told = faults(out)
    assert "changed: trail.jsonl" in told
    assert "trail.jsonl: line 5 does not follow from the one before it" in told
    assert "(F-004)" in told
    assert "line 6" not in told


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:4] + lines[5:],
        lambda lines: [*lines[:4], lines[8], *lines[4:]],
        lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]],
    ],
    ids=["deleted", "inserted", "reordered"],
)
def test_a_decision_taken_out_put_in_or_moved_is_named(out: Path, change: Callable[[list[str]], list[str]]) -> None:
    path = latest(out) / "trail.jsonl"
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    assert "trail.jsonl: line 5 does not follow" in faults(out)


def test_a_trail_forged_with_its_manifest_is_found_by_the_log(out: Path) -> None:
    publication = latest(out)
    edit_line(publication, 5, raise_limit, reseal=True)
    assert "line 12 ends the chain in" in faults(out)
    forge(publication)
    assert "no line tells of publication" in faults(out)
    kept = read_manifest(publication) | {"publication_id": publication.name}
    assert "was logged with another chain of decisions" in check_log(publication, kept).faults[0]


# --- the log ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [lines[0].replace("demo risk", "other risk"), *lines[1:]], "decisions.jsonl: line 1 does not"),
        (lambda lines: lines[1:], "decisions.jsonl: line 1 does not follow"),
        (lambda lines: lines[::-1], "decisions.jsonl: line 1 does not follow"),
        (lambda lines: lines[:1], "no line tells of publication"),
        (lambda lines: [lines[0], lines[0], lines[1]], "decisions.jsonl: line 2 does not follow"),
        (lambda lines: [*lines, '{"event":"published"}'], "decisions.jsonl: line 3 has no chain"),
    ],
    ids=["edited", "first deleted", "reordered", "last deleted", "inserted", "appended"],
)
def test_an_edited_log_is_found(out: Path, change: Callable[[list[str]], list[str]], words: str) -> None:
    path = out / LOG_FILE
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    assert words in faults(out)


def test_a_log_that_was_taken_away_is_missed(out: Path) -> None:
    (out / LOG_FILE).unlink()
    assert faults(out) == "missing: log/decisions.jsonl: the log of decisions was taken away"


def test_a_publication_that_was_taken_away_whole_is_told(out: Path) -> None:
    [old] = [path for path in (out / "publications").iterdir() if path != latest(out)]
    shutil.rmtree(old)
    found = verify_run(latest(out))
    assert found.faults == ()  # folders may be cleared away for room; that it was there stays known
    assert found.lines[-1] == f"decisions.jsonl: publication {old.name} was logged and is not there any more"


def test_a_line_more_stands_at_the_end_of_the_chain(tmp_path: Path) -> None:
    first = append_log(tmp_path, lambda: ("published", {"publication_id": "a"}))
    second = append_log(tmp_path, lambda: ("published", {"publication_id": "b"}))
    log = read_log(tmp_path)
    assert [entry["chain"] for entry in log] == [first, second]
    assert Chain(first).seal(log[1]) == (tmp_path / LOG_FILE).read_text(encoding="utf-8").splitlines()[1]


def test_the_publication_knows_no_clock(plan: Plan, made: Path, tmp_path: Path) -> None:
    farms = tuple(evidence_farm(k) for k in range(10))
    again = publish_evidence(plan, tmp_path / "again", farms)
    other = publish_evidence(replace(plan, compiled=replace(plan.compiled, version="0" * 16)), tmp_path / "x", farms)
    assert (made / "publications" / again.name).is_dir()
    assert other.name != again.name
