# SPDX-License-Identifier: Apache-2.0
"""Polygons drawn on the fine grid, and the grid counted into pieces of ground."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from acreline.layers import PIXEL_M
from acreline.simulate.values import SUB, Pairs

CELL_M = PIXEL_M / SUB
"""Side of a sub-cell: 2.5 m."""


def paint(cells: npt.NDArray[np.int32], polygons: npt.NDArray[Any], codes: npt.NDArray[np.int32]) -> None:
    """Write each polygon's code into the cells whose middle lies inside it, scan line by scan line.

    Borders are half open (a middle exactly on a border belongs to the polygon above and left of it), so that neighbours
    never claim one cell twice.

    Args:
        cells: (rows, cols) of sub-cells, changed in place.
        polygons: without holes; x metres east, y metres south of the grid's upper-left corner.
        codes: one per polygon; of two polygons over one cell the later wins.
    """
    points, owner = shapely.get_coordinates(polygons, return_index=True)
    ahead = np.flatnonzero(owner[1:] == owner[:-1])
    start, end, owner = points[ahead] / CELL_M, points[ahead + 1] / CELL_M, owner[ahead]
    rows, cols = cells.shape
    first = np.clip(np.ceil(np.minimum(start[:, 1], end[:, 1]) - 0.5).astype(np.int64), 0, rows)
    last = np.clip(np.ceil(np.maximum(start[:, 1], end[:, 1]) - 0.5).astype(np.int64), 0, rows)
    edge, row = _spread(first, last)
    along = (row + 0.5 - start[edge, 1]) / (end[edge, 1] - start[edge, 1])
    x = start[edge, 0] + along * (end[edge, 0] - start[edge, 0])
    order = np.lexsort((x, row, owner[edge]))
    row, x, owner = row[order], x[order], owner[edge][order]
    left = np.clip(np.ceil(x[0::2] - 0.5).astype(np.int64), 0, cols)
    right = np.clip(np.ceil(x[1::2] - 0.5).astype(np.int64), 0, cols)
    span, col = _spread(left, right)
    cells[row[0::2][span], col] = codes[owner[0::2][span]]


def _spread(
    first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All whole numbers of many half-open ranges: which range, and the number."""
    length = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(first)), length)
    within = np.arange(len(which)) - np.repeat(np.cumsum(length) - length, length)
    return which, first[which] + within


def count_pairs(units: npt.NDArray[np.int32], number_of_units: int) -> Pairs:
    """Pieces of ground from the fine grid: each land unit in each pixel it touches, in order of pixel, then unit.

    Args:
        units: (SUB * height, SUB * width): land unit of each sub-cell.
        number_of_units: units are numbered below this.
    """
    rows, cols = units.shape
    width = cols // SUB
    pixel = (np.arange(rows, dtype=np.int64) // SUB)[:, None] * width + np.arange(cols) // SUB
    keys, cell = np.unique(pixel * number_of_units + units, return_inverse=True)
    place = keys // number_of_units
    return Pairs(
        unit=(keys % number_of_units).astype(np.int32),
        row=(place // width).astype(np.int32),
        col=(place % width).astype(np.int32),
        cell=cell.reshape(units.shape).astype(np.int32),
    )


def pair_cells(pairs: Pairs) -> npt.NDArray[np.int32]:
    """(pair,): how many of a pixel's 16 sub-cells belong to each piece of ground."""
    return np.bincount(pairs.cell.ravel(), minlength=len(pairs.unit)).astype(np.int32)


def pair_places(pairs: Pairs) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Middle of each piece's pixel: metres east and metres south of the window's corner."""
    return (pairs.col + np.float32(0.5)) * PIXEL_M, (pairs.row + np.float32(0.5)) * PIXEL_M
