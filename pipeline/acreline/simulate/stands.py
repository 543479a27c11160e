# SPDX-License-Identifier: Apache-2.0
"""Stands: each crop on each field with its days, its warmth to ripeness and its own strength."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.simulate.fields import chance
from acreline.simulate.heat import Heat

if TYPE_CHECKING:
    from acreline.simulate.crops import SimCrop, SimCrops
    from acreline.simulate.rotations import Choices
    from acreline.simulate.settings import CountySettings, Rotation

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SOW_SD_DAYS = 8.0
"""Days of sowing between fields of one zone. With 6 the simulated crops of a class were more alike than those of the
WorldCereal sample of France 2023 (`benchmarks/realism.py`), as with the next two."""
CYCLE_CV = 0.05
LEAF_CV = {"n_leaf": 0.16, "cw": 0.2, "cm": 0.2, "cab": 0.14}
"""Leaf structure, water, dry matter and chlorophyll between fields of one crop, relative."""
ALA_SD_DEG = 7.0
DIES_SD = 0.02
"""Of `dies_at`: varieties differ."""
WINTER_SPREAD = 0.3
"""Log-normal spread of the leaf area before winter of crops that overwinter."""
WEEDS = (0.1, 1.0, 1.0)
"""Leaf area of weeds in a crop: median between fields, its log-normal spread, and the most. Order of magnitude."""
REGROWTH_SPREAD, REGROWTH_MOST = 0.8, 3.5
"""Of the leaf area that comes up after the harvest, as `WEEDS`; its median is the crop's."""
NEVER = 100_000
"""Day number of what does not happen within the days that are simulated."""
WINTER_TURNS = (1, 15)
"""Month and day from which a crop that has overwintered counts warmth in full."""
AUTUMN_PACE = 0.4
"""Share of the warmth that counts before; stands for short days and for vernalisation: order of magnitude."""
COVER_WAITS = 55
"""A cover crop is still sown this many days late, after a late maize; then it is given up."""
EMERGES_AT = 0.05
"""Share of the cycle after which a sown crop shows; a transplanted one shows at once."""


COLUMNS = {
    "unit": np.int64,
    "crop": object,  # slug
    "slot": object,  # A, B or AB; empty: last year's, next year's or a cover crop, in no truth table
    "turn": np.int64,  # 0 for the only harvest of a season, else its number
    "sown": np.int64,
    "emerged": np.int64,
    "harvested": np.int64,
    "ploughed": np.int64,
    "cycle_dd": np.float64,  # warmth (or days) from sowing to ripeness on the crop's own clock
    "waits": np.int64,  # day from which warmth counts in full: the turn of winter where a crop overwinters
    "lai_max": np.float64,
    "usual_lai": np.float64,  # of an average stand of this crop in the zone
    "cab": np.float64,  # factor, as the next three
    "n_leaf": np.float64,
    "cw": np.float64,
    "cm": np.float64,
    "ala": np.float64,  # degrees more than usual
    "plateau": np.float64,  # factor
    "weeds": np.float64,  # leaf area of weeds where the crop leaves them light
    "regrowth": np.float64,  # leaf area of spilt grain and weeds that comes up after the harvest
    "rough": np.float64,  # 0 to 1: dead matter and seed heads of swards
    "film": np.float64,
    "grazed": np.float64,
    "under_lai": np.float64,
    "phase": np.float64,  # 0 to 1: the field's own place in whatever goes round (mowing, watering, leaf fall)
    "dies_at": np.float64,  # share of the cycle at which half of the leaves are gone: varieties differ
    "irrigated": np.bool_,
    "late_days": np.int64,  # sown later than its neighbours by a mishap
    "stand": np.float64,  # share of the plants that came up
}


def make_stands(
    settings: CountySettings, seed: int, crops: SimCrops, choices: Choices, heat: Heat, mishaps: pd.DataFrame
) -> pd.DataFrame:
    """Every stand of every field, from last year's crop that still stands on the first day to the next year's wheat.

    Args:
        settings: the county.
        seed: its seed.
        crops: what is known of each crop.
        choices: rotation of each field unit.
        heat: warmth day by day.
        mishaps: unit, slot, late_days, stand: stands that are sown late or come up thin.

    Returns:
        one row per stand, columns as in `COLUMNS`, by unit and day of sowing; stands of one unit never overlap.
    """
    parts: list[pd.DataFrame] = []
    start, year = heat.day(settings.season[0]), settings.year
    for number, rotation in enumerate(settings.rotations):
        units = choices.unit[choices.rotation == number]
        if units.size == 0:
            continue
        rng = chance(seed, "stands", number, *rotation.crops.values())
        wet = rng.uniform(size=len(units)) < rotation.irrigated
        covered = rng.uniform(size=len(units)) < rotation.cover
        again = rng.uniform(size=len(units)) < rotation.next_a
        draw = _Drawer(settings, crops, heat, mishaps)
        for slot, crop in rotation.crops.items():
            parts += draw.season(units, crop, slot, year, wet, rng)
            for other, mine in _last_year(rotation, crop, len(units), rng):
                before = draw.season(units[mine], other, "", year - 1, wet[mine], rng)
                parts += [stand.loc[stand["harvested"] > start - 90] for stand in before]
        if rotation.a is not None:
            parts += draw.season(units[again], rotation.a, "", year + 1, wet[again], rng)
        parts += _covers(draw, rotation, units[covered], year, wet[covered], rng)
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values(["unit", "sown", "harvested"], kind="stable").reset_index(drop=True)
    return _no_overlap(table, heat)


def _last_year(
    rotation: Rotation, crop: str, size: int, rng: np.random.Generator
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """Which crop stood on which of a rotation's units the year before: the same one, or another by its share."""
    if not rotation.after:
        return [(crop, np.ones(size, bool))]
    ends = np.cumsum(list(rotation.after.values()))
    place = np.searchsorted(ends, rng.uniform(size=size), side="right")
    names = [*rotation.after, crop]
    return [(name, place == number) for number, name in enumerate(names) if (place == number).any()]


def zone_calendar(settings: CountySettings, crop: SimCrop, slug: str, year: int) -> tuple[dt.date, dt.date]:
    """Mean day of sowing and of harvest of a crop harvested in `year`; the middle of its usual window if not set."""
    own = settings.crops.get(slug)
    sow = own.sow if own and own.sow else _middle(*crop.calendar.sow)
    harvest = own.harvest if own and own.harvest else _middle(*crop.calendar.harvest)
    reaped = dt.date(year, int(harvest[:2]), int(harvest[3:]))
    sown = dt.date(year, int(sow[:2]), int(sow[3:]))
    if sown < reaped:
        return sown, reaped
    # A crop of slot A sown in autumn is harvested in the year that names the season; cane is cut in the winter after.
    return (
        (sown, dt.date(year + 1, reaped.month, reaped.day)) if crop.slot == "AB" else (sown.replace(year - 1), reaped)
    )


def _middle(first: str, last: str) -> str:
    one = dt.date(2001, int(first[:2]), int(first[3:]))
    two = dt.date(2001 + (last < first), int(last[:2]), int(last[3:]))
    return (one + (two - one) / 2).strftime("%m-%d")


@dataclass(frozen=True)
class _Drawer:
    """Draws the stands of one crop on many units."""

    settings: CountySettings
    crops: SimCrops
    heat: Heat
    mishaps: pd.DataFrame

    def season(
        self, units: Ints, slug: str, slot: str, year: int, wet: npt.NDArray[np.bool_], rng: np.random.Generator
    ) -> list[pd.DataFrame]:
        crop = self.crops.crops[slug]
        sow, reap = zone_calendar(self.settings, crop, slug, year)
        if crop.canopy.shape == "cycles":
            return self._cycles(units, slug, slot, sow, reap, wet, rng)
        if crop.canopy.shape != "annual":  # perennials stand all the while; the days are those of the year's growth
            if year != self.settings.year:
                return []
            table = self._draw(units, slug, slot, wet, rng)
            return [table.assign(sown=0, emerged=0, harvested=NEVER, ploughed=NEVER, cycle_dd=1.0, waits=0)]
        table = self._draw(units, slug, slot, wet, rng)
        late = table["late_days"].to_numpy()
        own = self.settings.crops.get(slug)
        spread = own.sow_sd_days if own and own.sow_sd_days is not None else SOW_SD_DAYS
        sown = np.rint(self.heat.day(sow) + rng.normal(0, spread, len(units))).astype(int) + late
        return [self._ripen(table.assign(sown=sown), crop, slug, sow, reap, rng)]

    def _draw(
        self, units: Ints, slug: str, slot: str, wet: npt.NDArray[np.bool_], rng: np.random.Generator
    ) -> pd.DataFrame:
        crop, size = self.crops.crops[slug], len(units)
        canopy, layers = crop.canopy, crop.layers
        own = self.settings.crops.get(slug)
        lai_max = own.lai_max if own and own.lai_max else canopy.lai_max
        low, high = layers.understory_lai
        table = pd.DataFrame(
            {
                "unit": units,
                "crop": slug,
                "slot": slot,
                "turn": 0,
                "lai_max": lai_max * np.clip(rng.normal(1, canopy.lai_cv, size), 0.35, 1.5),
                "usual_lai": lai_max,
                **{name: np.clip(rng.normal(1, cv, size), 1 - 2.5 * cv, 1 + 2.5 * cv) for name, cv in LEAF_CV.items()},
                "ala": rng.normal(0, ALA_SD_DEG, size),
                "plateau": np.minimum(rng.lognormal(0, WINTER_SPREAD, size), 2.2),
                "weeds": np.minimum(WEEDS[0] * rng.lognormal(0, WEEDS[1], size), WEEDS[2]),
                "regrowth": np.minimum(
                    crop.harvest.regrowth_lai * rng.lognormal(0, REGROWTH_SPREAD, size), REGROWTH_MOST
                ),
                "rough": rng.beta(1.5, 3.0, size),
                "film": layers.film * rng.uniform(0.8, 1.2, size) * (rng.uniform(size=size) < layers.film_chance),
                "grazed": (rng.uniform(size=size) < layers.grazed_chance).astype(float),
                "under_lai": rng.uniform(low, high, size),
                "phase": rng.uniform(size=size),
                "dies_at": canopy.fall + rng.normal(0, DIES_SD, size),
                "irrigated": wet,
            }
        )
        mine = self.mishaps.loc[self.mishaps["slot"] == slot] if slot else self.mishaps.iloc[:0]
        late = pd.Series(mine["late_days"].to_numpy(), index=mine["unit"].to_numpy())
        thin = pd.Series(mine["stand"].to_numpy(), index=mine["unit"].to_numpy())
        table["late_days"] = late.reindex(units).fillna(0).to_numpy(dtype=int)
        table["stand"] = thin.reindex(units).fillna(1.0).to_numpy(dtype=float)
        weaker = table["stand"] * np.where(late_mask(table), 0.85, 1.0)
        return table.assign(lai_max=np.minimum(table["lai_max"] * weaker, 7.5))

    def _ripen(
        self, table: pd.DataFrame, crop: SimCrop, slug: str, sow: dt.date, reap: dt.date, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Days of emergence, harvest and ploughing from the warmth that really came."""
        size, heat, calendar = len(table), self.heat, crop.calendar
        expected, felt = heat.expected[calendar.base_c], heat.felt[calendar.base_c]
        sown = np.clip(table["sown"].to_numpy(), 0, heat.days)
        first, last = np.clip([heat.day(sow), heat.day(reap)], 0, heat.days)
        own = self.settings.crops.get(slug)
        whole = calendar.cycle_degree_days or 0.0
        if heat.day(reap) <= heat.days and (not whole or (own and own.harvest) or crop.calendar.pace == "days"):
            whole = float(expected[last] - expected[first])  # the zone's own days say how much warmth the variety needs
        elif own and own.harvest:  # the harvest lies beyond the days that are drawn: the year before tells as well
            back = 365 if heat.day(sow) >= 365 else 0
            ends = min(heat.day(reap) - back, heat.days)
            whole = float(expected[ends] - expected[max(0, heat.day(sow) - back)])
        waits = sown
        if (
            crop.canopy.plateau > 0
        ):  # before winter a crop that overwinters tillers and does not hurry towards flowering
            turn = int(np.clip(heat.day(dt.date(reap.year, *WINTER_TURNS)), 0, heat.days))
            waits = np.maximum(sown, turn)
            whole -= (1 - AUTUMN_PACE) * float(expected[min(turn, last)] - expected[min(first, turn, last)])
        cycle = max(whole, 1.0) * np.clip(rng.normal(1, CYCLE_CV, size), 0.85, 1.15)
        delay = np.clip(np.rint(rng.normal(2, 2.5, size)), 0, 10).astype(int)
        ripe = np.searchsorted(felt, felt[waits] - AUTUMN_PACE * (felt[waits] - felt[sown]) + cycle, side="left")
        harvested = np.where(ripe > heat.days - 1, NEVER, ripe + delay)
        slack = np.rint(rng.normal(18, 4, size)).astype(int) + np.minimum(table["late_days"].to_numpy(), 12)
        latest = heat.day(reap) + slack
        harvested = np.minimum(harvested, np.where(latest >= heat.days, NEVER, latest))
        up = np.searchsorted(felt, felt[sown] + EMERGES_AT * cycle, side="left")
        emerged = sown + 1 if crop.layers.paddy else np.where(up > heat.days - 1, NEVER, np.maximum(up, sown + 3))
        low, high = crop.harvest.plough_days
        ploughs = rng.uniform(size=size) < crop.harvest.plough_chance
        ploughed = np.where(ploughs, harvested + rng.integers(low, high + 1, size), NEVER)
        return table.assign(
            emerged=emerged,
            harvested=np.minimum(harvested, NEVER),
            ploughed=np.minimum(ploughed, NEVER),
            cycle_dd=cycle,
            waits=waits,
        )

    def _cycles(
        self, units: Ints, slug: str, slot: str, sow: dt.date, reap: dt.date, wet: npt.NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> list[pd.DataFrame]:  # fmt: skip
        """Several short crops one after another between the first sowing and the last harvest."""
        low, high = self.crops.crops[slug].layers.cycles
        count = rng.integers(low, high + 1, len(units))
        begin = self.heat.day(sow) + np.rint(rng.normal(0, 12, len(units))).astype(int)
        length = (self.heat.day(reap) - begin) / count
        tables = []
        for turn in range(high):
            rows = np.flatnonzero(turn < count)
            table = self._draw(units[rows], slug, slot, wet[rows], rng)
            sown = np.rint(begin[rows] + turn * length[rows] + rng.uniform(0, 10, len(rows))).astype(int)
            span = np.clip(rng.normal(0.86, 0.05, len(rows)), 0.7, 0.93) * length[rows]
            span = np.rint(np.clip(span, 45, 110)).astype(int)
            end = sown + span
            tables.append(
                table.assign(
                    turn=turn + 1,
                    sown=sown,
                    emerged=sown + 6,
                    harvested=end,
                    cycle_dd=span.astype(float),
                    waits=sown,
                    ploughed=end + rng.integers(1, 6, len(rows)),
                    late_days=0,
                )
            )
        return tables


def late_mask(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """(stand,): sown late by a mishap."""
    return (table["late_days"] > 0).to_numpy()


def _covers(
    draw: _Drawer, rotation: Rotation, units: Ints, year: int, wet: npt.NDArray[np.bool_], rng: np.random.Generator
) -> list[pd.DataFrame]:
    """Cover crops: before a spring crop from the autumn on, and after a crop that leaves the land by September."""
    if units.size == 0 or rotation.ab is not None:
        return []
    found = []
    first, last = zone_calendar(draw.settings, draw.crops.crops["cover"], "cover", year)
    for autumn in (year - 1, year):
        if autumn == year - 1 and rotation.a is not None and draw.crops.crops[rotation.a].canopy.plateau > 0:
            continue  # winter cereals and rapeseed were sown then
        day = draw.heat.day(first.replace(year=autumn))
        table = draw._draw(units, "cover", "", wet, rng)
        sown = day + np.rint(rng.normal(0, 9, len(units))).astype(int)
        end = draw.heat.day(last.replace(year=autumn + 1)) + np.rint(rng.normal(0, 18, len(units))).astype(int)
        cycle = np.maximum(end - sown, 60).astype(float)
        table = table.assign(sown=sown, emerged=sown + 9, harvested=end, ploughed=end + 3, cycle_dd=cycle)
        found.append(table.assign(waits=sown, late_days=0))
    return found


def _no_overlap(table: pd.DataFrame, heat: Heat) -> pd.DataFrame:
    """Where two stands of a unit would overlap, the season's own stand wins and the next is sown when the land is free.

    A cover crop makes way; a crop of last or next year that finds no room is cut short or left out.
    """
    own = table["slot"].to_numpy() != ""
    keep = np.ones(len(table), bool)
    unit = table["unit"].to_numpy()
    sown, harvested = table["sown"].to_numpy().copy(), table["harvested"].to_numpy().copy()
    emerged, ploughed = table["emerged"].to_numpy().copy(), table["ploughed"].to_numpy().copy()
    cover = (table["crop"] == "cover").to_numpy()
    before = -1
    for at in range(len(table)):
        if before >= 0 and unit[before] != unit[at]:
            before = -1
        if before >= 0 and sown[at] <= harvested[before] + 2:
            wait = harvested[before] + 3 - sown[at]
            if cover[before] and not cover[at]:  # a cover crop makes way
                harvested[before] = sown[at] - 4
                ploughed[before] = sown[at] - 2
                keep[before] = harvested[before] > sown[before] + 20
            elif own[at] and not own[before]:  # last year's crop was cut in time for this one
                harvested[before] = max(sown[at] - 4, sown[before])
            elif wait > (COVER_WAITS if cover[at] else 21) and not own[at]:
                keep[at] = False
                continue
            else:
                sown[at] += wait
                emerged[at] = min(emerged[at] + wait, NEVER)
                harvested[at] = max(harvested[at], sown[at] + 40)
        if before >= 0:
            ploughed[before] = min(ploughed[before], sown[at] - 1)
        before = at
    table = table.assign(sown=sown, emerged=emerged, harvested=harvested, ploughed=ploughed)
    return table.loc[keep & (sown < heat.days)].reset_index(drop=True)
