# SPDX-License-Identifier: Apache-2.0
"""Squares of a cube as the network is given them: any square of the tile, whatever part of it was read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from acreline.cubes import SATURATED
from acreline.layers import BANDS, BANDS_10M, DN_OFFSET, DN_SCALE, Cube, TimeAxis
from acreline.model.inputs import as_input


def binned_window(cube: Cube, axis: TimeAxis, row: int, col: int, size_px: int) -> npt.NDArray[np.float32]:
    """Network input of a square of the tile: all ten bands on the 10 m grid, a 20 m pixel repeated on its four.

    Returns:
        float32 (bin, channel, y, x), channels as `inputs.CHANNELS`; never seen outside the cube.
    """
    times = cube["time"].values
    fine = np.zeros((len(times), len(BANDS_10M), size_px, size_px), np.uint16)
    coarse = np.zeros((len(times), len(BANDS) - len(BANDS_10M), size_px // 2, size_px // 2), np.uint16)
    clear = np.zeros((len(times), size_px, size_px), np.bool_)
    top, left = row - int(cube.attrs["row"]), col - int(cube.attrs["col"])
    copy_window(cube["clear"].values, clear, top, left)
    copy_window(cube["dn10"].values, fine, top, left)
    copy_window(cube["dn20"].values, coarse, top // 2, left // 2)
    values = np.concatenate([fine, coarse.repeat(2, axis=2).repeat(2, axis=3)], axis=1)
    measured = np.logical_and.reduce((values != 0) & (values != SATURATED), axis=1)
    return as_input(as_reflectance(values), clear & measured, times, axis, visible=True)


def as_reflectance(dn: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """A cube's numbers -> reflectance clipped to 0 ... 1, as the network was taught."""
    share: npt.NDArray[np.float32] = (dn.astype(np.float32) - np.float32(DN_OFFSET)) * np.float32(DN_SCALE)
    return share.clip(0, 1)


def clear_looks(cube: Cube, row: int, col: int, size_px: int) -> npt.NDArray[np.uint16]:
    """How often each pixel of a square of the tile was seen clear, (y, x); 0 outside the cube."""
    clear = np.zeros((cube.sizes["time"], size_px, size_px), np.bool_)
    copy_window(cube["clear"].values, clear, row - int(cube.attrs["row"]), col - int(cube.attrs["col"]))
    looks: npt.NDArray[np.uint16] = np.add.reduce(clear, axis=0, dtype=np.uint16)
    return looks


def copy_window(source: npt.NDArray[np.generic], target: npt.NDArray[np.generic], top: int, left: int) -> None:
    """Copy the window of `source` that starts at (top, left) into `target`; what lies outside is left as it is."""
    height, width = target.shape[-2:]
    rows = slice(max(top, 0), min(top + height, source.shape[-2]))
    cols = slice(max(left, 0), min(left + width, source.shape[-1]))
    if rows.start < rows.stop and cols.start < cols.stop:
        target[..., rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = source[..., rows, cols]
