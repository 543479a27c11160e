# SPDX-License-Identifier: Apache-2.0
"""Acts on one person's farms: given out with what shows them; what the person handed in goes, the log stays whole."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from acreline.chain import check_chain
from acreline.config import read_region
from acreline.decision_log import LOG_FILE, read_log
from acreline.errors import CreditError
from acreline.people.appeals import Shown, close_appeal, open_appeal
from acreline.people.ground import PhotoClaim
from acreline.people.override import Change, override_farm
from acreline.people.recompute import recompute_case
from acreline.person import delete_person, export_person
from acreline.plan import Plan, plan_run
from acreline.privacy import file_purpose
from acreline.replay import replay_run
from acreline.verify import verify_run
from tests.made_evidence import evidence_farm, publish_evidence
from tests.made_people import act_as, people_file, png
from tests.test_person import everything

pytestmark = pytest.mark.xdist_group("publish")
PERSON = "P-00001-CN"
"""Owns F-002 and F-003."""
WHY = "visited on the day: the field is as the farmer says"
LATER = datetime(2029, 4, 1, 12, tzinfo=UTC)
OVER = date(2029, 4, 1)


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture(scope="module")
def made(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photo and paper on F-002's appeal, which was closed; a paper on F-003; the same paper and another on F-006."""
    folder = tmp_path_factory.mktemp("personal")
    with pytest.MonkeyPatch.context() as patch:
        act_as(patch, "bo")
        patch.setenv("ACRELINE_PEOPLE", str(people_file(folder)))
        out = folder / "out"
        publication = publish_evidence(plan, out, tuple(evidence_farm(k) for k in range(10)))
        (folder / "photo.png").write_bytes(png())
        for name in ("own", "shared", "other"):
            (folder / f"{name}.txt").write_text(f"{name} paper", encoding="utf-8")
        claim = PhotoClaim(folder / "photo.png", "3.0,51.0", "2026-02-28T09:30+01:00")
        open_appeal(publication, "F-002", "more was grown", "explained", Shown(None, claim, [folder / "own.txt"]))
        recompute_case(publication, "A-0001")
        override_farm(publication, "F-003", Change("2000", "damage_on_ground", WHY, [folder / "shared.txt"]))
        papers = [folder / "shared.txt", folder / "other.txt"]
        override_farm(publication, "F-006", Change("2000", "damage_on_ground", WHY, papers))
        act_as(patch, "cy")
        close_appeal(publication, "A-0001", "uphold", "looked at it with the farmer")
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for room in ("person", "decision_log", "people.appeals"):
        monkeypatch.setattr(f"acreline.{room}.utc_now", lambda: LATER)
    monkeypatch.setenv("ACRELINE_PEOPLE", str(people_file(tmp_path)))
    return Path(shutil.copytree(made, tmp_path / "out", symlinks=True))


def latest(out: Path) -> Path:
    return (out / "latest").resolve()


def kinds(out: Path, farm_id: str) -> dict[str, str]:
    """Kind -> kept file that the log names for a farm."""
    return {one["kind"]: one["file"] for entry in read_log(out) if entry.get("farm_id") == farm_id
            for one in entry.get("evidence", ())}  # fmt: skip


def delete(out: Path, tmp_path: Path) -> dict[str, Any]:
    return delete_person([out], PERSON, OVER, receipt=tmp_path / "receipt.json")


def test_the_acts_on_a_persons_farms_are_given_out(out: Path) -> None:
    acts = export_person([out], PERSON)["acts"]
    assert [(act["event"], act["farm_id"]) for act in acts] == [
        ("appeal_opened", "F-002"),
        ("appeal_recomputed", "F-002"),
        ("override", "F-003"),
        ("appeal_closed", "F-002"),
    ]
    assert (acts[2]["reason"], acts[2]["why"], acts[2]["to"]["limit"]) == ("damage_on_ground", WHY, "2000")
    photo = next(one for one in acts[0]["evidence"] if one["kind"] == "photo")
    assert photo["file"] == f"{photo['sha256']}.png"
    assert photo["there"]
    assert photo["on_deletion"] == list(file_purpose("photo").told)
    explained = next(one for one in acts[0]["evidence"] if one["kind"] == "explanation")
    assert explained["on_deletion"][0].startswith("stays under the pseudonym")
    rows = {row["kind"]: row for row in export_person([out], PERSON)["kept_files"]}
    assert rows["photo"]["retention_months"] == 36
    assert rows["photo"]["readers"]
    assert not [act for act in acts if "by" in act]  # which officer it was is the officer's own data
    assert acts[2]["role"] == "officer"


def test_what_the_person_handed_in_goes_and_the_log_still_holds(out: Path, tmp_path: Path) -> None:
    mine, others = kinds(out, "F-002"), kinds(out, "F-006")
    before = (out / LOG_FILE).read_bytes()
    told = delete(out, tmp_path)
    gone = [mine["photo"], mine["place"], mine["document"]]
    assert sorted(told["evidence_removed"]) == sorted(gone)
    assert [name for name in gone if (out / "evidence" / name).exists()] == []
    for name in (mine["explanation"], mine["difference"], others["document"]):  # what decided, and others' papers
        assert (out / "evidence" / name).is_file()
    assert (out / LOG_FILE).read_bytes().startswith(before), "the log is added to, never rewritten"
    assert check_chain(out / LOG_FILE).faults == []
    assert [entry["event"] for entry in read_log(out)][-2:] == ["evidence_deleted", "person_deleted"]
    checked = verify_run(latest(out))
    assert checked.faults == ()
    assert any(line.startswith("evidence: 3 files were taken away 20") for line in checked.lines), checked.lines
    assert all(one.same for one in replay_run(latest(out), whole=True).decisions)
    assert PERSON not in everything(out)
    acts = export_person([out], told["pseudonym"])["acts"]
    assert len(acts) == 4
    assert not next(one for one in acts[0]["evidence"] if one["kind"] == "photo")["there"]


def test_a_paper_that_another_act_names_stays(out: Path, tmp_path: Path) -> None:
    """F-003 and F-006 are two persons' farms; the one paper on both stays for the other's sake."""
    shared = kinds(out, "F-003")["document"]
    assert delete(out, tmp_path)["evidence_removed"]
    assert (out / "evidence" / shared).is_file()
    stays = {one["file"]: one for one in json.loads((tmp_path / "receipt.json").read_text("utf-8"))["evidence_stays"]}
    assert stays[shared]["told"][0] == "stays: an act on another person's farm rests on the same file"
    explained = stays[kinds(out, "F-002")["explanation"]]
    assert explained["told"] == list(file_purpose("explanation").told)


def test_a_file_that_was_taken_away_without_a_word_is_still_missed(out: Path, tmp_path: Path) -> None:
    delete(out, tmp_path)
    left = kinds(out, "F-006")["document"]
    (out / "evidence" / left).unlink()
    assert any(f"missing: evidence/{left}" in fault for fault in verify_run(latest(out)).faults)


def test_runs_of_appeals_that_were_judged_again_are_found(out: Path, tmp_path: Path) -> None:
    again = out / "appeals" / "A-0001" / "run"
    for name in ("publications", "log"):
        shutil.copytree(out / name, again / name)
    assert len(export_person([out], PERSON)["publications"]) == 2
    assert len(delete(out, tmp_path)["publications"]) == 2
    assert PERSON not in everything(out)
    for publication in (*(out / "publications").iterdir(), *(again / "publications").iterdir()):
        assert [fault for fault in verify_run(publication).faults if "evidence/" not in fault] == []


def test_acts_have_their_own_term(out: Path, tmp_path: Path) -> None:
    with pytest.raises(CreditError, match="must stay with the act of 2026-03-01 until 2029-03-01"):
        delete_person([out], PERSON, date(2029, 3, 1), receipt=tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists()


def test_an_open_appeal_is_answered_first(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, "bo")
    open_appeal(latest(out), "F-003", "more was grown", "explained")
    for room in ("person", "decision_log"):
        monkeypatch.setattr(f"acreline.{room}.utc_now", lambda: LATER)
    with pytest.raises(CreditError, match="appeal A-0002 of F-003 is open"):
        delete(out, tmp_path)


def test_the_command_says_what_was_taken_away(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from acreline.cli import app

    app(
        ["person", "delete", str(out), "--person", PERSON, "--term-check", "2029-04-01", "--receipt",
         str(tmp_path / "r.json")], standalone_mode=False,
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "taken away: 3 files that the person handed in; the acts and the files' hashes stay in the log" in said
    assert "stays: 3 files (difference, document, explanation): the receipt says of each why" in said
    receipt = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert PERSON not in json.dumps(receipt)
    assert len(receipt["evidence_removed"]) == 3
    app(
        ["person", "export", str(out), "--person", receipt["pseudonym"], "--out", str(tmp_path / "e.json")],
        standalone_mode=False,
    )
    assert "and 4 acts of people with 6 kept files; beside each file, by its hash" in capsys.readouterr().out
