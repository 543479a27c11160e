# SPDX-License-Identifier: Apache-2.0
"""Real and simulated fields in the same form, for `realism.py`: steps of ten days, medians of the clear looks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from acreline.config import packaged_configs
from acreline.cubes import clear_from_scl
from acreline.layers import BANDS, DN_OFFSET
from acreline.model.banks import edge_pixels
from acreline.simulate.classes import CLASSES
from acreline.trial.forest import POINT_BANDS
from acreline.trial.packaged import read_packaged

SHARES = {
    "winter_wheat": 0.14, "winter_barley": 0.08, "winter_rapeseed": 0.14, "spring_maize": 0.18, "sunflower": 0.14,
    "soybean": 0.14, "grassland": 0.18,
}  # fmt: skip
"""Shares of the parcels in a simulated county."""
GROUPS = {
    "maize": ("maize",), "winter_cereal": ("winter_cereal", "winter_barley"), "rapeseed": ("rapeseed",),
    "sunflower": ("sunflower",), "grassland": ("grassland",), "soybean": ("soybean",),
}  # fmt: skip
MONTHS = np.arange("2022-10", "2023-12", dtype="datetime64[M]")
NORTH_LAT = 46.5
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fields:
    """Fields watched in steps of ten days from October 2022 to November 2023, as if all were of that year."""

    values: Floats
    """(n, dekad, 9): reflectance, NaN = not seen; bands as `POINT_BANDS`."""
    group: npt.NDArray[np.str_]
    north: npt.NDArray[np.bool_]
    cell: npt.NDArray[np.str_]


def dekads() -> npt.NDArray[np.datetime64]:
    """The first days of all ten-day steps."""
    return np.array([month.astype("datetime64[D]") + shift for month in MONTHS for shift in (0, 10, 20)])


def real_fields() -> Fields:
    """The packaged points of the compared crops."""
    series = read_packaged("france-2023")
    days = series.times.astype("datetime64[D]")
    column = np.searchsorted(dekads(), days, side="right") - 1
    inside = (days >= dekads()[0]) & (days < MONTHS[-1] + 1)
    values = np.full((len(series.ids), len(dekads()), len(POINT_BANDS)), np.nan)
    bands = [series.bands.index(band) for band in POINT_BANDS]
    values[:, column[inside]] = series.values[:, inside][:, :, bands]
    group = group_of(series.slug)
    kept = group != ""
    lat = np.array([float(cell.split("_")[1]) / 10 for cell in series.cell.tolist()])
    return Fields(values[kept], group[kept], lat[kept] >= NORTH_LAT, series.cell[kept])


def group_of(slug: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Slug of a class of land -> compared crop, "" where it is none."""
    held = {one: name for name, slugs in GROUPS.items() for one in slugs}
    return np.array([held.get(one, "") for one in slug.tolist()])


def county_file(folder: Path) -> Path:
    """western-europe with the compared crops alone, each with enough parcels; their order of rotation is kept."""
    path = packaged_configs() / "simulate" / "western-europe.yaml"
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    rotations = [{**one, "share": SHARES[crop]} for one in raw["rotations"] if (crop := _crop(one)) in SHARES]
    target = folder / "western-europe.yaml"
    target.write_text(yaml.safe_dump({**raw, "rotations": rotations}), encoding="utf-8")
    return target


def _crop(rotation: dict[str, Any]) -> str:
    return str(rotation.get("ab") or rotation.get("b") or rotation.get("a"))


def simulated_fields(raw: dict[str, Any], seed: int) -> Fields:
    """One pixel inside each parcel of a drawn county, clear looks composed to medians of ten days."""
    field = np.where(raw["parcel"] < 0, 0, raw["parcel"] + (1 if raw["parcel"].min() < 0 else 0)).astype(np.int64)
    inner = np.flatnonzero((field > 0).ravel() & ~np.asarray(edge_pixels(field)).ravel())
    inner = np.random.default_rng(seed).permutation(inner)
    _, first = np.unique(field.ravel()[inner], return_index=True)
    pixel = inner[first]
    a, b = (raw[name].ravel()[pixel] for name in ("crop_a", "crop_b"))
    group = group_of(np.array(CLASSES)[np.where(a > 0, a, b)])
    pixel, group = pixel[group != ""], group[group != ""]
    shape = raw["dn10"].shape[2:]
    row, col = np.unravel_index(pixel, shape)
    dn = np.concatenate([raw["dn10"][:, :, row, col], raw["dn20"][:, :, row // 2, col // 2]], axis=1)
    clear = clear_from_scl(raw["scl"], None)[:, row, col] & (dn != 0).all(axis=1)
    reflectance = (dn[:, [BANDS.index(band) for band in POINT_BANDS]].astype(np.float64) - DN_OFFSET) / 10_000
    reflectance = np.where(clear[:, None], reflectance, np.nan)
    back = (int(raw["harvest_year"]) - 2023) * 12
    day = raw["times"].astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    place = (month - back - MONTHS[0]).astype(int) * 3 + np.minimum((day - month).astype(int) // 10, 2)
    values = np.full((len(pixel), len(dekads()), len(POINT_BANDS)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a step without a clear look stays empty
        for k in range(len(dekads())):
            if (place == k).any():
                values[:, k] = np.nanmedian(reflectance[place == k], axis=0).T
    return Fields(values, group, np.zeros(len(pixel), bool), np.full(len(pixel), str(seed)))


def join(parts: list[Fields]) -> Fields:
    """All fields as one."""
    return Fields(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "group", "north", "cell"))
    )
