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
from acreline.report.words import word

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Pair = tuple[str, str]

JUDGED = ("ok", "degraded")
"""Of such parcels a crop is told."""
BANDS = {"A": 0, "B": 1}
"""Season slot -> band of the crop maps."""
SEEN: Pair = ("crop seen", "所见作物")
FIRST_AND_SECOND: tuple[Pair, Pair] = (("first crop seen", "第一季作物"), ("second crop seen", "第二季作物"))
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
) -> dict[int, tuple[npt.NDArray[np.uint8], list[Row]]]:
    """What each season slot bore, by band: codes on the pixels of a picture, and the parcel's classes with shares.

    A slot in which nothing is known, or nothing grew on the parcel, is left out.
    """
    told = {}
    for band in sorted({one.band for one in maps}):
        codes = crop_seen(picture, [one for one in maps if one.band == band])
        shares = [] if codes is None else shares_inside(codes, picture.inside, classes)
        if codes is not None and any(row["slug"] != NO_CROP for row in shares):
            told[band] = codes, shares
    return told


def titled_crops(
    parcel: Row, picture: FieldPicture, maps: Sequence[ClassMap], classes: Sequence[Row]
) -> list[tuple[Pair, npt.NDArray[np.uint8], list[Row]]]:
    """The crop pictures of a parcel, each with its title: as many as crops were told, none where it was not judged.

    The network colours every pixel in both slots. Of land that bore one crop, or stands all year, one slot is shown:
    that of the crop, or the first that shows any.

    Args:
        parcel: as told for the map page: `status`, `stands` with their `slot`, and `seasons`, the crops counted.
        picture: its pixels.
        maps: the crop maps of the publication.
        classes: of crops, with `code` and `slug`.
    """
    if parcel["status"] not in JUDGED:
        return []
    seen, slots = crops_seen(picture, maps, classes), {stand["slot"] for stand in parcel["stands"]}
    told = [band for slot, band in BANDS.items() if slot in slots and band in seen] or list(seen)[:1]
    if len(told) < 2:
        return [(SEEN, *seen[band]) for band in told]
    titles = FIRST_AND_SECOND if parcel["seasons"] >= len(told) else [word("slot", slot) for slot in BANDS]
    return [(titles[band], *seen[band]) for band in told]


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
