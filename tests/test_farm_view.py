# SPDX-License-Identifier: Apache-2.0
"""One farm of a finished run: its rows, its pixels, its card and its picture."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import acreline
from acreline.config import read_region
from acreline.errors import ConfigError, SourceError, StoreError
from acreline.farm_view import FarmView, card, chips, pixels, plot, read, style
from acreline.rasters import read_raster
from tests.conftest import REPO
from tests.made_publication import ODD_FARM

mpl.use("Agg")
REGION = REPO / "configs" / "regions" / "flanders-2018.yaml"
BIG, MIXED = "F-004", "F-008"
"""One field of maize, approved; five parcels of which one is too small, one with an event, referred."""
FIELD = "639B424A-009"


@pytest.fixture(scope="module")
def big(demo_run: Path) -> FarmView:
    return acreline.farm(demo_run, BIG)


@pytest.fixture(scope="module")
def mixed(demo_run: Path) -> FarmView:
    return acreline.farm(str(demo_run / "latest"), MIXED)


# --- rows ---------------------------------------------------------------------------------------------------------
def test_a_farm_is_read_whole_and_nothing_else(mixed: FarmView, demo_run: Path) -> None:
    latest = demo_run / "latest"
    everyone = gpd.read_parquet(latest / "parcels.parquet")
    mine = set(everyone.loc[everyone["farm_id"] == MIXED, "id"])
    assert set(mixed.parcels["parcel_id"]) == mine == set(mixed.facts.parcel_ids)
    assert mixed.parcels.crs.to_epsg() == 4326
    for name in ("seasons", "health", "events", "growth", "stands"):
        whole = pd.read_parquet(latest / f"{name}.parquet")
        wanted = whole[whole["parcel_id"].isin(mine)].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(mixed, name), wanted, check_dtype=False)
    line = next(x for x in (latest / "trail.jsonl").read_text().splitlines() if json.loads(x)["farm_id"] == MIXED)
    assert (mixed.decision.outcome, list(mixed.decision.reasons)) == ("refer", json.loads(line)["reasons"])
    assert [step.rule for step in mixed.decision.trail] == [step["rule"] for step in json.loads(line)["trail"]]
    assert mixed.measured_ids[0] == "639B424A-014"  # the largest first


def test_looks_say_what_was_seen_and_what_may_speak(big: FarmView) -> None:
    looks = big.looks
    assert list(looks.columns) == ["parcel_id", "pass_id", "time", "ndvi", "blue", "clear_share", "kind"]
    assert len(looks) == len(big.passes[big.passes["n_seen"] > 0])
    assert (looks["kind"] == "clear").sum() == big.facts.clear_looks
    assert (looks.loc[looks["kind"] == "cloudy", "clear_share"] < 0.5).all()
    assert (looks.loc[looks["kind"] != "cloudy", "clear_share"] >= 0.5).all()
    raw = big.passes.set_index("pass_id").loc["S2_20180708"]
    told = looks.set_index("pass_id").loc["S2_20180708"]
    assert told["ndvi"] == raw["sum_ndvi"] / raw["n_clear"] / 10_000
    assert looks.loc[looks["clear_share"] == 0, "ndvi"].isna().all()


def test_the_curve_peaks_where_the_season_says(big: FarmView) -> None:
    curve = big.curve(FIELD)
    clear = big.looks[big.looks["kind"] == "clear"]["time"].dt.normalize()
    assert (curve["date"].iloc[0], curve["date"].iloc[-1]) == (clear.min(), clear.max())
    assert curve["date"].diff().dropna().eq(pd.Timedelta(days=1)).all()
    assert curve.loc[curve["ndvi"].idxmax(), "date"] == big.seasons["peak"].iloc[0]
    assert set(curve.loc[curve["seen"].notna(), "date"]) == set(clear)


def test_too_few_looks_give_no_curve(big: FarmView) -> None:
    seen = big.passes[big.passes["pass_id"].isin(["S2_20180708", "S2_20180807"])]
    few = replace(big, passes=seen).curve(FIELD)
    assert few["ndvi"].isna().all()
    assert few["seen"].notna().sum() == 2
    none = replace(big, passes=big.passes.iloc[:0])
    assert none.curve(FIELD).empty
    assert none.looks.empty


def test_a_refused_parcel_does_not_bring_a_neighbours_looks(demo_run: Path, tmp_path: Path) -> None:
    """Of two rows with one id the second is refused; what was seen belongs to the first farm alone."""
    copy = tmp_path / "run"
    shutil.copytree((demo_run / "latest").resolve(), copy)
    parcels = gpd.read_parquet(copy / "parcels.parquet")
    again = parcels[parcels["id"] == FIELD].assign(farm_id="F-005", status="rejected", reason="duplicate_id")
    pd.concat([parcels, again], ignore_index=True).to_parquet(copy / "parcels.parquet")
    view = acreline.farm(copy, "F-005")
    assert FIELD in set(view.parcels["parcel_id"])
    assert FIELD not in {*view.measured_ids, *view.looks["parcel_id"], *view.seasons["parcel_id"]}


@pytest.mark.parametrize("values", [["P2"], ["P0", "P5"], ["P9"], [], None])
def test_rows_are_found_in_whatever_part_of_a_file(
    values: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.DataFrame({"parcel_id": [f"P{k // 2}" for k in range(12)], "number": range(12)})
    table.to_parquet(tmp_path / "looks.parquet", row_group_size=3)
    monkeypatch.setattr(read, "BATCH_ROWS", 2)
    found = read.read_rows(tmp_path, "looks", "parcel_id", values)
    wanted = table if values is None else table[table["parcel_id"].isin(values)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, wanted)
    told = read.read_rows(tmp_path, "looks", "parcel_id", values, ["parcel_id"])
    pd.testing.assert_frame_equal(told, wanted[["parcel_id"]])


def test_parts_of_a_file_without_the_farm_are_not_opened(demo_run: Path) -> None:
    group = pq.ParquetFile(demo_run / "latest" / "looks.parquet").metadata.row_group(0)
    assert read._may_hold(group, "parcel_id", [FIELD])
    assert not read._may_hold(group, "parcel_id", ["000", "zzz"])


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no publication here") as error:
        acreline.farm(tmp_path, BIG)
    assert "OUT folder" in error.value.hint


def test_no_such_farm_lists_some_that_are_there(demo_run: Path) -> None:
    with pytest.raises(ConfigError, match="no farm 'F-0042'") as error:
        acreline.farm(demo_run, "F-0042")
    assert error.value.hint == "this run has F-004, F-002, F-008, F-001, F-005, F-006, F-007"


def test_no_such_parcel(big: FarmView) -> None:
    with pytest.raises(ConfigError, match="farm F-004: no parcel 'P-1'") as error:
        big.curve("P-1")
    assert error.value.hint == f"it has {FIELD}"


def test_a_damaged_line_is_told(demo_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree((demo_run / "latest").resolve(), copy)
    trail = (copy / "trail.jsonl").read_text(encoding="utf-8")
    (copy / "trail.jsonl").write_text(trail.replace('"stands":', '"stand":'), encoding="utf-8")
    with pytest.raises(StoreError, match="the line of farm 'F-004' is damaged: KeyError"):
        acreline.farm(copy, BIG)
    (copy / "trail.jsonl").unlink()
    with pytest.raises(StoreError, match=r"trail.jsonl: cannot be read: No such file"):
        acreline.farm(copy, BIG)


def test_a_missing_or_damaged_table_is_told(demo_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree((demo_run / "latest").resolve(), copy)
    (copy / "looks.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StoreError, match=r"looks.parquet: not readable as Parquet"):
        acreline.farm(copy, BIG)
    (copy / "looks.parquet").unlink()
    with pytest.raises(StoreError, match=r"looks.parquet: no such file"):
        acreline.farm(copy, BIG)


# --- where --------------------------------------------------------------------------------------------------------
@given(
    start=st.floats(0, 50_000), length=st.floats(1, 5_000), margin=st.integers(0, 20), least=st.integers(2, 200)
)  # fmt: skip
def test_a_span_holds_its_land_on_whole_20_m_pixels(start: float, length: float, margin: int, least: int) -> None:
    first, count = pixels._span(start, start + length, margin, least)
    assert first % 2 == count % 2 == 0
    assert 10 * first <= start - 10 * margin
    assert 10 * (first + count) >= start + length + 10 * margin
    assert count >= least
    assert count <= max(least, length / 10 + 2 * margin + 2) + 3  # and no more than it must


def _parcels(tiles: list[Any], shapes: list[shapely.Geometry]) -> gpd.GeoDataFrame:
    names = [f"P{k}" for k in range(len(tiles))]
    return gpd.GeoDataFrame({"parcel_id": names, "tile": tiles}, geometry=shapes, crs="EPSG:4326")


def test_parcels_far_apart_want_one_named() -> None:
    here, there = shapely.box(3.0, 50.8, 3.001, 50.801), shapely.box(3.1, 50.8, 3.101, 50.801)
    with pytest.raises(ConfigError, match=r"farm F: a window of \d+ by \d+ pixels of 10 m, at most 512") as error:
        pixels.window_around(_parcels(["31UDS", "31UDS"], [here, there]), "F", margin_px=4)
    assert error.value.hint == "name one parcel_id"


def test_parcels_in_two_tiles_want_one_named() -> None:
    here = shapely.box(3.0, 50.8, 3.001, 50.801)
    with pytest.raises(ConfigError, match="farm F: its parcels lie in the tiles 31UDS, 31UES"):
        pixels.window_around(_parcels(["31UES", "31UDS"], [here, here]), "F", margin_px=4)


def test_a_farm_without_a_tile_has_no_window() -> None:
    with pytest.raises(ConfigError, match="farm F: no parcel lies on a satellite tile"):
        pixels.window_around(_parcels([None], [shapely.box(3.0, 50.8, 3.001, 50.801)]), "F", margin_px=4)


# --- maps ---------------------------------------------------------------------------------------------------------
def test_maps_are_the_published_pixels(mixed: FarmView) -> None:
    maps = mixed.maps(margin_px=0)
    path = next((mixed.publication / "maps").glob("*_crop.tif"))
    values, (_, _, left, _, _, top), crs, _ = read_raster(path)
    assert maps.attrs["crs"] == crs
    x, y = maps["x"].to_numpy(), maps["y"].to_numpy()
    col, row = int((x[0] - left) // 10), int((top - y[0]) // 10)
    inside = slice(row, row + len(y)), slice(col, col + len(x))
    held = values[:, inside[0], inside[1]]
    np.testing.assert_array_equal(maps["crop"].to_numpy()[:, : held.shape[1], : held.shape[2]], held)
    names = {int(code): row[0] for code, row in maps.attrs["classes"]["crop"].items()}
    field = maps["crop"].sel(slot="B").to_numpy()[maps["parcel"] == maps.attrs["parcel_ids"].index("639B424A-014") + 1]
    assert names[int(np.bincount(field).argmax())] == "maize"


@pytest.mark.parametrize(("down", "right"), [(-2, -1), (0, 0), (3, 2), (-9, 0), (0, 9), (-1, 4)])
def test_a_map_is_laid_where_it_belongs(down: int, right: int) -> None:
    values, target = np.arange(1, 41, dtype=np.uint8).reshape(2, 4, 5), np.zeros((2, 6, 6), np.uint8)
    pixels._lay(values, target, down, right)
    for row in range(6):
        for col in range(6):
            at = row - down, col - right
            here = 0 <= at[0] < 4 and 0 <= at[1] < 5
            assert target[:, row, col].tolist() == (values[:, at[0], at[1]].tolist() if here else [0, 0])


def test_a_window_without_a_map_is_told(big: FarmView, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    with pytest.raises(StoreError, match="no map reaches this window"):
        replace(big, publication=tmp_path).maps()


def test_only_maps_near_the_window_are_opened(big: FarmView) -> None:
    window = big.window()
    near = next((big.publication / "maps").glob("*_crop.tif")).name
    assert pixels._may_reach(near, window)
    assert not pixels._may_reach(near.replace("r0006", "r0007"), window)
    assert not pixels._may_reach(near.replace("c0009", "c0008"), window)
    assert not pixels._may_reach(near.replace("31UDS", "31UES"), window)


# --- pixels -------------------------------------------------------------------------------------------------------
def test_the_cube_says_what_the_looks_say(big: FarmView) -> None:
    """Outlines of the demo follow the pixels, so the mean over a field's clear pixels is the look itself."""
    seen = big.looks[big.looks["kind"] == "clear"].iloc[::8]
    cube = big.cube(passes=list(seen["pass_id"]), margin_px=3)
    assert cube["pass_id"].to_numpy().tolist() == seen["pass_id"].tolist()
    assert cube["reflectance"].dims == ("time", "band", "y", "x")
    inside = cube["clear"] & (cube["parcel"] == 1)
    np.testing.assert_allclose(cube["ndvi"].where(inside).mean(("y", "x")), seen["ndvi"], atol=1e-4)
    blue = cube["reflectance"].sel(band="B02").where(inside).mean(("y", "x"))
    np.testing.assert_allclose(blue, seen["blue"], atol=1e-4)
    again = big.cube(FIELD, passes=list(seen["pass_id"]), margin_px=3)
    assert again.equals(cube)


def test_a_pass_that_was_not_used_is_told(big: FarmView) -> None:
    with pytest.raises(ConfigError, match="no scene of tile 31UDS was used on these passes"):
        big.cube(passes=["S2_20170804"])


def test_the_region_of_another_run_is_refused(demo_run: Path) -> None:
    region = read_region(REGION).model_copy(update={"name": "elsewhere"})
    with pytest.raises(ConfigError, match="region 'elsewhere' is not the one of this run, 'flanders-2018'"):
        acreline.farm(demo_run, BIG, region=region)


def test_a_region_file_that_is_nowhere_is_asked_for(
    big: FarmView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(REGION.read_text(encoding="utf-8").replace("../../", f"{REPO}/"), encoding="utf-8")
    strange = {**big.manifest, "inputs": {"region": pixels.file_sha256(mine)}}
    monkeypatch.chdir(REPO)
    with pytest.raises(ConfigError, match="neither one that comes with acreline nor in the current folder") as error:
        replace(big, manifest=strange).cube()
    assert "region=FILE" in error.value.hint
    monkeypatch.chdir(tmp_path)  # where the file lies
    assert replace(big, manifest=strange).cube(passes=["S2_20180708"]).sizes["time"] == 1


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged scenes in another place, one of them no longer listed, one damaged."""
    place = tmp_path_factory.mktemp("moved") / "flanders-2018"
    shutil.copytree(REPO / "data" / "flanders-2018", place)
    for path in place.rglob("collection.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        told["links"] = [link for link in told["links"] if "20180708" not in link["href"]]
        path.write_text(json.dumps(told), encoding="utf-8")
    damaged = [path for path in place.rglob("*.tif") if "20180807" in str(path) and path.stem.endswith("B04")]
    assert len(damaged) == 1
    damaged[0].write_bytes(b"II*\0 cut short")
    return place / "catalog.json"


def test_scenes_may_have_moved(demo_run: Path, moved: Path, big: FarmView) -> None:
    view = acreline.farm(demo_run, BIG, region=read_region(REGION, {"catalog": str(moved)}))
    assert view.cube(passes=["S2_20180921"]).equals(big.cube(passes=["S2_20180921"]))


@pytest.mark.parametrize(
    ("pass_id", "what"), [("S2_20180708", "are no longer in the catalogue"), ("S2_20180807", "can no longer be read")]
)
def test_scenes_that_are_gone_are_told(demo_run: Path, moved: Path, pass_id: str, what: str) -> None:
    view = acreline.farm(demo_run, BIG, region=read_region(REGION, {"catalog": str(moved)}))
    with pytest.raises(SourceError, match=f"folder: 1 of 2 scenes that the run used {what}: S2_31UDS_2018") as error:
        view.cube(passes=[pass_id, "S2_20180921"])
    assert "region=FILE" in error.value.hint


# --- card ---------------------------------------------------------------------------------------------------------
def test_the_card_speaks_both_languages(big: FarmView, mixed: FarmView) -> None:
    html = big._repr_html_()
    english = ("94.3 mu (6.29 ha)", "maize 83%", "Approve: limit 8,000 CNY", "The limit is the amount you asked for.")
    for told in (*english, "94.3 亩（6.29 公顷）", "玉米 83%", "批准：额度 8,000元", "health: not validated"):
        assert told in html
    assert "需人工核实" not in html
    told = mixed._repr_html_()
    assert "Asks for a person" in told
    assert "需人工核实" in told
    assert "may bear two crops" in told
    assert "To a person · 转人工审核" in told
    assert repr(big) == (
        "FarmView(F-004: 94.3 mu (6.29 ha), maize 83%, Approve: limit 8,000 CNY; 1 parcel, 48 clear looks)"
    )


def test_the_card_runs_nothing(big: FarmView) -> None:
    html = replace(big, facts=replace(big.facts, farm_id=ODD_FARM))._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in html


def test_a_farm_of_refused_parcels_has_a_card_and_a_picture(big: FarmView) -> None:
    refused = big.parcels.assign(status="rejected")
    facts = replace(big.facts, area_m2=None, main_crop=None, stands=(), value=None)
    view = replace(big, parcels=refused, facts=facts)
    assert "area not known" in view._repr_html_()
    assert "No parcel of this farm was measured." in _words(view.plot())


# --- picture ------------------------------------------------------------------------------------------------------
def _words(figure: Any) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def _day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def _hit(view: FarmView) -> FarmView:
    """The farm with a drought on its third parcel that nobody confirmed, and an early cut of one day that is sure."""
    common = {"share": 0.8, "severity": 0.4, "evidence": "", "code": ""}
    drought = {"event": "drought", "start": _day("2018-01-15"), "end": _day("2018-03-20"), "confirmed": False}
    cut = {"event": "early_harvest", "start": _day("2018-06-05"), "end": pd.NaT, "confirmed": True}
    rows = [{"parcel_id": view.measured_ids[2], **event, **common} for event in (drought, cut)]
    return replace(view, events=pd.DataFrame(rows))


def test_chips_are_spread_and_free_of_haze() -> None:
    days = pd.date_range("2018-03-01", periods=41, freq="5D", tz="UTC")
    looks = pd.DataFrame({"time": days, "kind": "clear", "clear_share": 1.0, "blue": 0.05, "pass_id": range(41)})
    looks.loc[20, "kind"] = "cloudy"
    looks.loc[8, "blue"] = 0.2  # hazy, on a wanted day
    looks.loc[0, "clear_share"] = 0.6
    none = pd.DataFrame({"emergence": pd.DatetimeIndex([], tz="UTC"), "harvest": pd.DatetimeIndex([], tz="UTC")})
    chosen = chips.choose_days(looks, none)
    assert chosen["pass_id"].is_monotonic_increasing
    assert len(chosen) == 6
    assert not {0, 8, 20} & set(chosen["pass_id"])
    season = pd.DataFrame({"emergence": [days[20]], "harvest": [days[30]]})
    chosen = chips.choose_days(looks, season)
    assert chosen["time"].min() >= days[20] - pd.Timedelta(days=chips.DAYS_BEFORE)
    assert chosen["time"].max() <= days[30] + pd.Timedelta(days=chips.DAYS_AFTER)
    assert list(chips.choose_days(looks.iloc[:4], none)["pass_id"]) == [1, 2, 3]
    late = pd.DataFrame(
        {"emergence": [days[40] + pd.Timedelta(days=90)], "harvest": [days[40] + pd.Timedelta(days=180)]}
    )
    assert len(chips.choose_days(looks, late)) == 6  # dates that no look reaches: what there is
    assert chips.choose_days(looks.assign(kind="cloudy"), none).empty


def test_the_picture_shows_chips_curve_dates_and_facts(big: FarmView) -> None:
    season = {"emergence": _day("2018-06-01"), "emergence_doubt_days": 4.0, "peak": _day("2018-07-12")}
    season |= {"peak_doubt_days": None, "harvest": _day("2018-10-01"), "harvest_doubt_days": 5.0}
    figure = replace(big, seasons=big.seasons.assign(**season)).plot()
    assert figure.get_size_inches()[0] * figure.dpi == 1000
    assert len(figure.axes) == 7  # six chips and a curve
    words = _words(figure)
    for told in (BIG, "94.3 mu (6.29 ha)", "Approve: limit 8,000 CNY", "emergence 1 Jun ±4 d", "peak 12 Jul\n",
                 "harvest 1 Oct ±5 d", "clear look", "cloudy look", "NDVI", f"{FIELD}  ·  maize 83%  ·  94.3 mu",
                 "demonstration policy"):  # fmt: skip
        assert told in words
    line = next(line for line in figure.axes[0].lines if len(line.get_xdata()) > 100)
    assert line.get_color() == style.shade("#f2c14e")  # maize, as in configs/crops
    np.testing.assert_allclose(line.get_ydata(), big.curve(FIELD)["ndvi"])


def test_no_word_runs_out_of_the_picture(big: FarmView) -> None:
    """A cereal that emerges as the season begins, and a crop that is cut as it ends."""
    days = {"emergence": ["2017-10-10", "2018-06-25"], "peak": ["2017-10-12", "2018-12-10"]}
    days |= {"harvest": ["2018-06-10", "2018-12-12"]}
    two = big.seasons.iloc[[0, 0]].reset_index(drop=True)
    two = two.assign(**{name: [_day(text) for text in texts] for name, texts in days.items()})
    two = two.assign(**{f"{name}_doubt_days": 6.0 for name in days})
    figure = replace(big, seasons=two).plot(chips="none")
    wide, high = figure.bbox.width, figure.bbox.height
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= wide, text.get_text()
        assert 0 <= box.y0 <= box.y1 <= high, text.get_text()


def test_small_print_of_any_length_stays_inside(mixed: FarmView) -> None:
    long = {
        "en": "not looked for: " + ", ".join(["late or failed stand"] * 15),
        "zh": "未查找的灾害：" + "出苗迟缓、" * 40,
    }
    many = replace(mixed, manifest={**mixed.manifest, "notices": [long]})
    for lang in ("en", "zh"):
        figure = many.plot(lang, chips="none")
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.texts if text.get_fontsize() == 7.5]
        assert len(boxes) >= 2
        assert all(0 <= box.x0 <= box.x1 <= figure.bbox.width and box.y0 >= 0 for box in boxes)
        legend = figure.legends[0].get_window_extent()
        assert max(box.y1 for box in boxes) <= legend.y0 + 2, "and does not run into the legend"


def test_the_largest_parcels_and_their_events_are_drawn(mixed: FarmView) -> None:
    figure = _hit(mixed).plot(chips="none")
    words = _words(figure)
    assert len(figure.axes) == plot.MOST_PARCELS
    assert "1   639B424A-014" in words
    assert "not shown: 2 smaller" in words
    assert "drought, suspected" in words
    assert "cut long before its neighbours\n" in words
    assert "Asks for a person: may bear two crops" in words


def test_the_picture_speaks_chinese_where_it_can(mixed: FarmView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "chinese_font", lambda: "DejaVu Sans")  # words alone, no glyph is drawn
    words = _words(_hit(mixed).plot("zh", chips="none"))
    for told in (
        "113.2 亩（7.55 公顷）",
        "转人工审核",
        "玉米",
        "收获 10月1日 ±5 天",
        "干旱（疑似）",
        "另有 2 个较小地块",
    ):
        assert told in words
    monkeypatch.setattr(plot, "chinese_font", lambda: None)
    words = _words(mixed.plot("zh", chips="none"))
    assert "To a person" in words
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in words)


def test_days_and_months_are_written_in_both_languages() -> None:
    day = date(2018, 2, 1)
    assert (style.short_day(day, 0), style.short_day(day, 1)) == ("1 Feb", "2月1日")
    assert (style.month_label(day, 0, year=True), style.month_label(day, 1, year=True)) == ("Feb\n2018", "2月\n2018年")
    assert style.shade("#ffffff", 1.0) == style.INK


def test_ndvi_chips_come_with_their_key(mixed: FarmView) -> None:
    figure = mixed.plot(chips="ndvi")
    assert "NDVI 0" in _words(figure)
    assert len(figure.axes) == 3 + 6 + 1


def test_without_scenes_the_picture_says_why(mixed: FarmView, demo_run: Path, tmp_path: Path) -> None:
    region = read_region(REGION, {"catalog": str(tmp_path)})
    figure = acreline.farm(demo_run, MIXED, region=region).plot()
    assert len(figure.axes) == 3
    assert "No pictures: " in _words(figure)
    assert "holds no .json file" in _words(figure).replace("\n", " ")


@pytest.mark.parametrize(
    ("lang", "kind", "what"), [("nl", "colour", "'nl' is not spoken"), ("en", "red", "'red' are no chips")]
)
def test_a_picture_that_is_not_drawn_is_refused(big: FarmView, lang: str, kind: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        big.plot(lang, chips=kind)


def test_without_matplotlib_the_extra_is_named(big: FarmView, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match="a farm's picture needs matplotlib, which is not installed") as error:
        big.plot()
    assert error.value.hint == "pip install 'acreline[notebooks]'"


def test_reasons_flags_and_colours_are_those_of_the_publication(mixed: FarmView) -> None:
    assert card.colour_of(mixed, "crop", "grassland") == "#2ca25f"
    assert card.colour_of(mixed, "crop", "unheard_of") == card.GREY
    assert len(card.reasons(mixed.decision)) == len(mixed.decision.reasons)
    assert ("may bear two crops, boundary doubtful", "可能种有两种作物，边界存疑") in card.flags(mixed)


def test_pictures_of_a_farm_are_read_again_for_its_page(demo_run: Path, big: FarmView, tmp_path: Path) -> None:
    from acreline.report import FieldPicture
    from acreline.report.pdf import write_farm_page

    pictures = big.pictures()
    assert set(pictures) == set(big.measured_ids)
    clear = set(big.looks.loc[big.looks["kind"] == "clear", "time"].dt.strftime("%Y-%m-%d"))
    for picture in pictures.values():
        assert isinstance(picture, FieldPicture)
        assert {picture.day, *(chip.day for chip in picture.season)} <= clear
        assert len(picture.season) > 3
    publication = (demo_run / "latest").resolve()
    text = write_farm_page(publication, big.farm_id, tmp_path / "page.html", pictures=pictures).read_text("utf-8")
    assert all(picture.day in text for picture in pictures.values() if isinstance(picture, FieldPicture))
    assert "--pictures" not in text


def test_scenes_that_are_gone_are_left_out_of_a_page(demo_run: Path, moved: Path) -> None:
    from acreline.report import FieldPicture

    region = read_region(REGION, {"catalog": str(moved)})
    found = acreline.farm(demo_run, BIG, region=region).pictures()
    assert found
    days = {chip.day for one in found.values() if isinstance(one, FieldPicture) for chip in (one, *one.season)}
    assert not days & {"2018-07-08", "2018-08-07"}
