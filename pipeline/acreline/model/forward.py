# SPDX-License-Identifier: Apache-2.0
"""The network made ready to run: normalisation folded into the convolutions, and embeddings only where they count."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from acreline.layers import CELL_PX, HALO_PX, Cube, TimeAxis
from acreline.model.acrenet import AcreNet
from acreline.model.members import USUAL_STEP_PX, AcreNets
from acreline.model.outputs import Crops, Fares
from acreline.model.windows import binned_window, copy_window

TILE_PX = 32
"""Embeddings are made in squares of this size: a cube's window starts and ends on whole ones."""
AROUND_PX = HALO_PX - 8
"""Land around a cell that counts. The outer 8 of the halo's pixels are left out: clouds grow by 6 pixels, so there the
clear mask would depend on where the window ends."""


class Square(NamedTuple):
    """A square of `TILE_PX` of the tile."""

    x: Tensor
    """(1, bin, channel, y, x): network input."""
    y: Tensor
    """(1, members x d, y, x): embeddings."""


def fold_norms(net: AcreNets) -> AcreNets:
    """A copy for inference that says the same to rounding, and faster.

    Each batch norm becomes part of the convolution before it: w' = w g / sqrt(v + e), b' = (b - m) g / sqrt(v + e) + h,
    with the norm's scale g, shift h, mean m and variance v (Jacob et al. 2018, arXiv:1712.05877, section 3.2). The
    convolutions over time keep their numbers channel by channel of one pixel (channels-last): their images are one
    pixel wide and thousands long, for which the usual layout leaves half of the processor idle.

    Args:
        net: the members, in evaluation mode; they are left as they are.

    Returns:
        the same members without batch norms, in evaluation mode.
    """
    ready = copy.deepcopy(net).eval().requires_grad_(False)
    for module in list(ready.modules()):
        if isinstance(module, nn.Sequential):
            _fold_pairs(module)
    for module in ready.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1 and module.kernel_size[1] == 1:
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return ready


def _fold_pairs(layers: nn.Sequential) -> None:
    """Fold each norm that follows a convolution into it; what follows keeps its place."""
    for k in range(len(layers) - 1):
        before, norm = layers[k], layers[k + 1]
        if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layers[k], layers[k + 1] = fuse_conv_bn_eval(before, norm).requires_grad_(False), nn.Identity()


def spatial_reach_px(net: AcreNets) -> tuple[int, int]:
    """How far the spatial part looks, in 10 m pixels: (above and left, below and right) of a pixel.

    With L halvings, s = 2^L: the encoder looks 2 + 3 (s - 1) pixels to each side of where a coarsest pixel begins, the
    pyramid's convolution s, and the last one 1; a coarsest pixel is spread over s pixels, so above and left s - 1 more
    are seen: 5 s - 1 and 4 s, rounded up to whole coarsest pixels.
    """
    member = net.members[0]
    assert isinstance(member, AcreNet)
    coarsest_px = 2 ** (len(member.encoder) - 1)
    return -(-(5 * coarsest_px - 1) // coarsest_px) * coarsest_px, 4 * coarsest_px


class Surroundings:
    """Cells of the tile with what surrounds them, put together from squares that are made once each, where needed.

    Args:
        cube: pixels of the block's read window; what lies outside it counts as never seen.
        net: the members, from `fold_norms`.
        axis: the season's bins.
    """

    def __init__(self, cube: Cube, net: AcreNets, axis: TimeAxis) -> None:
        self.cube, self.net, self.axis = cube, net, axis
        self.made: dict[tuple[int, int], Square] = {}
        before, after = spatial_reach_px(net)
        self.rim = min(before, AROUND_PX), min(after, AROUND_PX)
        """Pixels above and left, below and right of a cell in what `around` gives."""

    @property
    def inner(self) -> slice:
        """Where the cell lies in what `around` gives, in rows and in columns."""
        return slice(self.rim[0], self.rim[0] + CELL_PX)

    def around(self, row: int, col: int) -> Tensor:
        """Embeddings of a cell and all that the spatial part looks at, (1, members x d, y, x).

        Args:
            row: of the cell's upper-left pixel in the tile.
            col: likewise.
        """
        before, after = self.rim
        y = self._square(row, col).y
        out = y.new_zeros(*y.shape[:2], *[before + CELL_PX + after] * 2)
        for top in _edges(row - before, row + CELL_PX + after):
            for left in _edges(col - before, col + CELL_PX + after):
                copy_window(self._square(top, left).y.numpy(), out.numpy(), row - before - top, col - before - left)
        return out

    def fares(self, row: int, col: int, crops: Crops) -> Fares:
        """How the pixels of a cell fare beside what is usual around, square by square.

        Args:
            row: of the cell's upper-left pixel in the tile.
            col: likewise.
            crops: what was told of the cell, (1, class, y, x).
        """
        usual = self.net.usual(*self._spread(row, col))
        lines = []
        for top in range(0, CELL_PX, TILE_PX):
            line = []
            for left in range(0, CELL_PX, TILE_PX):
                here = (..., slice(top, top + TILE_PX), slice(left, left + TILE_PX))
                square = self._square(row + top, col + left)
                told = Crops(*(part[here] for part in crops))
                line.append(self.net.fare_beside(square.x[0], square.y, told, usual))
            lines.append([torch.cat(parts, dim=3) for parts in zip(*line, strict=True)])
        return Fares(*(torch.cat(parts, dim=2) for parts in zip(*lines, strict=True)))

    def _spread(self, row: int, col: int) -> tuple[Tensor, Tensor]:
        """Input (bin, channel, pixel) and embeddings (1, members x d, 1, pixel) of pixels spread over a cell's land."""
        rows, cols = (range(first - AROUND_PX, first + CELL_PX + AROUND_PX, USUAL_STEP_PX) for first in (row, col))
        lines = []
        for top in _edges(rows[0], rows[-1] + 1):
            line = []
            for left in _edges(cols[0], cols[-1] + 1):
                square = self._square(top, left)
                here = (..., _from(top, rows), _from(left, cols))
                line.append((square.x[here], square.y[here]))
            lines.append([torch.cat(parts, dim=-1) for parts in zip(*line, strict=True)])
        x, y = (torch.cat(parts, dim=-2)[..., : len(rows), : len(cols)] for parts in zip(*lines, strict=True))
        return x[0].flatten(2), y.flatten(2)[:, :, None]

    def forget_above(self, row: int) -> None:
        """Let go of squares that no cell from this row on looks at: memory grows with a block's width, not its area."""
        for tile in [tile for tile in self.made if tile[0] < row - HALO_PX]:
            del self.made[tile]

    def _square(self, top: int, left: int) -> Square:
        if (top, left) not in self.made:
            x = torch.from_numpy(binned_window(self.cube, self.axis, top, left, TILE_PX))[None]
            self.made[top, left] = Square(x, self.net.embed(x))
        return self.made[top, left]


def _from(edge: int, steps: range) -> slice:
    """Which pixels of the square that begins at `edge` are among the steps."""
    first = steps.start - edge
    return slice(first if first > 0 else first % steps.step, None, steps.step)


def _edges(start: int, stop: int) -> range:
    """Upper or left edges of the squares that hold pixels from `start` to before `stop`."""
    return range(start // TILE_PX * TILE_PX, stop, TILE_PX)
