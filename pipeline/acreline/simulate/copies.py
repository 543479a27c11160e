# SPDX-License-Identifier: Apache-2.0
"""Which items a simulated catalogue lists for each pass: reprocessed, split, incomplete, in overlapping tiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from acreline.layers import BANDS
from acreline.simulate.sky import SkySettings
from acreline.simulate.values import Overpass

COPIES, BASELINES_STREAM = 106, 107
# First day of sensing -> baseline of what was processed then (ESA, Sentinel-2 L2A processing baselines).
BASELINES: tuple[tuple[date, str], ...] = (
    (date(2015, 1, 1), "02.09"),
    (date(2019, 5, 6), "02.12"),
    (date(2020, 2, 4), "02.14"),
    (date(2021, 3, 30), "03.00"),
    (date(2021, 6, 30), "03.01"),
    (date(2022, 1, 25), "04.00"),
    (date(2022, 12, 6), "05.09"),
    (date(2023, 12, 13), "05.10"),
    (date(2024, 7, 23), "05.11"),
)
COLLECTION_1 = "05.00"
"""What ESA reprocessed all older scenes to, with the offset."""
OLD = "03.01"
"""The last without offset."""
REPROCESSED_DAYS = 40
AS_FIRST_PROCESSED = 1.04
"""A first copy is some percent brighter than the reprocessed one; order of magnitude."""


@dataclass(frozen=True)
class Copy:
    """One item of the catalogue: a pass as it was processed once, whole or in part."""

    scene_id: str
    tile: str
    overpass: Overpass
    baseline: str
    processed: datetime
    factor: float = 1.0
    """Brightness against the true picture."""
    part: str = ""
    """"", or north or south: what the item holds of the pass."""
    lacks: str | None = None
    """Band without an asset."""

    @property
    def dn_offset(self) -> int:
        """1000 from baseline 04.00 on, 0 before."""
        return 1000 if float(self.baseline) >= 4 else 0


def plan_copies(
    passes: Sequence[Overpass], sky: SkySettings, tiles: Sequence[str], season_end: date, seed: int
) -> list[tuple[Copy, ...]]:
    """The items of each pass.

    A pass has at most one of the quirks. A duplicate is listed in both states only where the reprocessed one was there
    by the season's end, so that a run as of that day knows it.

    Args:
        passes: in the order of time.
        sky: the settings.
        tiles: the county's own tile, then others in which every pass is listed too.
        season_end: last day of the season.
        seed: the county's.
    """
    draw = np.random.default_rng([seed, COPIES])
    order = [int(k) for k in draw.permutation(len(passes))]
    early = [k for k in order if passes[k].time.date() + timedelta(days=REPROCESSED_DAYS) < season_end]
    twice = early[: sky.quirks.duplicates]
    rest = [k for k in order if k not in twice]
    split = rest[: sky.quirks.splits]
    lacking = rest[len(split) : len(split) + sky.quirks.missing_bands]
    bands = {k: BANDS[int(draw.integers(len(BANDS)))] for k in lacking}
    found = []
    for k, overpass in enumerate(passes):
        copies = [_copy(overpass, tile, sky, seed) for tile in tiles]
        if k in twice:
            copies = [one for copy in copies for one in _reprocessed(copy)]
        elif k in split:
            copies = [_named(copy, part=part) for copy in copies for part in ("north", "south")]
        elif k in bands:
            copies = [dataclasses.replace(copy, lacks=bands[k]) for copy in copies]
        found.append(tuple(copies))
    return found


def baseline_on(day: date) -> str:
    """The baseline by which scenes of a day were first processed."""
    return next(name for start, name in reversed(BASELINES) if day >= start)


def _copy(overpass: Overpass, tile: str, sky: SkySettings, seed: int) -> Copy:
    baseline = baseline_on(overpass.time.date())
    share = sky.quirks.old_baseline_share
    if share is not None:
        draw = np.random.default_rng([seed, BASELINES_STREAM, overpass.time.toordinal(), overpass.orbit])
        old, new = min(baseline, OLD), max(baseline, COLLECTION_1)
        baseline = old if draw.random() < share else new
    return _named(Copy("", tile, overpass, baseline, overpass.time + timedelta(hours=6)))


def _reprocessed(copy: Copy) -> tuple[Copy, Copy]:
    """The copy as it was first, brighter and of the baseline before, and as it was made again: the true one."""
    names = [name for _, name in BASELINES]
    if copy.dn_offset == 0:
        first, again = copy, dataclasses.replace(copy, baseline=COLLECTION_1)
    else:
        before = [name for name in names if "04.00" <= name < copy.baseline]
        first = dataclasses.replace(copy, baseline=before[-1] if before else OLD)
        again = copy
    later = copy.processed + timedelta(days=REPROCESSED_DAYS - 1)
    return _named(first, factor=AS_FIRST_PROCESSED), _named(again, processed=later)


def _named(copy: Copy, *, factor: float = 1.0, part: str = "", processed: datetime | None = None) -> Copy:
    """The copy with an id as ESA's product names have it."""
    satellite = copy.overpass.platform.removeprefix("sentinel-").upper()
    words = (f"S{satellite}", "MSIL2A", f"{copy.overpass.time:%Y%m%dT%H%M%S}", f"N{copy.baseline.replace('.', '')}")
    tail = f"_{part}" if part else ""
    scene_id = "_".join((*words, f"R{copy.overpass.orbit:03d}", f"T{copy.tile}")) + tail
    return dataclasses.replace(copy, scene_id=scene_id, factor=factor, part=part, processed=processed or copy.processed)
