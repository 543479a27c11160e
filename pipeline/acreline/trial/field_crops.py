# SPDX-License-Identifier: Apache-2.0
"""Whether fields bear what is declared: beside what the combine logged, and when others of the crop ripen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.trial.field_rows import FieldRows

if TYPE_CHECKING:
    import pandas as pd

DIP = 0.12
"""A look whose NDVI lies so far below the line between its neighbours saw a cloud: no crop comes back so fast."""
FEWEST_LOOKS = 4
FEWEST_FIELDS = 3
"""Other fields of a crop from which on their middle day of ripening says something of it."""
LEAST_APART_DAYS = 10
"""Crops that ripen less far apart are not told by it: a field's own day is not known better from looks a week apart."""
CODES = {
    "crop_contradicted": "the combine logged another crop than was declared",
    "ripens_otherwise": "ripened when the fields of another crop did",
}


def doubted_crops(rows: FieldRows, looks: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Fields whose declared crop is contradicted.

    Args:
        rows: fields with what is declared and, where it is known, what was harvested.
        looks: their clear looks, of `field_rows.clear_series`.

    Returns:
        id of each such field -> declared, harvested (None: not known), ripened (date, None: too few looks), like (crop
        whose other fields ripened at a day nearer to its own than those of the declared crop, or None) and codes, of
        `CODES`. Fields of which nothing speaks against the declaration are left out.
    """
    names = rows.fields.index.astype(str).tolist()
    declared = dict(zip(names, rows.fields["crop"].astype(str), strict=True))
    logged = dict(zip(names, rows.fields["harvested"].astype(str), strict=True))
    ripened = {
        str(name): day
        for name, mine in looks.groupby("id", sort=True)
        if (day := _ripe_day(mine[steady_looks(mine)])) is not None
    }
    out = {}
    for name, crop in declared.items():
        harvested = logged[name]
        like = _like(name, declared, ripened)
        codes = ["crop_contradicted"] if harvested and crop and harvested != crop else []
        codes += ["ripens_otherwise"] if like is not None else []
        if codes:
            day = ripened.get(name)
            out[name] = {
                "declared": crop,
                "harvested": harvested or None,
                "ripened": None if day is None else str(np.datetime64(day, "D")),
                "like": like,
                "codes": codes,
            }
    return out


def steady_looks(looks: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Looks at one field, by date, that are no dip between their neighbours."""
    ndvi, day = _ndvi(looks), _days(looks)
    keep = np.ones(len(ndvi), bool)
    if len(ndvi) >= 3:
        share = (day[1:-1] - day[:-2]) / np.maximum(day[2:] - day[:-2], 1e-9)
        keep[1:-1] = ndvi[1:-1] >= ndvi[:-2] + share * (ndvi[2:] - ndvi[:-2]) - DIP
    return keep


def _ripe_day(looks: pd.DataFrame) -> int | None:
    """Last day (since 1970) on which NDVI stood above the middle between its greatest and its last value."""
    if len(looks) < FEWEST_LOOKS:
        return None
    ndvi, day = _ndvi(looks), np.floor(_days(looks))
    grid = np.arange(day[0], day[-1] + 1)
    curve = np.interp(grid, day, ndvi)
    return int(grid[np.flatnonzero(curve >= (curve.max() + curve[-1]) / 2)[-1]])


def _like(name: str, declared: dict[str, str], ripened: dict[str, int]) -> str | None:
    """Crop whose other fields ripened nearest to this one, where that is not the declared one."""
    if name not in ripened or not declared[name]:
        return None
    days: dict[str, list[int]] = {}
    for other, day in ripened.items():
        if other != name and declared.get(other):
            days.setdefault(declared[other], []).append(day)
    middle = {crop: float(np.median(some)) for crop, some in days.items() if len(some) >= FEWEST_FIELDS}
    own = middle.get(declared[name])
    if own is None:
        return None
    rivals = {crop: day for crop, day in middle.items() if abs(day - own) >= LEAST_APART_DAYS}
    nearest = min(rivals, key=lambda crop: abs(rivals[crop] - ripened[name]), default=None)
    if nearest is None or abs(rivals[nearest] - ripened[name]) >= abs(own - ripened[name]):
        return None
    return nearest


def doubted_lines(doubted: Sequence[dict[str, Any]]) -> list[str]:
    """One line a field for a terminal."""
    lines = []
    for one in doubted:
        words = [f"combine logged {one['harvested']}"] if "crop_contradicted" in one["codes"] else []
        words += [f"ripened like {one['like']} ({one['ripened']})"] if "ripens_otherwise" in one["codes"] else []
        lines.append(f"  {one['id']}: declared {one['declared']}; {'; '.join(words)}")
    return lines


def _ndvi(looks: pd.DataFrame) -> npt.NDArray[np.float64]:
    infrared = looks["B8A" if "B8A" in looks else "B08"].to_numpy(np.float64)
    red = looks["B04"].to_numpy(np.float64)
    return np.asarray((infrared - red) / (infrared + red))


def _days(looks: pd.DataFrame) -> npt.NDArray[np.float64]:
    return np.asarray(looks["date"].to_numpy().astype("datetime64[s]").astype(np.float64) / 86_400)
