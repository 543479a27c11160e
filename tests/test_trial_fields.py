# SPDX-License-Identifier: Apache-2.0
"""`acreline evaluate --task health|yield`: rows and pictures of fields in, predictions with their doubt out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from acreline.cli import app
from acreline.errors import InputError
from acreline.inversion import INPUT_BANDS
from acreline.trial import evaluate_health, evaluate_yield, health_lines, yield_lines
from acreline.trial.field_rows import band_of, read_field_rows
from acreline.trial.field_yields import SURVEY, read_survey, tell_yields
from acreline.trial.packaged import labels_folder

BARE = [0.12, 0.16, 0.19, 0.21, 0.23, 0.25, 0.33, 0.28]
DENSE = [0.06, 0.03, 0.08, 0.30, 0.40, 0.45, 0.18, 0.08]


def series(weights: list[float], **columns: object) -> pd.DataFrame:
    """Looks of one field five days apart, each a mix of bare ground and a dense canopy."""
    mixed = np.array([[(1 - w) * b + w * d for b, d in zip(BARE, DENSE, strict=True)] for w in weights])
    table = pd.DataFrame((mixed * 10_000).round().astype(int), columns=[f"{band}_mean" for band in INPUT_BANDS])
    table.insert(0, "Date", pd.date_range("2018-03-01", periods=len(weights), freq="5D").strftime("%Y-%m-%d"))
    return table.assign(**columns)


@pytest.mark.parametrize(
    ("column", "band"),
    [
        ("B5", "B05"), ("B05_mean", "B05"), ("S2-L2A-B05", "B05"), ("band_11", "B11"), ("b8a", "B8A"), ("B08A", "B8A"),
        ("lai", None), ("BBCH", None), ("B", None), ("id", None), ("AB12C", None),
    ],
)  # fmt: skip
def test_bands_are_known_by_the_usual_names(column: str, band: str | None) -> None:
    assert band_of(column) == band


def test_leaf_area_is_told_for_each_row_and_ranked_beside_what_was_measured(tmp_path: Path) -> None:
    rise = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 0.8, 0.5, 0.2]
    rng = np.random.default_rng(0)
    tables = [series(rise, plot=f"p{k}", gai=np.array(rise) * 5 + rng.normal(0, 0.2, 10), soil=k) for k in range(4)]
    table = pd.concat(tables, ignore_index=True)
    table.loc[0, "B03_mean"] = 65535
    table.loc[1, [f"{band}_mean" for band in INPUT_BANDS]] = 6000
    table.to_csv(tmp_path / "rows.csv", index=False)
    metrics = evaluate_health(tmp_path / "rows.csv", tmp_path / "out")
    assert metrics["n"] == 39
    assert metrics["codes"] == {"band_missing": 1, "no_clear_pixel": 0, "cloud_doubtful": 1}
    assert metrics["data"]["notes"] == ["reflectance was given x 10000"]
    assert list(metrics["measured"]) == ["gai"]  # one number a field, as `soil`, is no measurement of its dates
    told = metrics["measured"]["gai"]
    assert told["n"] == 38
    assert told["leaf area"]["spearman"] > 0.9
    assert set(told["leaf area"]["within_phases"]["phases"]) == {"before the peak", "after the peak"}
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    written = pd.read_csv(tmp_path / "out" / "predictions.csv", keep_default_na=False, na_values=[""])
    assert list(written.columns) == ["id", "date", "value", "low", "high", "code"]
    assert written.loc[0, "code"] == "band_missing"
    assert np.isnan(written.loc[0, "value"])
    assert (written["low"].dropna() <= written["value"].dropna()).all()
    assert (written["value"].dropna() <= written["high"].dropna()).all()
    lines = "\n".join(health_lines(metrics, tmp_path))
    assert "1 looks cloud_doubtful: too bright for a field" in lines
    assert "beside gai, n 38 in 4 fields" in lines


def test_rows_without_field_or_measurement_are_told_as_they_are(tmp_path: Path) -> None:
    series([0.2, 0.5]).to_parquet(tmp_path / "rows.parquet")
    metrics = evaluate_health(tmp_path / "rows.parquet", tmp_path / "out")
    assert (metrics["n"], metrics["fields"], metrics["measured"]) == (2, 2, {})
    assert "no column names the field: each row stands for itself" in metrics["data"]["notes"]
    assert any("nothing was measured" in line for line in health_lines(metrics, tmp_path))


def test_surveyed_fields_are_told_better_than_by_their_mean_and_never_by_their_own_yield(tmp_path: Path) -> None:
    metrics = evaluate_yield(labels_folder() / SURVEY, tmp_path)
    assert metrics["n"] == 24
    assert metrics["rmse_t_per_ha"] < 0.95 < metrics["mean_predictor"]["rmse_t_per_ha"]
    assert 0.8 <= metrics["interval_90"]["covered"] <= 1
    rows = read_survey()
    before = tell_yields(rows, rows).set_index("id")
    rows.fields.loc["Baumacker", "yield_t_per_ha"] = 1.0
    after = tell_yields(rows, rows).set_index("id")
    assert after.loc["Baumacker", "value"] == before.loc["Baumacker", "value"]
    assert after.loc["D2", "value"] < before.loc["D2", "value"]
    lines = "\n".join(yield_lines(metrics, tmp_path))
    assert "24 fields, 24 of them harvested" in lines
    assert "RMSE 0.89" in lines


def test_fields_of_another_year_stand_on_the_normal_yield(tmp_path: Path) -> None:
    rise = [0.1, 0.3, 0.6, 0.9, 1.0, 0.6, 0.2]
    dry = [0.1, 0.2, 0.3, 0.4, 0.5, 0.3, 0.1]
    parts = [
        series(rise, id="wet", crop="winter_cereal"), series(dry, id="dry", crop="winter_cereal"),
        series(rise[:2], id="seldom", crop="winter_cereal"), series(rise, id="odd", crop="quinoa"),
    ]  # fmt: skip
    table = pd.concat(parts).assign(Date=lambda t: t["Date"].str.replace("2018", "2021"))
    table.to_csv(tmp_path / "rows.csv", index=False)
    metrics = evaluate_yield(tmp_path / "rows.csv", tmp_path / "out")
    expected = {"few_looks": 1, "crop_unknown": 1, "not_surveyed": 3, "crop_contradicted": 0, "ripens_otherwise": 0}
    assert metrics["codes"] == expected
    assert metrics["rmse_t_per_ha"] is None
    told = pd.read_csv(tmp_path / "out" / "predictions.csv").set_index("id")
    assert told.loc["wet", "value"] > told.loc["dry", "value"]
    assert told.loc["seldom", "value"] == pytest.approx(5.94)  # the crop's normal yield, with a wider doubt
    width = told["high"] / told["low"]
    assert width["seldom"] > width["wet"]
    assert np.isnan(told.loc["odd", "value"])
    assert any("fewer than 3 known yields" in line for line in yield_lines(metrics, tmp_path))


EARLY = [0.3, 0.9, 1.0, 0.9, 0.3, 0.1, 0.0, 0.0]
LATE = [0.3, 0.8, 0.9, 1.0, 1.0, 0.9, 0.3, 0.0]


def test_crops_that_are_contradicted_are_coded(tmp_path: Path) -> None:
    barley = [series(EARLY, id=f"b{k}", crop="WG", harvester_product="Barley - Winter", yield_t_ha=6 + k / 10)
              for k in range(4)]  # fmt: skip
    wheat = [series(LATE, id=f"w{k}", crop="WW", harvester_product="WEIZEN", yield_t_ha=7 + k / 10) for k in range(4)]
    odd = [  # NDVI falls from 0.818 to 0.439 between 26 and 31 March; its middle, 0.547, is passed after the 29th
        series(LATE, id="said", crop="WG", harvester_product="WEIZEN", yield_t_ha=5.0),  # both speak against it
        series(LATE, id="seen", crop="WG", harvester_product="", yield_t_ha=5.1),  # only its ripening does
        series(LATE[:3], id="seldom", crop="WG", harvester_product="weizen", yield_t_ha=5.2),  # only the combine does
        series(LATE, id="rye", crop="rye", harvester_product="", yield_t_ha=5.2),  # the only one of its crop
    ]
    pd.concat([*barley, *wheat, *odd]).to_csv(tmp_path / "rows.csv", index=False)
    metrics = evaluate_yield(tmp_path / "rows.csv", tmp_path / "out")
    found = {one["id"]: {k: v for k, v in one.items() if k != "id"} for one in metrics["contradicted"]}
    assert found["said"] == {
        "declared": "winter_barley", "harvested": "winter_cereal", "ripened": "2018-03-29", "like": "winter_cereal",
        "codes": ["crop_contradicted", "ripens_otherwise"],
    }  # fmt: skip
    assert found["seen"]["codes"] == ["ripens_otherwise"]
    assert found["seldom"]["codes"] == ["crop_contradicted"]
    assert set(found) == {"said", "seen", "seldom"}
    told = pd.read_csv(tmp_path / "out" / "predictions.csv").set_index("id")["code"]
    assert told["said"].split("|")[-2:] == ["crop_contradicted", "ripens_otherwise"]
    lines = yield_lines(metrics, tmp_path)
    assert (
        "  said: declared winter_barley; combine logged winter_cereal; ripened like winter_cereal (2018-03-29)" in lines
    )


# --- pictures -----------------------------------------------------------------------------------------------------
def make_pictures(folder: Path) -> None:
    """One field of 6 x 6 px in a picture of 8 x 8, seen on five days, the third under cloud."""
    import rasterio
    from rasterio.transform import from_origin

    (folder / "images").mkdir(parents=True)
    rows = []
    for k, w in enumerate([0.1, 0.5, 0.9, 1.0, 0.4]):
        picture = np.zeros((19, 8, 8), np.float32)
        picture[1, 1:7, 1:7] = 1
        names = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
        for place, band in enumerate(names):
            near = {"B01": "B03", "B02": "B04", "B08": "B8A", "B09": "B8A"}.get(band, band)
            at = INPUT_BANDS.index(near)
            picture[2 + place, 1:7, 1:7] = (1 - w) * BARE[at] + w * DENSE[at]
        picture[2:14, 1, 1:7] = 0.9  # the hedge at the edge is not read
        picture[0] = k == 2
        name = f"images/{k}.tif"
        with rasterio.open(
            folder / name, "w", driver="GTiff", width=8, height=8, count=19, dtype="float32", crs="EPSG:3857",
            transform=from_origin(1_300_000, 6_170_000, 15, 15),
        ) as target:  # fmt: skip
            target.write(picture)
        rows.append({"field": "made", "datetime": f"2018-0{k + 3}-01T10:00:00Z", "path": name})
    pd.DataFrame(rows).to_csv(folder / "index.csv", index=False)
    shape = {"type": "Feature", "geometry": None, "properties": {"Name": "made", "Type": "WW", "Ertrag": 71.0}}
    (folder / "fields.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [shape]}))


def test_pictures_are_read_off_the_edge_and_without_cloud(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set")
    rows = read_field_rows(tmp_path / "set")
    assert rows.looks["clear_share"].tolist() == [1, 1, 0, 1, 1]
    assert rows.looks["B04"].tolist() == pytest.approx([0.147, 0.095, np.nan, 0.03, 0.108], nan_ok=True)
    assert rows.fields.loc["made"].tolist() == ["winter_cereal", 7.1, ""]
    metrics = evaluate_health(tmp_path / "set", tmp_path / "health")
    assert metrics["codes"]["no_clear_pixel"] == 1
    metrics = evaluate_yield(tmp_path / "set", tmp_path / "yield")
    told = pd.read_csv(tmp_path / "yield" / "predictions.csv")
    assert told.loc[0, "low"] < told.loc[0, "value"] < told.loc[0, "high"]
    assert told.loc[0, "date"] == "2018-07-01"


# --- what is refused ----------------------------------------------------------------------------------------------
def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("no")
    with pytest.raises(InputError, match=r"x\.txt: no table of reflectance and no folder of pictures") as caught:
        read_field_rows(tmp_path / "x.txt")
    assert "B03 B04 B05 B06 B07 B8A B11 B12" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="Date"), "no column says the date; found B03_mean"),
        (lambda t: t.assign(Date=["2018-03-01", "2018-13-40"]), r"line 3: Date is '2018-13-40', which is no date"),
        (lambda t: t.assign(Date=["2018-03-01", None]), r"line 3: Date is empty \(1 such lines\)"),
        (lambda t: t.assign(Date=["spring", "fall"]), r"line 2: Date is 'spring', which is no date \(2 such lines\)"),
        (lambda t: t.iloc[:0], "has no rows"),
        (lambda t: t.drop(columns="B05_mean"), "leaf area: bands B05 are missing"),
    ],
)
def test_tables_that_lack_something_are_refused(tmp_path: Path, change: object, message: str) -> None:
    change(series([0.1, 0.5])).to_csv(tmp_path / "rows.csv", index=False)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        evaluate_health(tmp_path / "rows.csv", tmp_path / "out")


def test_looks_of_one_field_and_date_are_one_look(tmp_path: Path) -> None:
    """Two rows of 0.2 and 0.4 on one date count as one of 0.3; nothing is averaged across fields or dates."""
    table = series([0.2, 0.4, 0.3], plot=["a", "a", "b"], gai=[1.0, 2.0, 9.0], crop=["maize", "soybean", "maize"])
    table["Date"] = "2018-05-01"
    table.to_csv(tmp_path / "rows.csv", index=False)
    rows = read_field_rows(tmp_path / "rows.csv")
    assert rows.looks["id"].tolist() == ["a", "b"]
    assert rows.values[0] == pytest.approx(rows.values[1], abs=2e-4)
    assert rows.measured["gai"].tolist() == [1.5, 9.0]
    assert rows.fields["crop"].to_dict() == {"a": "maize", "b": "maize"}
    assert "2 rows share field and date with others: each such group is one look, its mean" in rows.notes


def test_a_crop_that_is_not_known_comes_with_the_nearest(tmp_path: Path) -> None:
    rise = [0.1, 0.3, 0.6, 0.9, 1.0, 0.6, 0.2]
    series(rise, plot="p", crop="Winter cereals").to_csv(tmp_path / "rows.csv", index=False)
    metrics = evaluate_yield(tmp_path / "rows.csv", tmp_path / "out")
    assert metrics["codes"]["crop_unknown"] == 1
    [note] = [line for line in yield_lines(metrics, tmp_path) if "is not known" in line]
    assert note.endswith("crop 'Winter cereals' of 1 fields is not known; did you mean winter_cereal?")


def test_a_table_that_is_torn_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match=r"rows\.parquet: cannot be read"):
        read_field_rows(tmp_path / "rows.parquet")


def test_pictures_that_lack_something_are_refused(tmp_path: Path) -> None:
    make_pictures(tmp_path / "set")
    torn = tmp_path / "torn"
    shutil.copytree(tmp_path / "set", torn)
    (torn / "fields.geojson").unlink()
    with pytest.raises(InputError, match="torn: cannot be read"):
        read_field_rows(torn)
    shutil.copy(tmp_path / "set" / "fields.geojson", torn)
    pd.read_csv(torn / "index.csv").drop(columns="path").to_csv(torn / "index.csv", index=False)
    with pytest.raises(InputError, match=r"torn/index.csv: columns \['path'\] are missing"):
        read_field_rows(torn)


def test_a_picture_of_too_few_bands_is_refused(tmp_path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    make_pictures(tmp_path / "set")
    with rasterio.open(
        tmp_path / "set" / "images" / "0.tif", "w", driver="GTiff", width=2, height=2, count=3, dtype="float32",
        crs="EPSG:3857", transform=from_origin(0, 0, 15, 15),
    ) as target:  # fmt: skip
        target.write(np.zeros((3, 2, 2), np.float32))
    with pytest.raises(InputError, match=r"0\.tif: 3 bands where 19 were expected"):
        read_field_rows(tmp_path / "set")


def test_no_field_seen_clearly_is_refused(tmp_path: Path) -> None:
    table = series([0.1, 0.5], id="a", crop="maize").assign(B03_mean=65535)
    table.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(InputError, match=r"rows\.csv: no field was seen clearly"):
        evaluate_yield(tmp_path / "rows.csv", tmp_path / "out")


def test_the_command_wants_data_and_a_folder(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["evaluate", "--task", "yield"])
    assert run.exit_code != 0
    series([0.1, 0.4], id="a").to_csv(tmp_path / "rows.csv", index=False)
    run = CliRunner().invoke(
        app, ["evaluate", "--task", "health", "--data", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out")]
    )
    assert run.exit_code == 0, run.output
    assert "green leaf area on rows.csv: 2 looks at 1 fields" in run.output
    assert (tmp_path / "out" / "predictions.csv").is_file()
