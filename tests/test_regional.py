# SPDX-License-Identifier: Apache-2.0
"""Statistics, reported events and normals from files: what is known on a day, and what is refused."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from acreline.config import packaged_crops
from acreline.errors import InputError
from acreline.layers import Parcels
from acreline.regional import read_known_events, read_normals, read_statistics

DAY = date(2018, 12, 15)
KINDS = ["drought", "flood", "frost"]
HEAD = "crop,year,yield_kg_per_ha,relative_error,source,valid_from\n"


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def parcels() -> Parcels:
    return Parcels(
        gpd.GeoDataFrame(
            {"parcel_id": ["a", "b", "c"]},
            geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), None],
            crs="EPSG:4326",
        )
    )


# --- statistics ---------------------------------------------------------------------------------------------------
def test_the_newest_year_known_on_the_day_counts(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEAD + "maize,2016,6000,0.08,bureau,2017-05-01\nmaize,2017,6400,0.05,bureau,2018-05-01\n"
        "maize,2018,7000,0.05,bureau,2019-05-01\npotato,2017,30000,0.1,bureau,2018-05-01\n",
    )
    told = read_statistics(path, packaged_crops(), as_of=DAY)
    assert told == {"maize": (6400.0, 0.05), "potato": (30000.0, 0.1)}
    early = read_statistics(path, packaged_crops(), as_of=date(2018, 4, 30))
    assert early == {"maize": (6000.0, 0.08)}
    assert read_statistics(None, {}, as_of=DAY) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop,year\nmaize,2017\n", r"columns \['yield_kg_per_ha', .* are missing"),
        (HEAD + "maizze,2017,6400,0.05,bureau,2018-05-01\n", "row 2: crop 'maizze' is not known"),
        (HEAD + "maize,2017,0,0.05,bureau,2018-05-01\n", "row 2: yield_kg_per_ha is '0'"),
        (HEAD + "maize,2017,6400,many,bureau,2018-05-01\n", "row 2: relative_error is"),
        (HEAD + "maize,2017,6400,0.05,,2018-05-01\n", "row 2: source is"),
        (HEAD + "maize,2017,6400,0.05,bureau,in May\n", "row 2: valid_from is 'in May'"),
        (
            HEAD + "maize,2017,6400,0.05,bureau,2018-05-01\nmaize,2017,6500,0.05,bureau,2018-05-01\n",
            "row 3: a second figure for maize of 2017, published on 2018-05-01 too",
        ),
    ],
)
def test_statistics_that_cannot_be_true_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_statistics(write(tmp_path, text), packaged_crops(), as_of=DAY)


def test_before_the_first_publication_nothing_is_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, HEAD + "maize,2018,6400,0.05,bureau,2018-12-16\n")
    assert read_statistics(path, packaged_crops(), as_of=DAY) == {}
    assert caplog.messages == [f"{path}: not yet published on 2018-12-15: nothing of it is used"]
    assert read_statistics(path, packaged_crops(), as_of=date(2018, 12, 16)) == {"maize": (6400.0, 0.05)}


def test_the_newest_harvest_counts_whenever_it_was_published(tmp_path: Path) -> None:
    rows = ["maize,2017,6400,0.05,bureau,2018-03-01", "maize,2016,6100,0.05,yearbook,2018-06-01"]
    path = write(tmp_path, HEAD + "\n".join(rows))
    assert read_statistics(path, packaged_crops(), as_of=DAY) == {"maize": (6400.0, 0.05)}
    path = write(tmp_path, HEAD + "\n".join([*rows, "maize,2017,6500,0.03,yearbook,2018-09-01"]))
    assert read_statistics(path, packaged_crops(), as_of=DAY) == {"maize": (6500.0, 0.03)}  # revised
    assert read_statistics(path, packaged_crops(), as_of=date(2018, 8, 1)) == {"maize": (6400.0, 0.05)}


COUNTIES = """# yields, made up
crop,county,year,yield_kg_per_ha,relative_error,source,valid_from
maize,,2017,6400,0.2,nation,2018-05-01
maize,xingping,2016,5900,0.05,bureau,2017-05-01
maize,other,2017,9900,0.05,bureau,2018-05-01
potato,,2017,20000,0.2,nation,2018-05-01
"""


def test_a_county_s_own_figure_goes_before_that_of_the_land(tmp_path: Path) -> None:
    path = write(tmp_path, COUNTIES)
    land = {"maize": (6400.0, 0.2), "potato": (20000.0, 0.2)}
    assert read_statistics(path, packaged_crops(), as_of=DAY) == land
    assert read_statistics(path, packaged_crops(), as_of=DAY, county="nowhere") == land
    own = read_statistics(path, packaged_crops(), as_of=DAY, county="xingping")
    assert own == {"maize": (5900.0, 0.05), "potato": (20000.0, 0.2)}
    path = write(tmp_path, COUNTIES.replace("potato,,2017,20000", "potato,,2017,0"))
    with pytest.raises(InputError, match="row 6: yield_kg_per_ha is '0'"):
        read_statistics(path, packaged_crops(), as_of=DAY)


def test_statistics_of_other_counties_alone_are_refused(tmp_path: Path) -> None:
    rows = [line for line in COUNTIES.splitlines() if ",," not in line]
    path = write(tmp_path, "\n".join(rows))
    with pytest.raises(InputError, match="no figure of county 'nowhere'") as caught:
        read_statistics(path, packaged_crops(), as_of=DAY, county="nowhere")
    assert caught.value.hint == "set `county:` in the region file to one of other, xingping"
    with pytest.raises(InputError, match="no figure of the whole land"):
        read_statistics(path, packaged_crops(), as_of=DAY)


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    path = write(tmp_path, COUNTIES)
    table = pd.read_csv(path, comment="#", parse_dates=["valid_from"])
    table.to_parquet(tmp_path / "table.parquet")
    read = [read_statistics(one, packaged_crops(), as_of=DAY, county="xingping")
            for one in (path, tmp_path / "table.parquet")]  # fmt: skip
    assert read[0] == read[1]


def test_statistics_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        read_statistics(tmp_path / "none.csv", {}, as_of=DAY)
    assert "`statistics:`" in caught.value.hint


def test_statistics_that_are_no_table_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    path.write_bytes(b"no table")
    with pytest.raises(InputError, match="statistics cannot be read"):
        read_statistics(path, {}, as_of=DAY)


# --- reported events ----------------------------------------------------------------------------------------------
def test_reports_by_parcel_and_of_the_whole_region(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "event,start,end,parcel_id\nflood,2018-07-01,2018-07-05,a\nfrost,2018-04-01,2018-04-02,\n"
        "flood,2019-07-01,2019-07-05,b\n",
    )
    table = read_known_events(path, parcels(), KINDS, as_of=DAY)
    assert table is not None
    assert table["event"].tolist() == ["flood", "frost"]  # the third had not happened
    assert table["parcel_id"].fillna("-").tolist() == ["a", "-"]
    assert table["share"].tolist() == [1.0, 1.0]
    assert read_known_events(None, parcels(), KINDS, as_of=DAY) is None


def test_a_report_counts_from_the_day_it_was_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(
        tmp_path,
        "event,start,end,parcel_id,valid_from\nflood,2018-07-01,2018-07-05,a,2018-07-20\n"
        "frost,2018-04-01,2018-04-02,a,\ndrought,2018-06-01,2018-08-01,b,2018-06-15\n",
    )
    told = {}
    for day in (date(2018, 4, 1), date(2018, 4, 2), date(2018, 7, 19), date(2018, 7, 20)):
        table = read_known_events(path, parcels(), KINDS, as_of=day)
        assert table is not None
        told[day] = table["event"].tolist()
    assert list(told.values()) == [[], ["frost"], ["frost", "drought"], ["flood", "frost", "drought"]]
    with caplog.at_level("INFO"):
        read_known_events(path, parcels(), KINDS, as_of=date(2018, 7, 19))
    assert "1 of 3 reported events were not known on 2018-07-19" in caplog.text


def test_an_outline_counts_from_the_day_it_was_known(tmp_path: Path) -> None:
    path = outlines(tmp_path, shapely.box(0, 0, 1, 1), valid_from=["2018-07-20"])
    counts = []
    for day in (date(2018, 7, 19), date(2018, 7, 20)):
        table = read_known_events(path, parcels(), KINDS, as_of=day)
        assert table is not None
        counts.append(len(table))
    assert counts == [0, 1]


def outlines(folder: Path, *shapes: shapely.Geometry | None, crs: str | None = "EPSG:4326", **more: list[str]) -> Path:
    told = {"event": ["flood"], "start": ["2018-07-01"], "end": ["2018-07-05"]} | more
    path = folder / "outlines.geojson"
    gpd.GeoDataFrame(
        {name: values * len(shapes) for name, values in told.items()}, geometry=list(shapes), crs=crs
    ).to_file(path, driver="GeoJSON")
    return path


def test_an_outline_is_crossed_with_the_parcels(tmp_path: Path) -> None:
    path = outlines(tmp_path, shapely.box(0.5, 0, 1.25, 1))
    table = read_known_events(path, parcels(), KINDS, as_of=DAY)
    assert table is not None
    assert dict(zip(table["parcel_id"], table["share"], strict=True)) == pytest.approx({"a": 0.5, "b": 0.25})
    assert (table["start"] == pd.Timestamp("2018-07-01")).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("event,start\nflood,2018-07-01\n", r"columns \['end'\] are missing"),
        ("event,start,end\nfloods,2018-07-01,2018-07-02\n", "report 1: event 'floods' is not known"),
        ("event,start,end\nflood,2018-07-05,2018-07-01\n", "report 1: ends before it starts"),
        ("event,start,end,parcel_id\nflood,2018-07-01,2018-07-02,z\n", "parcel 'z' is not in the farm file"),
        ("event,start,end\nflood,July,2018-07-02\n", "row 1: start 'July' is no day"),
        ("event,start,end,valid_from\nflood,2018-07-01,2018-07-02,soon\n", "row 1: valid_from 'soon' is no day"),
        ("event,start,end,valid_from\nflood,2018-07-01,2018-07-02,2018-06-30\n", "report 1: valid_from lies before"),
    ],
)
def test_reports_that_do_not_fit_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_known_events(write(tmp_path, text), parcels(), KINDS, as_of=DAY)


def test_outlines_without_a_property_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.geojson"
    gpd.GeoDataFrame({"event": ["flood"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(path, driver="GeoJSON")
    with pytest.raises(InputError, match=r"properties \['start', 'end'\] are missing"):
        read_known_events(path, parcels(), KINDS, as_of=DAY)


def test_outlines_without_a_reference_system_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.gpkg"
    with pytest.warns(UserWarning, match="'crs' was not provided"):
        gpd.GeoDataFrame({"event": ["flood"]}, geometry=[shapely.box(0, 0, 1, 1)]).to_file(path, driver="GPKG")
    with pytest.raises(InputError, match="no coordinate reference system"):
        read_known_events(path, parcels(), KINDS, as_of=DAY)


def test_outlines_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_known_events(tmp_path / "none.geojson", parcels(), KINDS, as_of=DAY)


def test_outlines_that_are_no_vector_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="known_events cannot be read"):
        read_known_events(write(tmp_path, "a flood", "words.geojson"), parcels(), KINDS, as_of=DAY)


@pytest.mark.parametrize(("shape", "kind"), [(shapely.Point(0.5, 0.5), "Point"), (None, "nothing")])
def test_an_outline_that_is_no_area_is_refused(shape: shapely.Point | None, kind: str, tmp_path: Path) -> None:
    path = outlines(tmp_path, shapely.box(0, 0, 1, 1), shape)
    with pytest.raises(InputError, match=f"report 2: the outline is no area but {kind}") as caught:
        read_known_events(path, parcels(), KINDS, as_of=DAY)
    assert caught.value.hint == "draw a Polygon or MultiPolygon"


def test_an_outline_beside_all_parcels_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = outlines(tmp_path, shapely.box(0, 0, 0.5, 1), shapely.box(7, 7, 8, 8))
    with caplog.at_level(logging.WARNING, logger="acreline.regional"):
        table = read_known_events(path, parcels(), KINDS, as_of=DAY)
    assert table is not None
    assert table["parcel_id"].tolist() == ["a"]
    assert caplog.messages == ["1 of 2 reported outlines meet no parcel"]


def test_an_event_that_is_not_known_has_its_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_known_events(write(tmp_path, "event,start,end\nflod,2018-07-01,2018-07-02\n"), parcels(), KINDS, as_of=DAY)
    assert caught.value.hint == "did you mean 'flood'? known: drought, flood, frost"


# --- normals ------------------------------------------------------------------------------------------------------
def test_normals_of_other_years_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "crop,week,ndvi,ndvi_sd,n_fields,years\nmaize,30,0.8,0.05,40,2016|2017\n")
    table = read_normals(path, harvest_year=2018)
    assert table is not None
    assert table["ndvi"].tolist() == [0.8]
    with pytest.raises(InputError, match="the normals hold 2017 itself"):
        read_normals(path, harvest_year=2017)
    assert read_normals(None, harvest_year=2018) is None


USUAL = "crop,week,ndvi,ndvi_sd,years\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop,week,ndvi,ndvi_sd\nmaize,30,0.8,0.05\n", r"columns \['years'\] are missing"),
        (USUAL, "no row"),
        (USUAL + "maize,30,0.8,0.05,\n", "row 2: years is"),
        (USUAL + "maize,30,0.8,0.05,2016\nmaize,31,0.8,0.05,20x7\n", "row 3: years is '20x7'"),
        (USUAL + "maize,30,0.8,0.05,2016|2019\n", "the normals hold 2019, which was not known in 2018"),
        (USUAL + "maize,54,0.8,0.05,2016\n", "row 2: week is '54'"),
        (USUAL + "maize,30.5,0.8,0.05,2016\n", "row 2: week is '30.5'"),
        (USUAL + "maize,30,green,0.05,2016\n", "row 2: ndvi is 'green'"),
        (USUAL + "maize,30,0.8,-0.05,2016\n", "row 2: ndvi_sd is '-0.05'"),
        (USUAL + "maize,30,0.8,0.05,2016\nmaize,30,0.7,0.05,2016\n", "row 3: week is '30'"),
    ],
)
def test_normals_that_do_not_fit_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_normals(write(tmp_path, text), harvest_year=2018)
