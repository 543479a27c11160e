# SPDX-License-Identifier: Apache-2.0
"""Ground that two parcels claim: found among all parcels of a file, told by parcel, never by person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.errors import InputError
from acreline.geo import geodesic_area_m2

if TYPE_CHECKING:
    import numpy.typing as npt

MIN_SHARE = 0.01
MIN_AREA_M2 = 100.0
"""Edges of neighbours cross by a metre or two in any hand-drawn map; a claim is more than a pixel and 1 %."""
CHUNK = 100_000
QUERY_ROWS = 1_000
FEW_PAIRS, PAIRS_PER_PARCEL = 100_000, 100
"""A field has about six neighbours; with far more touching pairs, the file repeats one outline for many rows."""


@dataclass(frozen=True)
class Overlaps:
    """One entry per parcel and kind of neighbour, the largest overlap of that kind told."""

    row: npt.NDArray[np.intp]
    """Position of the parcel."""
    other_farm: npt.NDArray[np.bool_]
    """The ground is claimed by another farm, not by the farm itself."""
    detail: npt.NDArray[np.object_]


def find_overlaps(
    outlines: npt.NDArray[Any],
    area_m2: npt.NDArray[np.float64],
    parcel_id: npt.NDArray[np.object_],
    farm_id: npt.NDArray[np.object_],
) -> Overlaps:
    """Find parcels that share more than 1 % of the smaller one and more than 100 m2.

    Args:
        outlines: valid polygons in lon/lat.
        area_m2: their areas.
        parcel_id: ids, told in the detail.
        farm_id: owners; never told.

    Returns:
        Sorted by row, own parcels before other farms.

    Raises:
        InputError: so many parcels lie on each other that the outlines cannot be right.
    """
    import geopandas as gpd
    import pandas as pd
    import shapely

    first, second = _touching(outlines)
    shared = np.zeros(len(first))
    for start in range(0, len(first), CHUNK):
        part = slice(start, start + CHUNK)
        common = shapely.intersection(outlines[first[part]], outlines[second[part]])
        shared[part] = geodesic_area_m2(gpd.GeoSeries(list(common), crs="EPSG:4326"))
    real = shared > np.maximum(MIN_AREA_M2, MIN_SHARE * np.minimum(area_m2[first], area_m2[second]))
    first, second, shared = first[real], second[real], shared[real]
    row, other = np.concatenate([first, second]), np.concatenate([second, first])
    table = pd.DataFrame(
        {
            "row": row,
            "other_farm": farm_id[row] != farm_id[other],
            # To a ten-thousandth: the last bits of an intersection must not decide which neighbour is told.
            "share": np.round(np.tile(shared, 2) / area_m2[row], 4),
            "other": np.array(parcel_id[other], dtype=object),
        }
    ).sort_values(["row", "other_farm", "share", "other"], ascending=[True, True, False, True], kind="stable")
    groups = table.groupby(["row", "other_farm"], sort=True)
    top = table[groups.cumcount().to_numpy() == 0]
    more = groups.size().to_numpy() - 1
    detail = [
        f"{share:.1%} of it is also parcel {name}" + (f", and {rest} more" if rest else "")
        for share, name, rest in zip(top["share"], top["other"], more, strict=True)
    ]
    return Overlaps(
        top["row"].to_numpy(dtype=np.intp), top["other_farm"].to_numpy(dtype=bool), np.array(detail, dtype=object)
    )


def _touching(outlines: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Positions of each pair of outlines that touch, lower one first."""
    import shapely

    tree = shapely.STRtree(outlines)
    limit = FEW_PAIRS + PAIRS_PER_PARCEL * len(outlines)
    found: list[npt.NDArray[np.intp]] = [np.empty((2, 0), dtype=np.intp)]
    total = 0
    for start in range(0, len(outlines), QUERY_ROWS):
        row, other = tree.query(outlines[start : start + QUERY_ROWS], predicate="intersects")
        pairs = np.stack([row + start, other])
        pairs = pairs[:, pairs[0] < pairs[1]]
        total += pairs.shape[1]
        if total > limit:
            raise InputError(
                f"{len(outlines)} parcels, and more than {limit} pairs of them lie on each other",
                hint="look at the outlines: the same one may stand in many rows",
            )
        found.append(pairs)
    first, second = np.concatenate(found, axis=1)
    return first, second
