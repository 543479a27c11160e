# SPDX-License-Identifier: Apache-2.0
"""Made looks, cubes, maps and parcels with answers known by hand, for the tests of the parcel and farm stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from acreline.config import Crop, SeasonSettings
from acreline.doors import check_cube, check_looks, check_maps, check_parcels
from acreline.layers import (
    BANDS,
    BANDS_10M,
    BANDS_20M,
    EVIDENCE_COLUMNS,
    HISTOGRAM_BINS,
    LOOK_COLUMNS,
    Block,
    Coverage,
    Cube,
    Looks,
    Maps,
    Parcels,
)
from acreline.looks import merge_looks
from acreline.promises import Calibration, ConformalStep, SlotCalibration

SEASON = SeasonSettings(start=date(2017, 10, 1), end=date(2018, 12, 15))
AS_OF = date(2018, 12, 15)
CLASSES = ("maize", "grassland", "winter_cereal", "potato")
SLOT_CLASSES = {
    "A": ("none", "winter_cereal", "potato", "grassland", "perennial", "non_agri"),
    "B": ("none", "maize", "potato", "grassland", "perennial", "non_agri"),
}
CROP_SLOTS = {
    "winter_cereal": ("A",),
    "maize": ("B",),
    "potato": ("A", "B"),
    "grassland": ("AB",),
    "perennial": ("AB",),
    "non_agri": ("AB",),
}


def made_calibration(temperature: float = 1.0, threshold: float = 0.2, energy: float | None = None) -> Calibration:
    """What a card would promise: one threshold, however often a parcel was seen."""
    cells = (ConformalStep(0, threshold, 100),)
    slots = {slot: SlotCalibration(names, temperature, 0.1, cells) for slot, names in SLOT_CLASSES.items()}
    return Calibration(slots, CROP_SLOTS, energy)


CALIBRATION = made_calibration()
PIXELS = 100
SOIL_AND_CANOPY = {
    "B03": (0.10, 0.05), "B05": (0.18, 0.08), "B06": (0.22, 0.28), "B07": (0.25, 0.38), "B8A": (0.28, 0.42),
}  # fmt: skip
"""Reflectance of bands that no look is told of, at NDVI 0.18 and 0.85."""

Curve = Callable[[date], float]


def made_crops() -> dict[str, Crop]:
    """Four crops, one of each slot and one more of B."""
    slots = {"maize": "B", "grassland": "AB", "winter_cereal": "A", "potato": "B"}
    words = {"maize": "玉米", "grassland": "草地", "winter_cereal": "冬小麦", "potato": "马铃薯"}
    return {
        slug: Crop(slug=slug, name_en=slug, name_zh=words[slug], slot=slot, colour="#112233")  # type: ignore[arg-type]
        for slug, slot in slots.items()
    }


# --- drawn curves -------------------------------------------------------------------------------------------------
def bump(up: date, down: date, low: float = 0.18, high: float = 0.85, days: float = 8.0) -> Curve:
    """NDVI that is halfway up on one day and halfway down on another."""

    def value(day: date) -> float:
        rise = 1 / (1 + math.exp(-(day - up).days / days))
        fall = 1 / (1 + math.exp((day - down).days / days))
        return low + (high - low) * rise * fall

    return value


MAIZE = bump(date(2018, 6, 15), date(2018, 9, 20))
CEREAL = bump(date(2018, 3, 20), date(2018, 7, 5))


def grass(day: date) -> float:
    return 0.75


def every(step_days: int, first: date = SEASON.start, last: date = AS_OF) -> list[date]:
    return [first + timedelta(days=k) for k in range(0, (last - first).days + 1, step_days)]


# --- looks --------------------------------------------------------------------------------------------------------
def made_looks(
    curves: Mapping[str, Curve],
    days: Sequence[date] | Mapping[str, Sequence[date]],
    crops: Mapping[str, Mapping[str, Any]] | None = None,
    health: Mapping[str, Mapping[str, float]] | None = None,
    *,
    change: Callable[[str, date, dict[str, float]], None] | None = None,
    planted: float = 1.0,
) -> Looks:
    """Looks of parcels of 100 full pixels whose NDVI follows a drawn curve.

    Args:
        curves: parcel -> NDVI by day.
        days: the days they were seen clear, for all or by parcel.
        crops: parcel -> crop -> probability the network gives it on every pixel as the year's only crop; None: no
            evidence. What it says of each slot may be given instead: parcel -> slot -> class -> probability.
        health: the same for the health head.
        change: may change one look's values (ndvi, ndre, ndmi, mndwi, blue, nir, swir, water, clear, seen; sd_mndwi
            and so on, the spread of an index in the field).
        planted: share of the ground that bore a crop.
    """
    rows = []
    for parcel, curve in curves.items():
        for day in days[parcel] if isinstance(days, Mapping) else days:
            ndvi = curve(day)
            look = {"ndvi": ndvi, "ndre": 0.6 * ndvi, "ndmi": ndvi - 0.35, "mndwi": -0.4, "blue": 0.05}
            look |= {"nir": 0.35, "swir": 0.2, "water": 0.0, "clear": float(PIXELS), "seen": float(PIXELS)}
            if change is not None:
                change(parcel, day, look)
            rows.append(_look(parcel, day, look))
    evidence = []
    told = {parcel: given if "A" in given else one_crop(given) for parcel, given in (crops or {}).items()}
    heads = [(f"crop_{slot.lower()}", {parcel: given[slot] for parcel, given in told.items()}) for slot in "AB"]
    for head, given in (*heads, ("health", health or {})):
        for parcel, shares in given.items():
            best = max(shares, key=lambda name: shares[name])
            for name, share in shares.items():
                logp = PIXELS * round(1024 * math.log(max(share, 1e-9)))
                evidence.append((parcel, head, name, PIXELS if name == best else 0, logp, PIXELS * round(share * 1e4)))
    ground = round(planted * PIXELS)
    for parcel in curves:
        evidence.append((parcel, "land", "planted", ground, 0, ground * 10_000))
        evidence.append((parcel, "land", "bare", PIXELS - ground, 0, (PIXELS - ground) * 10_000))
    land = pd.DataFrame({"parcel_id": list(curves), "n_full": PIXELS, "cover": PIXELS * 10_000})
    looks = Looks(
        pd.DataFrame(rows, columns=list(LOOK_COLUMNS)), pd.DataFrame(evidence, columns=list(EVIDENCE_COLUMNS)), land
    )
    return check_looks(merge_looks([looks]))


def one_crop(shares: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """What the heads say where a parcel bears one crop a year: what is no crop of a slot leaves it empty."""
    out: dict[str, dict[str, float]] = {}
    for slot in "AB":
        head: dict[str, float] = {"none": 0.0}
        for name, share in shares.items():
            own = CROP_SLOTS.get(name, ("B",))
            here = "B" if "B" in own else own[0]  # potato, which may stand in either, is taken for a late crop
            key = name if slot in here else "none"
            head[key] = head.get(key, 0.0) + share
        out[slot] = head
    return out


def _look(parcel: str, day: date, look: Mapping[str, float]) -> dict[str, Any]:
    clear = int(look["clear"])
    row: dict[str, Any] = dict.fromkeys(LOOK_COLUMNS, 0)
    row |= {"parcel_id": parcel, "pass_id": f"S2A-R051-{day:%Y%m%d}", "time": pd.Timestamp(day, tz="UTC")}
    row["time"] += pd.Timedelta(hours=10, minutes=50)
    row |= {"n_seen": int(look["seen"]), "n_clear": clear, "n_water": round(clear * look["water"])}
    row["n_bare"] = clear if look["ndvi"] < 0.25 else 0
    leaves = min(max((look["ndvi"] - 0.18) / 0.67, 0.0), 1.0)
    bands = dict.fromkeys(BANDS, 0.1)
    bands |= {band: soil + (canopy - soil) * leaves for band, (soil, canopy) in SOIL_AND_CANOPY.items()}
    bands |= {"B02": look["blue"], "B08": look["nir"], "B11": look["swir"]}
    bands["B04"] = look["nir"] * (1 - look["ndvi"]) / (1 + look["ndvi"])
    for band, value in bands.items():
        row[f"sum_{band}"] = clear * round(value * 1e4)
    for index in ("ndvi", "ndre", "ndmi", "mndwi"):
        value, spread = round(look[index] * 1e4), round(look.get(f"sd_{index}", 0.0) * 1e4)
        row[f"sum_{index}"], row[f"ssq_{index}"] = clear * value, clear * (value * value + spread * spread)
    bin_of = min(max(int((look["ndvi"] + 0.2) / 1.2 * HISTOGRAM_BINS), 0), HISTOGRAM_BINS - 1)
    row[f"hist_{bin_of:02d}"] = clear
    return row


# --- pixels -------------------------------------------------------------------------------------------------------
def made_cube(
    dn: Mapping[str, Sequence[Sequence[Sequence[int]]]],
    clear: Sequence[Sequence[Sequence[bool]]] | None = None,
    water: Sequence[Sequence[Sequence[bool]]] | None = None,
    *,
    row: int = 0,
    col: int = 0,
    days: Sequence[date] | None = None,
) -> Cube:
    """A cube from digital numbers by band, (time, y, x) on the band's own grid; bands not named hold 2000."""
    n_time, height, width = np.shape(next(iter(dn[band] for band in BANDS_10M if band in dn)))
    fine, coarse = (n_time, height, width), (n_time, height // 2, width // 2)
    dn10 = np.stack([np.broadcast_to(np.asarray(dn.get(band, 2000)), fine) for band in BANDS_10M], axis=1)
    dn20 = np.stack([np.broadcast_to(np.asarray(dn.get(band, 2000)), coarse) for band in BANDS_20M], axis=1)
    listed = days or [date(2018, 5, 1) + timedelta(days=5 * k) for k in range(n_time)]
    return check_cube(
        xr.Dataset(
            {
                "dn10": (("time", "band10", "y", "x"), dn10.astype("uint16")),
                "dn20": (("time", "band20", "y20", "x20"), dn20.astype("uint16")),
                "clear": (("time", "y", "x"), np.ones(fine, bool) if clear is None else np.asarray(clear, bool)),
                "water": (("time", "y20", "x20"), np.zeros(coarse, bool) if water is None else np.asarray(water, bool)),
            },
            coords={
                "time": np.array([np.datetime64(day, "ns") for day in listed]),
                "pass_id": ("time", [f"S2A-R051-{day:%Y%m%d}" for day in listed]),
                "band10": list(BANDS_10M),
                "band20": list(BANDS_20M),
                "y": np.arange(height) + 0.5,
                "x": np.arange(width) + 0.5,
                "y20": np.arange(height // 2) * 2 + 1.0,
                "x20": np.arange(width // 2) * 2 + 1.0,
            },
            attrs={"crs": "EPSG:32631", "tile": "31UDS", "row": row, "col": col, "origin_x": 0.0, "origin_y": 0.0},
        )
    )


def made_maps(
    crop_b: Mapping[str, Any],
    health: Mapping[str, Any],
    valid: Any = None,
    *,
    crop_a: Mapping[str, Any] | None = None,
    vigour: Any = 0,
    energy: Any = 0,
    row: int = 0,
    col: int = 0,
) -> Maps:
    """Maps from log-probabilities x 1024 by class, (y, x); slot A is empty unless given."""
    shape = np.shape(next(iter(crop_b.values())))
    crop_a = {"none": np.zeros(shape)} if crop_a is None else crop_a
    codes = {name: k + 1 for k, name in enumerate(dict.fromkeys(["none", *crop_a, *crop_b]))}
    flat = np.zeros(shape, dtype="uint8")
    measured = np.ones(shape, bool) if valid is None else np.asarray(valid, bool)

    def logp(given: Mapping[str, Any]) -> Any:
        return np.stack([np.broadcast_to(np.asarray(value), shape) for value in given.values()]).astype("int16")

    return check_maps(
        xr.Dataset(
            {
                "crop": (("slot", "y", "x"), np.zeros((2, *shape), dtype="uint8")),
                "crop_confidence": (("slot", "y", "x"), np.zeros((2, *shape), dtype="uint8")),
                "health": (("y", "x"), flat),
                "health_confidence": (("y", "x"), flat),
                "clear_looks": (("y", "x"), flat.astype("uint16")),
                "valid": (("y", "x"), measured),
                "crop_a_logp": (("crop_a_class", "y", "x"), logp(crop_a)),
                "crop_b_logp": (("crop_b_class", "y", "x"), logp(crop_b)),
                "health_logp": (("health_class", "y", "x"), logp(health)),
                "vigour": (("y", "x"), np.broadcast_to(np.asarray(vigour), shape).astype("int16")),
                "energy": (("y", "x"), np.broadcast_to(np.asarray(energy), shape).astype("int16")),
            },
            coords={
                "crop_a_class": list(crop_a),
                "crop_b_class": list(crop_b),
                "health_class": list(health),
                "slot": ["A", "B"],
            },
            attrs={
                "crop_codes": codes,
                "health_codes": {name: k + 1 for k, name in enumerate(health)},
                "crs": "EPSG:32631",
                "tile": "31UDS",
                "row": row,
                "col": col,
                "origin_x": 0.0,
                "origin_y": 0.0,
            },
        )
    )


def made_block(cover: Mapping[str, Mapping[tuple[int, int], int]], height: int, width: int, row: int = 0) -> Block:
    """A block from parcel -> (tile row, tile column) -> covered ten-thousandths."""
    entries = [(k, r, c, v) for k, cells in enumerate(cover.values()) for (r, c), v in cells.items()]
    columns = [np.array([entry[i] for entry in entries], dtype="int32") for i in range(4)]
    coverage = Coverage(tuple(cover), *columns)
    return Block(f"31UDS-{row}-0", "31UDS", "EPSG:32631", row, 0, height, width, 0.0, 0.0, coverage)


# --- parcels ------------------------------------------------------------------------------------------------------
def made_parcels(farms: Mapping[str, str], **columns: Sequence[Any]) -> Parcels:
    """Square parcels of about 1 ha in a row, parcel -> farm; any column can be given."""
    n = len(farms)
    size_lat, size_lon = 100 / 111_195, 100 / 111_195 / math.cos(math.radians(50.8))
    shapes = [shapely.box(3 + 2 * k * size_lon, 50.8, 3 + (2 * k + 1) * size_lon, 50.8 + size_lat) for k in range(n)]
    table = {
        "farm_id": list(farms.values()),
        "parcel_id": list(farms),
        "area_m2": [10_000.0] * n,
        "declared_crop": np.full(n, None, dtype=object),
        "declared_area_m2": np.full(n, np.nan),
        "registry_area_m2": np.full(n, np.nan),
        "status": ["ok"] * n,
        "reason": np.full(n, None, dtype=object),
        "detail": np.full(n, None, dtype=object),
    }
    for name, values in columns.items():
        table[name] = list(values)
    for name in ("declared_crop", "reason", "detail"):
        table[name] = pd.Series(np.array(table[name], dtype=object), dtype=object)
    return check_parcels(gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326"))
