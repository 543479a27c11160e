# SPDX-License-Identifier: Apache-2.0
"""One parcel as the satellite saw it, as two small pictures: true colour with what lies around, and NDVI.

Both scales are fixed, so that a picture can be laid beside that of another field or another year.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acreline.layers import DN_OFFSET
from acreline.report.png import colour_png, palette_png

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BRIGHTEST = 2500
"""Reflectance x 10000 that is drawn white: 0.25 is bare dry soil in the sun."""
GAMMA = 1.8
NDVI_STEPS = (
    "#a6611a",
    "#c58a45",
    "#dfc27d",
    "#eee0ae",
    "#cfe3a1",
    "#a3cf7c",
    "#6fb35a",
    "#3f9142",
    "#1f6e33",
    "#0b4a26",
)
"""From 0 to 1 in tenths, brown to green; lightness falls from the middle to both ends, so grey print tells it too."""
PALER = (1, 1)
"""Around the parcel a picture is mixed with white, parts of colour to parts of white."""

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class FieldPicture:
    """The pixels of one pass over one parcel, with a little of what lies around."""

    day: str
    """UTC day of the pass, YYYY-MM-DD."""
    scenes: tuple[str, ...]
    """Ids of the scenes the pass was read from, sorted."""
    clear_share: float
    """Share of the parcel's full pixels that were clear, 0 to 1."""
    colour: npt.NDArray[np.uint16]
    """B04, B03, B02 as a cube's numbers (reflectance = 0.0001 v - 0.1), (3, y, x), 0 = no data."""
    ndvi: npt.NDArray[np.int16]
    """NDVI x 10000, (y, x); below -10000 outside the parcel, under cloud and without data."""
    inside: npt.NDArray[np.bool_]
    """Pixels whose centre lies in the parcel, (y, x)."""
    rings: tuple[Ring, ...]
    """The parcel's outline in pixels of the picture, (x, y) from its upper-left corner, holes too."""
    place: tuple[str, float, float] | None = None
    """CRS in metres, and the easting and northing of the picture's upper-left corner."""
    season: tuple[FieldPicture, ...] = ()
    """The same square on other days of the season, in order of time."""


@dataclass(frozen=True)
class Unseen:
    """Why a parcel cannot be shown."""

    why: str
    """Code of the group `picture` in `words`."""
    day: str = ""
    """Day of the look that was to be shown, where there was one."""


def true_colour_png(picture: FieldPicture) -> bytes:
    """The field in the colours an eye would see, paler around it, transparent without data."""
    import numpy as np

    bright = [round(255 * math.pow(k / BRIGHTEST, 1 / GAMMA)) for k in range(BRIGHTEST + 1)]
    scale = np.array(bright, dtype=np.uint16)
    shown = scale[np.clip(picture.colour.astype(np.int32) - DN_OFFSET, 0, BRIGHTEST)]  # (3, y, x)
    colour, white = PALER
    paler = (shown * colour + 255 * white) // (colour + white)
    shown = np.where(picture.inside, shown, paler)
    opacity = np.where((picture.colour != 0).all(axis=0), 255, 0)
    return colour_png(np.concatenate([shown, opacity[None]]).transpose(1, 2, 0).astype(np.uint8))


def ndvi_png(picture: FieldPicture) -> bytes:
    """The parcel's greenness in ten steps, transparent where it was not seen clear."""
    import numpy as np

    step = np.clip(picture.ndvi.astype(np.int32) // 1000, 0, len(NDVI_STEPS) - 1) + 1
    codes = np.where(picture.ndvi < -10_000, 0, step).astype(np.uint8)
    return palette_png(codes, dict(enumerate(NDVI_STEPS, start=1)))


def outline_path(rings: Sequence[Ring]) -> str:
    """An outline as the `d` of an SVG path, to a hundredth of a pixel (0.1 m)."""
    return "".join("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in ring) + "Z" for ring in rings)


def scale_bar(side_px: int) -> tuple[int, float]:
    """Length of a scale bar of at most a third of the picture: metres (50, 100, 200, 500 ...) and pixels."""
    most = side_px * 10 / 3
    decade = 10 ** math.floor(math.log10(most))
    metres = max(step * decade for step in (1, 2, 5) if step * decade <= most)
    return metres, metres / 10
