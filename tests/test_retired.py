# SPDX-License-Identifier: Apache-2.0
"""The stop switch: from its instant a retired policy is refused and a retired model decides nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from acreline.codes import explain_codes
from acreline.config import packaged_configs, read_region
from acreline.credit import explain_decision
from acreline.decision_log import read_log
from acreline.desk import decide_again
from acreline.errors import ConfigError
from acreline.plan import Plan, plan_run
from acreline.replay import replay_run
from acreline.retired import RetiredList, find_retired, model_names, read_retired
from acreline.store import read_manifest
from acreline.verify import verify_run
from tests.made_evidence import evidence_farm, publish_evidence

pytestmark = pytest.mark.xdist_group("publish")
BEFORE, AFTER = datetime(2026, 2, 28, 23, 59, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def own_list(folder: Path, kind: str, name: str, /, **changes: str) -> Path:
    path = folder / "retired.yaml"
    entry = {"kind": kind, "name": name, "from": "2026-03-01T08:00:00+08:00", "by": "Li Wei", "reason": "caps too high"}
    path.write_text(yaml.safe_dump({"retired": [entry | changes]}), encoding="utf-8")
    return path


def plan_with(repo: Path, retired: Path, now: datetime) -> Plan:
    region = read_region(repo / "configs" / "regions" / "flanders-2018.yaml")
    return plan_run(region.model_copy(update={"retired": retired}), now=now)


# --- the list ---------------------------------------------------------------------------------------------------------
def test_nothing_is_retired_as_it_comes_and_the_list_has_its_schema() -> None:
    assert read_retired() == ()
    folder = packaged_configs()
    assert (folder / "retired.yaml").read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=retired.")
    made = json.dumps(RetiredList.model_json_schema(), indent=2, sort_keys=True) + "\n"
    assert (folder / "retired.schema.json").read_text(encoding="utf-8") == made


def test_the_instant_counts_in_utc_whatever_its_offset(tmp_path: Path) -> None:
    stops = read_retired(own_list(tmp_path, "policy", "demo-1"))
    assert stops[0].since_utc == "2026-03-01 00:00 UTC"
    assert find_retired(stops, "policy", ("demo-1",), now=BEFORE) is None
    assert find_retired(stops, "policy", ("demo-1",), now=AFTER) == stops[0]
    assert find_retired(stops, "model", ("demo-1",), now=AFTER) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from": "2026-03-01T08:00:00"}, "should have timezone info"),
        ({"kind": "rule"}, "'policy' or 'model'"),
        ({"until": "2027"}, "unknown key"),
        ({"reason": ""}, "at least 3 characters"),
    ],
)
def test_a_wrong_entry_stops_the_work(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_retired(own_list(tmp_path, "policy", "demo-1", **changes))
    with pytest.raises(ConfigError, match="no such file"):
        read_retired(tmp_path / "none.yaml")


def test_a_list_of_the_whole_bank_counts_beside_the_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.setenv("ACRELINE_RETIRED_LIST", str(own_list(tmp_path / "a", "policy", "one")))
    assert [entry.name for entry in read_retired(own_list(tmp_path / "b", "model", "two"))] == ["one", "two"]


@pytest.mark.parametrize("name", ["acrenet-s", "acrenet-s@0.5.1", "f" * 64])
def test_a_model_goes_by_its_name_its_version_and_its_weights(tmp_path: Path, name: str) -> None:
    stops = read_retired(own_list(tmp_path, "model", name))
    assert find_retired(stops, "model", model_names("acrenet-s", "0.5.1", "f" * 64), now=AFTER) is not None
    assert find_retired(stops, "model", model_names("acrenet-m", "0.5.1", "e" * 64), now=AFTER) is None


# --- a policy ---------------------------------------------------------------------------------------------------------
def test_a_retired_policy_is_refused_before_work_by_name_of_who_and_when(
    repo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="acreline.retired")
    own = own_list(tmp_path, "policy", "demo-1")
    plan = plan_with(repo, own, BEFORE)
    with pytest.raises(ConfigError, match=r"policy demo-1 was retired on 2026-03-01 00:00 UTC by Li Wei: caps too"):
        plan_with(repo, own, AFTER)
    assert "policy refused: policy demo-1 was retired on 2026-03-01 00:00 UTC by Li Wei" in caplog.text
    version = own_list(tmp_path, "policy", f"demo-1@{plan.compiled.version}")
    with pytest.raises(ConfigError, match="was retired on"):
        plan_with(repo, version, AFTER)
    plan_with(repo, own_list(tmp_path, "policy", "demo-1@" + "0" * 16), AFTER)  # another version: this one holds


def test_an_old_run_is_not_decided_again_under_a_retired_policy(demo_run: Path, tmp_path: Path) -> None:
    publication, own = (demo_run / "latest").resolve(), own_list(tmp_path, "policy", "demo-1")
    assert len(decide_again(publication, "demo", retired=own, now=BEFORE)[1]) == 7
    with pytest.raises(ConfigError, match="by Li Wei"):
        decide_again(publication, "demo", retired=own, now=AFTER)  # judged by the clock, not by the run's as-of of 2018


# --- a model ----------------------------------------------------------------------------------------------------------
def test_open_cases_of_a_retired_model_go_to_a_person(demo_run: Path, tmp_path: Path) -> None:
    publication = (demo_run / "latest").resolve()
    own = own_list(tmp_path, "model", "acrenet-s")
    before, same = decide_again(publication, "demo", retired=own, now=BEFORE)
    assert same == before
    _, after = decide_again(publication, "demo", retired=own, now=AFTER)
    assert {(d.outcome, d.limit, d.reasons) for d in after} == {("refer", None, ("model_retired",))}
    told = "\n".join(explain_decision(after[0], "en"))
    assert "The measuring model acrenet-s was stopped on 2026-03-01 00:00 UTC by Li Wei (caps too high)" in told
    assert "模型已停用" in explain_codes("model_retired", "zh")[0]


def test_a_run_with_a_retired_model_publishes_referrals_and_says_who(repo: Path, tmp_path: Path) -> None:
    farms = tuple(evidence_farm(k) for k in range(12))
    own = own_list(tmp_path, "model", "acrenet-s@0.5.1")
    free = publish_evidence(plan_with(repo, own, BEFORE), tmp_path / "out", farms)
    plan = plan_with(repo, own, AFTER)
    held = publish_evidence(plan, tmp_path / "out", farms)
    assert read_manifest(free)["counts"]["farms"]["approve"] > 0
    assert read_manifest(held)["counts"]["farms"] == {"in": 12, "approve": 0, "refer": 12, "decline": 0}
    by = read_log(tmp_path / "out")[-1]["model_retired"]
    assert (by["by"], by["from"], by["name"]) == ("Li Wei", "2026-03-01 00:00 UTC", "acrenet-s@0.5.1")
    assert verify_run(held).faults == ()
    done = replay_run(held, whole=True, now=AFTER)
    assert all(one.same for one in done.decisions)
    assert all(one.same for one in replay_run(free, whole=True, now=AFTER).decisions)  # what was decided before stays
