# SPDX-License-Identifier: Apache-2.0
"""Damage drawn into real series, and weak labels by rule: what the health head learns from, for want of field visits.

The shapes follow the signatures of the house's science notes: a flood is water within days, drought dries and thins
over weeks, lodging and hail step down at once, pest and disease bleach the red edge first. They are drawings: a score
on them says that the head tells the drawings apart, not that it is right in a field.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from acreline.cubes import INDEX_BANDS
from acreline.layers import HEALTH_CLASSES

Series = npt.NDArray[np.float32]
HEALTH = tuple(HEALTH_CLASSES)
DRAWN = ("drought", "flood", "lodging_hail", "pest_disease", "frost", "late_failed", "harvested", "other")

# Reflectance of what shows through or lies on top; typical values, order of magnitude.
SURFACES: dict[str, dict[str, float]] = {
    "water": {"B02": 0.07, "B03": 0.08, "B04": 0.07, "B05": 0.07, "B06": 0.05, "B07": 0.05, "B08": 0.05, "B8A": 0.04,
              "B11": 0.02, "B12": 0.015},
    "soil": {"B02": 0.07, "B03": 0.10, "B04": 0.13, "B05": 0.15, "B06": 0.18, "B07": 0.20, "B08": 0.21, "B8A": 0.22,
             "B11": 0.29, "B12": 0.24},
    "straw": {"B02": 0.08, "B03": 0.12, "B04": 0.15, "B05": 0.19, "B06": 0.23, "B07": 0.26, "B08": 0.28, "B8A": 0.29,
              "B11": 0.31, "B12": 0.22},
    "cover": {"B02": 0.40, "B03": 0.40, "B04": 0.40, "B05": 0.40, "B06": 0.40, "B07": 0.40, "B08": 0.40, "B8A": 0.40,
              "B11": 0.34, "B12": 0.30},
}  # fmt: skip
# Change of leaf reflectance at full severity: pigment loss lifts the red edge, water loss lifts the short wave.
PIGMENT = {"B04": 0.45, "B05": 0.55, "B06": -0.10, "B07": -0.16, "B08": -0.12, "B8A": -0.12, "B03": 0.15}
DRYING = {"B04": 0.25, "B05": 0.12, "B06": -0.15, "B07": -0.22, "B08": -0.22, "B8A": -0.22, "B11": 0.30, "B12": 0.45}
CANOPY_NDRE = 0.30
"""From here on there is a canopy that can be hurt; bare soil stands near 0.2."""


def red_edge_index(values: Series, bands: tuple[str, ...]) -> Series:
    """NDRE of (time, band, ...) reflectance, (time, ...)."""
    first, second = (values[:, bands.index(band)] for band in INDEX_BANDS["ndre"])
    return np.asarray((first - second) / np.maximum(first + second, 1e-3), dtype=np.float32)


def weak_label(values: Series, clear: npt.NDArray[np.bool_], bands: tuple[str, ...]) -> int:
    """Health of one undamaged series (time, band) by rule: normal, harvested, or -1 where no canopy was seen."""
    index = red_edge_index(values, bands)[clear]
    if len(index) < 4:
        return -1
    peak, last = float(np.sort(index)[-2]), float(np.median(index[-2:]))
    if peak < 0.4:
        return -1
    return HEALTH.index("harvested" if last < 0.25 and last < 0.5 * peak else "normal")


def draw_damage(
    values: Series,
    clear: npt.NDArray[np.bool_],
    days: npt.NDArray[np.float64],
    bands: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[Series, int]:
    """Draw one event into the pixels of a field.

    Args:
        values: reflectance (time, band, pixel), in time order.
        clear: bool (time,): looks that count for finding the canopy.
        days: days since the season's start, rising.
        bands: names of the bands.
        rng: source of every choice.

    Returns:
        the changed series and the class, or the series as it was and -1 where there is no canopy to hurt.
    """
    index = red_edge_index(values, bands).mean(axis=1)
    green = np.flatnonzero(clear & (index > CANOPY_NDRE))
    if len(green) < 3 or index[green].max() < 0.4:
        return values, -1
    kind = str(rng.choice(DRAWN))
    severity = float(rng.uniform(0.45, 1.0))
    day = float(days[rng.choice(green[:-1])] + rng.uniform(0, 5))
    if kind == "flood":  # one look at least must have seen the water
        day -= 6.0
    if kind == "frost":  # cold nights: October to early May of the crop year
        early = green[days[green] < 215]
        if not len(early):
            return values, -1
        day = float(days[rng.choice(early)])
    after = days - day
    surface = {name: np.array([spectrum[band] for band in bands], np.float32) for name, spectrum in SURFACES.items()}
    soil = surface["soil"] * np.float32(rng.uniform(0.7, 1.3))
    canopy = np.clip((index - 0.2) / 0.3, 0, 1)
    if kind == "flood":
        under = (after >= 0) & (after < rng.uniform(6, 30))
        thinned = 0.65 * severity * np.exp(-np.maximum(after, 0) / 80) * (after >= 0)
        out = _mix(_mix(values, soil, thinned), surface["water"], under * rng.uniform(0.55, 0.95))
    elif kind == "drought":
        grown = np.clip(after / rng.uniform(20, 45), 0, 1) * severity * canopy
        out = _mix(_leaf(values, DRYING, bands, grown), soil, 0.45 * grown)
    elif kind == "lodging_hail":
        step = (after >= 0) * severity * np.exp(-np.maximum(after, 0) / 120) * canopy
        out = _mix(values, surface["straw"] * np.float32(rng.uniform(0.85, 1.2)), 0.7 * step)
    elif kind == "pest_disease":
        grown = np.clip(after / rng.uniform(28, 50), 0, 1) * severity * canopy
        out = _leaf(values, PIGMENT, bands, grown)
    elif kind == "frost":
        step = (after >= 0) * severity * np.exp(-np.maximum(after, 0) / 25)
        out = _mix(_leaf(values, PIGMENT, bands, 0.7 * step), surface["straw"], 0.35 * step)
    elif kind == "late_failed":
        out = _mix(values, soil, severity * rng.uniform(0.55, 0.8) * canopy)
    elif kind == "harvested":
        out = _mix(values, soil, (after >= 0) * 0.95)
    else:
        out = _mix(values, surface["cover"] * np.float32(rng.uniform(0.6, 1.2)), (after >= 0) * 0.9)
    if not (clear & (after >= 0)).any() and kind != "late_failed":
        return values, -1
    return np.clip(out, 0, 1).astype(np.float32), HEALTH.index(kind)


def _mix(values: Series, spectrum: npt.NDArray[np.float32], share: npt.NDArray[np.floating]) -> Series:
    """Replace a share (time,) of each pixel by another surface."""
    part = share.astype(np.float32)[:, None, None]
    return values * (1 - part) + spectrum[None, :, None] * part


def _leaf(values: Series, change: dict[str, float], bands: tuple[str, ...], amount: npt.NDArray[np.floating]) -> Series:
    """Change the leaves' reflectance by band, scaled by `amount` (time,)."""
    factor = np.array([change.get(band, 0.0) for band in bands], np.float32)
    return values * (1 + factor[None, :, None] * amount.astype(np.float32)[:, None, None])
