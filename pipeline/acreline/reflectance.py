# SPDX-License-Identifier: Apache-2.0
"""What a stored number means: whether 1000 must be taken off it, and whether the pixels agree.

Since processing baseline 04.00 (25 January 2022) Sentinel-2 L2A products store reflectance x 10000 + 1000. Catalogues
tell this in five different ways, some of them wrong (Element84/earth-search issues 9, 66, 71; Microsoft
PlanetaryComputer issue 134; torchgeo issue 3224). Here it is settled once per scene from all that its item says, then
checked on the pixels themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from acreline.errors import SourceError
from acreline.layers import DN_OFFSET, DN_SCALE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Way = Literal["stac", "boa_flag", "baseline"]
Baseline = tuple[int, int]

FIRST_OFFSET_BASELINE: Baseline = (4, 0)
FIRST_OFFSET_TIME = datetime(2022, 1, 25, tzinfo=UTC)
"""ESA's switch to baseline 04.00; products sensed before it carry the offset only where they were reprocessed."""

FLAG_KEYS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
BASELINE_KEYS = (
    "s2:processing_baseline",
    "sentinel:processing_baseline",
    "sentinel2:processing_baseline",
    "processing:version",
)
PRODUCT_KEYS = ("s2:product_uri", "sentinel:product_id", "s2:datatake_id", "eopf:datatake_id")

GREEN_DIFFERENCE = 3000
"""B08 - B04 above 0.30: dense green canopy. A difference does not change when both bands are off by the same 0.1."""
BRIGHT = 2000
"""v of reflectance 0.10."""
MAX_BRIGHT_SHARE = 0.90
MAX_NEGATIVE_SHARE = 0.10
MIN_GREEN_PX = 200


@dataclass(frozen=True)
class Offset:
    """What must be taken off a scene's stored numbers, and how that is known."""

    dn_offset: int
    """1000 or 0; reflectance = (DN - dn_offset) / 10000."""
    how: str
    flags: tuple[str, ...] = ()
    """offset_assumed: only the date spoke; offset_against_baseline: the item contradicts its own baseline;
    offset_flag_missing: the provider's flag, which is always there, is not."""


@dataclass(frozen=True)
class GreenCount:
    """Pixels of dense green canopy, and those of them that are too dark or too bright; adds up over blocks."""

    green: int = 0
    negative_red: int = 0
    bright_blue: int = 0
    bright_red: int = 0

    def __add__(self, other: GreenCount) -> GreenCount:
        """Counts of two pieces of one scene together."""
        return GreenCount(
            self.green + other.green,
            self.negative_red + other.negative_red,
            self.bright_blue + other.bright_blue,
            self.bright_red + other.bright_red,
        )


@dataclass(frozen=True)
class PhysicsVerdict:
    """Whether the pixels of a scene can be reflectance as we read it."""

    ok: bool
    """False only where the pixels contradict the offset; True too when there was too little to check."""
    code: Literal["ok", "not_checked", "subtracted_twice", "not_subtracted"]
    detail: str


def baseline_of(properties: Mapping[str, Any], href: str = "") -> str | None:
    """The processing version ESA gave a product, such as `05.09`, or None where the item does not say.

    Args:
        properties: of the STAC item.
        href: address of one of its bands; ESA's product name in it (`_N0500_`) is the last resort.
    """
    for key in BASELINE_KEYS:
        number = _baseline(properties.get(key))
        if number is not None:
            return f"{number[0]:02d}.{number[1]:02d}"
    for text in (*(str(properties.get(key, "")) for key in PRODUCT_KEYS), href):
        match = re.search(r"_N(\d{2})\.?(\d{2})(?:[_.]|$)", text)
        if match:
            return f"{match[1]}.{match[2]}"
    return None


def settle_offset(properties: Mapping[str, Any], asset: Mapping[str, Any], way: Way) -> Offset:
    """Decide what must be taken off the stored numbers of one band before they are reflectance.

    In this order: a flag that says the provider has taken the offset off already (it wins over the band's own
    offset, which Earth Search leaves at -0.1 even then); a flag that says it has not, with the baseline; the band's
    own scale and offset; the baseline; last the date, flagged `offset_assumed`.

    Args:
        properties: of the STAC item.
        asset: of one reflectance band.
        way: `stac` as above; `boa_flag` the same, and an item without the flag its provider always gives is flagged
            `offset_flag_missing`; `baseline` only the baseline, then the date.

    Returns:
        1000 or 0, with the reason in words.

    Raises:
        SourceError: the item states a scale or offset that is not 0.0001 with 0 or -0.1, or nothing at all for a
            scene sensed since 2022-01-25.
    """
    version = baseline_of(properties, str(asset.get("href", "")))
    number = _baseline(version)
    by_baseline = None if number is None else DN_OFFSET if number >= FIRST_OFFSET_BASELINE else 0
    flags: tuple[str, ...] = ()
    if way != "baseline":
        flag = next((properties[key] for key in FLAG_KEYS if isinstance(properties.get(key), bool)), None)
        if flag is True:
            return Offset(0, "the provider says the offset is taken off already")
        if flag is False and by_baseline is not None:
            return Offset(by_baseline, f"the provider says the offset is left in; baseline {version}")
        if flag is None and way == "boa_flag":
            flags = ("offset_flag_missing",)
        stated = _stated_offset(asset)
        if stated is not None:
            if by_baseline is not None and stated != by_baseline:
                flags = (*flags, "offset_against_baseline")
            return Offset(stated, f"the band states offset {-stated * DN_SCALE:g}", flags)
    if by_baseline is not None:
        return Offset(by_baseline, f"baseline {version}", flags)
    sensed = str(properties.get("datetime") or properties.get("start_datetime") or "")
    if sensed and sensed[:10] < FIRST_OFFSET_TIME.date().isoformat():
        return Offset(0, f"sensed {sensed[:10]}, before offsets came in", (*flags, "offset_assumed"))
    raise SourceError(
        f"neither offset nor baseline is stated, and the scene is of {sensed[:10] or 'an unknown day'}",
        hint="name the provider's way of telling the offset in its configs/providers file",
        retryable=False,
    )


def count_green(values: Mapping[str, npt.NDArray[np.uint16]], clear: npt.NDArray[np.bool_]) -> GreenCount:
    """Count dense green canopy (B08 - B04 above 0.30, a difference that no common offset changes), and how dark it is.

    Args:
        values: B02, B04, B08 as a cube stores them: uint16 v, one shape, reflectance = 0.0001 v - 0.1, 0 = no data.
        clear: of the same shape; True where the land was seen.
    """
    import numpy as np

    blue, red, nir = (values[band] for band in ("B02", "B04", "B08"))
    seen = clear & (blue > 0) & (red > 0) & (nir > 0)
    green = seen & (nir.astype(np.int32) - red > GREEN_DIFFERENCE)
    return GreenCount(
        int(np.count_nonzero(green)),
        int(np.count_nonzero(red[green] < DN_OFFSET)),
        int(np.count_nonzero(blue[green] > BRIGHT)),
        int(np.count_nonzero(red[green] > BRIGHT)),
    )


def judge_offset(count: GreenCount) -> PhysicsVerdict:
    """Ask the pixels themselves whether the right amount was taken off: green leaves are dark in blue and red.

    Dense green canopy reflects 2 to 8 % of red light. Where more than a tenth of such pixels has negative red
    reflectance the offset went off twice; where more than nine tenths reflect above 10 % in red and in blue it was not
    taken off. Measured on 66 real scenes with 200 such pixels: all pass as they are, and all fail when moved by 1000
    either way. A few hundred pixels under haze can look like the second case, so all that was seen of a scene is judged
    together, never one block of it.

    Returns:
        the verdict; `not_checked` with fewer than 200 green pixels.
    """
    if count.green < MIN_GREEN_PX:
        return PhysicsVerdict(True, "not_checked", f"{count.green} green pixels, {MIN_GREEN_PX} are needed")
    negative = count.negative_red / count.green
    bright = min(count.bright_blue, count.bright_red) / count.green
    detail = f"of {count.green} green pixels {negative:.0%} are below 0 in red, {bright:.0%} above 0.10 in red and blue"
    if negative > MAX_NEGATIVE_SHARE:
        return PhysicsVerdict(False, "subtracted_twice", f"offset taken off twice? {detail}")
    if bright > MAX_BRIGHT_SHARE:
        return PhysicsVerdict(False, "not_subtracted", f"offset not taken off? {detail}")
    return PhysicsVerdict(True, "ok", detail)


def check_offset(values: Mapping[str, npt.NDArray[np.uint16]], clear: npt.NDArray[np.bool_]) -> PhysicsVerdict:
    """`judge_offset` of `count_green`: for one scene in one piece."""
    return judge_offset(count_green(values, clear))


def _baseline(value: object) -> Baseline | None:
    """`05.09` -> (5, 9): compared as numbers, since `10.00` sorts before `4.00` as text."""
    match = re.fullmatch(r"(\d{1,2})\.(\d{2})", value.strip()) if isinstance(value, str) else None
    return (int(match[1]), int(match[2])) if match else None


def _stated_offset(asset: Mapping[str, Any]) -> int | None:
    """The band's own scale and offset as 1000, 0 or None (not stated), in its three STAC spellings."""
    for prefix, holder in (
        ("raster:", asset),
        *(("raster:", band) for band in asset.get("bands") or ()),
        *(("", band) for band in (asset.get("raster:bands") or ())[:1]),
    ):
        offset = holder.get(f"{prefix}offset")
        scale = holder.get(f"{prefix}scale")
        if offset is None and scale is None:
            continue
        if not all(isinstance(n, int | float) or n is None for n in (offset, scale)):
            raise _odd_scale(scale, offset)
        if scale is not None and abs(scale - DN_SCALE) > DN_SCALE * 1e-6:
            raise _odd_scale(scale, offset)
        if offset is None:
            return None
        if offset == 0:
            return 0
        if scale is None or abs(offset + DN_OFFSET * DN_SCALE) > 1e-9:
            raise _odd_scale(scale, offset)
        return DN_OFFSET
    return None


def _odd_scale(scale: object, offset: object) -> SourceError:
    return SourceError(
        f"the band states scale {scale} and offset {offset}; known are 0.0001 with 0 or -0.1",
        hint="is this a Sentinel-2 L2A surface reflectance product?",
        retryable=False,
    )
