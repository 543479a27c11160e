# SPDX-License-Identifier: Apache-2.0
"""Blocks between roads, cut into strips: the plan of the land before anything grows on it.

The plan is drawn on a straight sheet (u to the right, v upwards, metres from the middle), then bent and turned, so that
neighbours keep sharing their borders and no two shapes overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely

from acreline.simulate.fields import smooth_field

if TYPE_CHECKING:
    from acreline.simulate.settings import LandUse, ParcelShapes

Metres = npt.NDArray[np.float64]
Shapes = npt.NDArray[Any]
MIN_WIDTH_M = 9.0
"""A strip on the sheet; 8 m and more are left of it after the ridge between fields and the bending."""
RIDGE_M = 0.3
"""Half the ridge between two fields: fields are drawn this far in from the border they share."""
BEND_RANGE_M = 700.0
STEP_M = 25.0
"""Borders are cut into pieces of this length before they are bent; the chord is then good to centimetres."""
DITCH_M, TREES_M = 3.5, 5.0


@dataclass(frozen=True)
class Sheet:
    """The straight plan."""

    lots: Metres
    """(lot, 4, 2): corners of each lot, counter-clockwise from the lower left."""
    strips: Metres
    """(strip, 4, 2): roads, ditches and rows of trees between the blocks."""
    strip_kind: npt.NDArray[np.object_]
    """(strip,): road, track, ditch or trees."""


def draw_sheet(shapes: ParcelShapes, land: LandUse, half_m: float, rng: np.random.Generator) -> Sheet:
    """Lay out bands of blocks with roads between and cut each block into lots, over a square of `half_m` each way."""
    low, high = shapes.block_m
    lots: list[Metres] = []
    strips: list[tuple[str, Metres]] = []
    v = -half_m
    while v < half_m:
        v = _lay_strips(strips, "road", v, (-half_m - high, half_m + high), land, rng, across=False)
        top = v + rng.uniform(low, high)
        u = -half_m - rng.uniform(0, high)
        while u < half_m:
            u = _lay_strips(strips, "track", u, (v, top), land, rng, across=True)
            right = u + rng.uniform(low, high)
            lots.append(_cut_block(u, v, right, top, shapes, rng))
            u = right
        v = top
    kinds = np.array([kind for kind, _ in strips], dtype=object)
    return Sheet(np.concatenate(lots), np.stack([corners for _, corners in strips]), kinds)


def bend(
    corners: Metres, shapes: ParcelShapes, rng: np.random.Generator, *, inset_m: npt.NDArray[np.float64] | float = 0.0
) -> Shapes:
    """Bring quadrilaterals of the sheet onto the ground: bent, turned, drawn in by `inset_m`.

    Args:
        corners: (n, 4, 2) on the sheet.
        shapes: how strongly roads swing and how the blocks are turned.
        rng: where the bends come from: pass an equal one for all shapes of a county, or neighbours will not fit.
        inset_m: how far each shape is drawn in.

    Returns:
        (n,) polygons in metres from the middle, x east, y north, rounded to 0.01 m.
    """
    polygons = shapely.segmentize(shapely.polygons(corners), STEP_M)
    points = shapely.get_coordinates(polygons)
    bent_u = points[:, 0] + 0.5 * shapes.bend_m * smooth_field(points[:, 0], points[:, 1], BEND_RANGE_M, rng)
    bent_v = points[:, 1] + 0.5 * shapes.bend_m * smooth_field(points[:, 0], points[:, 1], BEND_RANGE_M, rng)
    turn = np.radians(-shapes.bearing_deg)
    east = np.cos(turn) * bent_u - np.sin(turn) * bent_v
    north = np.sin(turn) * bent_u + np.cos(turn) * bent_v
    polygons = shapely.set_coordinates(np.array(polygons, dtype=object), np.column_stack([east, north]))
    if np.any(inset_m):
        polygons = shapely.buffer(polygons, -np.asarray(inset_m), join_style="mitre", mitre_limit=2.0)
    return round_shapes(polygons)


def round_shapes(polygons: Shapes) -> Shapes:
    """Corners to 0.01 m, so that later arithmetic starts from the same numbers everywhere."""
    return np.asarray(shapely.transform(polygons, lambda points: np.round(points, 2)))


def halve(corners: Metres, share: Metres) -> Metres:
    """The first part of each quadrilateral, cut across its longer side at a share of it.

    Args:
        corners: (n, 4, 2).
        share: (n,) 0 to 1.
    """
    bottom = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    side = np.linalg.norm(corners[:, 2] - corners[:, 1], axis=1)
    wide = np.where((bottom >= side)[:, None, None], corners, np.roll(corners, -1, axis=1))
    part = wide.copy()
    part[:, 1] = wide[:, 0] + share[:, None] * (wide[:, 1] - wide[:, 0])
    part[:, 2] = wide[:, 3] + share[:, None] * (wide[:, 2] - wide[:, 3])
    return part


def _lay_strips(
    strips: list[tuple[str, Metres]],
    kind: str,
    start: float,
    along: tuple[float, float],
    land: LandUse,
    rng: np.random.Generator,
    *,
    across: bool,
) -> float:
    """Lay a road or track and what goes with it; returns where the next block begins."""
    width = land.road_m[1] * rng.uniform(0.7, 1.1) if kind == "road" else land.road_m[0] * rng.uniform(0.9, 1.3)
    beside = [("ditch", DITCH_M * rng.uniform(0.6, 1.2))] if rng.uniform() < land.ditches else []
    beside += [("trees", TREES_M * rng.uniform(0.7, 1.3))] if rng.uniform() < land.tree_rows else []
    if rng.uniform() < 0.5:
        beside.reverse()
    place = start
    for name, wide in [*beside[:1], (kind, width), *beside[1:]]:
        strips.append((name, _box(place, along[0], place + wide, along[1], across=across)))
        place += wide
    return place


def _box(p: float, q: float, p_end: float, q_end: float, *, across: bool) -> Metres:
    corners = np.array([(p, q), (p_end, q), (p_end, q_end), (p, q_end)])
    return corners if across else corners[:, ::-1][[0, 3, 2, 1]]


def _cut_block(u: float, v: float, right: float, top: float, shapes: ParcelShapes, rng: np.random.Generator) -> Metres:
    """Cut one block into columns and these into strips of log-normal width; (lot, 4, 2)."""
    turned = bool(rng.uniform() < 0.35)
    long, wide = (top - v, right - u) if turned else (right - u, top - v)
    mean_m2 = shapes.median_m2 * np.exp(0.5 * shapes.log_sd**2) * rng.lognormal(0.0, 0.12)
    count = max(1, round(long * wide / mean_m2))
    columns = int(np.clip(round(np.sqrt(long * count / (wide * shapes.aspect))), 1, count))
    edges = np.linspace(0, long, columns + 1)
    edges[1:-1] += rng.normal(0, 0.06, columns - 1) * long / columns
    lots = []
    for column in range(columns):
        left, end = edges[column], edges[column + 1]
        each = count // columns + (column < count % columns)
        cuts = _cut_line(wide, each, shapes.log_sd, rng)
        narrow = np.minimum(np.diff(cuts)[:-1], np.diff(cuts)[1:])
        lean = rng.uniform(-1, 1, (2, len(cuts))) * shapes.skew
        lean[:, 1:-1] *= np.minimum(narrow, 0.15 * (end - left) + 0 * narrow)
        lean[:, [0, -1]] = 0.0
        near, far = cuts + lean[0], cuts + lean[1]
        for at in range(len(cuts) - 1):
            lots.append([(left, near[at]), (end, far[at]), (end, far[at + 1]), (left, near[at + 1])])
    corners = np.array(lots)
    if turned:  # mirror at the diagonal; the order of corners is turned back so that it stays counter-clockwise
        corners = corners[:, [0, 3, 2, 1], ::-1]
    return np.asarray(corners + np.array([u, v]), dtype=np.float64)


def _cut_line(length: float, count: int, log_sd: float, rng: np.random.Generator) -> Metres:
    """0 .. length in at most `count` pieces of log-normal width, none narrower than 9 m."""
    count = max(1, min(count, int(length / (1.3 * MIN_WIDTH_M))))
    widths = rng.lognormal(0.0, log_sd, count)
    widths = widths / widths.sum() * length
    while widths.min() < MIN_WIDTH_M:  # the narrowest strip goes to its narrower neighbour
        at = int(widths.argmin())
        sides = [side for side in (at - 1, at + 1) if 0 <= side < len(widths)]
        to = min(sides, key=lambda side: widths[side])
        widths[to] += widths[at]
        widths = np.delete(widths, at)
    return np.concatenate([[0.0], np.cumsum(widths)])
