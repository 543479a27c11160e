# SPDX-License-Identifier: Apache-2.0
"""What the class maps say of the ground around one parcel: the crop seen, beside the parcel as it was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.rasters import read_raster
from acreline.records import NO_CROP
from acreline.report.field import FieldPicture
from acreline.report.read import Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEAST_SHARE = 0.05
"""A crop on less of a parcel's pixels is not named: edges are mixed."""


@dataclass(frozen=True)
class ClassMap:
    """One block's map of the classes of one season slot."""

    band: int
    """0 for the first crop of a year, 1 for the second."""
    codes: npt.NDArray[np.uint8]
    """(y, x), 0 where nothing is known."""
    crs: str
    west: float
    north: float
    pixel_m: float


def read_crop_maps(publication: Path) -> list[ClassMap]:
    """The crop maps of a publication, one for each block and season slot; without `maps/` none.

    Raises:
        InputError: a map cannot be read.
    """
    told = []
    for path in sorted((publication / "maps").glob("*_crop.tif")):
        bands, transform, crs, _ = read_raster(path)
        told += [ClassMap(k, codes, crs, transform[2], transform[5], transform[0]) for k, codes in enumerate(bands)]
    return told


def crops_seen(
    picture: FieldPicture, maps: Sequence[ClassMap], classes: Sequence[Row]
) -> list[tuple[npt.NDArray[np.uint8], list[Row]]]:
    """What each season slot bore: codes on the pixels of a picture, and the classes on the parcel with their shares.

    A slot in which nothing is known, or nothing grew on the parcel, is left out.
    """
    told = []
    for band in sorted({one.band for one in maps}):
        codes = crop_seen(picture, [one for one in maps if one.band == band])
        shares = [] if codes is None else shares_inside(codes, picture.inside, classes)
        if codes is not None and any(row["slug"] != NO_CROP for row in shares):
            told.append((codes, shares))
    return told


def crop_seen(picture: FieldPicture, maps: Sequence[ClassMap]) -> npt.NDArray[np.uint8] | None:
    """Crop codes on a parcel's pixels in a picture, (y, x), 0 elsewhere; None where no map has any of them.

    What lies around is left out: how far the maps go there depends on how the land was cut into blocks.
    """
    import numpy as np

    if picture.place is None:
        return None
    crs, west, north = picture.place
    side = picture.inside.shape[0]
    out = np.zeros((side, side), dtype=np.uint8)
    for one in maps:
        if one.crs != crs:
            continue
        row, col = round((one.north - north) / one.pixel_m), round((west - one.west) / one.pixel_m)
        height, width = one.codes.shape
        top, left = max(row, 0), max(col, 0)
        bottom, right = min(row + side, height), min(col + side, width)
        if top < bottom and left < right:
            part = one.codes[top:bottom, left:right]
            here = (slice(top - row, bottom - row), slice(left - col, right - col))
            np.copyto(out[here], part, where=(out[here] == 0) & picture.inside[here])
    return out if out.any() else None


def shares_inside(codes: npt.NDArray[np.uint8], inside: npt.NDArray[np.bool_], classes: Sequence[Row]) -> list[Row]:
    """Classes on a parcel's own pixels with their shares, the most first; those below `LEAST_SHARE` are left out."""
    import numpy as np

    counts = np.bincount(codes[inside], minlength=256)
    total = int(counts.sum())
    found = [{**row, "share": counts[row["code"]] / total} for row in classes if total and counts[row["code"]]]
    return sorted((row for row in found if row["share"] >= LEAST_SHARE), key=lambda row: (-row["share"], row["code"]))
