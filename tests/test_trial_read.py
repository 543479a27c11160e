# SPDX-License-Identifier: Apache-2.0
"""Labelled data by path: each kind is told apart and read, and what cannot be read is refused in words."""

from __future__ import annotations

import builtins
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from acreline.errors import ConfigError, InputError
from acreline.trial.read import KINDS, digest_of, read_labelled
from acreline.trial.regions import region_file, slot_rows, truth_of
from acreline.trial.tables import find_labels
from acreline.trial.tasks import NOT_SCORED
from acreline.trial.times import harvest_year_of, month_ends
from tests.made_labelled import parcel_table, point_table, write_geojson, write_square

pytest.importorskip("h5netcdf")


# --- parcels ------------------------------------------------------------------------------------------------------
def test_a_table_of_parcels_is_read_by_its_codes(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115, 131, 9999]).to_csv(path, index=False)
    series, digest = read_labelled(path)
    assert (series.task, series.level, series.harvest_year) == ("A", "L1C", 2018)
    assert series.values.shape == (3, 5, 13)
    assert series.values[0, 1, 0] == pytest.approx((500 + 115 + 100) / 10_000)
    assert series.group.tolist() == ["winter_cereal", "winter_barley", NOT_SCORED]
    assert series.cell.tolist() == series.ids.tolist()
    assert series.size_m2 is None
    assert digest == digest_of([path])


def test_names_in_a_geojson_beside_win_over_codes_and_bring_areas_and_places(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([400, 115, 115, 451]).to_csv(path, index=False)
    write_geojson(tmp_path / "outlines.geojson", {1: "silage_maize", 2: "winter_barley", 3: "a hedge", 4: "meadow"})
    (tmp_path / "other.geojson").write_text("[]", encoding="utf-8")
    assert find_labels(path) == tmp_path / "outlines.geojson"
    series, digest = read_labelled(path)
    assert series.group.tolist() == ["maize", "winter_barley", NOT_SCORED, "grassland"]
    assert series.label.tolist()[2] == "winter_wheat"
    assert series.size_m2 is not None
    assert series.size_m2.tolist() == [10_000, 20_000, 30_000, 40_000]
    assert len(set(series.cell.tolist())) == 4
    assert digest != digest_of([path])


def test_names_in_the_table_itself_win_over_codes(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115, 115]).assign(label=["spring_barley"] * 5 + [None] * 5).to_csv(path, index=False)
    assert read_labelled(path)[0].group.tolist() == ["spring_barley", "winter_cereal"]


def test_a_label_file_can_be_named_and_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115]).to_csv(path, index=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    named = write_geojson(elsewhere / "names.geojson", {1: "winter_barley"})
    assert read_labelled(path, labels=named)[0].group.tolist() == ["winter_barley"]
    with pytest.raises(InputError, match=r"others\.geojson: names none of the parcels"):
        read_labelled(path, labels=write_geojson(elsewhere / "others.geojson", {7: "meadow"}))
    with pytest.raises(InputError, match=r"nothing\.geojson: cannot be read"):
        read_labelled(path, labels=elsewhere / "nothing.geojson")


def test_a_table_of_parcels_says_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115]).drop(columns=["B10_mean", "B8A_mean"]).to_csv(path, index=False)
    with pytest.raises(InputError, match="columns B8A_mean, B10_mean are missing"):
        read_labelled(path)
    parcel_table([115]).assign(Date="last week").to_csv(path, index=False)
    with pytest.raises(InputError, match=r"^parcels\.csv: Date, row 1: 'last week' is not a date$") as told:
        read_labelled(path)
    assert told.value.hint == "dates as 2018-06-15"
    odd = parcel_table([115]).astype({"B4_mean": object})
    odd.loc[odd.index[2], "B4_mean"] = "n/a?"
    odd.to_csv(path, index=False)
    shares = parcel_table([115])
    bands = [name for name in shares if name.endswith("_mean")]
    shares.assign(**{name: shares[name] / 10_000 for name in bands}).to_csv(tmp_path / "shares.csv", index=False)
    with pytest.raises(
        InputError, match=r"shares\.csv: the highest reflectance is 0\.\d+: these look like shares of 1"
    ):
        read_labelled(tmp_path / "shares.csv")
    with pytest.raises(InputError, match=r"^parcels\.csv: B4_mean, row 3: 'n/a\?' is not a number$"):
        read_labelled(path)
    parcel_table([115]).iloc[:0].to_csv(path, index=False)
    with pytest.raises(InputError, match="has no rows"):
        read_labelled(path)


def test_rows_that_repeat_a_date_are_told_and_rows_without_a_name_refused(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    once = parcel_table([115])
    pd.concat([once, once.iloc[:2].assign(B8_mean=9999)]).to_csv(path, index=False)
    series = read_labelled(path)[0]
    assert series.notes[-1] == "2 rows repeat a sample and date: the first of each is taken"
    assert float(np.nanmax(series.values)) < 0.9999
    once.to_csv(path, index=False)
    assert not any("repeat" in note for note in read_labelled(path)[0].notes)
    once.astype({"id": object}).assign(id=[None, *once["id"][1:]]).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"parcels\.csv: id, row 1: 'nan' names no parcel"):
        read_labelled(path)
    points = point_table([1101060000])
    pd.concat([points, points.iloc[:1]]).to_parquet(tmp_path / "points.parquet")
    assert read_labelled(tmp_path / "points.parquet")[0].notes[-1].startswith("1 rows repeat")


# --- points -------------------------------------------------------------------------------------------------------
def test_points_by_dekad_are_read_and_put_in_the_middle_of_their_steps(tmp_path: Path) -> None:
    path = tmp_path / "points.geoparquet"
    table = point_table([1101060000, 1101020012, 4711])
    table.iloc[1:].to_parquet(path)  # a row that is not there is nothing seen
    series, _ = read_labelled(path)
    assert (series.task, series.level, series.harvest_year) == ("B", "L2A", 2023)
    assert series.bands == ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
    assert series.group.tolist() == ["maize", NOT_SCORED, NOT_SCORED]
    assert str(series.times[0])[:10] == "2022-09-06"
    assert np.isnan(series.values[0, 0]).all()
    assert np.isnan(series.values[0, 3]).all()
    assert series.values[1, 3, 0] == pytest.approx((400 + 50 + 60) / 10_000)
    assert series.cell.tolist() == ["0_450", "1_450", "2_450"]


def test_months_are_a_task_of_their_own_and_b8a_is_taken_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    table = point_table([1101060000], step="MS", steps=14)
    table.assign(**{"S2-L2A-B8A": 3000}).drop(columns=["lon", "year"]).to_parquet(path)
    series, _ = read_labelled(path)
    assert series.task == "series"
    assert "B8A" in series.bands
    assert series.harvest_year == 2023
    assert series.cell.tolist() == ["p0"]


def test_codes_with_dashes_are_the_same_codes(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    point_table([0]).assign(ewoc_code="11-01-06-000-0").to_parquet(path)
    assert read_labelled(path)[0].group.tolist() == ["maize"]


def test_points_say_what_they_lack(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    point_table([1101060000]).drop(columns=["S2-L2A-B11"]).to_parquet(path)
    with pytest.raises(InputError, match="columns S2-L2A-B11 are missing"):
        read_labelled(path)
    both = pd.concat([point_table([1101060000]), point_table([1, 2], year=2022).query("sample_id == 'p1'")])
    both.to_parquet(path)
    with pytest.raises(InputError, match="points of the harvest years 2022, 2023"):
        read_labelled(path)
    point_table([1101060000]).iloc[:0].to_parquet(path)
    with pytest.raises(InputError, match="has no rows"):
        read_labelled(path)
    point_table([1101060000]).assign(timestamp="yesterday").to_parquet(path)
    with pytest.raises(InputError, match=r"points\.parquet: timestamp, row 1: 'yesterday' is not a date"):
        read_labelled(path)
    point_table([1101060000]).assign(**{"S2-L2A-B05": "30x"}).to_parquet(path)
    with pytest.raises(InputError, match=r"points\.parquet: S2-L2A-B05, row 1: '30x' is not a number"):
        read_labelled(path)
    point_table([1101060000]).assign(year="two").to_parquet(path)
    with pytest.raises(InputError, match=r"points\.parquet: year: 'two' is not a year"):
        read_labelled(path)


def test_ndvi_alone_is_known_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "ndvi.parquet"
    pd.DataFrame({"id": ["a"], "label_1": ["rice"], "ndvi_doy001": [0.2]}).to_parquet(path)
    with pytest.raises(InputError, match="holds NDVI only, and no model card says that it reads NDVI"):
        read_labelled(path)


# --- squares ------------------------------------------------------------------------------------------------------
def square_codes() -> np.ndarray:
    codes = np.zeros((8, 8), int)
    codes[:4, :4], codes[6:, 6:], codes[0, 7], codes[7, 0] = 1200, 9120, 1200, 9998
    return codes


@pytest.mark.parametrize("fine", [False, True])
def test_a_square_gives_a_series_for_each_labelled_pixel(tmp_path: Path, fine: bool) -> None:
    series, _ = read_labelled(write_square(tmp_path / "site", square_codes(), fine=fine))
    assert (series.task, series.harvest_year) == ("D", 2018)
    assert len(series.ids) == 16 + 4 + 1 + 1
    assert len(series.bands) == (10 if fine else 6)
    assert sorted(set(series.group.tolist())) == ["grass", "maize", NOT_SCORED]
    assert len(set(series.cell.tolist())) == 4
    assert np.isnan(series.values[:, 1]).all()  # cloud
    b05 = series.values[:, 2, series.bands.index("B05")]
    assert b05[series.ids.tolist().index("0_0")] == pytest.approx((800 + 60) / 10_000)
    assert b05[series.ids.tolist().index("0_3")] == pytest.approx((800 + 60 + 5) / 10_000)
    if fine:
        assert series.values[0, 2, series.bands.index("B03")] == pytest.approx((800 + 60 + 100) / 10_000)
        assert np.isnan(series.values[:, -1, series.bands.index("B03")]).all()  # the last look has no 10 m bands


def test_a_square_says_what_it_lacks(tmp_path: Path) -> None:
    folder = write_square(tmp_path / "site", np.zeros((8, 8)))
    with pytest.raises(InputError, match="no pixel has a label"):
        read_labelled(folder)
    labels = next(folder.glob("OUTPUT_*.nc"))
    labels.rename(tmp_path / labels.name)
    with pytest.raises(InputError, match=r"site: no file OUTPUT_\*\.nc"):
        read_labelled(folder)
    other = write_square(tmp_path / "other", square_codes()[:6])
    next(other.glob("OUTPUT_*.nc")).rename(folder / labels.name)
    with pytest.raises(InputError, match=r"labels of \(6, 8\) pixels on bands of \(4, 4\): expected twice as many"):
        read_labelled(folder)
    (folder / labels.name).write_bytes(b"no file of ours")
    with pytest.raises(InputError, match="not a NetCDF file"):
        read_labelled(folder)
    (folder / labels.name).write_bytes(next(folder.glob("S2_*.nc")).read_bytes())
    with pytest.raises(InputError, match="no variable CT"):
        read_labelled(folder)


def test_a_square_asks_for_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_square(tmp_path / "site", square_codes())
    real = builtins.__import__

    def without(name: str, *rest, **more):
        if name == "h5netcdf":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="needs h5netcdf") as told:
        read_labelled(folder)
    assert "acreline[evaluate]" in told.value.hint


# --- regions and the rest -----------------------------------------------------------------------------------------
def test_each_season_of_a_parcel_has_a_line_and_crops_side_by_side_have_no_one_name() -> None:
    rows = [
        ("a", "AB", "apple", "perennial"),
        ("b", "A", "winter_wheat", "winter_cereal"),
        ("b", "B", "summer_maize", "maize"),
        ("c", "A", "fallow", "none"),
        ("d", "A", "wheat", "winter_cereal"),
        ("d", "A", "rape", "rapeseed"),
    ]
    table = pd.DataFrame(rows, columns=["parcel_id", "slot", "crop", "class"]).assign(farm_id="F", area_m2=900.0)
    told = slot_rows(table)
    assert told["parcel_id"] == ["a", "b", "b", "c", "d"]
    assert told["slot"] == ["AB", "A", "B", "A", "A"]
    assert told["slug"] == ["perennial", "winter_cereal", "maize", "none", "mixed"]
    assert told["name"][4] == "rape beside wheat"


def test_a_region_without_its_file_or_truth_is_told(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "labels.tif").write_bytes(b"")
    with pytest.raises(InputError, match=r"no region\.yaml in it"):
        region_file(tmp_path)

    class Bare:
        class parcels:
            path = tmp_path / "farm" / "parcels.parquet"

    with pytest.raises(InputError, match="the region has no truth beside it"):
        truth_of(tmp_path / "elsewhere" / "region.yaml", Bare)


def test_what_is_of_no_known_kind_is_refused_with_the_kinds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "table.parquet")
    (tmp_path / "empty").mkdir()
    for name in ("notes.txt", "table.csv", "table.parquet", "empty"):
        with pytest.raises(InputError, match=f"{name}: not labelled data of a known kind") as told:
            read_labelled(tmp_path / name)
        assert all(kind in told.value.hint for kind in KINDS)
        assert ("columns a" in told.value.message) == name.startswith("table")
        assert ("it is empty" in told.value.message) == (name == "empty")
    with pytest.raises(InputError, match="no such file or folder"):
        read_labelled(tmp_path / "nowhere.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR?")
    with pytest.raises(InputError, match=r"broken\.parquet: not a parquet file"):
        read_labelled(tmp_path / "broken.parquet")
    (tmp_path / "hollow.csv").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"hollow\.csv: not labelled data of a known kind; it has no columns"):
        read_labelled(tmp_path / "hollow.csv")
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=r"odd\.csv: cannot be read"):
        read_labelled(tmp_path / "odd.csv")


@pytest.mark.parametrize(
    ("last", "year"), [("2018-11-27", 2018), ("2021-09-15", 2021), ("2024-01-21", 2023), ("2024-03-05", 2024)]
)
def test_the_harvest_year_is_that_of_sixty_days_before_the_last_look(last: str, year: int) -> None:
    assert harvest_year_of(np.array(["2017-01-01", last], "datetime64[s]")) == year


def test_months_run_from_the_first_look_to_the_last_of_the_harvest_year() -> None:
    times = np.array(["2022-10-05", "2023-02-10", "2024-01-04"], "datetime64[s]")
    assert month_ends(times, 2023) == [date(2023, 1, 31), date(2023, 2, 28)]
    assert month_ends(times[1:2], 2023) == [date(2023, 2, 28)]
    assert month_ends(times[2:], 2023) == []
    assert month_ends(times[:0], 2023) == []


def test_the_formats_are_documented() -> None:
    text = (Path(__file__).parents[1] / "data" / "README.md").read_text(encoding="utf-8")
    for word in (
        "`NC`",
        "`B8A_mean`",
        "`ewoc_code`",
        "`S2_L2A_20m_*.nc`",
        "`CT`",
        "`truth/parcels.parquet`",
        "not_scored",
    ):
        assert word in text
