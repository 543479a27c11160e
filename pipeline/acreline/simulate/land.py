# SPDX-License-Identifier: Apache-2.0
"""The land of a county: fields, farms, villages, roads, water, trees and hills on one satellite tile's grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from acreline.errors import ConfigError
from acreline.layers import PIXEL_M
from acreline.simulate.cells import CELL_M, count_pairs, paint
from acreline.simulate.fields import chance, smooth_field
from acreline.simulate.lattice import RIDGE_M, Sheet, bend, draw_sheet, halve, round_shapes
from acreline.simulate.values import SUB, Pairs, Window
from acreline.tiles import tile_grid

if TYPE_CHECKING:
    from acreline.simulate.settings import CountySettings, LandUse

Shapes = npt.NDArray[Any]
MARGIN_M = 40.0
"""Ground around the outermost parcel, metres."""
HILL_REACH_M = 8.0
"""Hills have no roads between their lots: they grow over them this far from either side."""
FIELD = "field"
"""Kind of a field that stands in no farm file: it grows like any other, and nobody is asked about it."""


@dataclass(frozen=True)
class Land:
    """The land before the first seed."""

    window: Window
    units: pd.DataFrame
    """As in `County.units`, with part (0; 1 is the smaller half of a mixed parcel), and x_m, y_m: middle of the unit,
    metres east and south of the window's corner. Kind `field`: a field in no farm file."""
    pairs: Pairs
    relief_m: npt.NDArray[np.float32]
    outlines: Shapes
    """(parcel,) polygons in metres east and south of the window's corner; order of `parcel_ids`."""
    parcel_ids: tuple[str, ...]
    farm_ids: tuple[str, ...]
    village_m: npt.NDArray[np.float64]
    """(unit,): nearness to a village: 0 in its middle, 1 at its edge, larger outside."""


def make_land(settings: CountySettings, seed: int, parcels: int) -> Land:
    """Draw the land: blocks, lots, their use, the registered parcels, the window, the fine grid.

    Raises:
        ConfigError: the tile does not hold the place with the county around it.
    """
    half_m, lots, shapes, uses = _enough_fields(settings, seed, parcels)
    reach = np.abs(shapely.bounds(shapes)).max(axis=1)
    fields = np.flatnonzero(uses.kind == "parcel")
    chosen = fields[np.argsort(reach[fields], kind="stable")[:parcels]]
    half_px = 2 * math.ceil((reach[chosen].max() + MARGIN_M) / (2 * PIXEL_M))
    half_m = half_px * PIXEL_M
    window = _place_window(settings, half_px)
    # From here on metres east and south of the window's corner.
    corner = _mover(half_m)

    centre = shapely.get_coordinates(shapely.centroid(shapes))
    chosen = chosen[_reading_order(centre[chosen])]
    inside = (reach <= half_m) | (np.abs(centre).max(axis=1) < half_m + 400)
    other = np.flatnonzero(inside & ~np.isin(np.arange(len(shapes)), chosen))
    order = np.concatenate([chosen, other])
    kind = uses.kind[order].copy()
    kind[len(chosen) :][kind[len(chosen) :] == "parcel"] = FIELD
    ids = tuple(f"P{number:05d}" for number in range(1, parcels + 1))
    outlines = corner(shapes[order])

    second, cut = _mixed_parts(settings, seed, lots.lots[chosen], outlines[: len(chosen)], corner)
    strips = corner(bend(lots.strips, settings.shapes, chance(seed, "land", "bend"), inset_m=0.05))
    strip_kind = np.where(lots.strip_kind == "track", "road", lots.strip_kind)
    ponds = kind == "pond"
    drawn = outlines.copy()
    drawn[ponds] = _round_corners(outlines[ponds])

    near = np.concatenate([uses.village[order], uses.village[chosen[second]]])
    units = pd.DataFrame(
        {
            "kind": np.concatenate([kind, np.full(len(second), "parcel"), strip_kind, ["yard", "road"]]),
            "parcel_id": pd.array(
                [*ids, *[None] * (len(order) - parcels), *[ids[at] for at in second], *[None] * (len(strips) + 2)],
                dtype="string",
            ),
            "part": np.concatenate([np.zeros(len(order)), np.ones(len(second)), np.zeros(len(strips) + 2)]).astype(int),
            "surface": np.concatenate(
                [np.full(len(order) + len(second), ""), lots.strip_kind, ["garden", "verge"]]
            ).astype(object),
        }
    )
    verge, yard = len(units) - 1, len(units) - 2
    side = SUB * 2 * half_px
    cells = np.full((side, side), verge, np.int32)
    everything = np.concatenate([drawn, cut, strips])
    codes = np.arange(len(everything), dtype=np.int32)
    plots, hills = len(drawn) + len(cut), np.flatnonzero(kind == "hill")
    paint(cells, strips, codes[plots:])
    paint(cells, shapely.buffer(drawn[hills], HILL_REACH_M), codes[hills])
    paint(cells, everything[:plots], codes[:plots])
    _plant_yards(cells, np.flatnonzero(kind == "village"), yard, settings.shapes.bearing_deg)
    middles = np.full((len(units), 2), half_m)
    middles[: len(everything)] = shapely.get_coordinates(shapely.centroid(everything))
    units = units.assign(x_m=middles[:, 0].round(2), y_m=middles[:, 1].round(2))
    return Land(
        window=window,
        units=units,
        pairs=count_pairs(cells, len(units)),
        relief_m=_relief_grid(settings.land, seed, half_m),
        outlines=outlines[:parcels],
        parcel_ids=ids,
        farm_ids=_draw_farms(settings, seed, centre[chosen]),
        village_m=np.concatenate([near, np.full(len(strips) + 2, 9.0)]),
    )


@dataclass(frozen=True)
class Uses:
    """What each lot is used for."""

    kind: npt.NDArray[np.object_]
    village: npt.NDArray[np.float64]


def _enough_fields(settings: CountySettings, seed: int, parcels: int) -> tuple[float, Sheet, Shapes, Uses]:
    """A plan with at least as many fields as parcels are wanted, whole within the square around the middle."""
    shapes, land = settings.shapes, settings.land
    mean_m2 = shapes.median_m2 * math.exp(0.5 * shapes.log_sd**2)
    fields = 0.9 * (1 - land.villages - land.ponds - land.woods - land.hills)
    half_m = 0.5 * math.sqrt(parcels * mean_m2 / fields) * 1.1 + 0.5 * shapes.block_m[1]
    while True:
        lots = draw_sheet(shapes, land, 1.42 * half_m + shapes.block_m[1], chance(seed, "land", "sheet"))
        polygons = bend(lots.lots, shapes, chance(seed, "land", "bend"), inset_m=RIDGE_M)
        whole = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
        whole &= shapely.area(polygons) > 8 * 8
        whole &= np.abs(shapely.get_coordinates(shapely.centroid(polygons))).max(axis=1) < half_m + 400
        lots = Sheet(lots.lots[whole], lots.strips, lots.strip_kind)
        polygons = polygons[whole]
        uses = _settle_uses(land, seed, polygons, half_m)
        usable = (uses.kind == "parcel") & (np.abs(shapely.bounds(polygons)).max(axis=1) < half_m)
        if usable.sum() >= parcels:
            return half_m, lots, polygons, uses
        half_m *= 1.15


def _settle_uses(land: LandUse, seed: int, polygons: Shapes, half_m: float) -> Uses:
    """Villages around centres, hills on the highest ground, ponds in the lowest, woods here and there; fields else."""
    x, y = shapely.get_coordinates(shapely.centroid(polygons)).T
    area = shapely.area(polygons)
    kind = np.full(len(polygons), "parcel", dtype=object)
    village = _village_nearness(land, seed, x, y, half_m)
    heights = _relief(land, seed, x, y)
    rng = chance(seed, "land", "uses")
    scatter = rng.normal(0, 1, (2, len(polygons)))
    total = area.sum()
    spread = max(float(heights.std()), 1e-9)
    for name, score, share in (
        ("hill", -heights, land.hills),
        ("village", village, land.villages),
        ("pond", heights / spread + 1.5 * scatter[0] + 0.3 * area / area.mean(), land.ponds),
        ("trees", scatter[1], land.woods),
    ):
        order = np.argsort(np.where(kind == "parcel", score, np.inf), kind="stable")
        taken = order[np.cumsum(area[order]) <= share * total]
        kind[taken[kind[taken] == "parcel"]] = name
    return Uses(kind, village / max(1e-9, float(village[kind == "village"].max(initial=1e-9))))


def _village_nearness(land: LandUse, seed: int, x: Any, y: Any, half_m: float) -> npt.NDArray[np.float64]:
    """Distance to the nearest village's middle over that village's reach in this direction (of no fixed scale)."""
    spacing = land.village_spacing_m
    rng = chance(seed, "land", "villages")
    count = math.ceil((half_m + 400) / spacing) + 1
    steps = np.arange(-count, count + 1) * spacing
    centres = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    centres = centres + rng.uniform(-0.5, 0.5, 2) * spacing + rng.uniform(-0.3, 0.3, centres.shape) * spacing
    size = rng.lognormal(0.0, 0.3, len(centres))
    waves = rng.uniform(0, 2 * np.pi, (2, len(centres)))
    best = np.full(len(x), np.inf)
    for (east, north), wide, first, second in zip(centres, size, *waves, strict=True):
        away = np.hypot(x - east, y - north)
        bearing = np.arctan2(y - north, x - east)
        reach = wide * (1 + 0.22 * np.cos(2 * bearing + first) + 0.12 * np.cos(3 * bearing + second))
        best = np.minimum(best, away / reach)
    return best


def _relief(land: LandUse, seed: int, x: Any, y: Any) -> npt.NDArray[np.float64]:
    """Height, metres above an arbitrary level; gentle swells, and slopes where there are hills."""
    rng = chance(seed, "land", "relief")
    broad = smooth_field(x, y, 800.0, rng).astype(np.float64)
    swell = smooth_field(x, y, 180.0, rng).astype(np.float64)
    if land.hills == 0:
        return land.relief_m * (0.18 * broad + 0.07 * swell)
    return 1.2 * swell + 2.0 * broad + land.relief_m * np.clip((broad - 0.3) / 2.2, 0, None) ** 1.3


def _relief_grid(land: LandUse, seed: int, half_m: float) -> npt.NDArray[np.float32]:
    along = np.arange(-half_m + PIXEL_M / 2, half_m, PIXEL_M)
    heights = _relief(land, seed, *np.meshgrid(along, -along))
    return np.asarray((heights - heights.min()).round(3), dtype=np.float32)


def _place_window(settings: CountySettings, half_px: int) -> Window:
    """The window of the tile around the county's middle; row and column even."""
    from pyproj import Transformer

    grid = tile_grid(settings.place.tile)
    east, north = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(
        settings.place.lon, settings.place.lat
    )
    row = 2 * round((grid.origin_y - north) / PIXEL_M / 2) - half_px
    col = 2 * round((east - grid.origin_x) / PIXEL_M / 2) - half_px
    if min(row, col) < 0 or max(row, col) + 2 * half_px > grid.size_px:
        raise ConfigError(
            f"{settings.file or settings.name}: place: tile {grid.tile} does not hold the county of "
            f"{2 * half_px * PIXEL_M / 1000:.1f} km around {settings.place.lat}, {settings.place.lon}",
            hint="move lat and lon into the tile, name the tile that holds them, or ask for fewer parcels",
        )
    return Window(grid.tile, grid.crs, grid.origin_x, grid.origin_y, row, col, 2 * half_px, 2 * half_px)


def _mover(half_m: float) -> Any:
    """From metres around the middle, y north, to metres from the window's corner, y south."""

    def move(polygons: Shapes) -> Shapes:
        return np.asarray(
            shapely.transform(polygons, lambda points: np.round((points * (1, -1)) + half_m, 2)), dtype=object
        )

    return move


def _reading_order(centre: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Parcels numbered in bands of 250 m from north to south, west to east within: as a clerk would."""
    return np.lexsort((centre[:, 0], np.floor(-centre[:, 1] / 250.0)))


def _mixed_parts(
    settings: CountySettings, seed: int, corners: npt.NDArray[np.float64], outlines: Shapes, corner: Any
) -> tuple[npt.NDArray[np.int64], Shapes]:
    """Which parcels have two crops, and the polygon of the smaller part: 25 to 50 % of the parcel."""
    rng = chance(seed, "land", "mixed")
    second = np.flatnonzero(rng.uniform(size=len(corners)) < settings.noise.mixed)
    share = rng.uniform(0.25, 0.5, len(second))
    if second.size == 0:
        return second, np.empty(0, dtype=object)
    halves = corner(bend(halve(corners[second], share), settings.shapes, chance(seed, "land", "bend")))
    return second, round_shapes(shapely.intersection(halves, outlines[second]))


def _round_corners(polygons: Shapes) -> Shapes:
    """Ponds have no sharp corners."""
    reach = 0.3 * shapely.area(polygons) / (0.5 * shapely.length(polygons))  # 0.3 of the width of a slender shape
    return round_shapes(shapely.buffer(shapely.buffer(polygons, -reach), reach))


def _plant_yards(cells: npt.NDArray[np.int32], villages: npt.NDArray[np.int64], yard: int, bearing_deg: float) -> None:
    """Gardens and yards between the houses: rows of plots of 17.5 by 25 m, each one part roof, one part yard."""
    rows, cols = np.nonzero(np.isin(cells, villages))
    turn = math.radians(bearing_deg)
    east = (math.cos(turn) * cols + math.sin(turn) * rows) * CELL_M + 1e5
    north = (math.cos(turn) * rows - math.sin(turn) * cols) * CELL_M + 1e5
    plot = (north // 25.0).astype(np.int64) * 7919 + (east // 17.5).astype(np.int64) * 104_729
    open_plot = (plot * 2654435761 % 2**32) % 100 < 14
    garden = (north % 25.0 > 15.0) | open_plot
    cells[rows[garden], cols[garden]] = yard


def _draw_farms(settings: CountySettings, seed: int, centre: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """A farm's parcels lie near one another, with those of its neighbours between."""
    rng = chance(seed, "land", "farms")
    low, high = settings.shapes.farm_parcels
    along = np.floor(centre / 180.0).astype(np.int64)
    along -= along.min(axis=0)
    snake = np.where(along[:, 1] % 2 == 0, along[:, 0], along[:, 0].max(initial=0) - along[:, 0])
    rank = np.lexsort((snake, along[:, 1])).argsort() + rng.normal(0, 4, len(centre))
    order = np.argsort(rank, kind="stable")
    sizes: list[int] = []
    while sum(sizes) < len(centre):
        sizes.append(int(np.clip(low + rng.geometric(0.38) - 1, low, high)))
    number = np.repeat(np.arange(1, len(sizes) + 1), sizes)[: len(centre)]
    farm = np.empty(len(centre), np.int64)
    farm[order] = number
    return tuple(f"F{one:05d}" for one in farm)
