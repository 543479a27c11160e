# SPDX-License-Identifier: Apache-2.0
"""An objection stops the automatic path for its farm alone, starts a clock, and ends by another person's decision."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from acreline.chain import check_chain
from acreline.config import read_region
from acreline.credit import decision_from_json, machine_word, named_amount, refer_reviewed, review_of
from acreline.decision_log import LOG_FILE, read_log
from acreline.desk import decide_again, explain_farm, farm_rows, read_farms, read_trail
from acreline.errors import AcrelineError, ConfigError, CreditError, InputError, StoreError
from acreline.people.acts import Act, Amount, acts_of, read_acts, stand
from acreline.people.appeals import Shown, close_appeal, open_appeal, open_reviews, read_appeals
from acreline.people.ground import PhotoClaim, read_boundary
from acreline.people.override import Change, override_farm
from acreline.people.recompute import difference_lines, recompute_case
from acreline.people.tell import case_lines, case_rows, report_lines
from acreline.plan import Plan, plan_run
from acreline.publish import publish_run
from acreline.records import Decision
from acreline.replay import replay_run
from acreline.report.portfolio import read_cases
from acreline.store import Store, read_manifest
from acreline.verify import verify_run
from tests.made_evidence import evidence_facts, evidence_farm, no_pages, publish_evidence
from tests.made_people import NOW, act_as, people_file, png
from tests.test_publish import NOTHING

pytestmark = pytest.mark.xdist_group("publish")
WHY = "my field is longer than it was drawn"
FARMS = tuple(evidence_farm(k) for k in range(10))


@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture(scope="module")
def made(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("appeals") / "out"
    publish_evidence(plan, out, FARMS)
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    act_as(monkeypatch, "bo")
    monkeypatch.setenv("ACRELINE_PEOPLE", str(people_file(tmp_path)))
    return Path(shutil.copytree(made, tmp_path / "out", symlinks=True))


def latest(out: Path) -> Path:
    return (out / "latest").resolve()


def decision(out: Path, farm_id: str) -> Decision:
    return next(decision_from_json(line) for line in read_trail(latest(out)) if line["farm_id"] == farm_id)


def opened(out: Path, farm_id: str = "F-003", shown: Shown | None = None) -> Act:
    return open_appeal(latest(out), farm_id, WHY, "approved, because", shown)


def close(out: Path, how: str, to: str | None = None, case: str = "A-0001") -> Act:
    return close_appeal(latest(out), case, how, "looked at it with the farmer", to=to)


def now(out: Path, farm_id: str = "F-003") -> Amount:
    return stand(decision(out, farm_id), read_acts(out).get(farm_id, ())).amount


def publish_again(plan: Plan, out: Path) -> Path:
    """What a run does at its end: the open cases are left to a person."""
    facts = evidence_facts(plan, FARMS)
    facts = replace(facts, decisions=tuple(refer_reviewed(facts.decisions, open_reviews(out))))
    with no_pages():
        return publish_run(plan, facts, NOTHING, Store(out))[0]


def geojson(path: Path, *features: dict[str, Any], **more: Any) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features), **more}), encoding="utf-8")
    return path


def feature(shape: Any, **properties: str) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(shape))}


def outline(out: Path, farm_id: str) -> tuple[str, Any]:
    """A parcel of the farm, with its outline."""
    from acreline.people.ground import farm_outlines

    return next(iter(sorted(farm_outlines(latest(out), farm_id).items())))


# --- opening ----------------------------------------------------------------------------------------------------------
def test_a_case_keeps_the_explanation_and_starts_the_clock(out: Path) -> None:
    act = opened(out)
    line = read_log(out)[-1]
    assert (line["event"], line["case"], line["by"], line["due"]) == ("appeal_opened", "A-0001", "bo", "2026-03-21")
    [kept] = line["evidence"]
    assert kept["kind"] == "explanation"
    assert (out / "evidence" / kept["file"]).read_text(encoding="utf-8") == "approved, because"
    assert act.values["why"] == WHY
    assert now(out) == Amount("refer", None)
    assert verify_run(latest(out)).faults == ()
    told = explain_farm(latest(out), "F-003", "en")[1]
    assert told == "Under review since 2026-03-01: appeal A-0001, a person answers by 2026-03-21."
    assert explain_farm(latest(out), "F-003", "zh")[1].startswith("2026-03-01起复核中：申诉A-0001")


def test_an_open_appeal_refers_the_farm_and_nobody_else(plan: Plan, out: Path) -> None:
    before = {line["farm_id"]: line for line in read_trail(latest(out))}
    old = decision(out, "F-003")
    opened(out)
    _, after = decide_again(latest(out), "demo")
    held = {one.farm_id: one for one in after}
    assert (held["F-003"].outcome, held["F-003"].limit, held["F-003"].reasons) == ("refer", None, ("under_review",))
    again = publish_again(plan, out)
    now_held = {line["farm_id"]: line for line in read_trail(again)}
    assert now_held["F-003"]["reasons"] == ["under_review"]
    for name, line in now_held.items():
        if name != "F-003":  # nobody else is lowered, or moved at all
            assert {k: v for k, v in line.items() if k != "chain"} == {
                k: v for k, v in before[name].items() if k != "chain"
            }
    new = decision_from_json(now_held["F-003"])
    assert review_of(new) == {"case": "A-0001", "since": "2026-03-01"}
    assert machine_word(new) == (old.outcome, old.limit)
    assert named_amount(new) == old.limit
    assert all(step.before is None and step.after is None for step in new.trail)
    assert verify_run(again).faults == ()
    assert all(one.same for one in replay_run(again, whole=True).decisions)


def test_the_path_opens_again_when_the_case_is_closed(plan: Plan, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, limit = latest(out), decision(out, "F-003").limit or Decimal(0)
    opened(out)
    publish_again(plan, out)
    act_as(monkeypatch, "cy")
    close(out, "change", str(limit + 700))
    assert now(out) == Amount("approve", limit + 700)  # on the publication that was made while it was open, too
    assert publish_again(plan, out) == first
    assert now(out) == Amount("approve", limit + 700)
    assert open_reviews(out) == {}


def test_a_run_reads_the_open_cases_and_stops_at_a_log_that_does_not_hold(
    plan: Plan, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acreline import run

    opened(out)
    path = out / LOG_FILE
    path.write_text(path.read_text(encoding="utf-8").replace(WHY, "my field is shorter than it was drawn"))
    monkeypatch.setattr(run, "plan_run", lambda *_, **__: plan)
    monkeypatch.setattr(run, "read_inputs", lambda *_, **__: pytest.fail("work was begun"))
    with pytest.raises(StoreError, match="does not hold"):
        run.run_region(plan.region, Store(out))


def test_what_stands_is_in_the_table_of_the_run(out: Path) -> None:
    opened(out)
    farms, _ = read_farms(latest(out))
    decided = [decision_from_json(line) for line in read_trail(latest(out))]
    rows = {row[0]: row for row in farm_rows(farms, decided, acts=read_acts(out))}
    plain = {row[0]: row for row in farm_rows(farms, decided)}
    assert rows["F-003"][6:] == ("-", "refer", explain_farm(latest(out), "F-003", "en")[1])
    assert {name for name in rows if rows[name] != plain[name]} == {"F-003"}


def test_a_second_case_waits_for_the_first(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(out)
    with pytest.raises(CreditError, match="appeal A-0001 is open already, opened on 2026-03-01"):
        opened(out)
    act_as(monkeypatch, "cy")
    with pytest.raises(CreditError, match="appeal A-0001 is open, which decides it"):
        override_farm(latest(out), "F-003", Change("1000", "asked_for_less", WHY))
    close(out, "uphold")
    assert opened(out).values["case"] == "A-0002"


# --- what a farmer brings ---------------------------------------------------------------------------------------------
def test_an_outline_a_photo_and_papers_are_kept_without_exact_place_or_name(out: Path, tmp_path: Path) -> None:
    name, old = outline(out, "F-003")
    new = shapely.union(old, shapely.affinity.translate(old, 0.0004, 0))
    boundary = geojson(tmp_path / "b.geojson", feature(new, parcel_id=name, owner="Zhang San"))
    (tmp_path / "p.png").write_bytes(png())
    (tmp_path / "d.pdf").write_bytes(b"%PDF-1.4 lease")
    inside = old.representative_point()
    claim = PhotoClaim(tmp_path / "p.png", f"{inside.x:.6f},{inside.y:.6f}", "2026-02-28T09:30+08:00")
    line = opened(out, shown=Shown(boundary, claim, [tmp_path / "d.pdf"])).values
    assert [one["kind"] for one in line["evidence"]] == ["explanation", "boundary", "photo", "place", "document"]
    assert line["photo"] == {
        "time": "2026-02-28T09:30:00+08:00",
        "near": [round(inside.x, 2), round(inside.y, 2)],
        "inside": True,
        "metres": 0,
    }
    told = line["boundary"][name]
    assert told["new_area_m2"] > told["area_m2"] > 0
    assert told["inside_old"] == pytest.approx(told["area_m2"] / told["new_area_m2"], abs=0.002)
    log = (out / LOG_FILE).read_text(encoding="utf-8")
    assert "Zhang" not in log
    assert f"{inside.x:.4f}" not in log
    kept = "".join((out / "evidence" / one["file"]).read_text(encoding="latin-1") for one in line["evidence"])
    assert "Zhang" not in kept
    assert f"{inside.x:.6f}" in kept
    assert verify_run(latest(out)).faults == ()


def test_a_photo_from_elsewhere_is_told_with_its_distance(out: Path, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(png())
    _, shape = outline(out, "F-003")
    west, south, _, _ = shape.bounds
    place = f"{west:.6f},{south - 0.02:.6f}"
    claim = PhotoClaim(tmp_path / "p.png", place, "2026-02-28T09:30+08:00")
    photo = opened(out, shown=Shown(photo=claim)).values["photo"]
    assert not photo["inside"]
    assert 2000 < photo["metres"] < 2600


@pytest.mark.parametrize(
    ("place", "time", "words"),
    [
        ("3.1", "2026-02-28T09:30+08:00", "cannot be read"),
        ("3.1,51", "yesterday", "cannot be read"),
        ("3.1,151", "2026-02-28T09:30+08:00", "nowhere on earth"),
        ("nan,51", "2026-02-28T09:30+08:00", "nowhere on earth"),
        ("3.1,51", "2026-02-28T09:30", "without its offset"),
        ("3.1,51", "2026-03-02T09:30+08:00", "lies ahead"),
    ],
)
def test_a_place_or_time_that_cannot_be_is_refused(
    out: Path, tmp_path: Path, place: str, time: str, words: str
) -> None:
    (tmp_path / "p.png").write_bytes(png())
    with pytest.raises(ConfigError, match=words):
        opened(out, shown=Shown(photo=PhotoClaim(tmp_path / "p.png", place, time)))
    assert len(read_log(out)) == 1


SQUARE = shapely.box(3.0, 51.0, 3.001, 51.001)
BOW = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


@pytest.mark.parametrize(
    ("features", "more", "words"),
    [
        ([], {}, "no features"),
        ([feature(SQUARE, parcel_id="X")], {}, "'X' is no parcel of this farm"),
        ([feature(SQUARE)], {}, "'' is no parcel of this farm"),
        ([feature(SQUARE, id="a"), feature(SQUARE, parcel_id="a")], {}, "parcel a stands twice"),
        ([feature(shapely.Point(3, 51), id="a")], {}, "no polygon"),
        ([{"properties": {"id": "a"}, "geometry": None}], {}, "no geometry"),
        ([{"properties": {"id": "a"}, "geometry": {"type": "Ring"}}], {}, "no geometry"),
        ([feature(BOW, id="a")], {}, "Self-intersection"),
        ([feature(shapely.box(3000, 51, 3001, 52), id="a")], {}, "outside longitude and latitude"),
        ([feature(SQUARE, id="a")], {"crs": {"properties": {"name": "EPSG:32631"}}}, "in another system"),
    ],
)
def test_an_outline_that_cannot_be_taken_is_refused(
    tmp_path: Path, features: list[dict[str, Any]], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_boundary(geojson(tmp_path / "b.geojson", *features, **more), ["a", "b"])


def test_a_file_that_is_no_json_is_refused_and_one_parcel_needs_no_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_boundary(tmp_path / "x", ["a"])
    found = read_boundary(geojson(tmp_path / "b.geojson", feature(SQUARE)), ["a"])
    assert found.shapes["a"].equals(SQUARE)
    assert read_boundary(geojson(tmp_path / "c.geojson", feature(SQUARE, id="a", owner="X")), ["a"]) == found


# --- closing ----------------------------------------------------------------------------------------------------------
def test_another_person_upholds_or_changes(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = decision(out, "F-003").limit or Decimal(0)
    opened(out)
    act_as(monkeypatch, "cy", NOW + timedelta(days=21))
    line = close(out, "uphold").values
    assert (line["days"], line["in_time"], line["to"], line["decision"]) == (21, False, None, "uphold")
    assert now(out) == Amount("approve", limit)
    assert explain_farm(latest(out), "F-003", "en")[1] == (
        "Appeal A-0001 was looked at by an officer on 2026-03-22: upheld."
    )
    act_as(monkeypatch, "bo")
    opened(out)
    act_as(monkeypatch, "di")
    line = close(out, "change", str(limit + 100), "A-0002").values
    assert line["from"] == {"outcome": "approve", "limit": str(limit)}
    told = explain_farm(latest(out), "F-003", "en")[1]
    amounts = f"from {limit:,} CNY to {limit + 100:,} CNY"
    assert told == f"An officer raised your limit {amounts} on 2026-03-01, after appeal A-0002."
    zh = explain_farm(latest(out), "F-003", "zh")[1]
    assert zh == f"2026-03-01申诉A-0002复核后，工作人员将您的额度由{limit:,}元上调至{limit + 100:,}元。"
    assert now(out) == Amount("approve", limit + 100)


@pytest.mark.parametrize(
    ("user", "how", "to", "kind", "words"),
    [
        ("bo", "uphold", None, CreditError, "role officer may not decide an appeal"),
        ("zoe", "uphold", None, CreditError, "holds no role"),
        ("di", "uphold", None, CreditError, "di decided F-003 before: an appeal needs another pair of eyes"),
        ("cy", "change", None, ConfigError, "--decision change"),
        ("cy", "uphold", "9000", ConfigError, "--decision uphold --to 9000"),
        ("cy", "drop", None, ConfigError, "--decision drop"),
        (
            "cy",
            "change",
            "800",
            CreditError,
            "an appeal does not end in less than what stood: a limit of 800 CNY instead",
        ),
        ("cy", "change", "refuse", CreditError, "an appeal does not end in less"),
        ("cy", "change", "90001", CreditError, "above the authority of cy"),
    ],
)
def test_who_may_not_or_cannot_close_is_refused(
    out: Path, monkeypatch: pytest.MonkeyPatch, user: str, how: str, to: str | None, kind: type[Exception], words: str
) -> None:
    act_as(monkeypatch, "di")
    override_farm(latest(out), "F-003", Change("900", "asked_for_less", WHY))
    act_as(monkeypatch, "bo")
    opened(out)
    before = (out / LOG_FILE).read_bytes()
    act_as(monkeypatch, user)
    with pytest.raises(kind, match=words):
        close(out, how, to)
    assert (out / LOG_FILE).read_bytes() == before


def test_who_opened_a_case_neither_closes_it_nor_overrides_after_it(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, "cy")
    opened(out)
    with pytest.raises(CreditError, match="cy opened an appeal for F-003, and cannot decide it as well"):
        close(out, "uphold")
    act_as(monkeypatch, "di")
    close(out, "uphold")
    act_as(monkeypatch, "cy")
    with pytest.raises(CreditError, match="cy opened an appeal for F-003"):
        override_farm(latest(out), "F-003", Change("900", "asked_for_less", WHY))
    with pytest.raises(CreditError, match="appeal A-0001 was closed on 2026-03-01 by di"):
        close(out, "uphold")
    with pytest.raises(ConfigError, match="no appeal 'A-0009'"):
        close(out, "uphold", case="A-0009")


# --- what stands when the machine comes to another decision -----------------------------------------------------------
def acts_with(machine: Amount, to: Amount) -> tuple[Act, ...]:
    values = {"machine": machine.facts(), "from": machine.facts(), "to": to.facts(), "farm_id": "F", "reason": "x"}
    return acts_of([{"event": "override", "at": "2026-03-01T00:00:00+00:00", "by": "bo", **values}])["F"]


def test_a_grant_above_the_machines_is_looked_at_again_when_that_changes() -> None:
    was, more, less = (Amount("approve", Decimal(amount)) for amount in (8000, 9000, 5000))
    no = Amount("decline", Decimal(0))
    told = Decision("F", "approve", Decimal(8000), "CNY", "cap", ("cap",), "p@1", date(2026, 1, 1), ())
    worse = replace(told, limit=Decimal(6000))
    better = replace(told, limit=Decimal(9500))
    assert stand(told, acts_with(was, more)).amount == more
    assert stand(worse, acts_with(was, more)).overtaken
    assert stand(worse, acts_with(was, more)).amount == Amount("refer", None)
    assert stand(replace(told, outcome="refer", limit=None), acts_with(was, more)).overtaken
    assert stand(better, acts_with(was, more)).amount == more
    for lower in (less, no, Amount("refer", None)):  # what a person lowered stays until a person raises it
        assert stand(worse, acts_with(was, lower)).amount == lower
        assert not stand(better, acts_with(was, lower)).overtaken


def test_a_grant_that_was_overtaken_says_so() -> None:
    from acreline.people.tell import stand_lines

    told = Decision("F", "approve", Decimal(6000), "CNY", "cap", ("cap",), "p@1", date(2026, 1, 1), ())
    now = stand(told, acts_with(Amount("approve", Decimal(8000)), Amount("approve", Decimal(9000))))
    assert stand_lines(now, "CNY") == [
        "An officer raised your limit from 8,000 CNY to 9,000 CNY on 2026-03-01: x.",
        "Since then the machine's decision has changed from a limit of 8,000 CNY to a limit of 6,000 CNY: "
        "a person looks again.",
    ]
    assert stand_lines(now, "CNY", "zh")[1] == ("此后系统结果由“额度8,000元”变为“额度6,000元”，将由工作人员重新确认。")


# --- judged again -----------------------------------------------------------------------------------------------------
def test_without_a_corrected_outline_the_facts_are_decided_again(out: Path) -> None:
    opened(out)
    found = recompute_case(latest(out), "A-0001")
    lines = difference_lines(found)
    assert lines[0] == "A-0001, F-003: decided again on the facts as they are"
    assert lines[1].startswith("same: land, mu, planted, mu")
    assert "nothing is decided by this" in lines[-1]
    line = read_log(out)[-1]
    assert (line["event"], line["how"], line["new"]) == ("appeal_recomputed", "facts", line["machine"])
    kept = json.loads((out / "evidence" / line["evidence"][0]["file"]).read_text(encoding="utf-8"))
    assert kept["rows"] == [list(row) for row in found.rows]
    assert now(out) == Amount("refer", None)


def test_a_corrected_outline_goes_down_the_river_and_both_are_kept(
    plan: Plan, repo: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The river itself stands in for: it gives a farm of twice the harvest."""
    region_file = repo / "configs" / "regions" / "flanders-2018.yaml"
    name, old = outline(out, "F-003")
    opened(out, shown=Shown(geojson(tmp_path / "b.geojson", feature(shapely.affinity.scale(old, 2, 1), id=name))))
    assert "was not measured" in recompute_case(latest(out), "A-0001").notes[0]
    (out / "parts" / "done").mkdir()
    (out / "parts" / "done" / "part.json").write_text("{}")
    asked: list[Any] = []

    def river(region: Any, store: Store, **how: Any) -> Any:
        asked.append((region, how))
        assert (store.root / "parts" / "done" / "part.json").read_text() == "{}"
        again = replace(FARMS[3], value=replace(FARMS[3].value, low=9e4, mid=9.1e4, high=9.2e4))  # type: ignore[type-var]
        return SimpleNamespace(
            publication=publish_evidence(plan, store.root, (*FARMS[:3], again, *FARMS[4:])), failed_blocks={"b": "dark"}
        )

    monkeypatch.setattr("acreline.run.run_region", river)
    monkeypatch.setattr("acreline.people.recompute._corrected", lambda *_: plan.region.parcels)
    before = latest(out)
    found = recompute_case(before, "A-0001", region=region_file)
    assert asked[0][1]["as_of"] == date(2018, 12, 15)
    assert asked[0][0].farm_pages == 0
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["harvest, low"][1] == "90,000 CNY"
    assert "block b was not measured: dark" in found.notes
    line = read_log(out)[-1]
    assert line["how"] == "river"
    assert Decimal(line["new"]["limit"]) > Decimal(line["machine"]["limit"])
    assert (out / "appeals" / "A-0001" / "run" / "publications" / line["judged_in"]).is_dir()
    assert latest(out) == before
    assert verify_run(before).faults == ()
    act_as(monkeypatch, "cy")
    close(out, "change", line["new"]["limit"])  # up to what the rules gave, whatever the share above the old one


def test_the_corrected_farm_file_differs_in_that_outline_alone(repo: Path, tmp_path: Path) -> None:
    from acreline.parcels import read_parcels
    from acreline.people.appeals import Case
    from acreline.people.recompute import _corrected

    region = read_region(repo / "configs" / "regions" / "flanders-2018.yaml")
    before = read_parcels(region.parcels).set_index("parcel_id")
    name = before.index[0]
    new = shapely.affinity.scale(before.geometry.iloc[0], 0.5, 0.5)
    (tmp_path / "evidence").mkdir()
    geojson(tmp_path / "evidence" / "b.geojson", feature(new, parcel_id=name))
    values = {"evidence": [{"kind": "boundary", "file": "b.geojson"}]}
    case = Case("A-0001", "F-001", Act("appeal_opened", "2026-03-01", "bo", "F-001", values), (), None)
    source = _corrected(tmp_path, case, region, tmp_path / "a" / "p.parquet")
    after = read_parcels(source).set_index("parcel_id")
    assert list(after.index) == list(before.index)
    assert shapely.equals_exact(after.geometry.loc[name], new, 1e-9)
    rest = [one for one in before.index if one != name]
    assert shapely.equals_exact(after.geometry.loc[rest].to_numpy(), before.geometry.loc[rest].to_numpy(), 1e-9).all()
    for column in ("farm_id", "declared_crop", "declared_area_m2", "status", "reason"):
        assert after[column].fillna("").tolist() == before[column].fillna("").tolist(), column
    (tmp_path / "evidence" / "b.geojson").unlink()
    with pytest.raises(StoreError, match=r"b\.geojson: cannot be read"):
        _corrected(tmp_path, case, region, tmp_path / "a" / "p.parquet")


def test_another_regions_file_or_a_farm_that_is_gone_is_refused(
    plan: Plan, repo: Path, out: Path, tmp_path: Path
) -> None:
    name, old = outline(out, "F-009")
    opened(out, "F-009", Shown(geojson(tmp_path / "b.geojson", feature(old, id=name))))
    with pytest.raises(ConfigError, match="region xingping-2025, the run is of flanders-2018"):
        recompute_case(latest(out), "A-0001", region=repo / "configs" / "regions" / "xingping-2025.yaml")
    publish_evidence(plan, out, FARMS[:5])
    with pytest.raises(ConfigError, match="farm F-009 of A-0001 is not in this publication"):
        recompute_case(latest(out), "A-0001")


@pytest.mark.slow
def test_the_real_river_measures_a_corrected_outline(
    repo: Path, demo_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as(monkeypatch, "bo")
    out = Path(shutil.copytree(demo_run, tmp_path / "out", symlinks=True))
    name, old = outline(out, "F-004")
    half = shapely.affinity.scale(old, 0.7, 0.7)
    opened(out, "F-004", Shown(geojson(tmp_path / "b.geojson", feature(half, id=name))))
    found = recompute_case(latest(out), "A-0001", region=repo / "configs" / "regions" / "flanders-2018.yaml")
    assert found.notes == ()
    rows = {row[0]: row[1:] for row in found.rows}
    land = [float(mu) for mu in rows["land, mu"]]
    assert land[1] == pytest.approx(0.49 * land[0], rel=0.01)
    assert rows["main crop"] == ("maize", "maize")
    again = out / "appeals" / "A-0001" / "run" / "publications" / found.act.values["judged_in"]
    assert verify_run(again).faults == ()
    assert read_manifest(again)["as_of"] == read_manifest(latest(out))["as_of"]


# --- told -------------------------------------------------------------------------------------------------------------
def test_cases_are_listed_and_reported(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert case_lines(case_rows({}, NOW.date())) == ["no appeal was opened"]
    for farm_id in ("F-003", "F-006", "F-008"):
        opened(out, farm_id)
    act_as(monkeypatch, "cy", NOW + timedelta(days=6))
    close(out, "uphold")
    act_as(monkeypatch, "cy", NOW + timedelta(days=25))
    limit = decision(out, "F-006").limit or Decimal(0)
    close(out, "change", str(limit + 10), "A-0002")
    cases, today = read_appeals(read_acts(out)), date(2026, 3, 23)
    rows = case_rows(cases, today)
    assert [(row["case"], row["state"], row["left"]) for row in rows] == [
        ("A-0003", "open", "2 days late"),
        ("A-0001", "uphold", ""),
        ("A-0002", "change", ""),
    ]
    (tmp_path / "cases.json").write_text(json.dumps(rows), encoding="utf-8")
    assert [row["case"] for row in read_cases(tmp_path / "cases.json")] == ["A-0003"]  # as the portfolio reads them
    assert "A-0003  F-008" in case_lines(rows)[0]
    assert report_lines(cases, today, simulated=True) == [
        "on simulated data",
        "appeals: 3 opened, 1 open, 1 of them late",
        "review: 15.5 days at the middle, 25 at most; 1 of 2 in time",
        "changed: 1 of 2, 50% (95 %: 9% to 91%)",
    ]


# --- any acts ---------------------------------------------------------------------------------------------------------
STEPS = st.sampled_from(["lower", "refuse", "open", "uphold", "change", "again"])


@given(st.lists(st.tuples(st.sampled_from(["bo", "cy", "di"]), STEPS), max_size=7))
def test_after_any_acts_stands_what_the_plain_definition_says(
    made: Path, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "publications").mkdir()
    publication = folder / "publications" / latest(made).name
    publication.symlink_to(latest(made))
    line = next(line for line in read_trail(publication) if line["farm_id"] == "F-003")
    standing, case, count = (line["outcome"], line["limit"]), "", 0
    more = str(Decimal(line["limit"]) + 50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACRELINE_PEOPLE", str(people_file(folder)))
        for user, step in steps:
            act_as(patch, user)
            name = f"A-{count:04d}"
            try:
                if step in ("lower", "refuse"):
                    to = {"lower": "700", "refuse": "refuse"}[step]
                    override_farm(publication, "F-003", Change(to, "asked_for_less", WHY))
                    standing = {"lower": ("approve", "700"), "refuse": ("decline", "0")}[step]
                elif step == "open":
                    case = open_appeal(publication, "F-003", WHY, "x").values["case"]
                    count += 1
                elif step == "again":
                    recompute_case(publication, name)
                else:
                    to_amount = more if step == "change" else None
                    close_appeal(publication, name, step, WHY, to=to_amount)
                    standing, case = (("approve", more) if to_amount else standing), ""
            except AcrelineError:
                continue
    mine = read_acts(folder).get("F-003", ())
    found = stand(decision_from_json(line), mine)
    limit = None if found.amount.limit is None else str(found.amount.limit)
    assert (found.amount.outcome, limit) == (("refer", None) if case else standing)
    assert (found.review is not None) == bool(case)
    if mine:
        assert check_chain(folder / LOG_FILE).faults == []
    closers = [(act.by, k) for k, act in enumerate(mine) if act.event == "appeal_closed"]
    for by, k in closers:  # nobody closes what he opened or decided before
        assert by not in {act.by for act in mine[:k] if act.event in ("override", "appeal_closed", "appeal_opened")}


# --- commands ---------------------------------------------------------------------------------------------------------
def test_the_commands_do_it_all(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from acreline.cli import app

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    run, limit = str(out), decision(out, "F-003").limit or Decimal(0)
    monkeypatch.setattr("acreline.desk.explain_farm", lambda _, farm, lang: [f"{farm} in {lang}"])
    told = said("appeal", "open", run, "F-003", "--why", WHY)
    assert "F-003: appeal opened A-0001 by bo at 2026-03-01T12:00:00+00:00" in told
    assert "a person answers by 2026-03-21; until then the farm is shown as referred" in told
    kept = read_log(out)[-1]["evidence"][0]["file"]
    assert (out / "evidence" / kept).read_text(encoding="utf-8") == "F-003 in en\n\nF-003 in zh\n"
    assert "A-0001  F-003" in said("appeal", "list", run, "--out", str(tmp_path / "cases.json"))
    assert read_cases(tmp_path / "cases.json")[0]["case"] == "A-0001"
    assert "decided again on the facts" in said("appeal", "recompute", run, "A-0001")
    act_as(monkeypatch, "cy")
    to = ("--to", str(limit + 50))
    assert f"stood before: a limit of {limit:,} CNY; stands now: a limit of {limit + 50:,} CNY" in said(
        "appeal", "close", run, "A-0001", "--decision", "change", *to, "--why", WHY
    )
    assert "changed: 1 of 1" in said("appeal", "report", run)
    told = said("override", run, "F-006", "--to", "1000", "--reason", "asked_for_less", "--why", WHY)
    assert "F-006: changed by cy" in told
    half = CliRunner().invoke(app, ["appeal", "open", run, "F-006", "--why", WHY, "--place", "3,51"])
    assert isinstance(half.exception, ConfigError)
    assert "belong together" in half.exception.message
    (tmp_path / "folder").mkdir()
    bad = CliRunner().invoke(app, ["appeal", "list", run, "--out", str(tmp_path / "folder")])
    assert isinstance(bad.exception, StoreError)
    assert "cannot be written" in bad.exception.message
