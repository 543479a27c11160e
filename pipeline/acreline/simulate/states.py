# SPDX-License-Identifier: Apache-2.0
"""Every piece of ground on a day: its unit's state, its own place in the field, and what has happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.errors import InputError
from acreline.layers import HEALTH_CLASSES
from acreline.simulate.cells import pair_places
from acreline.simulate.damage import Mark, mark_states
from acreline.simulate.fields import chance, smooth_field, step
from acreline.simulate.growth import LEAF_FALL_DOY, Growing, current_stand, field_states
from acreline.simulate.values import STATE

if TYPE_CHECKING:
    import pandas as pd

    from acreline.simulate.land import Land

Floats = npt.NDArray[np.float32]
HEALTH = {name: code for code, name in enumerate(HEALTH_CLASSES)}
LIMITS: dict[str, tuple[float, float]] = {
    "lai": (0, 8),
    "ala": (25, 75),
    "n_leaf": (1.2, 2.2),
    "cab": (3, 85),
    "cw": (0.003, 0.04),
    "cm": (0.002, 0.014),
    "soil_bright": (0.4, 1.6),
    **dict.fromkeys(("cbrown", "soil_wet", "water", "flower", "film", "straw", "snow", "sealed", "wood"), (0.0, 1.0)),
}
"""What `STATE` promises."""
FIELD_SOIL, FIELD_WET = 0.16, 0.12
"""Spread of the soil's brightness (log-normal) and of its wetness between fields, by tillage, crust and drainage. Red
of bare looks in the WorldCereal sample of France 2023 runs from 0.13 to 0.28 in May and June (5 to 95 %, n = 154)."""
VIGOUR_SD = 0.2
"""Relative spread of leaf area between sound fields of one crop: the unit of vigour."""
SHOWS = 0.08
"""A mishap weaker than this (share of the full effect) is not called by its name."""


@dataclass(frozen=True)
class Ground:
    """What differs from place to place and never from day to day; all (pair,)."""

    lai: Floats
    """Factor on the leaf area, mean 1 in each field."""
    cab: Floats
    soil: Floats
    """Factor on the soil's brightness."""
    low: Floats
    """Wet hollows: added to the wetness."""


def draw_ground(seed: int, land: Land) -> Ground:
    """The unevenness of the ground: 40 to 80 m within a field (CV 0.06 to 0.12), and soils over the county."""
    pairs = land.pairs
    x, y = pair_places(pairs)
    rng = chance(seed, "ground")
    own = rng.uniform(0, 2e4, (2, len(land.units))).astype(np.float32)  # neighbours' fields are not one field
    cv = rng.uniform(0.06, 0.12, len(land.units)).astype(np.float32)[pairs.unit]
    inner_x, inner_y = x + own[0][pairs.unit], y + own[1][pairs.unit]
    uneven = smooth_field(inner_x, inner_y, 55.0, rng, waves=24)
    count = np.maximum(np.bincount(pairs.unit, minlength=len(land.units)), 1)
    mean = np.bincount(pairs.unit, uneven, len(land.units)) / count
    uneven = uneven - mean[pairs.unit].astype(np.float32)
    other = smooth_field(inner_x, inner_y, 45.0, rng, waves=16)
    soils = 0.6 * smooth_field(x, y, 900.0, rng, waves=24) + 0.4 * smooth_field(x, y, 120.0, rng, waves=24)
    patches = step((smooth_field(x, y, 70.0, rng, waves=24) - 1.6) / 0.15)  # pale or salty spots
    fine = rng.normal(0, 0.02, len(x)).astype(np.float32)
    heights = land.relief_m[pairs.row, pairs.col]
    order = np.argsort(heights, kind="stable")
    rank = np.empty(len(x), np.float32)
    rank[order] = np.linspace(0, 1, len(x), dtype=np.float32)
    field = rng.lognormal(0, FIELD_SOIL, len(land.units)).astype(np.float32)[pairs.unit]
    soil = (1 + 0.12 * soils + 0.12 * patches + fine) * field
    built = np.isin(land.units["kind"].to_numpy(), ["village", "yard"])[pairs.unit]
    soil[built] *= rng.lognormal(0, 0.22, int(built.sum())).astype(np.float32)  # no two roofs are alike
    return Ground(
        lai=np.clip(1 + cv * uneven, 0.4, 1.6),
        cab=np.clip(1 + 0.5 * cv * (0.7 * uneven + 0.7 * other), 0.6, 1.4),
        soil=np.clip(soil, 0.5, 1.6),
        low=0.12 * (0.5 - rank) + rng.normal(0, FIELD_WET, len(land.units)).astype(np.float32)[pairs.unit],
    )


@dataclass(frozen=True)
class CountyStates:
    """How every piece of ground fares on a day; see `States`."""

    land: Land
    growing: Growing
    ground: Ground
    marks: tuple[Mark, ...]
    season: tuple[date, date]
    surfaces: dict[str, npt.NDArray[np.int64]]
    """Surface (village, verge, pond, ...) -> its units."""

    def on(self, day: date) -> dict[str, Floats]:
        """Every name of `STATE` -> (pair,) on one day.

        Raises:
            InputError: the day lies outside the simulated season.
        """
        return self._undamaged(self._day(day), damaged=True)

    def health_on(self, day: date) -> dict[str, npt.NDArray[Any]]:
        """Truth about health: kind (pair,) uint8, place in `HEALTH_CLASSES`; strength and vigour (pair,) float32.

        Where several mishaps show, the strongest is told. Strength is the share of a kind's full effect that shows, 0
        to 1; of a late or failed stand what is lost: 0.5 where it came 15 days late, 1 from 35 on. Vigour is the leaf
        area against that of an undamaged, average stand of the same crop and age, in units of the usual spread between
        fields (0.2): 0 is usual, -2 is bad. All are 0 where no field is.

        Raises:
            InputError: the day lies outside the simulated season.
        """
        number = self._day(day)
        unit = self.land.pairs.unit
        stand = current_stand(self.growing, number)
        has = stand >= 0
        safe = np.maximum(stand, 0)
        v = self.growing.v
        usual = field_states(self.growing, safe, number)["lai"]
        usual = usual * (v["usual_lai"][safe] / v["lai_max"][safe])  # an average field's leaf area at this age
        over = has & (number >= v["harvested"][safe])
        grows = has & (number >= v["emerged"][safe]) & ~over & (usual > 0.05)
        lai = self._undamaged(number, damaged=True)["lai"]
        vigour = np.where(grows[unit], (lai / np.maximum(usual, 0.05)[unit] - 1) / VIGOUR_SD, 0)
        mishap = has & ~over & ((v["late_days"][safe] > 0) | (v["stand"][safe] < 1)) & (number >= v["sown"][safe] + 15)
        kind = np.where(over, HEALTH["harvested"], np.where(mishap, HEALTH["late_failed"], 0)).astype(np.uint8)[unit]
        late = np.maximum((v["late_days"][safe] + 5) / 40, 1 - v["stand"][safe])
        strength = np.where(mishap, np.clip(late, 0, 1), 0).astype(np.float32)[unit]
        for mark in self.marks:
            told = mark.strength(number)
            more = (told > SHOWS) & (told > strength[mark.pair])
            kind[mark.pair[more]], strength[mark.pair[more]] = HEALTH[mark.health], told[more]
        return {"kind": kind, "strength": strength, "vigour": np.clip(vigour, -5, 5).astype(np.float32)}

    def _undamaged(self, day: int, *, damaged: bool) -> dict[str, Floats]:
        table = unit_states(self.growing, self.surfaces, len(self.land.units), day)
        unit = self.land.pairs.unit
        states = {name: table[name][unit] for name in STATE}
        states["lai"] *= self.ground.lai
        states["cab"] *= self.ground.cab
        states["soil_bright"] *= self.ground.soil
        states["soil_wet"] += self.ground.low
        if damaged:
            for mark in self.marks:
                mark_states(states, mark, day)
        for name, (low, high) in LIMITS.items():
            np.clip(states[name], np.float32(low), np.float32(high), out=states[name])
        return states

    def _day(self, day: date) -> int:
        first, last = self.season
        if not first <= day <= last:
            raise InputError(
                f"{day} lies outside the simulated season {first} .. {last}", hint="ask for a day of the season"
            )
        return self.growing.heat.day(day)


def unit_states(
    growing: Growing, surfaces: dict[str, npt.NDArray[np.int64]], units: int, day: int
) -> dict[str, Floats]:
    """Every name of `STATE` -> (unit,) on a day, before places and mishaps."""
    table = {name: np.zeros(units, np.float32) for name in STATE}
    stand = current_stand(growing, day)
    rows = np.flatnonzero(stand >= 0)
    for name, values in field_states(growing, stand[rows], day).items():
        table[name][rows] = values
    wet, snow, cold = growing.wet[day], growing.snow[day], float(growing.heat.cold[day])
    leafy = float(step(np.array((LEAF_FALL_DOY - _doy(growing, day)) / 7.0)) * _spring(growing, day))
    bare = surfaces.get("bare", np.empty(0, np.int64))
    bare = bare[stand[bare] < 0]
    for surface, members in {**surfaces, "bare": bare}.items():
        for name, value in _surface(surface, leafy, cold).items():
            table[name][members] = value
        table["soil_wet"][members] = np.maximum(table["soil_wet"][members], wet)
        table["snow"][members] = snow * (0.5 if surface in ("village", "road") else 1.0)
    return table


def _surface(surface: str, leafy: float, cold: float) -> dict[str, float]:
    """What ground looks like that is no field; order of magnitude throughout."""
    grass = 0.4 + 1.4 * leafy * (1 - 0.5 * cold)
    plain = {
        "ala": 52.0, "n_leaf": 1.55, "cab": 38.0 - 12 * cold, "cw": 0.013, "cm": 0.006, "cbrown": 0.35 * cold,
        "soil_bright": 1.0, "soil_wet": 0.1, "lai": grass,
    }  # fmt: skip
    special: dict[str, dict[str, float]] = {
        "village": {"lai": 0.3 * grass, "sealed": 0.82, "wood": 0.06, "soil_bright": 1.05},
        "yard": {"lai": 0.7 * grass, "sealed": 0.28, "wood": 0.25},
        "road": {"lai": 0.3 * grass, "sealed": 0.82, "soil_bright": 0.95},
        "track": {"lai": 0.35 * grass, "sealed": 0.15, "soil_bright": 1.12},
        "verge": {"lai": 0.8 * grass, "soil_bright": 1.03},
        "pond": {"lai": 0.0, "water": 0.96, "soil_wet": 1.0},
        "ditch": {"lai": 1.1 * grass, "water": 0.38, "soil_wet": 0.9},
        "trees": {"lai": 0.5 + 3.4 * leafy, "wood": 0.85, "cab": 46.0, "cm": 0.008, "soil_bright": 0.85},
        "hill": {"lai": 1.4 + 2.4 * leafy, "wood": 0.75, "cab": 48.0, "cm": 0.009, "soil_bright": 0.85},
        "bare": {"lai": 0.12 * (1 - cold), "straw": 0.15, "cab": 36.0},
    }
    return {**plain, **special[surface]}


def _doy(growing: Growing, day: int) -> int:
    from datetime import timedelta

    return (growing.heat.start + timedelta(days=day)).timetuple().tm_yday


def _spring(growing: Growing, day: int) -> float:
    """How far the woods have come into leaf, by the warmth since New Year above the lowest base."""
    first = max(0, day - _doy(growing, day) + 1)
    warm = growing.felt[0, day + 1] - growing.felt[0, first]
    return float(step(np.array((warm - 420.0) / 60.0)))


def surface_units(units: pd.DataFrame) -> dict[str, npt.NDArray[np.int64]]:
    """Surface -> its units; `bare` are the fields, for the time before their first stand."""
    kind = units["kind"].to_numpy()
    found = {name: np.flatnonzero(kind == name) for name in ("village", "yard", "pond", "ditch", "trees", "hill")}
    for name in ("road", "track", "verge"):
        found[name] = np.flatnonzero((kind == "road") & (units["surface"].to_numpy() == name))
    found["bare"] = np.flatnonzero(np.isin(kind, ["parcel", "field"]))
    return found
