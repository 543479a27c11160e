# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on a cube: reflectance, indices, the clear mask and the time bins the network sees.

Every function works pixel by pixel in a fixed order of operations, so that a pixel gets the same bits whatever the
block it was read in. Indices are integers (index x 10000): their sums over pixels are exact in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from acreline.errors import ContractError
from acreline.layers import BANDS_10M, BANDS_20M, DN_OFFSET, DN_SCALE, Cube, TimeAxis

INDEX_BANDS: dict[str, tuple[str, str]] = {
    "ndvi": ("B08", "B04"),
    "ndre": ("B8A", "B05"),
    "ndmi": ("B8A", "B11"),
    "mndwi": ("B03", "B11"),
}
"""Index -> (a, b) of (a - b) / (a + b)."""
INDEX_NO_DATA = -32768
"""What an index says where a band has no data."""
SATURATED = 65535
"""A digital number that means "too bright to measure": no data."""
CLEAR_SCL = (4, 5, 6, 7)
"""Vegetation, bare soil, water, unclassified. Snow (11) is not a look at the crop."""
CLOUD_SCL = ((8, 3), (9, 3), (10, 3), (3, 2))
"""Scene class -> 20 m pixels by which its mask grows: clouds and cirrus by 3, cloud shadow by 2."""
MAX_GAP_BINS = 1.5
MAX_AGE_DAYS = 60.0
"""The age channel is days to the nearest clear look / 30, clipped to 2."""


def band_values(cube: Cube, band: str) -> npt.NDArray[np.uint16]:
    """Digital numbers of one band on the 10 m grid, (time, y, x), 0 = no data.

    A 20 m pixel is repeated on its four 10 m pixels. That is exact and takes no sides: bilinear values would mix
    neighbours across a cloud's edge or a hole, and add nothing that was measured.
    """
    if band in BANDS_10M:
        values = cube["dn10"].values[:, BANDS_10M.index(band)]
    elif band in BANDS_20M:
        values = np.repeat(np.repeat(cube["dn20"].values[:, BANDS_20M.index(band)], 2, axis=1), 2, axis=2)
    else:
        raise ContractError(f"no band {band!r} in a cube", hint="report it", bands=[*BANDS_10M, *BANDS_20M])
    return np.where(values == SATURATED, np.uint16(0), values)


def reflectance(cube: Cube, bands: Sequence[str]) -> xr.DataArray:
    """Share of sunlight that each pixel sends back, per look and band.

    Returns:
        float32 (time, band, y, x) on the 10 m grid; about -0.1 to 1.2; NaN = no data.

    Raises:
        ContractError: the cube has no such band.
    """
    layers = []
    for band in bands:
        dn = band_values(cube, band)
        layers.append(np.where(dn == 0, np.float32("nan"), (dn.astype(np.float64) - DN_OFFSET) * DN_SCALE))
    return xr.DataArray(
        np.stack(layers, axis=1).astype(np.float32),
        dims=("time", "band", "y", "x"),
        coords={"time": cube["time"], "band": list(bands), "y": cube["y"], "x": cube["x"]},
    )


def index_x10000(cube: Cube, index: str) -> xr.DataArray:
    """One vegetation or water index per pixel and look, as an integer.

    Reflectance below 0 (noise over dark water) counts as 0, so that the index stays within -1 and 1.

    Args:
        cube: the pixels.
        index: ndvi (B08, B04), ndre (B8A, B05), ndmi (B8A, B11) or mndwi (B03, B11).

    Returns:
        int16 (time, y, x), index x 10000, rounded half to even; `INDEX_NO_DATA` where a band has no data or both
        reflectances are 0.

    Raises:
        ContractError: the index is not one of the four.
    """
    if index not in INDEX_BANDS:
        raise ContractError(f"no index {index!r}", hint=f"known: {', '.join(INDEX_BANDS)}")
    first, second = (band_values(cube, band) for band in INDEX_BANDS[index])
    return xr.DataArray(
        normalized_difference_x10000(first, second),
        dims=("time", "y", "x"),
        coords={"time": cube["time"], "y": cube["y"], "x": cube["x"]},
        name=index,
    )


def normalized_difference_x10000(
    first: npt.NDArray[np.uint16], second: npt.NDArray[np.uint16]
) -> npt.NDArray[np.int16]:
    """(a - b) / (a + b) x 10000 from a cube's digital numbers; any shape; `INDEX_NO_DATA` where it has no value."""
    a = np.maximum(first.astype(np.float64) - DN_OFFSET, 0.0)
    b = np.maximum(second.astype(np.float64) - DN_OFFSET, 0.0)
    total = a + b
    known = (first != 0) & (second != 0) & (total > 0)
    ratio = np.rint(10000.0 * (a - b) / np.where(known, total, 1.0))
    return np.where(known, ratio, INDEX_NO_DATA).astype(np.int16)


def clear_from_scl(scl: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.bool_]:
    """Where the ground was seen: the scene classification with clouds and shadows grown by a margin.

    Args:
        scl: uint8 (time, y20, x20), Sen2Cor classes on the 20 m grid.
        valid: bool (time, y, x) on the 10 m grid, true where the bands hold data; None = everywhere.

    Returns:
        bool (time, y, x) on the 10 m grid. Clouds and cirrus (8, 9, 10) grow by 3 pixels of 20 m and shadows (3) by
        2, in all eight directions, so the outermost 6 pixels of 10 m cannot know of a cloud just outside the window.
    """
    clear = np.isin(scl, CLEAR_SCL)
    for scene_class, radius in CLOUD_SCL:
        clear &= ~_grow(scl == scene_class, radius)
    fine = np.repeat(np.repeat(clear, 2, axis=-2), 2, axis=-1)
    return fine if valid is None else fine & valid


def bin_series(
    values: npt.NDArray[np.floating[Any]],
    clear: npt.NDArray[np.bool_],
    times: npt.NDArray[np.datetime64],
    axis: TimeAxis,
) -> npt.NDArray[np.float32]:
    """Irregular looks -> equal steps of the season, each saying how well it was seen.

    A bin is the mean of clear looks weighted by `exp(-(u - c)^2 / (2 s^2))`, u and c in bins, s half a bin, looks
    farther than 1.5 bins left out. An empty bin is interpolated in time between its neighbours; before the first and
    after the last look the nearest value is held.

    Args:
        values: (time, channel, ...) measured values; what is not clear may be anything, NaN too.
        clear: bool (time, ...).
        times: datetime64 (time,), any order.
        axis: the season's bins.

    Returns:
        float32 (bin, channel + 2, ...): the channels, then support (0 to 1: how much was seen in the bin) and age
        (days from the bin's middle to the nearest clear look / 30, clipped to 2). A pixel never seen is 0, 0, 2. On a
        thermal axis bins and days are those of the axis.
    """
    clear = clear & np.isfinite(values).all(axis=1)
    masked = np.where(clear[:, None], values, 0).astype(np.float32)
    start = np.datetime64(axis.start, "s")
    step_days = ((np.datetime64(axis.end, "s") - start) / np.timedelta64(1, "s")) / 86400.0 / axis.bins
    days = axis.on_axis((times.astype("datetime64[s]") - start) / np.timedelta64(1, "s") / 86400.0)
    centres = (np.arange(axis.bins) + 0.5) * step_days

    shape = values.shape[2:]
    total = np.zeros((axis.bins, values.shape[1], *shape), np.float32)
    weight_sum = np.zeros((axis.bins, *shape), np.float32)
    order = np.argsort(days, kind="stable")
    # One look after the other, in time: sums have one order, so a pixel's bits do not hang on its neighbours.
    for look in order:
        gap_days = np.abs(days[look] - centres)
        seen = clear[look]
        for k in np.flatnonzero(gap_days <= MAX_GAP_BINS * step_days):
            weight = np.float32(np.exp(-((gap_days[k] / step_days) ** 2) / 0.5))
            total[k] += weight * masked[look]
            weight_sum[k] += weight * seen
    filled = weight_sum > 0
    total /= np.where(filled, weight_sum, 1)[:, None]
    _interpolate(total, filled)
    support = np.minimum(weight_sum, 1)
    age_days = _age_days(clear[order], days[order], centres)
    return np.concatenate([total, support[:, None], (age_days / 30)[:, None]], axis=1).astype(np.float32)


def _age_days(
    clear: npt.NDArray[np.bool_], days: npt.NDArray[np.float64], centres: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Days from each bin's middle to the nearest clear look, up to `MAX_AGE_DAYS`; looks (look, ...) rise in time.

    Looked up, not computed pixel by pixel: the nearest clear look is the last one before the middle or the first after.
    """
    looks = len(days)
    table = np.full((len(centres), looks + 1), MAX_AGE_DAYS, np.float32)  # the last column: no such look
    table[:, :looks] = np.minimum(np.abs(days - centres[:, None]), MAX_AGE_DAYS)
    index = np.arange(looks, dtype=np.intp).reshape(-1, *[1] * (clear.ndim - 1))
    edge = np.full((1, *clear.shape[1:]), looks, np.intp)
    last = np.maximum.accumulate(np.concatenate([edge - looks - 1, np.where(clear, index, -1)]), axis=0)
    following = np.minimum.accumulate(np.concatenate([edge, np.where(clear, index, looks)[::-1]]), axis=0)[::-1]
    age = np.empty((len(centres), *clear.shape[1:]), np.float32)
    for k, cut in enumerate(np.searchsorted(days, centres)):  # the looks before the middle are the first `cut`
        age[k] = np.minimum(table[k][last[cut]], table[k][following[cut]])
    return age


def _interpolate(series: npt.NDArray[np.float32], filled: npt.NDArray[np.bool_]) -> None:
    """Fill empty bins of (bin, channel, ...) in place, linearly between filled ones, held at the ends."""
    bins = len(series)
    whole: npt.NDArray[np.bool_] = np.logical_and.reduce(filled.reshape(bins, -1), axis=1)
    if whole.all():
        return
    index = np.arange(bins).reshape(-1, *[1] * (filled.ndim - 1))
    before = np.maximum.accumulate(np.where(filled, index, -1), axis=0)
    after = np.minimum.accumulate(np.where(filled, index, bins)[::-1], axis=0)[::-1]
    share = ((index - before) / np.maximum(after - before, 1)).astype(np.float32)
    share[after == bins] = 0  # after the last look: what it saw
    right = list(series)
    for k in reversed(np.flatnonzero(~whole[:-1])):
        right[k] = np.where(filled[k], series[k], right[k + 1])
    left = right[0]  # before the first look: what it saw; an empty series is 0
    for k in range(bins):
        left = series[k] if whole[k] else np.where(filled[k], series[k], left)
        if not whole[k]:
            series[k] = np.where(filled[k], left, left + (right[k] - left) * share[k])


def _grow(mask: npt.NDArray[np.bool_], radius: int) -> npt.NDArray[np.bool_]:
    """Every true pixel with the square of `radius` pixels around it, over the last two axes."""
    for axis in (-2, -1):
        grown = mask.copy()
        for shift in range(1, radius + 1):
            ahead = [slice(None)] * mask.ndim
            behind = [slice(None)] * mask.ndim
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            grown[tuple(ahead)] |= mask[tuple(behind)]
            grown[tuple(behind)] |= mask[tuple(ahead)]
        mask = grown
    return mask
