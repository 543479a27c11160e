# SPDX-License-Identifier: Apache-2.0
"""Facts into a publication: the counts add up, the worst about a scene is told, and only news is published."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from acreline.blocks import Measured
from acreline.config import read_region
from acreline.credit import Totals
from acreline.doors import check_events, check_growth, check_health, check_seasons
from acreline.errors import ContractError
from acreline.events import list_detectors
from acreline.layers import (
    EVENT_COLUMNS,
    GROWTH_COLUMNS,
    HEALTH_COLUMNS,
    SEASON_COLUMNS,
    Scene,
    SceneNote,
    Scenes,
    SetAside,
)
from acreline.notices import SIMULATED_NOTICE
from acreline.plan import Plan, plan_run
from acreline.publish import (
    Facts,
    check_counts,
    make_manifest,
    parcels_table,
    publish_run,
    scenes_table,
)
from acreline.records import ZERO, Decision, Farm, Interval, Stand
from acreline.report.words import word
from acreline.store import Part, Store, read_manifest, verify_publication
from tests.made_looks import MAIZE, made_looks, made_parcels

NOON = datetime(2018, 6, 1, 12, tzinfo=UTC)
OWNERS = {"p1": "f1", "p2": "f1", "p3": "f2"}
NOTHING = Measured((), (), (), {}, {})
pytestmark = pytest.mark.xdist_group("publish")


def scene(scene_id: str, day: int = 0, **values: Any) -> Scene:
    known: dict[str, Any] = {"tile": "31UDS", "crs": "EPSG:32631", "assets": {}, "dn_offset": 0, "offset_how": "made"}
    known |= {"pass_id": f"pass-{day}", "cloud_percent": None, "baseline": None}
    return Scene(scene_id=scene_id, time=NOON + timedelta(days=day), **{**known, **values})


def measured(*notes: tuple[str, str, str], implausible: dict[str, str] | None = None) -> Measured:
    """Notes as (block, scene, verdict); the detail names the block."""
    blocks = sorted({block for block, _, _ in notes})
    parts = tuple(
        Part("k", b, Path(b), tuple(SceneNote(s, b, v, f"{v} in {b}") for block, s, v in notes if block == b))
        for b in blocks
    )
    return Measured(parts, (), (), {}, implausible or {})


def made_stand(parcel: str, value: float | None = None, area: float = 5000.0, **values: Any) -> Stand:
    worth = None if value is None else Interval(value, value, value)
    known = {"slot": "B", "crop": "maize", "crop_confidence": 0.9, "crop_set": ("maize",), "value": worth}
    return Stand(OWNERS[parcel], parcel, area_m2=Interval(area, area, area), **{**known, **values})


def made_farm(farm_id: str, *stands: Stand) -> Farm:
    parcels = tuple(parcel for parcel, owner in OWNERS.items() if owner == farm_id)
    return Farm(farm_id, "ok", None, parcels, 1e4, ZERO, 0.0, stands, None, "unknown", None, 9, date(2018, 9, 1))


def decide(farm_id: str, limit: int = 1000, as_of: date = date(2018, 12, 15)) -> Decision:
    return Decision(farm_id, "approve", Decimal(limit), "CNY", None, ("capacity",), "demo-1@1", as_of, ())


def empty(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype="object") for name in columns})


def made_facts(**values: Any) -> Facts:
    known: dict[str, Any] = {
        "parcels": made_parcels(OWNERS),
        "scenes": Scenes("made", (scene("s1"), scene("s2", 1)), (), {"received": 2}),
        "looks": made_looks({"p1": MAIZE}, [date(2018, 7, 1)]),
        "seasons": check_seasons(empty(SEASON_COLUMNS)),
        "health": check_health(empty(HEALTH_COLUMNS)),
        "events": check_events(empty(EVENT_COLUMNS)),
        "growth": check_growth(empty(GROWTH_COLUMNS)),
        "farms": (made_farm("f1"), made_farm("f2")),
        "decisions": (decide("f1"), decide("f2")),
        "totals": Totals(2, Decimal(0)),
    }
    return Facts(**{**known, **values})


# --- counts ----------------------------------------------------------------------------------------------------------
def test_all_that_came_in_comes_out() -> None:
    check_counts(made_facts())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"farms": (made_farm("f1"),), "decisions": (decide("f1"),)}, "2 farms in, 1 out, 1 decided"),
        ({"decisions": (decide("f1"),)}, "2 farms in, 2 out, 1 decided"),
        ({"decisions": (decide("f2"), decide("f1"))}, "2 farms in, 2 out, 2 decided"),
        (
            {"farms": [made_farm(f) for f in ("f1", "f2", "f2")], "decisions": [decide(f) for f in ("f1", "f2", "f2")]},
            "2 farms in, 3 out, 3 decided",
        ),
        ({"farms": (replace(made_farm("f1"), parcel_ids=("p1",)), made_farm("f2"))}, "3 parcels in, 2 with a farm"),
        (
            {"farms": (made_farm("f1"), replace(made_farm("f2"), parcel_ids=("p3", "p3")))},
            "3 parcels in, 4 with a farm",
        ),
        ({"farms": (made_farm("f1"), replace(made_farm("f2"), parcel_ids=("p9",)))}, "3 parcels in, 3 with a farm"),
    ],
)
def test_what_was_lost_or_doubled_is_our_bug(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ContractError, match=words):
        check_counts(made_facts(**change))


# --- scenes ----------------------------------------------------------------------------------------------------------
def test_the_worst_that_any_block_found_is_told() -> None:
    found = measured(
        ("b1", "mixed", "used"),
        ("b2", "mixed", "unreadable"),
        ("b1", "part", "missing_asset"),
        ("b2", "part", "used"),
        ("b1", "used", "used"),
        ("b2", "used", "outside"),
        ("b1", "out", "outside"),
        ("b1", "lost", "unreadable"),
        ("b1", "wrong", "unreadable"),
        implausible={"wrong": "subtracted_twice: red"},
    )
    aside = (SetAside("old", None, None, "superseded", "by s9"), SetAside("cloud", NOON, "31UDS", "too_cloudy", "99"))
    items = tuple(
        scene(name, day) for day, name in enumerate(["mixed", "part", "used", "out", "lost", "wrong", "unasked"])
    )
    table = scenes_table(Scenes("made", items, aside, {}), found).set_index("scene_id")
    assert table["status"].to_dict() == {
        "cloud": "set_aside",
        "mixed": "used",
        "part": "used",
        "used": "used",
        "out": "outside",
        "lost": "unreadable",
        "wrong": "implausible",
        "unasked": "outside",
        "old": "set_aside",
    }
    assert table.loc["mixed", ["reason", "detail", "flags"]].tolist() == [
        "unreadable",
        "unreadable in b2",
        "partly_unreadable",
    ]
    assert table.loc["part", "flags"] == "partly_missing_asset"
    assert table.loc["out", "reason"] == table.loc["unasked", "reason"] == "outside"
    assert table.loc["wrong", "detail"] == "subtracted_twice: red"
    assert table.loc["old", "reason"] == "superseded"
    assert table.loc["used", ["reason", "detail"]].isna().all()
    assert table.index[-1] == "old"  # without a time, so last


@pytest.mark.parametrize("items", [(), (scene("s1", cloud_percent=3.5, baseline="02.06", flags=("a", "b")),)])
def test_kinds_of_the_scene_columns(items: tuple[Scene, ...]) -> None:
    table = scenes_table(Scenes("made", items, (), {}), NOTHING)
    assert len(table) == len(items)
    assert str(table["time"].dtype) == "datetime64[ms, UTC]"
    assert (str(table["cloud_percent"].dtype), str(table["dn_offset"].dtype)) == ("Float64", "Int32")
    texts = ("scene_id", "tile", "pass_id", "status", "reason", "detail", "baseline", "offset_how", "flags")
    assert {str(table[name].dtype) for name in texts} <= {"string", "str"}
    assert table["flags"].tolist() == ["a|b"] * len(items)


# --- parcels ---------------------------------------------------------------------------------------------------------
def test_parcels_of_which_nothing_is_known() -> None:
    parcels = made_parcels(OWNERS, status=["ok", "failed", "rejected"], reason=[None, "block_failed", "too_large"])
    table = parcels_table(made_facts(parcels=parcels))
    assert table["id"].tolist() == ["p1", "p2", "p3"]
    assert table["crop"].tolist() == table["health"].tolist() == ["unknown"] * 3
    assert table["events"].tolist() == table["crop_set"].tolist() == [""] * 3
    for name in ("crop_confidence", "vigour", "planted_fraction", "clear_looks", "last_clear"):
        assert table[name].isna().all(), name
    assert str(table["clear_looks"].dtype) == "Int32"
    assert str(table["last_clear"].dtype) == "datetime64[ms, UTC]"
    assert table["status"].tolist() == ["ok", "failed", "rejected"]
    assert table.crs.to_epsg() == 4326


def test_a_parcel_shows_its_stand_of_greatest_value() -> None:
    stands = (
        made_stand("p1", 100.0, slot="A", crop="winter_cereal", crop_set=("winter_cereal", "rapeseed")),
        made_stand("p1", 900.0, slot="B", area=2500.0),
        made_stand("p2", None, slot="A", crop="potato", area=10.0),
        made_stand("p2", None, slot="B", area=20.0),
    )
    health = empty(HEALTH_COLUMNS)
    for row in (("p1", "A", "drought", True, -1.2, -2.0), ("p1", "B", "normal", False, 0.5, -1.5)):
        health.loc[len(health), ["parcel_id", "slot", "health", "confirmed", "vigour", "vigour_normal"]] = row
    events = empty(EVENT_COLUMNS)
    for event, code in (("flood", None), ("drought", "suspected"), ("flood", None), ("frost", "outside_growth")):
        events.loc[len(events), ["parcel_id", "event", "code"]] = ("p1", event, code)
    facts = made_facts(
        farms=(made_farm("f1", *stands), made_farm("f2")), health=check_health(health), events=check_events(events)
    )
    table = parcels_table(facts).set_index("id")
    assert table["crop"].tolist() == ["maize", "maize", "unknown"]
    assert table["health"].tolist() == ["normal", "unknown", "unknown"]
    assert [None if pd.isna(value) else bool(value) for value in table["health_confirmed"]] == [False, None, None]
    assert table.loc["p1", ["vigour", "vigour_normal"]].tolist() == [0.5, -1.5]
    assert table.loc["p1", "planted_fraction"] == 0.25
    assert table["events"].tolist() == ["drought|flood", "", ""]


def test_a_parcel_on_which_nothing_grew_says_so() -> None:
    seasons = empty(SEASON_COLUMNS)
    for parcel, crops in (("p1", "none"), ("p3", "none|maize")):
        row = (parcel, "AB", "none", 0.9, crops)
        seasons.loc[len(seasons), ["parcel_id", "slot", "crop", "crop_confidence", "crop_set"]] = row
    parcels = made_parcels(OWNERS, status=["ok", "ok", "degraded"], reason=[None, None, "geometry_repaired"])
    farms = (made_farm("f1", made_stand("p2", 5.0)), made_farm("f2"))
    table = parcels_table(made_facts(parcels=parcels, farms=farms, seasons=check_seasons(seasons))).set_index("id")
    told = table[["crop", "crop_set", "reason", "planted_fraction"]].astype(object).apply(tuple, axis=1).to_dict()
    assert told["p1"] == ("none", "none", "no_crop", 0.0)
    assert told["p2"][0] == "maize"
    assert told["p3"] == ("none", "none|maize", "geometry_repaired", 0.0)
    assert table["planted_m2_mid"].isna().to_dict() == {"p1": False, "p2": False, "p3": True}
    assert table.loc["p1", "planted_m2_high"] == 0.0  # and of p3 nobody knows
    assert table["status"].tolist() == ["ok", "ok", "degraded"]
    assert table.loc["p1", "crop_confidence"] == 0.9
    assert word("flag", "no_crop")[1] == "本季空闲，未种植"


def test_planted_land_of_a_parcel_and_what_was_declared_beside_it() -> None:
    """p1: declared and drawn 1 ha, planted half; p2: declared twice what was drawn; p3: nothing declared, no stand."""
    parcels = made_parcels(OWNERS, declared_area_m2=[10_000.0, 20_000.0, math.nan])
    stands = [made_stand("p1", area=5000.0), made_stand("p2", area=10_000.0)]
    table = parcels_table(made_facts(parcels=parcels, farms=(made_farm("f1", *stands), made_farm("f2")))).set_index(
        "id"
    )
    planted = table[["planted_m2_low", "planted_m2_mid", "planted_m2_high"]]
    assert planted.loc["p1"].tolist() == [5000.0] * 3
    assert planted.loc["p3"].isna().all()
    assert table["code"].to_dict() == {"p1": "planted_area_differs", "p2": "declared_area_differs", "p3": ""}


def test_a_rejected_parcel_shows_nothing_of_its_twin() -> None:
    """Both rows of a doubled id are rejected: what was seen under that id belongs to neither."""
    parcels = made_parcels(OWNERS, status=["ok", "ok", "rejected"])
    farms = (made_farm("f1"), made_farm("f2", made_stand("p3", 5.0)))
    row = parcels_table(made_facts(parcels=parcels, farms=farms)).set_index("id").loc["p3"]
    assert (row["crop"], row["crop_set"], row["events"]) == ("unknown", "", "")


# --- news ------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def plan(repo: Path) -> Plan:
    return plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A run folder; the pages and the catalogue are another room's and are left out here."""
    monkeypatch.setattr("acreline.report.write_farm_pages", lambda folder, pictures, earlier: None)
    monkeypatch.setattr("acreline.report.write_catalog", lambda folder: None)
    monkeypatch.setattr("acreline.report.write_map_page", lambda folder: None)
    return Store(tmp_path / "out")


def on(day: date, limit: int = 1000) -> Facts:
    return made_facts(decisions=(decide("f1", limit, day), decide("f2", as_of=day)))


def test_the_same_facts_on_another_day_are_no_news(plan: Plan, store: Store) -> None:
    first, fresh = publish_run(plan, on(date(2018, 12, 14)), NOTHING, store)
    assert fresh
    later = replace(plan, as_of=date(2018, 12, 15))
    assert publish_run(later, on(date(2018, 12, 15)), NOTHING, store) == (first, False)
    assert verify_publication(first) == []
    assert [path.name for path in (store.root / "publications").iterdir()] == [first.name]


def test_another_decision_policy_model_or_scene_is_news(plan: Plan, store: Store) -> None:
    day = date(2018, 12, 15)
    other_policy = replace(plan, compiled=replace(plan.compiled, version="0" * 16))
    other_model = replace(plan, model=replace(plan.model, digest="0" * 16))
    found = measured(("b", "s1", "unreadable"))
    runs = [(plan, on(day), NOTHING), (plan, on(day, 999), NOTHING), (other_policy, on(day), NOTHING)]
    runs += [(other_model, on(day), NOTHING), (plan, on(day), replace(found, parts=()))]
    results = [publish_run(*run, store) for run in runs]
    assert [fresh for _, fresh in results] == [True] * 5
    assert results[4][0] == results[0][0]  # back to what was once published: the same publication, current again
    assert store.latest == results[0][0]


def test_an_edited_publication_is_mended_by_the_next_run(plan: Plan, store: Store) -> None:
    """`acreline verify` tells a user to run again: that must help."""
    first, _ = publish_run(plan, on(date(2018, 12, 15)), NOTHING, store)
    for hurt in ("farms.parquet", "manifest.json"):
        (first / hurt).write_text("{}")
        assert publish_run(plan, on(date(2018, 12, 15)), NOTHING, store) == (first, True)
        assert verify_publication(first) == []
        assert store.latest == first


def test_nothing_is_published_when_counts_do_not_add_up(plan: Plan, store: Store) -> None:
    with pytest.raises(ContractError):
        publish_run(plan, made_facts(farms=()), NOTHING, store)
    assert list((store.root / "publications").iterdir()) == []
    assert store.latest is None


def test_the_manifest_adds_up(plan: Plan) -> None:
    parcels = made_parcels(OWNERS, status=["ok", "degraded", "rejected"])
    manifest = make_manifest(plan, made_facts(parcels=parcels), replace(NOTHING, failed={"b2": "x", "b1": "y"}))
    counts = manifest["counts"]
    for kind in ("parcels", "farms"):
        assert counts[kind]["in"] == sum(value for name, value in counts[kind].items() if name != "in")
    assert counts["scenes"] == {"found": 2, "outside": 2}
    assert counts["blocks"] == {"measured": 0, "failed": 2}
    assert list(manifest["failed_blocks"]) == ["b1", "b2"]
    assert set(manifest["inputs"]) == {"region", "parcels", "applicants", "weather"}


def test_the_manifest_says_that_land_is_simulated(plan: Plan) -> None:
    real = made_facts()
    drawn = replace(real, scenes=replace(real.scenes, simulated=True))
    told = {facts.scenes.simulated: make_manifest(plan, facts, NOTHING) for facts in (real, drawn)}
    assert [told[key]["simulated"] for key in (False, True)] == [False, True]
    assert told[True]["notices"] == [SIMULATED_NOTICE, *told[False]["notices"]]


def test_what_was_not_looked_for_is_told(plan: Plan) -> None:
    kinds = list_detectors()
    some = replace(plan, region=plan.region.model_copy(update={"events": tuple(kinds[:-2])}))
    manifest = make_manifest(some, made_facts(), NOTHING)
    assert kinds[-2:] == manifest["not_looked_for"] == ["lodging_hail", "pest_disease"]
    assert manifest["notices"][-1] == {
        "en": "not looked for: lodging or hail, loss of pigment; that none is told is no sign of health",
        "zh": "未查找的灾害：倒伏或冰雹、色素流失（原因待核实）；未提及不等于未发生",
    }
    whole = replace(plan, region=plan.region.model_copy(update={"events": tuple(kinds)}))
    manifest = make_manifest(whole, made_facts(), NOTHING)
    assert manifest["not_looked_for"] == []
    assert not any("not looked for" in notice["en"] for notice in manifest["notices"])


def test_a_kind_more_that_is_looked_for_is_news(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    publish_run(plan, made_facts(), NOTHING, store)
    assert not publish_run(plan, made_facts(), NOTHING, store)[1]
    fewer = replace(plan, region=plan.region.model_copy(update={"events": ()}))
    publication, new = publish_run(fewer, made_facts(), NOTHING, store)
    assert new
    assert "flood" in read_manifest(publication)["not_looked_for"]
    assert "not looked for: drought" in (publication / "report" / "index.html").read_text(encoding="utf-8")
