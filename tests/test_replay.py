# SPDX-License-Identifier: Apache-2.0
"""Past decisions made again from a publication alone: the same bytes, or what changed by name."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from acreline import config, lineage
from acreline.config import read_region
from acreline.credit import batch_to_json, find_totals
from acreline.errors import ConfigError, StoreError
from acreline.hashing import file_sha256
from acreline.lineage import LINEAGE_FILE, read_lineage
from acreline.plan import Plan, plan_run
from acreline.replay import Replay, Replayed, replay_lines, replay_run
from tests.made_evidence import DAY, FARMS, edit_line, evidence_farm, farm_name, publish_evidence

pytestmark = pytest.mark.xdist_group("publish")


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture(scope="module")
def published(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_evidence(plan, tmp_path_factory.mktemp("evidence") / "out")


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    """The publication on another machine: its folder, and nothing beside it."""
    return Path(shutil.copytree(published, tmp_path / "copied"))


def changes(replay: Replay) -> dict[str, tuple[str, ...]]:
    return {one.farm_id: one.changes for one in replay.decisions if not one.same}


# --- the same ---------------------------------------------------------------------------------------------------------
def test_a_hundred_decisions_are_made_again_byte_for_byte_without_any_other_file(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file(*_: Any) -> Any:
        raise AssertionError("a policy, region or crop file was asked")

    for name in ("read_policy", "read_region", "find_config", "packaged_crops"):
        monkeypatch.setattr(config, name, no_file)
    with pytest.raises(Exception, match="socket"):
        socket.socket(socket.AF_INET).connect(("192.0.2.1", 80))  # pytest-socket: there is no network in a test
    done = replay_run(copy, whole=True)
    assert [one.farm_id for one in done.decisions] == [farm_name(k) for k in range(FARMS)]
    assert changes(done) == {}
    assert done.notes == ()
    assert replay_lines(done) == ["100 of 100 decisions: same, byte for byte (100 in the trail)"]
    outcomes = Counter(json.loads(line)["outcome"] for line in (copy / "trail.jsonl").read_text().splitlines())
    assert outcomes["approve"] > 20
    assert outcomes["refer"] > 20


def test_a_persons_farms_are_counted_though_one_is_asked_for(copy: Path) -> None:
    lines = (copy / "trail.jsonl").read_text(encoding="utf-8").splitlines()
    persons = [json.loads(line)["lineage"]["person"] for line in lines]
    assert [person and person["farms"] for person in persons] == [2] * 10 + [None] * 90
    (copy / "trail.jsonl").write_text("".join(f"{line}\n" for line in lines[:9]), encoding="utf-8")
    assert replay_run(copy, ["F-008"]).decisions[0].same  # what it must know of the others stands in its own line


def test_one_farm_is_named_and_an_unknown_one_refused(copy: Path) -> None:
    assert replay_lines(replay_run(copy, ["F-004"])) == ["F-004: same, byte for byte"]
    with pytest.raises(ConfigError, match="no farm 'F-900'"):
        replay_run(copy, ["F-900"])


def test_the_decisions_of_the_demo_are_made_again(demo_run: Path) -> None:
    done = replay_run((demo_run / "latest").resolve(), whole=True)
    assert all(one.same for one in done.decisions)
    assert len(done.decisions) == 7


# --- what changed -----------------------------------------------------------------------------------------------------
def test_a_changed_number_of_the_policy_is_told_with_what_it_does(copy: Path) -> None:
    path = copy / LINEAGE_FILE
    kept = json.loads(path.read_text(encoding="utf-8"))
    [capacity] = [rule for rule in kept["policy"]["text"]["rules"] if rule["rule"] == "capacity"]
    capacity["settings"]["share"] = "0.3"
    path.write_text(json.dumps(kept), encoding="utf-8")
    found = changes(replay_run(copy, whole=True))
    assert len(found) == FARMS
    told = next(words for words in found.values() if any(line.startswith("limit: ") for line in words))
    assert told[0].startswith(f"{LINEAGE_FILE} is not the one this decision was made with")
    assert told[1].startswith("policy: decided under demo-1@")
    assert "capacity, share: 40 % -> 30 %" in told


def test_a_changed_fact_is_named_with_the_difference(copy: Path) -> None:
    def fewer_looks(raw: dict[str, Any]) -> None:
        raw["farm"]["clear_looks"] = 3

    def a_debt(raw: dict[str, Any]) -> None:
        raw["farm"]["applicant"]["existing_debt"] = "2000"

    edit_line(copy, 14, fewer_looks)
    edit_line(copy, 12, a_debt)
    found = changes(replay_run(copy, whole=True))
    assert sorted(found) == ["F-011", "F-013"]
    assert "fact clear_looks (F-013): 12 in farms.parquet, 3 in the trail" in found["F-013"]
    assert "outcome: approve -> refer" in found["F-013"]
    assert any(line.startswith("reasons: ") and line.endswith("insufficient_imagery") for line in found["F-013"])
    assert "capacity, existing_debt: 100 CNY -> 2,000 CNY" in found["F-011"]


def test_a_changed_outcome_and_a_fact_no_rule_looks_at_are_told(copy: Path) -> None:
    def more_money(raw: dict[str, Any]) -> None:
        raw["limit"] = "900000"

    def insured(raw: dict[str, Any]) -> None:
        raw["farm"]["applicant"]["insured_sum"] = "7"

    edit_line(copy, 13, more_money)
    edit_line(copy, 17, insured)
    found = changes(replay_run(copy, whole=True))
    assert sorted(found) == ["F-012", "F-016"]
    assert found["F-012"][0].startswith("limit: 900000 -> ")
    assert found["F-016"] == ("line 17 of the trail was edited since: the decision holds, its seal does not",)


def test_another_version_of_the_code_is_noted(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.replay.__version__", "9.0.0")
    done = replay_run(copy, ["F-004"])
    assert done.notes == (f"code: made by acreline {lineage.__version__}, made again by 9.0.0",)
    assert done.decisions[0].same  # other code, the same bytes
    monkeypatch.setattr("acreline.replay.__version__", lineage.__version__)
    monkeypatch.setattr("acreline.replay.deciding_code", lambda: "0" * 16)
    assert replay_run(copy, ["F-004"]).notes[0].startswith("code: made by the rules' code ")


def test_code_that_decides_otherwise_is_told_with_the_difference(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.credit.assess.floor_to", lambda amount, multiple: amount // 1 * 1)
    monkeypatch.setattr("acreline.replay.deciding_code", lambda: "0" * 16)
    done = replay_run(copy, whole=True)
    approved = [words for words in changes(done).values() if words[0].startswith("limit: ")]
    assert len(approved) > 20
    assert done.notes[0].startswith("code: ")


def test_a_policy_retired_since_still_tells_what_it_decided(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "retired.yaml"
    own.write_text(
        "retired:\n- {kind: policy, name: demo-1, from: 2026-03-01T00:00:00Z, by: Li Wei, reason: caps too high}\n"
    )
    monkeypatch.setenv("ACRELINE_RETIRED_LIST", str(own))
    before, after = (replay_run(copy, ["F-004"], now=datetime(2026, m, 1, 0, 0, tzinfo=UTC)) for m in (2, 3))
    assert before.notes == ()
    assert after.notes == (
        "the policy demo-1 was retired on 2026-03-01 00:00 UTC by Li Wei: caps too high; it decides nothing new",
    )
    assert after.decisions[0].same


def test_what_cannot_be_made_again_is_refused_in_words(copy: Path) -> None:
    (copy / "trail.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be made again"):
        replay_run(copy)
    (copy / LINEAGE_FILE).unlink()
    with pytest.raises(StoreError, match="keep no lineage"):
        replay_run(copy)


# --- what a decision rests on -----------------------------------------------------------------------------------------
def test_every_decision_names_what_it_rests_on(published: Path, plan: Plan) -> None:
    kept = read_lineage(published)
    for text in (published / "trail.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        assert line["lineage"]["shared"] == file_sha256(published / LINEAGE_FILE)
        assert [parcel for parcel, _, _ in line["lineage"]["parcels"]] == line["farm"]["parcel_ids"]
        assert all(len(outline) == 64 for _, _, outline in line["lineage"]["parcels"])
        assert line["policy_id"] == kept["policy"]["name"] == plan.compiled.name
        assert line["as_of"] == "2018-12-15"
    assert set(kept["inputs"]) == {"region", "parcels", "applicants", "weather"}
    card = plan.model.card
    assert kept["model"]["weights_sha256"] == card.weights_sha256
    assert len(kept["model"]["card_sha256"]) == 64
    assert kept["policy"]["text"]["author"] != kept["policy"]["text"]["approver"]
    assert kept["mask"]["band"] == "SCL"
    assert kept["crops"]["maize"]["price_per_kg"]["value"] > 0
    farms = [evidence_farm(k) for k in range(FARMS)]
    assert kept["totals"] == batch_to_json(farms, find_totals(farms, plan.compiled, as_of=DAY))[0]
    assert kept["totals"]["farms"] == FARMS
    assert kept["totals"]["value_low_by_crop"]
    assert len(kept["code"]["decides"]) == 16


def test_the_scenes_of_the_demo_are_kept_with_their_offset(demo_run: Path) -> None:
    kept = read_lineage(demo_run / "latest")
    assert len(kept["scenes"]) == 108
    first = kept["scenes"][0]
    assert {"scene_id", "baseline", "dn_offset", "offset_how", "tile"} <= set(first)
    assert first["offset_how"]
    line = json.loads((demo_run / "latest" / "trail.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert {tile for _, tile, _ in line["lineage"]["parcels"]} == {"31UDS"}


def test_the_sums_do_not_depend_on_the_order(plan: Plan) -> None:
    farms = [evidence_farm(k) for k in range(20)]
    forth, back = (find_totals(some, plan.compiled, as_of=DAY) for some in (farms, farms[::-1]))
    assert batch_to_json(farms, forth) == batch_to_json(farms, back)


def test_the_same_inputs_give_the_same_publication(plan: Plan, published: Path, tmp_path: Path) -> None:
    again = publish_evidence(plan, tmp_path / "elsewhere")
    assert again.name == published.name
    for path in published.rglob("*"):
        if path.is_file():
            other = again / path.relative_to(published)
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest(), path.name


def test_a_fact_by_which_several_steps_differ_is_told_once() -> None:
    changed = Replayed("F-1", same=False, changes=("seen: 1 -> 2", "limit: 3 -> 4", "seen: 1 -> 2"))
    told = replay_lines(Replay((), (changed, Replayed("F-2", same=True)), of=9))
    assert told == ["F-1: not the same", "  seen: 1 -> 2", "  limit: 3 -> 4", "F-2: same, byte for byte"]
