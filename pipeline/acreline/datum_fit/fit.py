# SPDX-License-Identifier: Apache-2.0
"""The datum under which parcels fit best, by a score for each, and what may be said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.config import Datum, ReadSettings
from acreline.datum_fit.edges import (
    SHIFTS,
    Floats,
    distance_m,
    edge_strength,
    in_china,
    move_outlines,
    outline_points,
    random_shifts,
    strength_along,
)
from acreline.datum_fit.windows import choose_windows, clear_cubes, window_around
from acreline.errors import SourceError
from acreline.geo import place_parcels, tile_grid
from acreline.layers import Parcels, Scenes

if TYPE_CHECKING:
    from acreline.plan import Plan

SURE_Z = 4.0
"""Twice the largest score of a wrong place on two simulated counties (1.9, of 147); right ones got 5.9 to 25."""
LEAD_Z = 3.0
"""How far the best datum must lie before the stated one to be told in its place."""
FEWEST_PARCELS = 5
WORDS: dict[str, str] = {"wgs84": "WGS84", "cgcs2000": "CGCS2000", "gcj02": "GCJ-02", "bd09": "BD-09"}


@dataclass(frozen=True)
class Score:
    """How well the parcels fit if their coordinates are of one datum."""

    datum: Datum
    z: float
    """Mean edge strength along the outlines, less the median under random shifts: in robust spreads of these."""
    strength: float
    """Mean edge strength along the outlines: share of clear pixels with a weaker edge, 0 to 1."""
    shifted: float
    """The median of it over the random shifts."""
    move_m: float
    """How far this datum puts the parcels from where the stated one puts them."""


@dataclass(frozen=True)
class DatumFit:
    """What the edges say of the datum."""

    stated: Datum
    scores: tuple[Score, ...]
    """The stated datum first; only that one outside China."""
    in_china: bool
    """All parcels lie where GCJ-02 and BD-09 are defined."""
    n_parcels: int
    days: tuple[date, ...]
    """Of the scenes that were read."""

    @property
    def best(self) -> Score:
        """The datum under which the parcels fit best; of equals the one tried first."""
        return max(self.scores, key=lambda score: score.z)

    @property
    def verdict(self) -> str:
        """fits, fits_better_after or cannot_be_told."""
        if self.n_parcels < FEWEST_PARCELS or self.best.z < SURE_Z:
            return "cannot_be_told"
        if self.best is self.scores[0]:
            return "fits"
        return "fits_better_after" if self.best.z - self.scores[0].z >= LEAD_Z else "cannot_be_told"


def check_datum(plan: Plan) -> DatumFit:
    """Look at a few clear scenes of a region and say under which datum its parcels fit.

    Raises:
        SourceError: no scene of the region can be found or read.
        InputError: the farm file cannot be read.
    """
    from acreline.parcels import read_parcels
    from acreline.search import search_catalogues

    source = plan.region.parcels
    parcels = read_parcels(source)
    found = search_catalogues(parcels, plan.region.season, plan.providers, as_of=plan.as_of)
    return fit_datum(place_parcels(parcels, found.scenes), found.scenes, source.datum, found.provider.read)


def fit_datum(parcels: Parcels, scenes: Scenes, stated: Datum, read: ReadSettings) -> DatumFit:
    """Score the stated datum, and in China the others, by the edges along the parcels' outlines.

    The edge strength of a pixel is the rank of its gradient (Sobel) among all clear pixels of the window, the mean over
    NDVI, red and near infrared and over at most three scenes: a bright roof counts no more than a hedge. What is
    compared is its mean along all outlines (a point every 10 m) with that of the same outlines under a hundred shifts
    of 30 to 300 m, the same for all parcels. The four windows of 5 km with the most parcels are read.

    Args:
        parcels: placed, with column `tile`; in lon/lat as the stated datum has them.
        scenes: of the season.
        stated: the datum the region file says; cgcs2000 is the same as wgs84 here (they differ by less than a metre).
        read: threads, timeouts and retries.

    Raises:
        SourceError: there is no scene over the parcels, or none that can be read.
    """
    kept = parcels[~parcels["status"].isin(["rejected", "failed"])]
    windows = choose_windows(kept)
    shapes = [np.asarray(rows.geometry.values, dtype=object) for _, rows in windows]
    everywhere = all(in_china(outlines) for outlines in shapes)
    datums: list[Datum] = [stated]
    if everywhere:
        known: tuple[Datum, ...] = ("wgs84", "gcj02", "bd09")
        datums += [datum for datum in known if datum != stated and (datum, stated) != ("wgs84", "cgcs2000")]
    shifts = random_shifts()
    total, count = np.zeros((len(datums), len(shifts))), np.zeros((len(datums), len(shifts)), dtype=np.int64)
    n_points, n_parcels = np.zeros(len(datums), dtype=np.int64), 0
    moves: list[list[float]] = [[] for _ in datums]
    days: set[date] = set()
    trouble: list[SourceError] = []
    n_read = 0
    for (tile, rows), outlines in zip(windows, shapes, strict=True):
        grid = tile_grid(tile)
        cubes, opened, failed = clear_cubes(scenes, window_around(rows, grid), read)
        n_read, trouble = n_read + opened, trouble + failed
        if not cubes:
            continue
        n_parcels += len(rows)
        days |= {date.fromisoformat(str(cube["time"].to_numpy()[0])[:10]) for cube in cubes}
        strength = edge_strength(cubes)
        placed = [move_outlines(outlines, stated, datum, grid.crs) for datum in datums]
        for k, moved in enumerate(placed):
            moves[k].append(distance_m(placed[0], moved))
            points = outline_points(moved)
            sums, counts = strength_along(strength, cubes[0], points, shifts)
            total[k] += sums
            count[k] += counts
            n_points[k] += len(points)
    if not n_read:
        raise _nothing_read(scenes, trouble)
    scores = tuple(
        _score(datum, total[k], count[k], int(n_points[k]), float(np.median(moves[k] or [0.0])))
        for k, datum in enumerate(datums)
    )
    return DatumFit(stated, scores, everywhere, n_parcels, tuple(sorted(days)))


def _nothing_read(scenes: Scenes, trouble: Sequence[SourceError]) -> SourceError:
    if trouble:
        first = trouble[0]
        return SourceError(
            f"datum: no window could be read; the first: {first.message}", hint=first.hint, retryable=first.retryable
        )
    return SourceError(
        f"datum: none of the {len(scenes.items)} scenes of {scenes.provider} lies over a parcel that can be used",
        hint="see `acreline search` for the scenes and what was set aside",
        retryable=False,
    )


def _score(datum: Datum, total: Floats, count: npt.NDArray[np.int64], n_points: int, move_m: float) -> Score:
    """The fit of one datum; 0 where the picture has no edges, or half of the outlines lie where nothing was seen."""
    means = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    means[2 * count < n_points] = np.nan
    if not np.isfinite(means[0]) or np.count_nonzero(np.isfinite(means[1:])) < SHIFTS // 2:
        return Score(datum, 0.0, float(np.nan_to_num(means[0])), 0.0, move_m)
    others = means[1:][np.isfinite(means[1:])]
    middle = float(np.median(others))
    spread = 1.4826 * float(np.median(np.abs(others - middle)))
    z = (float(means[0]) - middle) / spread if spread > 0 else 0.0
    return Score(datum, round(z, 2), round(float(means[0]), 4), round(middle, 4), move_m)


# --- words --------------------------------------------------------------------------------------------------------
def datum_lines(fit: DatumFit) -> list[str]:
    """What was found, for a terminal."""
    days = ", ".join(str(day) for day in fit.days) or "no day that was clear there"
    lines = [f"datum: stated {fit.stated}; edges along {fit.n_parcels} parcels; scenes of {days}"]
    for score in fit.scores:
        where = "as stated" if score is fit.scores[0] else f"{score.move_m:.0f} m from there"
        seen = f"edge strength {score.strength:.3f}, shifted at random {score.shifted:.3f}"
        seen = seen if score.shifted > 0 else "too little of the outlines in the picture"
        lines.append(f"  {score.datum:<8}  score {score.z:6.1f}  {seen}  ({where})")
    if not fit.in_china:
        lines.append("outside China the GCJ-02 and BD-09 shifts are not defined: only the stated datum was tried")
    best = fit.best.datum
    return [*lines, "verdict: " + VERDICTS[fit.verdict].format(stated=WORDS[fit.stated], best=WORDS[best], slug=best)]


VERDICTS: Mapping[str, str] = {
    "fits": "fits: the parcels lie on the edges in the picture as {stated}",
    "fits_better_after": "fits better after: the parcels lie on the edges in the picture if their coordinates are "
    "{best}, not {stated}; ask who drew them, then set parcels.datum: {slug}",
    "cannot_be_told": f"cannot be told: no datum stands out (asked: a score of {SURE_Z:g}, {LEAD_Z:g} ahead of the "
    f"stated one, and {FEWEST_PARCELS} parcels)",
}
