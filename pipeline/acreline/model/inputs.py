# SPDX-License-Identifier: Apache-2.0
"""What the network is given: bands in the house's order, whether the visible ones were there, and what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.cubes import MAX_AGE_DAYS, MAX_GAP_BINS, bin_series
from acreline.layers import BANDS, TimeAxis

VISIBLE = ("B02", "B03", "B04")
"""Bands that some sources lack as a group (only their 20 m bands were kept); their absence is told to the network."""
STAND_INS = {"B8A": "B08", "B08": "B8A"}
"""A band that a source lacks -> the band that may stand in its place: both see the plateau of the near infrared."""
EXTRA = ("visible", "support", "age")
CHANNELS = (*BANDS, *EXTRA)


def gather_bands(values: npt.NDArray[Any], bands: Sequence[str]) -> tuple[npt.NDArray[Any], bool] | None:
    """Bring a source's bands into the order of `BANDS`.

    Args:
        values: (time, band, ...).
        bands: their names.

    Returns:
        (time, 10, ...) with 0 for absent visible bands, and whether the visible bands are there; None where a band is
        missing that nothing can stand in for.
    """
    visible = all(band in bands for band in VISIBLE)
    out = np.zeros((values.shape[0], len(BANDS), *values.shape[2:]), values.dtype)
    for k, band in enumerate(BANDS):
        source = band if band in bands else STAND_INS.get(band)
        if source in bands:
            out[:, k] = values[:, list(bands).index(str(source))]
        elif band not in VISIBLE:
            return None
        if band in VISIBLE and not visible:
            out[:, k] = 0
    return out, visible


def as_input(
    values: npt.NDArray[np.float32],
    clear: npt.NDArray[np.bool_],
    times: npt.NDArray[np.datetime64],
    axis: TimeAxis,
    visible: bool,
) -> npt.NDArray[np.float32]:
    """Looks -> the network's input.

    Args:
        values: reflectance (time, band, ...) in the order of `BANDS`, clipped to 0 ... 1.
        clear: bool (time, ...).
        times: datetime64 (time,).
        axis: the season's bins.
        visible: whether the visible bands are there.

    Returns:
        float32 (bin, channel, ...), channels as `CHANNELS`.
    """
    binned = bin_series(values, clear, times, axis)
    return add_visible(binned, visible)


def add_visible(binned: npt.NDArray[np.float32], visible: bool) -> npt.NDArray[np.float32]:
    """(bin, band + 2, ...) -> (bin, band + 3, ...): the flag of the visible bands before support and age."""
    flag = np.full_like(binned[:, :1], float(visible))
    return np.concatenate([binned[:, :-2], flag, binned[:, -2:]], axis=1)


def bin_quickly(
    values: npt.NDArray[np.float32], clear: npt.NDArray[np.bool_], days: npt.NDArray[np.float64], axis: TimeAxis
) -> npt.NDArray[np.float32]:
    """`cubes.bin_series` by one matrix product: the same to rounding, not to the bit, so for training only.

    Args:
        values: reflectance (time, band, pixel).
        clear: bool (time, pixel).
        days: days since the season's start on the axis (`TimeAxis.on_axis`), (time,).
        axis: the season's bins.

    Returns:
        float32 (bin, band + 2, pixel): bands, support, age.
    """
    step = (axis.end - axis.start).days / axis.bins
    gap = np.abs(days[None] - ((np.arange(axis.bins) + 0.5) * step)[:, None])  # (bin, time)
    weight = np.where(gap <= MAX_GAP_BINS * step, np.exp(-((gap / step) ** 2) / 0.5), 0).astype(np.float32)
    looks, bands, n = values.shape
    seen = clear.astype(np.float32)
    total = (weight @ (values * seen[:, None]).reshape(looks, -1)).reshape(axis.bins, bands, n)
    weights = weight @ seen
    filled = weights > 1e-6
    total /= np.where(filled, weights, 1)[:, None]
    index = np.arange(axis.bins)[:, None]
    before = np.maximum.accumulate(np.where(filled, index, -1), axis=0)
    after = np.minimum.accumulate(np.where(filled, index, axis.bins)[::-1], axis=0)[::-1]
    low = np.where(before >= 0, before, np.where(after < axis.bins, after, 0))
    high = np.where(after < axis.bins, after, low)
    share = ((index - low) / np.maximum(high - low, 1)).clip(0, 1).astype(np.float32)
    at_bin, at_pixel = np.nonzero(~filled)
    left, right = (total[ends[at_bin, at_pixel], :, at_pixel] for ends in (low, high))
    total[at_bin, :, at_pixel] = left + (right - left) * share[at_bin, at_pixel][:, None]
    centres = (np.arange(axis.bins) + 0.5) * step
    cut = np.searchsorted(days, centres)  # the looks before a bin's centre are the first `cut`
    told = np.where(clear, days[:, None], -np.inf).astype(np.float32)
    earlier = np.maximum.accumulate(np.vstack([np.full((1, n), -np.inf, np.float32), told]), axis=0)[cut]
    told = np.where(clear, days[:, None], np.inf).astype(np.float32)
    later = np.minimum.accumulate(np.vstack([told, np.full((1, n), np.inf, np.float32)])[::-1], axis=0)[::-1][cut]
    at = centres[:, None].astype(np.float32)
    age = np.minimum(np.minimum(at - earlier, later - at), np.float32(MAX_AGE_DAYS))
    return np.concatenate([total, np.minimum(weights, 1)[:, None], age[:, None] / 30], axis=1)
