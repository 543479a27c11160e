# SPDX-License-Identifier: Apache-2.0
"""The farm file of a county as clerks keep it: declared crops, declared areas and outlines, with their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely import affinity

from acreline.simulate.fields import chance
from acreline.simulate.lattice import round_shapes

if TYPE_CHECKING:
    import geopandas as gpd

    from acreline.simulate.crops import SimCrops
    from acreline.simulate.land import Land
    from acreline.simulate.settings import CountySettings

OUTLINE_ERRORS = ("shifted", "merged", "outdated")
OUTLINE_ODDS = (0.6, 0.2, 0.2)


def lonlat(land: Land, outlines: npt.NDArray[Any] | None = None) -> gpd.GeoSeries:
    """Outlines (of the land's parcels unless given) in lon/lat, index = parcel_id; corners to 1e-7 degrees (1 cm)."""
    import geopandas as gpd

    from acreline.layers import PIXEL_M

    window = land.window
    west, north = window.origin_x + window.col * PIXEL_M, window.origin_y - window.row * PIXEL_M
    shapes = land.outlines if outlines is None else outlines
    placed = shapely.transform(shapes, lambda points: points * (1, -1) + (west, north))
    turned = gpd.GeoSeries(placed, crs=window.crs).to_crs("EPSG:4326").to_numpy()
    rounded = shapely.transform(turned, lambda points: np.round(points, 7))
    return gpd.GeoSeries(rounded, index=list(land.parcel_ids), crs="EPSG:4326")


def farm_file(settings: CountySettings, seed: int, land: Land, errors: pd.DataFrame) -> gpd.GeoDataFrame:
    """The file that a bank would be given.

    Args:
        settings: the county.
        seed: its seed.
        land: its land.
        errors: of `draw_errors`.

    Returns:
        id, farm_id, declared_crop (class of the network, of the parcel's most valuable stand; none where nothing was
        sown), declared_area (ha), geometry (lon/lat).
    """
    import geopandas as gpd

    ids = list(land.parcel_ids)
    drawn = draw_outlines(seed, land, errors["outline_error"].to_numpy())
    rng = chance(seed, "farmfile", "area")
    area = shapely.area(land.outlines) * np.clip(rng.normal(1, settings.noise.area_sd, len(ids)), 0.7, 1.3)
    table = pd.DataFrame(
        {
            "id": ids,
            "farm_id": list(land.farm_ids),
            "declared_crop": errors["declared_crop"].replace("none", None).to_numpy(),  # nothing sown, nothing declared
            "declared_area": (area / 10_000).round(3),
        }
    )
    return gpd.GeoDataFrame(table, geometry=lonlat(land, drawn).to_numpy(), crs="EPSG:4326")


def draw_errors(
    settings: CountySettings, seed: int, land: Land, truth: pd.DataFrame, yields: pd.DataFrame, crops: SimCrops
) -> pd.DataFrame:
    """What is wrong in the farm file.

    Returns:
        index parcel_id: declared_crop (class of the network), declared_wrong, outline_error (shifted, merged, outdated,
        or empty).
    """
    rng = chance(seed, "farmfile", "errors")
    ids = list(land.parcel_ids)
    value = yields.groupby(["parcel_id", "slot", "crop"], sort=True)["value"].sum()
    worth = [value.get((row.parcel_id, row.slot, row.crop), 0.0) for row in truth.itertuples()]
    ranked = truth[["parcel_id", "class"]].assign(worth=worth)
    main = (
        ranked.sort_values(["parcel_id", "worth"], ascending=[True, False], kind="stable").groupby("parcel_id").first()
    )
    grown = ranked.groupby("parcel_id")["class"].agg(set)
    known = sorted(
        {crops.crops[slug].network_class for rotation in settings.rotations for slug in rotation.crops.values()}
    )
    wrong = rng.uniform(size=len(ids)) < settings.noise.declared_wrong
    pick = rng.uniform(size=len(ids))
    declared = main["class"].reindex(ids).to_numpy().copy()
    for at in np.flatnonzero(wrong):
        others = [name for name in known if name not in grown[ids[at]]]
        wrong[at] = bool(others)
        if others:
            declared[at] = others[int(pick[at] * len(others))]
    off = rng.uniform(size=len(ids)) < settings.noise.outlines_wrong
    which = rng.choice(len(OUTLINE_ERRORS), size=len(ids), p=OUTLINE_ODDS)
    outline = np.where(off, np.array(OUTLINE_ERRORS, dtype=object)[which], "")
    return pd.DataFrame({"declared_crop": declared, "declared_wrong": wrong, "outline_error": outline}, index=ids)


def draw_outlines(seed: int, land: Land, error: npt.NDArray[np.object_]) -> npt.NDArray[Any]:
    """Outlines as the file has them: shifted by 5 to 10 m, grown over a neighbour, or as the field was years ago."""
    rng = chance(seed, "farmfile", "outlines")
    away, bearing = rng.uniform(5, 10, len(error)), rng.uniform(0, 2 * np.pi, len(error))
    stretch = rng.choice([0.75, 0.85, 1.15], size=len(error))
    drawn = land.outlines.copy()
    for at in np.flatnonzero(error == "shifted"):
        shift = away[at] * np.array([np.cos(bearing[at]), np.sin(bearing[at])])
        drawn[at] = affinity.translate(drawn[at], *shift)
    tree = shapely.STRtree(land.outlines)
    for at in np.flatnonzero(error == "merged"):
        near = [other for other in sorted(tree.query(shapely.buffer(land.outlines[at], 2.0))) if other != at]
        if near:  # the ridge between them is gone from the drawing
            both = shapely.union_all([shapely.buffer(land.outlines[i], 0.5, join_style="mitre") for i in (at, near[0])])
            merged = shapely.buffer(both, -0.5, join_style="mitre")
            drawn[at] = merged if merged.geom_type == "Polygon" else shapely.convex_hull(merged)
    for at in np.flatnonzero(error == "outdated"):
        wide, high = (stretch[at], 1.0) if bearing[at] < np.pi else (1.0, stretch[at])
        drawn[at] = affinity.scale(drawn[at], wide, high, origin="centroid")
    return round_shapes(drawn)
