# SPDX-License-Identifier: Apache-2.0
"""One person's data given out whole, and taken out of every file while the decisions stay provable."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from acreline.config import read_region
from acreline.decision_log import read_log
from acreline.errors import ConfigError, CreditError, StoreError
from acreline.person import delete_person, export_person, write_export
from acreline.plan import Plan, plan_run
from acreline.replay import replay_run
from acreline.report.portfolio import pack
from acreline.verify import verify_run
from tests.made_evidence import edit_line, evidence_farm, publish_evidence

pytestmark = pytest.mark.xdist_group("publish")
PERSON = "P-00001-CN"
"""Owns F-002 and F-003."""
PUBLISHED = datetime(2018, 12, 18, 12, tzinfo=UTC)
OVER = date(2021, 12, 19)


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture(scope="module")
def made(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evidence") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acreline.decision_log.utc_now", lambda: PUBLISHED)
        publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(10)))
        publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(12)))
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for room in ("person", "decision_log"):
        monkeypatch.setattr(f"acreline.{room}.utc_now", lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    return Path(shutil.copytree(made, tmp_path / "out", symlinks=True))


def everything(root: Path) -> str:
    """All text of a folder: its files as they are, and Parquet unpacked."""
    parts = [path.as_posix() for path in root.rglob("*")]
    for path in root.rglob("*"):
        if path.is_file():
            parts.append(path.read_bytes().decode("utf-8", errors="replace"))
            if path.suffix == ".parquet":
                parts.append(str(pq.read_table(path).to_pylist()))
    return "\n".join(parts)


def decisions(publication: Path) -> list[dict[str, Any]]:
    """The trail without chain and without the person."""
    lines = [json.loads(line) for line in (publication / "trail.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["chain"], line["farm"]["applicant"]["person_id"]
    return lines


def latest(out: Path) -> Path:
    return (out / "latest").resolve()


# --- given out --------------------------------------------------------------------------------------------------------
def test_all_that_is_held_is_given_out(out: Path, tmp_path: Path) -> None:
    letters = out / "letters"
    letters.mkdir()
    (letters / "F-002_zh.html").write_text("信", encoding="utf-8")
    (letters / "F-0020_zh.html").write_text("another's", encoding="utf-8")
    found = export_person([out, latest(out)], PERSON)
    assert len(found["publications"]) == 2  # a run named twice counts once, an older publication counts too
    for one in found["publications"]:
        assert [row["farm_id"] for row in one["applicants"]] == ["F-002", "F-003"]
        assert {row["person_id"] for row in one["applicants"]} == {PERSON}
        assert [row["farm_id"] for row in one["farms"]] == ["F-002", "F-003"]
        assert [row["outcome"] for row in one["decisions"]]
        assert all(row["trail"] for row in one["decisions"])
        assert sorted(row["id"] for row in one["parcels"]) == sorted(p for f in one["farms"] for p in f["parcel_ids"])
        assert all(row["geometry"].startswith("POLYGON") for row in one["parcels"])
        assert list(one["pages_and_letters"]) == ["F-002_zh.html"]
        assert one["log"][0]["event"] == "published"
    assert {row["name"] for row in found["purposes"]} >= {"person_id", "requested", "geometry"}
    write_export(found, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == found
    others = {evidence_farm(k).applicant.person_id for k in range(12)} - {PERSON}  # type: ignore[union-attr]
    assert not [name for name in others if name and name in json.dumps(found)]
    with pytest.raises(ConfigError, match="stands in none"):
        export_person([out], "P-99999-CN")


# --- taken out --------------------------------------------------------------------------------------------------------
def test_nothing_is_deleted_before_the_term_is_over(out: Path, tmp_path: Path) -> None:
    before = everything(out)
    receipt = tmp_path / "receipt.json"
    with pytest.raises(CreditError, match=r"must stay with the decision of 2018-12-18 until 2021-12-18"):
        delete_person([out], PERSON, date(2021, 12, 18), receipt=receipt)
    with pytest.raises(ConfigError, match="2026-03-02 lies ahead"):
        delete_person([out], PERSON, date(2026, 3, 2), receipt=receipt)
    assert everything(out) == before
    assert not receipt.exists()


def test_a_season_long_past_that_is_decided_today_is_kept_from_today_on(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "late"
    published = [datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 9, tzinfo=UTC)]
    monkeypatch.setattr("acreline.decision_log.utc_now", lambda: published[0])
    publish_evidence(plan, run, tuple(evidence_farm(k) for k in range(10)))
    for room in ("person", "decision_log"):
        monkeypatch.setattr(f"acreline.{room}.utc_now", lambda: datetime(2029, 2, 20, tzinfo=UTC))
    with pytest.raises(CreditError, match="must stay with the decision of 2026-02-01 until 2029-02-01"):
        delete_person([run], PERSON, date(2029, 2, 1), receipt=tmp_path / "r.json")
    delete_person([run], "P-00002-CN", date(2029, 2, 2), receipt=tmp_path / "other.json")
    # The publication has another name since; its term still counts from the day on which it was first published.
    with pytest.raises(CreditError, match="must stay with the decision of 2026-02-01 until 2029-02-01"):
        delete_person([run], PERSON, date(2029, 2, 1), receipt=tmp_path / "r.json")
    assert delete_person([run], PERSON, date(2029, 2, 2), receipt=tmp_path / "r.json")["decisions"] == 2


def test_a_deleted_person_occurs_nowhere_and_the_evidence_stays(out: Path, tmp_path: Path) -> None:
    (latest(out).parent.parent / "log" / "note.jsonl").write_text(f'{{"person": "{PERSON}"}}\n', encoding="utf-8")
    packed = f'<script type="application/json" class="detail">{pack({"farms": PERSON})}</script>'
    (latest(out).parent.parent / "log" / "page.html").write_text(packed, encoding="utf-8")
    assert PERSON in everything(out / "publications")
    kept, old = decisions(latest(out)), sorted(p.name for p in (out / "publications").iterdir())
    told = delete_person([out], PERSON, OVER, receipt=tmp_path / "receipt.json")
    assert PERSON not in everything(out / "publications")
    assert PERSON not in (out / "log" / "decisions.jsonl").read_text(encoding="utf-8")
    assert told["left"] == ["log/note.jsonl", "log/page.html"]  # what no publication holds is named, not rewritten
    assert decisions(latest(out)) == kept
    assert not set(old) & {p.name for p in (out / "publications").iterdir()}
    for publication in (out / "publications").iterdir():
        assert verify_run(publication).faults == ()
        assert all(one.same for one in replay_run(publication, whole=True).decisions)
    lines = [json.loads(line) for line in (latest(out) / "trail.jsonl").read_text(encoding="utf-8").splitlines()]
    names = [line["farm"]["applicant"]["person_id"] for line in lines]
    assert names[2] == names[3] == told["pseudonym"]  # still one person with two farms
    assert names[4:6] == ["P-00002-CN"] * 2


def test_the_log_and_the_receipt_prove_what_became_of_what(out: Path, tmp_path: Path) -> None:
    old = {p.name for p in (out / "publications").iterdir()}
    delete_person([out], PERSON, OVER, receipt=tmp_path / "receipt.json")
    receipt = json.loads((tmp_path / "receipt.json").read_text(encoding="utf-8"))
    assert PERSON not in json.dumps(receipt)
    assert receipt["decisions"] == 4
    assert {one["instead_of"] for one in receipt["publications"]} == old
    assert all(one["files_changed"] == ["trail.jsonl"] for one in receipt["publications"])
    assert all(one["trail"]["chain"] != one["trail_before"]["chain"] for one in receipt["publications"])
    log = read_log(out)
    assert [entry["event"] for entry in log] == ["published", "published", "person_deleted", "person_deleted"]
    assert receipt["log_heads"] == [log[-1]["chain"]]
    assert log[-1]["at"] == "2026-03-01T12:00:00+00:00"
    assert verify_run(latest(out)).lines[-1].startswith("person_deleted 2026-03-01")


def test_two_deletions_give_two_pseudonyms(made: Path, out: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made, tmp_path / "other", symlinks=True))
    one, two = (
        delete_person([run], PERSON, OVER, receipt=tmp_path / f"{run.name}.json")["pseudonym"] for run in (out, other)
    )
    assert one != two  # the salt is kept nowhere, so nobody can try ids against it


def test_a_run_without_news_does_not_bring_the_person_back(plan: Plan, out: Path, tmp_path: Path) -> None:
    delete_person([out], PERSON, OVER, receipt=tmp_path / "receipt.json")
    now = latest(out)
    assert publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(12))) == now
    assert PERSON not in everything(out / "publications")


def test_evidence_that_is_not_whole_is_not_rewritten(out: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    copy = Path(shutil.copytree(latest(out), tmp_path / "copy"))
    with pytest.raises(StoreError, match="a copy without its run folder"):
        delete_person([copy], PERSON, OVER, receipt=receipt)
    edit_line(latest(out), 1, lambda raw: raw.update(limit="5"))
    with pytest.raises(StoreError, match=r"nothing was deleted: 1 faults, first: changed: trail.jsonl"):
        delete_person([out], PERSON, OVER, receipt=receipt)
    receipt.write_text("{}")
    with pytest.raises(ConfigError, match="is there already"):
        delete_person([out], PERSON, OVER, receipt=receipt)


def test_an_id_that_also_names_a_farm_is_refused(plan: Plan, tmp_path: Path, out: Path) -> None:
    from dataclasses import replace

    farms = tuple(evidence_farm(k) for k in range(3))
    assert farms[1].applicant is not None
    mixed = (farms[0], replace(farms[1], applicant=replace(farms[1].applicant, person_id="F-001")), farms[2])
    publish_evidence(plan, tmp_path / "mixed", mixed)
    with pytest.raises(ConfigError, match="also the id of a farm or parcel"):
        delete_person([tmp_path / "mixed"], "F-001", OVER, receipt=tmp_path / "r.json")
