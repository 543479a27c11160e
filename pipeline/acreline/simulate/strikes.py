# SPDX-License-Identifier: Apache-2.0
"""Where events strike: low ground under water, swaths of wind and hail, patches that grow, cold hollows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.simulate.cells import pair_cells, pair_places
from acreline.simulate.damage import Mark, Planned, yield_lost
from acreline.simulate.fields import chance, smooth_field
from acreline.simulate.growth import Growing, age_of, current_stand
from acreline.simulate.stands import NEVER

if TYPE_CHECKING:
    from acreline.simulate.crops import SimCrops
    from acreline.simulate.land import Land
    from acreline.simulate.rotations import Choices
    from acreline.simulate.settings import CountySettings

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
LODGES = {
    "winter_cereal", "winter_barley", "spring_cereal", "rapeseed", "maize", "early_rice", "late_rice", "single_rice",
    "pulses", "sunflower", "sugarcane",
}  # fmt: skip
"""Classes of the network with stalks tall enough to fall."""
MISHAP_COLUMNS = ("unit", "slot", "late_days", "stand")


@dataclass(frozen=True)
class Scene:
    """The fields on the day of an event, by piece of ground."""

    x: Floats
    y: Floats
    height: Floats
    stand: npt.NDArray[np.int64]
    """(pair,): stand that grows there, -1 where none."""
    age: Floats
    wet: Bools
    """Irrigated."""


def draw_mishaps(settings: CountySettings, seed: int, choices: Choices, land: Land, crops: SimCrops) -> pd.DataFrame:
    """Fields that are sown 15 to 35 days late, or where only 30 to 60 % of the plants come up."""
    expected = sum(event.expected for event in settings.events if event.kind == "late_failed") / 1000
    rng = chance(seed, "mishaps")
    struck = rng.uniform(size=len(choices.unit)) < expected
    late = rng.uniform(size=len(choices.unit)) < 0.55
    days, share = rng.integers(15, 36, len(choices.unit)), rng.uniform(0.3, 0.6, len(choices.unit))
    first = rng.uniform(size=len(choices.unit))
    rows = []
    for at in np.flatnonzero(struck & (land.units["part"].to_numpy()[choices.unit] == 0)):
        slots = settings.rotations[choices.rotation[at]].crops
        able = [slot for slot in slots if crops.crops[slots[slot]].canopy.shape == "annual"]
        if able:
            slot = able[int(first[at] * len(able))]
            rows.append((choices.unit[at], slot, int(days[at]) if late[at] else 0, 1.0 if late[at] else share[at]))
    return pd.DataFrame(rows, columns=list(MISHAP_COLUMNS))


def strike(
    seed: int, planned: list[Planned], land: Land, growing: Growing, stands: pd.DataFrame, crops: SimCrops
) -> tuple[tuple[Mark, ...], pd.DataFrame]:
    """Put each planned event on the ground.

    An event that finds nothing to harm within the window of its day is left out of the truth.

    Returns:
        the marks, and one row per event and stand: event, kind, stand, start, end (day numbers), severity, share (of
        the stand's ground), damage (share of its yield).
    """
    x, y = pair_places(land.pairs)
    cells = pair_cells(land.pairs)
    height = land.relief_m[land.pairs.row, land.pairs.col]
    whole = np.bincount(land.pairs.unit, cells, len(land.units))
    classes = np.array([crops.crops[slug].network_class for slug in stands["crop"]])
    marks, rows = [], []
    for event in planned:
        rng = chance(seed, "strike", event.kind, event.number)
        stand = current_stand(growing, event.day)
        v = growing.v
        safe = np.maximum(stand, 0)
        alive = (stand >= 0) & (event.day >= v["emerged"][safe]) & (event.day < v["harvested"][safe] - 2)
        age = np.where(alive, age_of(growing, safe, event.day), 0).astype(np.float32)
        may = alive & _may_suffer(event, stands, classes, v, safe, age)
        unit = land.pairs.unit
        scene = Scene(x, y, height, np.where(may, stand, -1)[unit], age[unit], v["irrigated"][safe][unit])
        able = bool((scene.stand >= 0).any())  # a unit may be too small to hold a piece of ground
        found = _PLACES[event.kind](event, scene, rng) if able else None
        if found is None or not found[0].size:
            continue
        pair, severity, start = found
        struck = scene.stand[pair]
        until = np.where(struck >= 0, v["harvested"][np.maximum(struck, 0)], NEVER)
        mark = Mark(
            event.number, event.kind, pair, severity.astype(np.float32), start.astype(np.int64),
            np.full(len(pair), event.lasts, np.int64), until,
        )  # fmt: skip
        marks.append(mark)
        rows.append(_tell(mark, struck, cells, whole, growing, scene.age))
    empty = {name: pd.Series(dtype=kind) for name, kind in _TOLD.items()}
    told = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(empty)
    return tuple(marks), told


_TOLD = {
    "event": "int64", "kind": "object", "stand": "int64", "start": "int64", "end": "int64", "severity": "float64",
    "share": "float64", "damage": "float64",
}  # fmt: skip


def _tell(
    mark: Mark, struck: npt.NDArray[np.int64], cells: Any, whole: Any, growing: Growing, age: Floats
) -> pd.DataFrame:
    """What an event did, by stand."""
    hit = struck >= 0
    stand, ground = struck[hit], cells[mark.pair[hit]].astype(float)
    v = growing.v
    far = (age[mark.pair[hit]] - v["flowering"][stand]) / 0.18
    stage = (0.45 + 0.55 * np.exp(-(far**2))).astype(np.float32)
    stage = np.where(v["shape"][stand] == 0, stage, 0.6).astype(np.float32)
    lost = yield_lost(mark.kind, mark.severity[hit], mark.lasts[hit], stage, paddy=v["paddy"][stand] > 0)
    table = pd.DataFrame(
        {
            "stand": stand,
            "ground": ground,
            "hurt": ground * mark.severity[hit],
            "lost": ground * lost,
            "start": mark.start[hit],
        }
    )
    sums = table.groupby("stand", sort=True).agg(
        ground=("ground", "sum"), hurt=("hurt", "sum"), lost=("lost", "sum"), start=("start", "min")
    )
    index = sums.index.to_numpy()
    total = whole[growing.unit[index]]
    rise = {"drought": 0, "pest_disease": 30}.get(mark.kind, 0)
    return pd.DataFrame(
        {
            "event": mark.number,
            "kind": mark.kind,
            "stand": index,
            "start": sums["start"].to_numpy(),
            "end": np.minimum(sums["start"].to_numpy() + mark.lasts[0] - 1 + rise, v["harvested"][index] - 1),
            "severity": (sums["hurt"] / sums["ground"]).to_numpy(),
            "share": (sums["ground"].to_numpy() / total).clip(0, 1),
            "damage": sums["lost"].to_numpy() / total,
        }
    )


def _may_suffer(event: Planned, stands: pd.DataFrame, classes: Any, v: Any, stand: Any, age: Floats) -> Bools:
    """(unit,): whether the stand on a unit can be harmed by this kind of event at its age."""
    annual = v["shape"][stand] == 0
    open_air = v["roof"][stand] == 0
    named = np.isin(stands["crop"].to_numpy()[stand], event.crops) if event.crops else np.ones(len(stand), bool)
    named &= stands["slot"].to_numpy()[stand] != ""
    if event.kind == "lodging":
        named &= np.isin(classes[stand], sorted(LODGES)) & (age > v["flowering"][stand] - 0.12) & (age < 0.97)
    elif event.kind == "drought":
        named &= (v["paddy"][stand] == 0) & (~annual | ((age > 0.15) & (age < 0.8)))
    elif event.kind == "pest_disease":
        named &= ~annual | ((age > 0.25) & (age < 0.75))
    elif event.kind == "frost" and not event.crops:
        named &= annual & ((v["plateau"][stand] > 0) | (age < 0.3))
    elif event.kind == "hail":
        named &= ~annual | (age > 0.2)
    return np.asarray(named & open_air, dtype=bool)


Found = tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]


def _somewhere(scene: Scene, rng: np.random.Generator, weight: Floats | None = None) -> int:
    """A piece of ground that can be harmed."""
    able = np.flatnonzero(scene.stand >= 0)
    if weight is None:
        return int(able[rng.integers(len(able))])
    share = weight[able].astype(float)
    return int(able[rng.choice(len(able), p=share / share.sum())])


def _hit(event: Planned, pair: npt.NDArray[np.int64], share: npt.NDArray[Any]) -> Found:
    """All pieces on the event's day, each with its share of the severity."""
    return pair, (event.severity * share).astype(np.float32), np.full(len(pair), event.day, np.int64)


def _flood(event: Planned, scene: Scene, rng: np.random.Generator) -> Found:
    """Water rises from a low place over all ground that is lower than its level, and not too far away."""
    low = np.exp(-3 * (scene.height - scene.height.min()) / max(float(scene.height.std()), 1e-6))
    seed = _somewhere(scene, rng, low.astype(np.float32))
    away = np.hypot(scene.x - scene.x[seed], scene.y - scene.y[seed])
    rise = scene.height - scene.height[seed] + 0.4 * float(scene.height.std()) * (away / event.size_m) ** 2
    rise += 0.22 * float(scene.height.std()) * smooth_field(scene.x, scene.y, 45.0, rng, waves=24)  # furrows and banks
    deep = (0.55 * float(scene.height.std()) - rise) / (0.5 * float(scene.height.std()))
    pair = np.flatnonzero((deep > 0) & (away < 2 * event.size_m))
    return _hit(event, pair, np.clip(0.5 + 0.5 * deep[pair], 0.3, 1))


def _drought(event: Planned, scene: Scene, rng: np.random.Generator) -> Found:
    """A region, worse on light soils; irrigated fields are spared."""
    seed = _somewhere(scene, rng)
    away = np.hypot(scene.x - scene.x[seed], scene.y - scene.y[seed]) / event.size_m
    dry = 1.15 - 0.5 * away**2 + 0.22 * smooth_field(scene.x, scene.y, 150.0, rng, waves=24)
    pair = np.flatnonzero((scene.stand >= 0) & ~scene.wet & (dry > 0.3))
    return _hit(event, pair, np.clip(dry[pair], 0.3, 1))


def _across(event: Planned, scene: Scene, seed: int) -> tuple[Floats, Floats]:
    """Distance along and across a swath through a place."""
    east, north = scene.x - scene.x[seed], scene.y - scene.y[seed]
    along = np.cos(event.bearing) * east + np.sin(event.bearing) * north
    across = -np.sin(event.bearing) * east + np.cos(event.bearing) * north
    return along, across


def _lodging(event: Planned, scene: Scene, rng: np.random.Generator) -> Found:
    """Gusts: streaks of fallen stalks within a squall's path; some fields fall whole, some in part."""
    seed = _somewhere(scene, rng)
    along, across = _across(event, scene, seed)
    streak = smooth_field(along / 3, across, 16.0, rng, waves=32)  # three times as long as wide
    gust = 1.3 - (np.hypot(along / 2, across) / event.size_m) ** 2
    pair = np.flatnonzero((scene.stand >= 0) & (streak + 1.6 * gust > 1.1) & (gust > 0))
    return _hit(event, pair, np.clip(0.6 + 0.3 * gust[pair], 0.4, 1))


def _hail(event: Planned, scene: Scene, rng: np.random.Generator) -> Found:
    """A straight swath, worst in its middle."""
    seed = _somewhere(scene, rng)
    _, across = _across(event, scene, seed)
    core = 1 - (2 * np.abs(across) / event.size_m) ** 2 + 0.2 * smooth_field(scene.x, scene.y, 120.0, rng, waves=16)
    pair = np.flatnonzero((scene.stand >= 0) & (core > 0))
    return _hit(event, pair, np.clip(0.35 + 0.65 * core[pair], 0.3, 1))


def _pest(event: Planned, scene: Scene, rng: np.random.Generator) -> Found:
    """Patches around a few foci in one crop, growing by 1 to 3 m a day for six weeks."""
    seed = _somewhere(scene, rng)
    away = np.hypot(scene.x - scene.x[seed], scene.y - scene.y[seed])
    kin = (scene.stand >= 0) & (np.abs(scene.age - scene.age[seed]) < 0.12) & (away < event.size_m)
    kin[seed] = True
    foci = rng.choice(np.flatnonzero(kin), size=int(rng.integers(3, 9)))
    speed = rng.uniform(1.0, 3.0, len(foci))
    reached = np.full(len(scene.x), np.inf)
    for focus, pace in zip(foci, speed, strict=True):
        reached = np.minimum(reached, np.hypot(scene.x - scene.x[focus], scene.y - scene.y[focus]) / pace)
    reached = reached * np.exp(0.25 * smooth_field(scene.x, scene.y, 20.0, rng, waves=16))
    pair = np.flatnonzero(kin & (reached < 42))
    severity = event.severity * np.clip(1.1 - reached[pair] / 80, 0.4, 1)
    return pair, severity.astype(np.float32), event.day + np.rint(reached[pair]).astype(np.int64)


def _frost(event: Planned, scene: Scene, rng: np.random.Generator) -> Found:
    """Cold air gathers in hollows."""
    spread = max(float(scene.height.std()), 1e-6)
    seed = _somewhere(scene, rng, np.exp(-(scene.height - scene.height.min()) / spread).astype(np.float32))
    away = np.hypot(scene.x - scene.x[seed], scene.y - scene.y[seed]) / event.size_m
    cold = 1.1 - 0.6 * (scene.height - scene.height[seed]) / spread - 0.6 * away**2
    cold += 0.15 * smooth_field(scene.x, scene.y, 90.0, rng, waves=16)
    pair = np.flatnonzero((scene.stand >= 0) & (cold > 0.25))
    return _hit(event, pair, np.clip(cold[pair], 0.3, 1))


_PLACES = {
    "flood": _flood, "drought": _drought, "lodging": _lodging, "hail": _hail, "pest_disease": _pest, "frost": _frost,
}  # fmt: skip
