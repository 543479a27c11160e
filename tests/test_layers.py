# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from acreline.doors import (
    check_cube,
    check_events,
    check_growth,
    check_health,
    check_looks,
    check_maps,
    check_parcels,
    check_seasons,
)
from acreline.errors import ContractError
from acreline.layers import (
    BANDS_10M,
    BANDS_20M,
    EVENT_COLUMNS,
    EVIDENCE_COLUMNS,
    GROWTH_COLUMNS,
    HEALTH_CLASSES,
    HEALTH_COLUMNS,
    LOOK_COLUMNS,
    SEASON_COLUMNS,
    Block,
    Coverage,
    Looks,
)


# --- parcels ------------------------------------------------------------------------------------------------------
def parcels(**columns) -> gpd.GeoDataFrame:
    table = {
        "farm_id": ["f", "f"],
        "parcel_id": ["a", "b"],
        "area_m2": [1.0, 1.0],
        "declared_crop": [None, None],
        "declared_area_m2": [np.nan] * 2,
        "registry_area_m2": [np.nan] * 2,
        "status": ["ok", "rejected"],
        "reason": [None, "no_geometry"],
        "detail": [None, None],
        "geometry": [shapely.box(0, 0, 1, 1), None],
    }
    return gpd.GeoDataFrame({**table, **columns}, crs="EPSG:4326")


def test_parcels_pass_with_a_fresh_index():
    table = parcels()
    table.index = [7, 3]
    assert check_parcels(table).index.tolist() == [0, 1]


def test_parcels_missing_column():
    with pytest.raises(ContractError, match=r"columns \['reason'\] are missing"):
        check_parcels(parcels().drop(columns="reason"))


def test_parcels_wrong_crs():
    with pytest.raises(ContractError, match="must be in EPSG:4326"):
        check_parcels(parcels().set_crs("EPSG:32631", allow_override=True))


def test_parcels_unknown_status():
    with pytest.raises(ContractError, match=r"unknown status; found \['fine'\]"):
        check_parcels(parcels(status=["ok", "fine"]))


def test_parcels_twice_the_same_id():
    both = [shapely.box(0, 0, 1, 1)] * 2
    with pytest.raises(ContractError, match=r"stands twice; found \['a'\]"):
        check_parcels(parcels(parcel_id=["a", "a"], status=["ok", "degraded"], geometry=both))
    assert len(check_parcels(parcels(parcel_id=["a", "a"]))) == 2  # the rejected row does not count


@pytest.mark.parametrize("lack", [None, shapely.Polygon()])
def test_parcels_without_geometry(lack):
    with pytest.raises(ContractError, match="has no geometry"):
        check_parcels(parcels(status=["ok", "ok"], geometry=[shapely.box(0, 0, 1, 1), lack]))


# --- cube ---------------------------------------------------------------------------------------------------------
def cube(**replaced) -> xr.Dataset:
    t, n = 2, 4
    data = {
        "dn10": (("time", "band10", "y", "x"), np.zeros((t, 4, n, n), np.uint16)),
        "dn20": (("time", "band20", "y20", "x20"), np.zeros((t, 6, n // 2, n // 2), np.uint16)),
        "clear": (("time", "y", "x"), np.ones((t, n, n), bool)),
        "water": (("time", "y20", "x20"), np.zeros((t, n // 2, n // 2), bool)),
    }
    coords = {
        "time": pd.to_datetime(["2025-01-01", "2025-01-06"]),
        "pass_id": ("time", ["p1", "p2"]),
        "band10": list(BANDS_10M),
        "band20": list(BANDS_20M),
    }
    for name in ("data", "coords"):
        (data if name == "data" else coords).update(replaced.pop(name, {}))
    data = {key: value for key, value in data.items() if value is not None}
    coords = {key: value for key, value in coords.items() if value is not None}
    attrs = {"row": 0, "col": 2, **replaced}
    return xr.Dataset(data, coords, attrs)


def test_a_good_cube_passes():
    assert check_cube(cube()).sizes["time"] == 2


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({"data": {"water": None}}, "variable water is missing"),
        ({"data": {"clear": (("time", "y", "x"), np.ones((2, 4, 4), np.uint8))}}, "clear must be bool"),
        ({"data": {"clear": (("y", "time", "x"), np.ones((4, 2, 4), bool))}}, "clear must be bool"),
        ({"coords": {"band10": ["B03", "B02", "B04", "B08"]}}, "bands out of order"),
        (
            {
                "data": {
                    "dn20": (("time", "band20", "y20", "x20"), np.zeros((2, 6, 3, 2), np.uint16)),
                    "water": (("time", "y20", "x20"), np.zeros((2, 3, 2), bool)),
                }
            },
            "10 m and 20 m grids do not match",
        ),
        ({"col": 3}, "whole 20 m pixel"),
        ({"coords": {"pass_id": None}}, "time must rise and carry pass_id"),
        ({"coords": {"time": pd.to_datetime(["2025-01-06", "2025-01-01"])}}, "time must rise"),
    ],
)
def test_a_broken_cube_is_refused(replaced, words):
    with pytest.raises(ContractError, match=words):
        check_cube(cube(**replaced))


# --- maps ---------------------------------------------------------------------------------------------------------
def maps() -> xr.Dataset:
    flat = {
        "health": np.uint8,
        "health_confidence": np.uint8,
        "clear_looks": np.uint16,
        "valid": bool,
        "vigour": np.int16,
        "energy": np.int16,
    }
    data = {name: (("y", "x"), np.zeros((3, 3), dtype)) for name, dtype in flat.items()}
    data["crop"] = (("slot", "y", "x"), np.zeros((2, 3, 3), np.uint8))
    data["crop_confidence"] = (("slot", "y", "x"), np.zeros((2, 3, 3), np.uint8))
    for head in ("crop_a", "crop_b", "health"):
        data[f"{head}_logp"] = ((f"{head}_class", "y", "x"), np.zeros((2, 3, 3), np.int16))
    attrs = dict.fromkeys(("crop_codes", "health_codes", "row", "col", "tile", "crs", "origin_x", "origin_y"), 0)
    return xr.Dataset(data, attrs=attrs)


def test_good_maps_pass():
    assert check_maps(maps()).sizes["y"] == 3


def test_maps_missing_variable():
    with pytest.raises(ContractError, match="variable valid is missing"):
        check_maps(maps().drop_vars("valid"))


def test_maps_wrong_type():
    broken = maps()
    broken["crop_b_logp"] = broken["crop_b_logp"].astype(np.float32)
    with pytest.raises(ContractError, match="crop_b_logp must be int16"):
        check_maps(broken)


def test_maps_missing_attribute():
    broken = maps()
    del broken.attrs["tile"]
    with pytest.raises(ContractError, match="attribute tile is missing"):
        check_maps(broken)


# --- tables -------------------------------------------------------------------------------------------------------
def one_row(columns) -> pd.DataFrame:
    return pd.DataFrame([dict.fromkeys(columns, "a")])


def looks(**parts) -> Looks:
    made = {
        "passes": one_row(LOOK_COLUMNS),
        "evidence": one_row(EVIDENCE_COLUMNS),
        "land": one_row(("parcel_id", "n_full", "cover")),
    }
    return Looks(**{**made, **parts})


def test_good_looks_pass():
    good = looks()
    assert check_looks(good) is good


@pytest.mark.parametrize("part", ["passes", "evidence", "land"])
def test_looks_missing_column(part):
    broken = getattr(looks(), part).drop(columns="parcel_id")
    with pytest.raises(ContractError, match=rf"looks.{part}: columns \['parcel_id'\] are missing"):
        check_looks(looks(**{part: broken}))


@pytest.mark.parametrize("part", ["passes", "evidence", "land"])
def test_looks_twice_the_same_key(part):
    table = getattr(looks(), part)
    with pytest.raises(ContractError, match=r"parcel_id.* stands twice"):
        check_looks(looks(**{part: pd.concat([table, table])}))


@pytest.mark.parametrize(
    ("check", "columns", "name"),
    [
        (check_seasons, SEASON_COLUMNS, "seasons"),
        (check_health, HEALTH_COLUMNS, "health"),
        (check_events, EVENT_COLUMNS, "events"),
        (check_growth, GROWTH_COLUMNS, "growth"),
    ],
)
def test_tables_of_the_parcel_stages(check, columns, name):
    assert len(check(one_row(columns))) == 1
    with pytest.raises(ContractError, match=rf"{name}: columns \['parcel_id'\] are missing"):
        check(one_row(columns).drop(columns="parcel_id"))


def test_seasons_twice_the_same_slot():
    table = one_row(SEASON_COLUMNS)
    with pytest.raises(ContractError, match=r"\(parcel, slot\) stands twice"):
        check_seasons(pd.concat([table, table]))


def test_a_contract_error_asks_for_a_report():
    with pytest.raises(ContractError) as caught:
        check_growth(pd.DataFrame())
    assert "report" in caught.value.hint
    assert caught.value.exit_code == 1


# --- block --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("window", "read"),
    [
        ((0, 0, 64, 64), (-32, -32, 128, 128)),
        ((70, 130, 10, 10), (32, 96, 128, 128)),
        ((1024, 9216, 1024, 1024), (992, 9184, 1088, 1088)),
        ((32, 96, 64, 32), (-32, 32, 192, 128)),
    ],
)
def test_read_window_reaches_whole_cells_and_a_halo(window, read):
    row, col, height, width = window
    none = np.empty(0, np.int32)
    block = Block("b", "31UDS", "EPSG:32631", row, col, height, width, 0, 0, Coverage((), none, none, none, none))
    assert block.read_window == read
    assert all(value % 32 == 0 for value in block.read_window)


def test_every_health_class_has_a_colour_and_two_names():
    assert len({colour for colour, _, _ in HEALTH_CLASSES.values()}) == len(HEALTH_CLASSES) == 9
    assert all(zh and en for _, zh, en in HEALTH_CLASSES.values())
