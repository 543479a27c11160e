# SPDX-License-Identifier: Apache-2.0
"""Made farms by the million, as columns and as records: the same farm for the same number, whatever it is made with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import Crop, find_config, list_configs, read_policy, read_settings
from acreline.credit import CompiledPolicy, compile_policy, find_totals
from acreline.credit.contract import Totals
from acreline.credit.totals import PERSON_RULE
from acreline.records import Applicant, Farm, Interval, Stand

AS_OF = date(2018, 12, 15)
CHUNK = 10_000
"""Farms that are made at once; a farm is the same only in chunks of one size."""
MOST_STANDS = 8
M2_PARTS = 64
"""Areas are whole parts of 1/64 m2: their mu are whole numbers for the plain versions too."""
FLAGS = (None, "geometry_repaired", "overlapping_claim")


def load_policy(name: str, as_of: date = AS_OF) -> CompiledPolicy:
    """A packaged policy as it held on a day, with the crops' names."""
    crops = {crop: read_settings(Crop, find_config("crops", crop)) for crop in list_configs("crops")}
    names = {slug: (crop.name_en, crop.name_zh) for slug, crop in crops.items()}
    return compile_policy(read_policy(name, as_of=as_of), names)


def in_currency(farms: Sequence[Farm], currency: str) -> list[Farm]:
    """The same farms with their harvests valued in a policy's money."""
    return [
        replace(farm, currency=currency, stands=tuple(replace(stand, currency=currency) for stand in farm.stands))
        for farm in farms
    ]


@dataclass(frozen=True)
class Chunk:
    """Some farms as columns: of farms (n,), of their stands (stands,)."""

    first: int
    """Number of the first farm."""
    crops: tuple[str, ...]
    farms: dict[str, Any]
    """looks; days since the last clear look; flag (index of `FLAGS`); requested and debt in whole money; person."""
    stands: dict[str, Any]
    """farm (row of it); crop and rival (index of `crops`, -1: none); declared (bool); area64; low and high value."""


def make_chunk(index: int, crops: tuple[str, ...], size: int = CHUNK) -> Chunk:
    """Farms number index x CHUNK and on: one in ten short of looks, one in fifty brought by who brings another."""
    rng = np.random.default_rng([2018, index])
    number = index * CHUNK + np.arange(size)
    short, odd = rng.random(size) < 0.1, rng.random(size)
    farms = {
        "looks": np.where(short, rng.integers(0, 6, size), rng.integers(6, 31, size)),
        "days": rng.integers(1, 70, size),
        "flag": np.where(odd < 0.03, 1, np.where(odd < 0.05, 2, 0)),
        "requested": rng.integers(1_000, 400_000, size),
        "debt": np.where(rng.random(size) < 0.5, 0, rng.integers(0, 60_000, size)),
        "person": np.where(number % 50 == 1, number - 1, number),
    }
    farm = np.repeat(np.arange(size), rng.integers(1, MOST_STANDS + 1, size))
    n = len(farm)
    crop, other = rng.integers(0, len(crops), n), rng.integers(0, len(crops), n)
    area64 = rng.integers(700 * M2_PARTS, 40_000 * M2_PARTS, n)
    low = np.floor(area64 / M2_PARTS * rng.uniform(0.5, 2.0, n))
    stands = {
        "farm": farm,
        "crop": crop,
        "rival": np.where((rng.random(n) < 0.02) & (other != crop), other, -1),
        "declared": rng.random(n) < 0.9,
        "area64": area64,
        "low": low,
        "high": np.floor(low * rng.uniform(1.2, 2.0, n)),
    }
    return Chunk(index * CHUNK, crops, farms, stands)


def farms_of(chunk: Chunk) -> Iterator[Farm]:
    """The chunk's farms as the records that the engine is given."""
    rows = list(zip(*(column.tolist() for column in chunk.stands.values()), strict=True))
    at = 0
    columns = zip(*(column.tolist() for column in chunk.farms.values()), strict=True)
    for index, (looks, days, flag, requested, debt, person) in enumerate(columns):
        farm_id = f"F-{chunk.first + index:07d}"
        stands = []
        low = high = area = 0.0
        while at < len(rows) and rows[at][0] == index:
            _, crop, rival, declared, area64, value_low, value_high = rows[at]
            slug, land = chunk.crops[crop], area64 / M2_PARTS
            stands.append(
                Stand(farm_id, f"{farm_id}-{len(stands)}", "B", slug, 0.9,
                      (slug,) if rival < 0 else tuple(sorted((slug, chunk.crops[rival]))),
                      Interval(land, land, land), slug if declared else None,
                      value=Interval(value_low, value_low, value_high), currency="CNY")
            )  # fmt: skip
            low, high, area, at = low + value_low, high + value_high, area + land, at + 1
        yield Farm(
            farm_id, "ok", None, tuple(stand.parcel_id for stand in stands), area, Interval(area, area, area), area,
            tuple(stands), stands[0].crop, "normal", None, looks, AS_OF - timedelta(days=days),
            flags=() if FLAGS[flag] is None else (FLAGS[flag],), value=Interval(low, low, high), currency="CNY",
            applicant=Applicant(farm_id, f"P-{person:07d}", Decimal(requested), Decimal(debt), 3),
        )  # fmt: skip


def totals_of(chunks: Callable[[], Iterable[Chunk]], policy: CompiledPolicy) -> Totals:
    """What `find_totals` says of the same farms: sums from columns, records of those alone whose person brings more."""
    farms, by_crop, seen = 0, Counter[str](), []
    for chunk in chunks():
        farms += len(chunk.farms["person"])
        seen.append(chunk.farms["person"])
        sums = np.bincount(chunk.stands["crop"], chunk.stands["low"], len(chunk.crops)).astype(np.int64)
        by_crop.update(dict(zip(chunk.crops, sums.tolist(), strict=True)))  # far below 2 ** 53: the sums are exact
    names, counts = np.unique(np.concatenate(seen), return_counts=True)
    own = [farm for chunk in chunks() for farm in farms_of(only_of(chunk, names[counts > 1]))]
    worth = {crop: Decimal(value) for crop, value in sorted(by_crop.items()) if value}
    persons = find_totals(own, policy, as_of=AS_OF).persons
    return Totals(farms, sum(worth.values(), Decimal(0)), worth, persons)


def only_of(chunk: Chunk, persons: npt.NDArray[np.int64]) -> Chunk:
    """The farms of some persons alone, numbered anew."""
    rows = np.flatnonzero(np.isin(chunk.farms["person"], persons))
    kept = np.isin(chunk.stands["farm"], rows)
    stands = {name: column[kept] for name, column in chunk.stands.items()}
    stands["farm"] = np.searchsorted(rows, stands["farm"])
    return Chunk(chunk.first, chunk.crops, {name: column[rows] for name, column in chunk.farms.items()}, stands)


def too_many(totals: Totals, persons: Sequence[str], policy: CompiledPolicy) -> npt.NDArray[np.bool_]:
    """Whether what a farm's person would borrow in all passes the cap on one person, (n,)."""
    cap = next(entry.settings.amount for entry in policy.rules if entry.rule.name == PERSON_RULE)
    own = [totals.persons.get(person) for person in persons]
    return np.array(
        [one is not None and (one.limit is None or one.debt is None or one.limit > cap - one.debt) for one in own]
    )
