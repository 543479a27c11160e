# SPDX-License-Identifier: Apache-2.0
"""What every kind of export keeps: what is refused, what may leave, nothing half written; and the GeoPackage."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import pyarrow.parquet as pq
import pyogrio
import pytest
from typer.testing import CliRunner

from acreline import cli
from acreline.desk import list_kind
from acreline.errors import AcrelineError, ConfigError, InputError, StoreError
from acreline.export import Wanted, export_run, find_export, list_exports
from acreline.export._places import new_folder
from tests.made_export import DROP, FORMULA, PERSON, all_bytes, publish_made, rename
from tests.made_publication import ODD_FARM


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("export") / "out")


def gpkg(run: Path, out: Path, *, replace: bool = False, persons: bool = False) -> Path:
    export_run(run, "gpkg", Wanted(out, replace=replace, persons=persons))
    return out


def read(path: Path, layer: str) -> gpd.GeoDataFrame:
    return pyogrio.read_dataframe(path, layer=layer, fid_as_index=True)


# --- GeoPackage -------------------------------------------------------------------------------------------------------
def test_gdal_opens_every_layer_with_its_rows_and_outlines(run: Path, tmp_path: Path) -> None:
    path = gpkg(run, tmp_path / "a.gpkg")
    layers = dict(pyogrio.list_layers(path).tolist())
    assert layers == {"run": None, **dict.fromkeys(("farms", "parcels", "stands", "events"), "MultiPolygon")}
    publication = (run / "latest").resolve()
    for name in ("farms", "parcels", "stands", "events"):
        assert len(read(path, name)) == pq.read_metadata(publication / f"{name}.parquet").num_rows
        info = pyogrio.read_info(path, layer=name)
        assert info["crs"] == "EPSG:4326"
        assert info["capabilities"]["fast_spatial_filter"]  # an index in space: a GIS draws a county at once
    farms, parcels = read(path, "farms"), read(path, "parcels")
    drawn = parcels[(parcels["status"] != "rejected") & (parcels["farm_id"] == "F-004")]
    [farm] = farms[farms["farm_id"] == "F-004"].itertuples()
    assert farm.geometry.equals(drawn.geometry.union_all())
    assert parcels.geometry.isna().sum() == 1  # the second parcel of one id came without an outline
    bounds = parcels.total_bounds
    assert bounds.tolist() == pytest.approx(gpd.read_parquet(publication / "parcels.parquet").total_bounds.tolist())


def test_limits_dates_and_words_are_those_of_the_publication(run: Path, tmp_path: Path) -> None:
    path = gpkg(run, tmp_path / "a.gpkg")
    publication = (run / "latest").resolve()
    decided = {row["farm_id"]: row for row in pq.read_table(publication / "decisions.parquet").to_pylist()}
    farms = read(path, "farms").set_index("farm_id")
    assert set(farms.index) == set(decided)
    for name, row in decided.items():
        assert farms.loc[name, "outcome"] == row["outcome"]
        limit = farms.loc[name, "credit_limit"]
        assert (limit == limit) == (row["limit"] is not None)  # no limit is no number
        assert row["limit"] is None or limit == float(row["limit"])
        assert farms.loc[name, "reasons"] == "|".join(row["reasons"])
    assert any(row["limit"] is None for row in decided.values())
    [event] = {(row.first_seen.date().isoformat(), row.event) for row in read(path, "events").itertuples()}
    assert event == ("2018-06-20", "drought")
    assert set(read(path, "events")["farm_id"]) == {"F-001", "F-007", "F-008"}
    [told] = read(path, "run").itertuples()
    assert (told.region, told.as_of, told.publication_id) == ("made-square", "2018-12-15", publication.name)
    assert "health: not validated" in told.notices


def test_ids_come_back_as_they_were_given(run: Path, tmp_path: Path) -> None:
    """A formula or a command is text in a store of data; what shows it has to care."""
    path = gpkg(run, tmp_path / "a.gpkg")
    assert {FORMULA, ODD_FARM} <= set(read(path, "farms")["farm_id"])
    assert DROP in set(read(path, "parcels")["parcel_id"])
    assert DROP in set(read(path, "events")["parcel_id"])


def test_the_same_publication_is_the_same_bytes(run: Path, tmp_path: Path) -> None:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    first = gpkg(run, tmp_path / "a.gpkg").read_bytes()
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == before
    script = (
        "import sys; from pathlib import Path; from acreline.export import Wanted, export_run\n"
        "export_run(Path(sys.argv[1]), 'gpkg', Wanted(Path(sys.argv[2])))"
    )
    other = tmp_path / "elsewhere"
    other.mkdir()
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Shanghai", "LC_ALL": "C", "PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", script, run, other / "b.gpkg"], check=True, env=environment, cwd=other)
    assert (other / "b.gpkg").read_bytes() == first
    with sqlite3.connect(tmp_path / "a.gpkg") as base:
        assert {day for (day,) in base.execute("select last_change from gpkg_contents")} == {"2018-12-15T00:00:00.000Z"}


def test_invented_land_says_so(tmp_path: Path) -> None:
    run = publish_made(tmp_path / "out", lambda _, manifest: manifest.update(simulated=True))
    lines = export_run(run, "gpkg", Wanted(tmp_path / "a.gpkg"))
    assert lines[0] == "on simulated data"
    [told] = read(tmp_path / "a.gpkg", "run").itertuples()
    assert told.simulated
    with sqlite3.connect(tmp_path / "a.gpkg") as base:
        assert all("on simulated data" in words for (words,) in base.execute("select description from gpkg_contents"))


# --- what may leave ---------------------------------------------------------------------------------------------------
def test_the_person_stays_unless_asked_for(run: Path, tmp_path: Path) -> None:
    assert PERSON.encode() not in all_bytes(gpkg(run, tmp_path / "a.gpkg"))
    farms = read(gpkg(run, tmp_path / "b.gpkg", persons=True), "farms").set_index("farm_id")
    assert farms["person_id"].dropna().to_dict() == {"F-005": PERSON}


def test_farm_ids_that_say_who_somebody_is_are_refused(tmp_path: Path) -> None:
    def name_one(folder: Path, _: object) -> None:
        for name in ("farms", "decisions", "stands", "parcels"):
            rename(folder, name, "farm_id", "F-004", "13912345678")

    run = publish_made(tmp_path / "out", name_one)
    with pytest.raises(InputError, match="1 of 13 farm ids look like a mobile phone's number") as caught:
        gpkg(run, tmp_path / "a.gpkg")
    assert "13912345678" not in str(caught.value)
    assert not (tmp_path / "a.gpkg").exists()
    assert "13912345678" in set(read(gpkg(run, tmp_path / "a.gpkg", persons=True), "farms")["farm_id"])


# --- refused ----------------------------------------------------------------------------------------------------------
def test_every_kind_has_a_line_and_a_place() -> None:
    assert len(list_kind("exports")) == len(list_exports()) + 1
    for name in list_exports():
        kind = find_export(name)
        assert kind.PLACE in ("file", "folder", "database")
        assert kind.TITLE in " ".join(list_kind("exports"))


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        ("gpgk", Wanted(Path("a.gpkg")), "--to: 'gpgk' is no kind of export"),
        ("gpkg", Wanted(), "--to gpkg needs a file"),
        ("gpkg", Wanted(Path("a.shp")), "--out: a.shp is no .gpkg file"),
        ("gpkg", Wanted(Path("a.gpkg"), dsn="dbname=x"), "--to gpkg writes a file, not to --dsn"),
        ("gpkg", Wanted(Path("a.gpkg"), base_url="https://x"), "--to gpkg has no links"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_read(kind: str, wanted: Wanted, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        export_run(Path("no such run"), kind, wanted)
    assert caught.value.hint


def test_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no publication here"):
        gpkg(tmp_path, tmp_path / "a.gpkg")


def test_what_was_edited_since_does_not_leave(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "out", symlinks=True))
    rename((copy / "latest").resolve(), "decisions", "outcome", "refer", "approve")
    with pytest.raises(StoreError, match=r"not exported: 1 files are not as published, first changed: decisions\.parq"):
        gpkg(copy, tmp_path / "a.gpkg")
    assert not (tmp_path / "a.gpkg").exists()


def test_a_damaged_trail_is_told(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "out", symlinks=True))
    (copy / "latest" / "trail.jsonl").write_text("{", encoding="utf-8")
    monkeypatch.setattr("acreline.export._source.verify_publication", lambda _: [])
    with pytest.raises(StoreError, match=r"trail\.jsonl: cannot be read"):
        gpkg(copy, tmp_path / "a.gpkg", persons=True)


# --- places -----------------------------------------------------------------------------------------------------------
def test_a_place_that_is_taken_is_left_alone(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gpkg"
    out.write_text("mine")
    with pytest.raises(ConfigError, match=r"a\.gpkg is there already") as caught:
        gpkg(run, out)
    assert "--replace" in caught.value.hint
    assert out.read_text() == "mine"
    gpkg(run, out, replace=True)
    assert len(read(out, "farms")) == 13
    assert [path.name for path in tmp_path.iterdir()] == ["a.gpkg"]


def test_a_folder_is_no_file(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").mkdir()
    with pytest.raises(ConfigError, match=r"a\.gpkg is a folder"):
        gpkg(run, tmp_path / "a.gpkg", replace=True)


def test_a_folder_that_is_not_there_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a\.gpkg: cannot be written: No such file or directory"):
        gpkg(run, tmp_path / "no" / "a.gpkg")


def test_a_failure_half_way_leaves_what_was_there(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = gpkg(run, tmp_path / "a.gpkg")
    before = out.read_bytes()
    whole = pyogrio.write_arrow

    def fail(table: object, path: Path, layer: str, **named: object) -> None:
        if layer == "stands":
            raise pyogrio.errors.DataSourceError("disk full")
        whole(table, path, layer=layer, **named)

    monkeypatch.setattr(pyogrio, "write_arrow", fail)
    with pytest.raises(StoreError, match="layer stands: not written: disk full"):
        gpkg(run, out, replace=True)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.gpkg"]


def test_only_an_earlier_export_is_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "photos"
    mine.mkdir()
    (mine / "one.jpg").write_text("mine")
    with pytest.raises(ConfigError, match="photos is no earlier export: left alone"), new_folder(mine, replace=True):
        pass
    assert (mine / "one.jpg").read_text() == "mine"
    published = tmp_path / "published"
    published.mkdir()
    (published / "catalog.json").write_text('{"id": "acreline"}')
    (published / "manifest.json").write_text("{}")
    with pytest.raises(ConfigError, match="published is no earlier export"), new_folder(published, replace=True):
        pass
    assert (published / "manifest.json").exists()
    old = tmp_path / "stac"
    old.mkdir()
    (old / "catalog.json").write_text('{"id": "acreline"}')
    with pytest.raises(RuntimeError), new_folder(old, replace=True):
        raise RuntimeError
    assert (old / "catalog.json").exists()
    with new_folder(old, replace=True) as fresh:
        (fresh / "new.txt").write_text("new")
    assert [path.name for path in old.iterdir()] == ["new.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "published", "stac"]


# --- the command ------------------------------------------------------------------------------------------------------
def test_the_command_writes_and_counts(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli.app,
        ["export", str(run), "--to", "gpkg", "--out", str(tmp_path / "a.gpkg")],
        env={"ACRELINE_DSN": "dbname=x"},
    )
    assert done.exit_code == 0, done.output
    assert "GeoPackage of 13 farms, 21 parcels, 19 stands, 3 events" in done.output
    assert PERSON not in done.output


def test_the_command_refuses_in_words(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["export", str(tmp_path), "--to", "gpkg"])
    assert isinstance(done.exception, AcrelineError)
    assert "needs a file" in str(done.exception)


def test_the_commands_options_fit_the_kind(run: Path, tmp_path: Path) -> None:
    typed = ["export", str(run), "--to", "gpkg", "--out", str(tmp_path / "a.gpkg"), "--dsn", "dbname=x"]
    done = CliRunner().invoke(cli.app, typed)
    assert isinstance(done.exception, ConfigError)
    assert "writes a file, not to --dsn" in str(done.exception)
    done = CliRunner().invoke(cli.app, ["export", str(run), "--to", "gpkg"], env={"ACRELINE_DSN": "dbname=x"})
    assert "needs a file" in str(done.exception)


@pytest.mark.parametrize(
    "typed", ["postgresql://me:SECRET@host/bank", "host=a password=SECRET", "--dsnn=password=SECRET"]
)
def test_a_connection_string_out_of_its_place_is_not_repeated(run: Path, typed: str) -> None:
    done = CliRunner().invoke(cli.app, ["export", str(run), typed, "--to", "postgis"])
    assert done.exit_code == 2
    assert "SECRET" not in done.output
