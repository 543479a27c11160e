# SPDX-License-Identifier: Apache-2.0
"""How each field looks on a day: leaves by thermal age (science, 5.3), and what lies beside, over and under them.

Everything is worked out from a stand's own days and the warmth so far, so that any day may be asked for alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.simulate.fields import step
from acreline.simulate.stands import AUTUMN_PACE
from acreline.simulate.values import STATE

if TYPE_CHECKING:
    import pandas as pd

    from acreline.simulate.crops import SimCrops
    from acreline.simulate.heat import Heat

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Day = dict[str, Floats]
PUDDLED_DAYS = 8
"""Paddies are flooded this long before transplanting."""
LEAF_FALL_DOY = 306
"""Middle of leaf fall of orchards and woods, day of the year: early November, order of magnitude."""
SOWN_AHEAD = {"paddy": PUDDLED_DAYS, "film": 3}
TILLERS_DD = 240.0
"""Degree days from sowing to half of the leaf area before winter: order of magnitude."""
SHAPES = ("annual", "sward", "deciduous", "evergreen", "weeds")


@dataclass(frozen=True)
class Growing:
    """All stands as arrays, with the numbers of their crops beside them."""

    unit: Ints
    first: Ints
    """(unit + 1,): where each unit's stands begin in the arrays."""
    v: dict[str, npt.NDArray[Any]]
    """Column -> (stand,)."""
    felt: npt.NDArray[np.float64]
    """(base, day + 1): degree days before each day."""
    base: Ints
    """(stand,): row of `felt`."""
    heat: Heat
    wet: Floats
    """(day,): wetness of the bare surface."""
    snow: Floats


def gather_stands(stands: pd.DataFrame, crops: SimCrops, heat: Heat, units: int, wet: Floats, snow: Floats) -> Growing:
    """Stands by unit and day of sowing -> arrays."""
    unit = stands["unit"].to_numpy()
    of = [crops.crops[slug] for slug in stands["crop"]]
    single = {name: np.array([getattr(crop.canopy, name) for crop in of], np.float32) for name in _CANOPY}
    layers = {name: np.array([getattr(crop.layers, name) for crop in of], np.float32) for name in _LAYERS}
    bases = sorted(heat.felt)
    base = np.array([bases.index(crop.calendar.base_c) for crop in of])
    felt = np.stack([heat.felt[one] for one in bases])
    # a crop in several harvests is an annual crop, one after another
    shape = np.array([SHAPES.index("annual" if (s := crop.canopy.shape) == "cycles" else s) for crop in of])
    by_days = np.array([crop.calendar.pace == "days" for crop in of])
    v: dict[str, npt.NDArray[Any]] = {
        **{name: stands[name].to_numpy() for name in stands.columns if name not in ("unit", "crop", "slot")},
        **single,
        **layers,
        "cab_leaf": single["cab"],
        "cab": stands["cab"].to_numpy(dtype=np.float32),
        **{name: single[name] * stands[name].to_numpy(dtype=np.float32) for name in ("n_leaf", "cw", "cm")},
        "plateau": np.minimum(single["plateau"] * stands["plateau"].to_numpy(dtype=np.float32), 0.8),
        "ala_deg": single["ala_deg"] + stands["ala"].to_numpy(dtype=np.float32),
        "lai_max": stands["lai_max"].to_numpy(dtype=np.float32),
        "film": stands["film"].to_numpy(dtype=np.float32),
        "shape": shape,
        "by_days": by_days,
        "waits": np.clip(stands["waits"].to_numpy(), 0, heat.days),
        "straw_left": np.array([crop.harvest.straw for crop in of], np.float32),
        "felt_sown": felt[base, np.clip(stands["sown"].to_numpy(), 0, heat.days)],
    }
    first = np.searchsorted(unit, np.arange(units + 1), side="left")
    return Growing(unit, first, v, felt, base, heat, wet, snow)


_CANOPY = (
    "ala_deg", "n_leaf", "cab", "cw", "cm", "rise", "rise_width", "fall_width", "plateau", "standing", "flowering",
)  # fmt: skip
_LAYERS = ("paddy", "flower", "flower_width", "roof", "wood", "cuts")


def current_stand(growing: Growing, day: int) -> Ints:
    """(unit,): the stand that was sown last on each unit, counting the flooding of paddies; -1 where none yet."""
    ahead = np.where(growing.v["paddy"] > 0, SOWN_AHEAD["paddy"], 0)
    begun = np.concatenate([[0], np.cumsum(growing.v["sown"] - ahead <= day)])
    count = begun[growing.first[1:]] - begun[growing.first[:-1]]
    return np.where(count > 0, growing.first[:-1] + count - 1, -1)


def age_of(growing: Growing, stand: Ints, day: int) -> Floats:
    """Share of the cycle that each stand has behind it at the end of a day; by warmth, or by days where so set."""
    v = growing.v
    base, now = growing.base[stand], min(day + 1, growing.felt.shape[1] - 1)
    waits = v["waits"][stand]
    autumn = growing.felt[base, np.minimum(now, waits)] - v["felt_sown"][stand]
    warm = AUTUMN_PACE * autumn + np.maximum(growing.felt[base, now] - growing.felt[base, waits], 0)
    days = day + 1 - v["sown"][stand]
    return np.asarray(np.where(v["by_days"][stand], days, warm) / v["cycle_dd"][stand], dtype=np.float32)


def field_states(growing: Growing, stand: Ints, day: int) -> Day:
    """How the ground under each stand looks on a day.

    Args:
        growing: all stands.
        stand: (n,) stands of which every one has been sown, or flooded for transplanting.
        day: day number.

    Returns:
        every name of `STATE` -> (n,) float32.
    """
    v = {name: column[stand] for name, column in growing.v.items()}
    heat, cold = growing.heat, float(growing.heat.cold[day])
    alive = (v["sown"] <= day) & (day < v["harvested"])
    age = np.maximum(age_of(growing, stand, day), 0)
    doy, spring = _day_of_year(heat, day)
    warm = (growing.felt[growing.base[stand], day + 1] - growing.felt[growing.base[stand], spring]).astype(np.float32)
    season_dd = growing.felt[:, min(spring + 293, heat.days)] - growing.felt[:, spring]
    year_dd: Floats = np.maximum(season_dd[growing.base[stand]], 1.0).astype(np.float32)

    v["since_sown_dd"] = growing.felt[growing.base[stand], day + 1] - v["felt_sown"]
    shape = v["shape"]
    lai, dead, cut = np.zeros(len(stand), np.float32), np.zeros(len(stand), np.float32), np.zeros(len(stand), bool)
    for number, name in enumerate(SHAPES):
        rows = np.flatnonzero(shape == number)
        if rows.size:
            part = {key: column[rows] for key, column in v.items()}
            lai[rows], dead[rows], cut[rows] = _CURVES[name](part, age[rows], warm[rows], year_dd[rows], doy, cold)
    lai = np.where(alive, lai, 0)
    lai *= 0.8 + 0.2 * np.minimum(1, lai / 3)  # rows stand clumped until they close (science, 5.3)
    annual = shape == 0
    weeds = np.where(annual & alive, v["weeds"] * (1 - np.exp(-np.maximum(v["since_sown_dd"], 0) / 500)), 0)
    weeds *= np.exp(-0.6 * lai) * (1 - 0.6 * cold)
    dead = (dead * lai / np.maximum(lai + weeds, 1e-6)).astype(np.float32)  # weeds stay green below a ripe crop
    lai = (lai + weeds).astype(np.float32)

    over = (day >= v["harvested"]) & annual
    tilled = np.where(day >= v["ploughed"], v["ploughed"], np.where(over, v["harvested"], v["sown"]))
    since = np.maximum(day - tilled, 0).astype(np.float32)
    lai = np.where(over, _volunteers(growing, stand, tilled, day, cold), lai)

    young = np.where(annual, 0.82 + 0.18 * np.minimum(1, age / 0.25), 1).astype(np.float32)
    winter = np.where(annual & (v["plateau"] > 0), cold, 0.3 * cold).astype(np.float32)
    dead = np.where(over, 0.1, dead).astype(np.float32)
    heads = np.where(annual, 0.07 * step((age - v["flowering"]) / 0.03), 0)
    flooded = (v["paddy"] > 0) & (day >= v["sown"] - PUDDLED_DAYS) & ~over & (age < v["flowering"] + 0.17)
    flower = v["flower"] * np.exp(-0.5 * ((age - v["flowering"]) / v["flower_width"]) ** 2)
    film = np.where(over, 0.35 * (day < v["ploughed"]), np.clip(1 - lai / 2.5, 0, 1)) * v["film"]
    straw = np.where(over, v["straw_left"] * np.exp(-since / 70), np.where(cut, 0.3, 0))
    straw = np.where(over & (day >= v["ploughed"]), 0.06, straw)
    left = _straw_before(growing, stand, day) * np.exp(-0.9 * lai)
    watered = _watered(v, age, alive, day, cold)
    green = (v["cab_leaf"] * v["cab"] * young * (1 - 0.92 * dead) * (1 - 0.22 * winter)).astype(np.float32)
    dark = 1 - 0.04 * np.exp(-since / 35) * (annual | (day >= v["ploughed"]))  # turned soil is rough and dark
    states: dict[str, npt.NDArray[Any]] = {
        "lai": np.clip(lai, 0, 8),
        "ala": v["ala_deg"],
        "n_leaf": v["n_leaf"] + 0.25 * dead,
        "cab": np.where(over, 38 * v["cab"], green),
        "cw": v["cw"] * (1 - 0.4 * dead),
        "cm": v["cm"],
        "cbrown": np.clip(0.72 * dead + 0.1 * winter + heads, 0, 1),
        "soil_bright": dark,
        "soil_wet": np.maximum(np.where(flooded, 1, watered), growing.wet[day]),
        "water": np.where(flooded, 0.87 * np.clip(1 - lai / 2.8, 0, 1), 0),
        "flower": np.where(alive, flower, 0),
        "film": np.maximum(film, v["roof"]),
        "straw": np.maximum(straw, left),
        "snow": np.full(len(stand), growing.snow[day]),
        "sealed": np.zeros(len(stand)),
        "wood": v["wood"],
    }
    return {name: np.asarray(states[name], dtype=np.float32) for name in STATE}


Curve = tuple[Floats, Floats, npt.NDArray[np.bool_]]
Part = dict[str, npt.NDArray[Any]]


def _annual(v: Part, age: Floats, warm: Floats, year_dd: Floats, doy: int, cold: float) -> Curve:
    """Two logistics, the plateau of crops that overwinter, and what stands dry until it is cut."""
    up, down = step((age - v["rise"]) / v["rise_width"]), step((v["dies_at"] - age) / v["fall_width"])
    before_winter = v["plateau"] * step((v["since_sown_dd"] - TILLERS_DD) / 60) * down * (1 - 0.25 * cold)
    planted = 0.03 * (v["paddy"] > 0)
    dry = v["standing"] * up * (1 - down)
    full = np.maximum(np.maximum(up * down, before_winter), np.maximum(planted, dry))
    return v["lai_max"] * full, step((age - v["dies_at"] + 0.015) / 0.035), np.zeros(len(age), bool)


def _sward(v: Part, age: Floats, warm: Floats, year_dd: Floats, doy: int, cold: float) -> Curve:
    """Grass between mowings, or kept short by animals."""
    gap = 0.85 * year_dd / np.maximum(v["cuts"], 1)
    first = gap * (0.8 + 0.5 * v["phase"])
    cuts = np.clip(np.floor((warm - first) / gap), -1, v["cuts"] - 1)
    since_last_year = np.maximum(1.04 * year_dd - first - (v["cuts"] - 1) * gap, 0.15 * gap)
    since = np.where(cuts < 0, warm + since_last_year, warm - first - cuts * gap)
    mown = 0.14 + 0.86 * (1 - np.exp(-since / (0.45 * gap)))
    grazed = 0.40 + 0.10 * np.sin(2 * np.pi * (6 * warm / year_dd + v["phase"]))
    asleep = np.maximum(step((doy - 318) / 12), step((0.06 - warm / year_dd) / 0.015))
    share = np.where(v["grazed"] > 0, grazed, mown) * (1 - 0.4 * asleep - 0.2 * cold)
    heads = v["rough"] * step((warm / year_dd - 0.22) / 0.03) * step((290 - doy) / 12)  # seed heads, dry leaves
    fresh = (cuts >= 0) & (since < 70) & (v["grazed"] == 0)
    dead = np.maximum(0.22 * cold, heads) + 0.2 * v["rough"]
    return (v["lai_max"] * share).astype(np.float32), dead.astype(np.float32), fresh


def _deciduous(v: Part, age: Floats, warm: Floats, year_dd: Floats, doy: int, cold: float) -> Curve:
    """Leaves come with the warmth of spring and fall by the calendar; grass below."""
    falls = LEAF_FALL_DOY + 14 * (v["phase"] - 0.5)
    out = step((warm - 170 - 50 * (v["phase"] - 0.5)) / 38)
    leaves = v["lai_max"] * out * step((falls - doy) / 6)
    turning = step((doy - falls + 16) / 6) * out
    grass = v["under_lai"] * (0.35 + 0.65 * (1 - cold))
    share = leaves / np.maximum(leaves + grass, 1e-6)
    return (leaves + grass).astype(np.float32), (0.6 * turning * share).astype(np.float32), np.zeros(len(age), bool)


def _evergreen(v: Part, age: Floats, warm: Floats, year_dd: Floats, doy: int, cold: float) -> Curve:
    """Nearly the same the year round."""
    swing = 0.94 + 0.08 * np.sin(2 * np.pi * (doy - 130 - 20 * v["phase"]) / 365)
    lai = v["lai_max"] * swing + v["under_lai"] * (1 - 0.5 * cold)
    return lai.astype(np.float32), np.full(len(age), 0.05 * cold, np.float32), np.zeros(len(age), bool)


def _weeds(v: Part, age: Floats, warm: Floats, year_dd: Floats, doy: int, cold: float) -> Curve:
    """Weeds on resting land; half of the fields are tilled once in early summer."""
    tilled = (v["phase"] < 0.5) & (doy > 140 + 80 * v["phase"])
    since = np.where(tilled, np.maximum(warm - 0.35 * year_dd, 0), warm)
    grown = (1 - np.exp(-since / 450)) * step((LEAF_FALL_DOY + 10 - doy) / 10)
    share = 0.1 * (1 - 0.5 * cold) + 0.9 * grown
    dry = 0.7 * np.maximum(step(np.full(len(age), (doy - 285) / 10)), step(np.full(len(age), (75 - doy) / 10)))
    return (v["lai_max"] * share).astype(np.float32), dry.astype(np.float32), np.zeros(len(age), bool)


_CURVES = dict(zip(SHAPES, (_annual, _sward, _deciduous, _evergreen, _weeds), strict=True))


def _day_of_year(heat: Heat, day: int) -> tuple[int, int]:
    """Day of the year, and the day number of that year's 1 January."""
    from datetime import timedelta

    when = heat.start + timedelta(days=day)
    doy = when.timetuple().tm_yday
    return doy, max(0, day - doy + 1)


def _volunteers(growing: Growing, stand: Ints, tilled: Ints, day: int, cold: float) -> Floats:
    """Leaf area of spilt grain and weeds after the harvest, until the plough and the cold."""
    base = growing.base[stand]
    warm = growing.felt[base, day + 1] - growing.felt[base, np.clip(tilled, 0, growing.heat.days)]
    grown = growing.v["regrowth"][stand] * (1 - np.exp(-warm / 500))
    return np.asarray(grown * (1 - 0.85 * cold**1.5), dtype=np.float32)


def _straw_before(growing: Growing, stand: Ints, day: int) -> Floats:
    """Straw of the crop before, where the new one was drilled into it."""
    before = np.maximum(stand - 1, 0)
    same = (stand > 0) & (growing.unit[before] == growing.unit[stand])
    v = growing.v
    gone = v["ploughed"][before] < v["sown"][stand] - 1  # ploughed before the drill came
    since = np.maximum(day - v["harvested"][before], 0)
    straw = np.where(same & ~gone, v["straw_left"][before] * np.exp(-since / 70.0), 0.0)
    return straw.astype(np.float32)


def _watered(v: Part, age: Floats, alive: npt.NDArray[np.bool_], day: int, cold: float) -> npt.NDArray[Any]:
    """Wetness after the last watering: irrigated fields get water every 26 days while they grow."""
    since = (day + np.floor(26 * v["phase"])) % 26
    thirsty = alive & v["irrigated"] & (cold < 0.4) & ((age > 0.08) & (age < 0.85) | (v["shape"] > 0))
    return np.where(thirsty, 0.95 * np.exp(-since / 3.0), 0.0)
