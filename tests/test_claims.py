# SPDX-License-Identifier: Apache-2.0
"""What speaks against a claim on land: answers known by hand, told with figures, and nothing corrected."""

from __future__ import annotations

import json
import logging
import math
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import yaml
from hypothesis import given
from hypothesis import strategies as st

from acreline.claims import CLAIM_COLUMNS, Earlier, check_claims, earlier_parcels, note_claims, read_earlier
from acreline.config import ClaimSettings, ParcelSource, read_region
from acreline.coverage import measure_coverage
from acreline.errors import InputError
from acreline.farms import gather_farms
from acreline.geo import geodesic_area_m2
from acreline.layers import Looks, Parcels, Seasons
from acreline.parcels import read_parcels
from acreline.plan import input_hashes
from acreline.run import run_region
from acreline.seasons import describe_seasons
from acreline.store import Store
from tests.made_looks import AS_OF, CALIBRATION, CEREAL, CLASSES, MAIZE, SEASON, every, made_crops, made_looks
from tests.made_looks import made_parcels as _made_parcels
from tests.test_river import own_region

SETTINGS = ClaimSettings()


def made_parcels(farms: dict[str, str], **columns: Any) -> Parcels:
    """Square parcels with the areas that their outlines have."""
    table = _made_parcels(farms, **columns)
    table["area_m2"] = geodesic_area_m2(table.geometry)
    return table


def sure(name: str) -> dict[str, float]:
    return {crop: 0.97 if crop == name else 0.01 for crop in CLASSES}


def maize(names: list[str], **more: Any) -> Looks:
    return made_looks(dict.fromkeys(names, MAIZE), every(5), dict.fromkeys(names, sure("maize")), **more)


def seasons_of(looks: Looks) -> Seasons:
    return describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)


def check(parcels: Parcels, looks: Looks | None = None, earlier: Earlier | None = None, **settings: float) -> Any:
    looks = maize(parcels["parcel_id"].tolist()) if looks is None else looks
    return check_claims(parcels, looks, seasons_of(looks), earlier, ClaimSettings(**settings))


def held(*rows: tuple[str, str, Any]) -> Earlier:
    farms, names, shapes = zip(*rows, strict=True)
    table = gpd.GeoDataFrame({"farm_id": farms, "parcel_id": names}, geometry=list(shapes), crs="EPSG:4326")
    return Earlier(table, date(2017, 12, 15))


def west_part(shape: Any, share: float) -> Any:
    west, south, east, north = shape.bounds
    return shapely.box(west, south, west + share * (east - west), north)


def told(claims: pd.DataFrame) -> dict[str, list[str]]:
    return {str(name): rows["claim"].tolist() for name, rows in claims.groupby("parcel_id")}


# --- an earlier season --------------------------------------------------------------------------------------------
def test_ground_that_another_farm_held_before_is_told_with_its_share() -> None:
    parcels = made_parcels({"a": "Li", "b": "Li", "c": "Wu"})
    a, b, c = parcels.geometry
    found = check(parcels, earlier=held(("Wang", "w1", west_part(a, 0.4)), ("Li", "l1", b), ("Wang", "w2", c)))
    assert list(found.columns) == list(CLAIM_COLUMNS)
    assert told(found) == {"a": ["claimed_before_by_other"], "c": ["claimed_before_by_other"]}
    assert found["figure"].tolist() == pytest.approx([0.4, 1.0], abs=1e-3)
    assert found["detail"][0] == "in the season to 2017-12-15 40.0% of it lay with farm Wang"


def test_the_pieces_of_one_farm_add_up_and_the_farm_with_the_most_is_told() -> None:
    parcels = made_parcels({"a": "Li"})
    west, south, east, north = parcels.geometry[0].bounds
    step = (east - west) / 10
    pieces = [("X", f"x{k}", shapely.box(west + k * step, south, west + (k + 1) * step, north)) for k in (0, 4)]
    more = ("Y", "y", shapely.box(west + 7 * step, south, west + 8.5 * step, north))
    [row] = check(parcels, earlier=held(*pieces, more)).to_dict("records")
    assert row["figure"] == pytest.approx(0.2, abs=1e-3)
    assert row["detail"] == "in the season to 2017-12-15 20.0% of it lay with farm X, and parts with 1 more"


@pytest.mark.parametrize(("share", "limit", "flagged"), [(0.08, 0.10, False), (0.12, 0.10, True), (0.12, 0.2, False)])
def test_a_line_drawn_a_little_elsewhere_is_no_claim(share: float, limit: float, flagged: bool) -> None:
    parcels = made_parcels({"a": "Li"})
    found = check(parcels, earlier=held(("Wang", "w", west_part(parcels.geometry[0], share))), earlier_share=limit)
    assert (len(found) == 1) is flagged


def test_a_rejected_row_claims_nothing_and_touching_edges_share_nothing() -> None:
    parcels = made_parcels({"a": "Li", "b": "Li"}, status=["rejected", "ok"], reason=["no_area", None])
    a, b = parcels.geometry
    west, south, east, north = b.bounds
    assert check(
        parcels, earlier=held(("W", "1", a), ("W", "2", shapely.box(2 * west - east, south, west, north)))
    ).empty


def test_farm_ids_that_mean_other_farms_are_suspected(caplog: pytest.LogCaptureFixture) -> None:
    parcels = made_parcels({"a": "f1", "b": "f2"})
    with caplog.at_level(logging.WARNING):
        check(parcels, earlier=held(("old1", "a", parcels.geometry[0]), ("old2", "b", parcels.geometry[1])))
    assert "do its farm ids mean the same farms?" in caplog.text


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_share_told_is_that_of_the_ground(left: float, right: float) -> None:
    parcels = made_parcels({"a": "Li"})
    west, south, east, north = parcels.geometry[0].bounds
    low, high = sorted((west + left * (east - west), west + right * (east - west)))
    before = held(("Wang", "w", shapely.box(low, south, high, north)))
    found = check_claims(parcels, Looks(*LOOKS), SEASONS, before, SETTINGS)
    share = (high - low) / (east - west)
    if abs(share - 0.1) > 1e-3:
        assert len(found) == (share >= 0.1)
    assert found["figure"].tolist() == pytest.approx([share] * len(found), abs=1e-3)


_LOOKS = maize(["a"])
LOOKS, SEASONS = (_LOOKS.passes, _LOOKS.evidence, _LOOKS.land), seasons_of(_LOOKS)


# --- the folder of an earlier run ---------------------------------------------------------------------------------
def publication(folder: Path, parcels: gpd.GeoDataFrame, end: str = "2017-12-15") -> Path:
    folder.mkdir(parents=True)
    table = parcels.rename(columns={"parcel_id": "id"})[["id", "farm_id", "status", "geometry"]]
    table.to_parquet(folder / "parcels.parquet")
    (folder / "manifest.json").write_text(json.dumps({"season": {"start": "2016-10-01", "end": end}}), encoding="utf-8")
    return folder


def test_an_earlier_run_is_read_from_its_folder_or_its_publication(tmp_path: Path) -> None:
    parcels = made_parcels({"a": "f", "b": "g"}, status=["ok", "rejected"], reason=[None, "no_area"])
    publication(tmp_path / "run" / "latest", parcels)
    for place in (tmp_path / "run", tmp_path / "run" / "latest"):
        earlier = read_earlier(place, SEASON)
        assert earlier is not None
        assert earlier.parcels["parcel_id"].tolist() == ["a"]
        assert earlier.season_end == date(2017, 12, 15)
        assert earlier.parcels.crs.to_epsg() == 4326
    assert read_earlier(None, SEASON) is None


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"previous_run: .*: no finished run here") as caught:
        earlier_parcels(tmp_path)
    assert "OUT folder" in caught.value.hint


def test_a_run_of_the_same_season_is_refused(tmp_path: Path) -> None:
    publication(tmp_path / "run", made_parcels({"a": "f"}), end="2018-12-15")
    with pytest.raises(InputError, match="its season ends on 2018-12-15, not before this one's") as caught:
        read_earlier(tmp_path / "run", SEASON)
    assert "earlier season" in caught.value.hint


def test_an_earlier_run_that_was_damaged_is_refused(tmp_path: Path) -> None:
    (publication(tmp_path / "run", made_parcels({"a": "f"})) / "parcels.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"previous_run: .*run: cannot be read: ") as caught:
        read_earlier(tmp_path / "run", SEASON)
    assert "acreline verify" in caught.value.hint


# --- the register -------------------------------------------------------------------------------------------------
def test_land_beyond_the_register_is_told_with_both_figures() -> None:
    drawn = made_parcels({"a": "f"})["area_m2"].iloc[0]
    parcels = made_parcels(dict.fromkeys("abcd", "f"), registry_area_m2=[drawn / 1.2, drawn / 1.04, drawn * 2, np.nan])
    found = check(parcels)
    assert told(found) == {"a": ["beyond_registry"]}
    assert found["figure"].tolist() == pytest.approx([0.2])
    assert found["detail"][0] == f"drawn {drawn:.0f} m2, registered {drawn / 1.2:.0f} m2 (+20.0%)"
    assert told(check(parcels, registry_tolerance=0.01)) == {"a": ["beyond_registry"], "b": ["beyond_registry"]}


# --- water --------------------------------------------------------------------------------------------------------
def test_a_pond_is_told_and_a_paddy_is_not() -> None:
    """A third of the pond's parcel is water all year; the paddy is under water until its canopy closes."""

    def change(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "pond":
            look["water"] = 0.33
        if parcel == "paddy" and look["ndvi"] < 0.6:
            look["water"] = 1.0

    names = ["pond", "paddy", "field"]
    parcels, looks = made_parcels(dict.fromkeys(names, "f")), maize(names, change=change)
    found = check(parcels, looks)
    assert told(found) == {"pond": ["water_inside"]}
    assert found["figure"].tolist() == [0.33]
    count = len(every(5))
    assert found["detail"][0] == f"water on {count} of {count} clear looks, 33% of its pixels in the middle of them"
    assert told(check(parcels, looks, water_share=0.4)) == {}


def test_water_on_few_looks_or_on_half_of_them_is_not_told() -> None:
    parcels = made_parcels({"a": "f", "b": "f"})
    days = {"a": every(5)[:3], "b": every(5)[:40]}
    wet = {day for k, day in enumerate(days["b"]) if k % 2}

    def change(parcel: str, day: date, look: dict[str, float]) -> None:
        look["water"] = 1.0 if parcel == "a" or day in wet else 0.0

    looks = made_looks(dict.fromkeys("ab", lambda day: 0.2), days, dict.fromkeys("ab", sure("maize")), change=change)
    assert check(parcels, looks).empty


# --- roads and woods ----------------------------------------------------------------------------------------------
def with_land(looks: Looks, *rows: tuple[str, int, float]) -> Looks:
    """Parcels of 100 full pixels: so many called road or wood, and the mean probability of it."""
    land = [(name, "land", "not_farmland", px, 0, round(share * 1e6)) for name, px, share in rows]
    more = pd.DataFrame(land, columns=looks.evidence.columns).astype(looks.evidence.dtypes.to_dict())
    return Looks(looks.passes, pd.concat([looks.evidence, more], ignore_index=True), looks.land)


def test_a_road_through_a_field_is_told_and_a_wood_is_told_by_its_season() -> None:
    names = ["road", "unsure", "tree", "wood"]
    looks = with_land(maize(names), ("road", 8, 0.07), ("unsure", 0, 0.3), ("tree", 1, 0.06), ("wood", 98, 0.9))
    seasons = seasons_of(looks)
    seasons.loc[seasons["parcel_id"] == "wood", "crop"] = "non_agri"
    parcels = made_parcels(dict.fromkeys(names, "f"))
    assert check_claims(parcels, looks, seasons, None, SETTINGS).empty  # a fifth and more is told by default
    found = check_claims(parcels, looks, seasons, None, ClaimSettings(not_farmland_share=0.05))
    assert told(found) == {"road": ["not_farmland_inside"]}
    assert found["figure"].tolist() == [0.07]
    assert found["detail"][0] == "road, roof or wood on 8 of 100 full pixels (7% by probability)"
    strict = check_claims(parcels, looks, seasons, None, ClaimSettings(not_farmland_share=0.08))
    assert strict.empty
    noted = note_claims(parcels, found).set_index("parcel_id")
    assert noted.loc["road", ["status", "reason", "area_m2"]].tolist()[:2] == ["degraded", "not_farmland_inside"]
    assert noted.loc["road", "area_m2"] == parcels.set_index("parcel_id").loc["road", "area_m2"]  # nothing corrected


# --- two ways to one area -----------------------------------------------------------------------------------------
def test_pixels_and_outline_that_differ_are_told() -> None:
    parcels = made_parcels({"a": "f", "b": "f"})
    parcels["area_m2"] = [10_000.0 / 1.02, 10_000.0 / 1.004]
    found = check(parcels)
    assert told(found) == {"a": ["area_disagrees"]}
    assert found["figure"].tolist() == pytest.approx([0.02], abs=1e-4)
    assert found["detail"][0] == "drawn 9804 m2, its pixels cover 10000 m2 (+2.0%)"
    assert told(check(parcels, area_tolerance=0.003)) == {"a": ["area_disagrees"], "b": ["area_disagrees"]}


def cover_of(shape: Any, crs: str) -> tuple[float, float]:
    """Ground under the pixels of a shape in lon/lat, measured in a CRS, and on the ellipsoid, m2."""
    outline = gpd.GeoSeries([shape], crs="EPSG:4326")
    moved = outline.to_crs(crs)
    west, _, _, north = moved.total_bounds
    found = measure_coverage(moved, ("p",), crs, west // 100 * 100, north // 100 * 100 + 100)
    return float(found.cover.sum()) / 100, float(geodesic_area_m2(outline)[0])


def metres(*corners: tuple[float, float], at: tuple[float, float]) -> list[tuple[float, float]]:
    east = math.cos(math.radians(at[1]))
    return [(at[0] + x / 111_320 / east, at[1] + y / 110_574) for x, y in corners]


SQUARE = ((0, 0), (300, 0), (300, 300), (0, 300))
HOLE = ((100, 100), (200, 100), (200, 200), (100, 200))
SHAPES = {
    "square": lambda at: shapely.Polygon(metres(*SQUARE, at=at)),
    "hole": lambda at: shapely.Polygon(metres(*SQUARE, at=at), [metres(*HOLE, at=at)]),
    "sliver": lambda at: shapely.Polygon(metres((0, 0), (700, 350), (700, 353), (0, 3), at=at)),
    "parts": lambda at: shapely.MultiPolygon(
        [shapely.Polygon(metres(*SQUARE, at=at)), shapely.Polygon(metres((903, 7), (1000, 7), (950, 88), at=at))]
    ),
}


@pytest.mark.parametrize("name", sorted(SHAPES))
@pytest.mark.parametrize(("at", "crs"), [((116.9, 36.2), "EPSG:32650"), ((114.05, 36.2), "EPSG:32650"),
                                         ((113.95, 36.2), "EPSG:32649"), ((3.1, 50.8), "EPSG:32631")])  # fmt: skip
def test_in_its_own_zone_a_shape_covers_what_it_is(name: str, at: tuple[float, float], crs: str) -> None:
    """In the middle of a zone and on either side of the edge of two."""
    covered, drawn = cover_of(SHAPES[name](at), crs)
    assert abs(covered / drawn - 1) < SETTINGS.area_tolerance / 2


def test_a_zone_too_far_does_not_agree() -> None:
    covered, drawn = cover_of(SHAPES["square"]((110.5, 36.2)), "EPSG:32650")  # 6.5 degrees off the middle of zone 50
    assert covered / drawn - 1 > SETTINGS.area_tolerance


# --- the day of drawing -------------------------------------------------------------------------------------------
def on(*days: str | None) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(pd.Series(days, dtype=object), utc=True)).astype("datetime64[ms, UTC]")


def test_an_outline_younger_than_the_harvest_is_told() -> None:
    """The maize is cut about 20 September, seen every five days."""
    parcels = made_parcels(dict.fromkeys("abcd", "f"))
    looks = maize([*"abcd"])
    cut, doubt = seasons_of(looks)[["harvest", "harvest_doubt_days"]].iloc[0]
    granted = cut + pd.Timedelta(days=float(doubt) + SETTINGS.grace_days)
    parcels["drawn_on"] = on("2018-11-20", "2018-06-01", None, f"{granted:%Y-%m-%d}")
    assert abs((cut - pd.Timestamp("2018-09-20", tz="UTC")).days) <= 20
    late = (pd.Timestamp("2018-11-20", tz="UTC") - cut).days
    found = check(parcels, looks)
    assert told(found) == {"a": ["drawn_after_harvest"]}
    assert found["figure"].tolist() == [late]
    assert found["detail"][0] == f"drawn on 2018-11-20, {late} days after the harvest of about {cut:%Y-%m-%d}"


def test_between_two_crops_and_before_the_cut_nothing_is_said() -> None:
    """Two crops a year: drawn between their harvests is not late. A crop that still stands has no harvest."""
    looks = made_looks(
        {"twice": CEREAL, "standing": MAIZE}, every(5), {"twice": sure("maize"), "standing": sure("maize")}
    )
    seasons = seasons_of(looks)
    both = seasons[seasons["parcel_id"] == "twice"]
    cuts = [pd.Timestamp("2018-07-01", tz="UTC"), pd.Timestamp("2018-10-01", tz="UTC")]
    rows = pd.concat([both.assign(slot=slot, harvest=cut) for slot, cut in zip("AB", cuts, strict=True)])
    rows["harvest"] = rows["harvest"].astype("datetime64[ms, UTC]")
    rows["harvest_doubt_days"] = 5.0
    open_end = seasons[seasons["parcel_id"] == "standing"].assign(harvest=pd.NaT)
    open_end["harvest"] = pd.to_datetime(open_end["harvest"], utc=True).astype("datetime64[ms, UTC]")
    parcels = made_parcels({"standing": "f", "twice": "f"})
    for day, wanted in (("2018-08-01", {}), ("2018-10-15", {}), ("2018-10-18", {"twice": ["drawn_after_harvest"]})):
        parcels["drawn_on"] = on(day, day)
        found = check_claims(parcels, looks, Seasons(pd.concat([open_end, rows])), None, SETTINGS)
        assert told(found) == wanted, day


@pytest.mark.parametrize("name", ["farm.gpkg", "farm.geojson", "farm.parquet"])
def test_the_day_of_drawing_is_read_from_the_farm_file(tmp_path: Path, name: str) -> None:
    frame = made_parcels({"a": "f", "b": "g"})[["farm_id", "parcel_id", "geometry"]]
    frame["drawn_on"] = [date(2018, 6, 1), None]
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.astype({"drawn_on": str}).replace("None", None).to_file(path)
    found = read_parcels(ParcelSource(path=path, datum="wgs84"))
    assert found["drawn_on"].dtype == "datetime64[ms, UTC]"
    assert found["drawn_on"][0] == pd.Timestamp("2018-06-01", tz="UTC")
    assert found["drawn_on"].isna().tolist() == [False, True]
    assert found["status"].tolist() == ["ok", "ok"]


def test_a_day_that_is_none_is_doubted(tmp_path: Path) -> None:
    frame = made_parcels(dict.fromkeys("abc", "f"))[["farm_id", "parcel_id", "geometry"]]
    frame["day"] = ["2018/06/01", "last summer", " "]
    frame.to_parquet(tmp_path / "farm.parquet")
    source = ParcelSource(path=tmp_path / "farm.parquet", datum="wgs84", columns={"drawn_on": "day"})
    found = read_parcels(source)
    assert found["reason"].tolist() == [None, "drawn_on_unreadable", None]
    assert found["detail"][1] == "column 'day' holds no day such as 2025-06-01"
    assert found["drawn_on"].isna().tolist() == [False, True, True]


# --- from findings to flags ---------------------------------------------------------------------------------------
def claims(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"parcel_id": [r[0] for r in rows], "claim": [r[1] for r in rows], "figure": 0.5, "detail": "x y"}
    )


def test_each_finding_reaches_its_parcel_and_the_gravest_is_the_reason() -> None:
    parcels = made_parcels(
        dict.fromkeys("abcdef", "f"),
        status=["ok", "degraded", "degraded", "insufficient", "rejected", "ok"],
        reason=[None, "overlapping_claim", "geometry_repaired", "small_parcel", "no_area", None],
        detail=[None, "9% of it", "repaired", "4 full pixels", None, None],
    )
    found = claims(
        ("a", "water_inside"), ("a", "beyond_registry"), ("b", "claimed_before_by_other"), ("c", "drawn_after_harvest"),
        ("d", "beyond_registry"),
    )  # fmt: skip
    noted = note_claims(parcels, found)
    assert noted["status"].tolist() == ["degraded"] * 3 + ["insufficient", "rejected", "ok"]
    assert noted["reason"].tolist() == [
        "water_inside", "overlapping_claim", "drawn_after_harvest", "small_parcel", "no_area", None,
    ]  # fmt: skip
    assert noted["detail"].tolist() == [
        "x y; was beyond_registry; x y",
        "9% of it; was claimed_before_by_other; x y",
        "x y; was geometry_repaired; repaired",
        "4 full pixels; was beyond_registry; x y",
        None,
        None,
    ]
    assert parcels["status"].tolist()[0] == "ok", "the parcels given stay as they are"
    for name in ("farm_id", "area_m2", "registry_area_m2"):  # nothing is corrected
        assert noted[name].equals(parcels[name])


def test_no_finding_changes_nothing() -> None:
    parcels = made_parcels({"a": "f"})
    assert note_claims(parcels, check(parcels)).equals(parcels)


def test_findings_become_flags_of_the_farm() -> None:
    drawn = made_parcels({"a": "f"})["area_m2"].iloc[0]
    parcels = made_parcels({"a": "f", "b": "g"}, registry_area_m2=[drawn / 2, np.nan])
    looks = maize(["a", "b"], change=lambda parcel, day, look: look.update(water=0.5 if parcel == "a" else 0.0))
    seasons = seasons_of(looks)
    noted = note_claims(parcels, check_claims(parcels, looks, seasons, None, SETTINGS))
    from acreline.events import detect_events
    from acreline.growth import measure_growth
    from acreline.health import score_health

    health = score_health(looks, seasons)
    events, growth = detect_events(looks, seasons, health, []), measure_growth(looks, seasons, made_crops())
    first, second = gather_farms(noted, looks, seasons, health, events, growth, made_crops(), {})
    assert first.flags == ("beyond_registry", "water_inside")
    assert (first.status, first.reason) == ("degraded", "water_inside")
    assert second.flags == ()
    assert first.planted_m2.mid == pytest.approx(second.planted_m2.mid), "a flag takes no land away"


@pytest.mark.xdist_group("river")
def test_a_run_that_knows_the_season_before_refers_what_changed_hands(
    repo: Path, tmp_path: Path, demo_run: Path
) -> None:
    shutil.copytree(demo_run, tmp_path / "out", symlinks=True)  # its blocks are measured already
    before = gpd.read_parquet(repo / "data" / "flanders-2018" / "parcels.parquet").rename(columns={"id": "parcel_id"})
    before["status"] = "ok"
    moved = before["farm_id"] == "F-005"
    assert moved.sum() == 1
    before.loc[moved, "farm_id"] = "F-OLD"
    publication(tmp_path / "run-2017", before)
    path = own_region(repo, tmp_path / "own", previous_run="../run-2017", farm_pages=0)
    region = read_region(path)
    assert "previous_run" in input_hashes(region)
    result = run_region(region, Store(tmp_path / "out"))
    assert not result.made_blocks
    farms = {farm.farm_id: farm for farm in result.farms}
    flagged = {name for name, farm in farms.items() if "claimed_before_by_other" in farm.flags}
    assert flagged == {"F-005"}
    [decision] = [one for one in result.decisions if one.farm_id == "F-005"]
    assert decision.outcome == "refer"
    assert decision.reasons[0] == "claimed_before_by_other"
    table = pd.read_parquet(result.publication / "parcels.parquet").set_index("farm_id")
    assert table.loc["F-005", "detail"].startswith("in the season to 2017-12-15 100.0% of it lay with farm F-OLD")
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["previous_run"] == "../run-2017"
