# SPDX-License-Identifier: Apache-2.0
"""What the rival networks share: normalisation, the split into heads, and painting a county window by window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from acreline.layers import BANDS, HEALTH_CLASSES
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.inputs import VISIBLE
from acreline.model.outputs import Heads
from acreline.model.painting import Painted
from acreline.trial.rivals.shape import binned, picture_of

SIZES = (len(HEADS["A"]), len(HEADS["B"]), len(HEALTH_CLASSES))
"""Channels of the output: classes of slot A, of slot B, of health."""
WINDOW_PX = 64
MARGIN_PX = 8
"""A county is painted in windows of this side, of which a rim is thrown away: both rivals take means over the whole
window, so one far larger than the patches they learned from would be strange to them."""


class RivalNet(nn.Module):
    """A network that is given what AcreNet is given: (b, bin, channel, y, x), channels as `inputs.CHANNELS`."""

    name: ClassVar[str]
    mean: Tensor
    sd: Tensor

    def __init__(self) -> None:
        super().__init__()
        # As in AcreNet: normalisation lives in the network, so that it cannot be forgotten.
        self.register_buffer("mean", torch.zeros(len(BANDS)))
        self.register_buffer("sd", torch.ones(len(BANDS)))

    @property
    def parameter_count(self) -> int:
        """Weights that are learnt."""
        return sum(weight.numel() for weight in self.parameters())

    def scaled(self, x: Tensor) -> Tensor:
        """Bands (b, k, band, y, x) with mean 0 and spread 1; visible bands that were not there are 0."""
        bands, visible = x[:, :, : len(BANDS)], x[:, :, len(BANDS) : len(BANDS) + 1]
        known = torch.cat(
            [visible.expand(-1, -1, len(VISIBLE), -1, -1), torch.ones_like(bands[:, :, len(VISIBLE) :])], 2
        )
        return (bands - self.mean.view(1, 1, -1, 1, 1)) / self.sd.view(1, 1, -1, 1, 1) * known

    def forward(self, x: Tensor) -> Heads:
        """(b, k, c, y, x) -> heads; vigour and edge are not told and are 0."""
        raise NotImplementedError


def as_heads(logits: Tensor) -> Heads:
    """(b, classes of A + of B + of health, y, x) -> heads."""
    crop_a, crop_b, health = torch.split(logits, list(SIZES), dim=1)
    nothing = torch.zeros_like(health[:, :1])
    return Heads(crop_a, crop_b, health, nothing, nothing)


def paint_windows(net: RivalNet, bank: Bank) -> Painted:
    """Paint a bank that is a picture; beyond its rim the nearest pixel is repeated.

    Raises:
        InputError: its pixels form no picture.
    """
    rows, cols = picture_of(bank)
    out = [np.zeros((size, rows, cols), np.float32) for size in SIZES]
    device = next(net.parameters()).device
    net.eval()
    with torch.inference_mode():
        for top, left, x in _windows(bank, rows, cols):
            heads = net(torch.from_numpy(x)[None].to(device))
            high, wide = min(_STEP, rows - top), min(_STEP, cols - left)
            for k, layer in enumerate(out):
                logp = torch.log_softmax(heads[k][0], dim=0)[
                    :, MARGIN_PX : MARGIN_PX + high, MARGIN_PX : MARGIN_PX + wide
                ]
                layer[:, top : top + high, left : left + wide] = logp.cpu().numpy()
    return Painted(*out)


_STEP = WINDOW_PX - 2 * MARGIN_PX


def _windows(bank: Bank, rows: int, cols: int) -> Iterator[tuple[int, int, npt.NDArray[np.float32]]]:
    """First row and column of the part that is kept, and the window around it (k, c, y, x)."""
    for top in range(0, rows, _STEP):
        # A band of rows is binned once and cut into windows.
        y = np.arange(top - MARGIN_PX, top - MARGIN_PX + WINDOW_PX).clip(0, rows - 1)
        unique, back = np.unique(y, return_inverse=True)
        land = binned(bank, (unique[:, None] * cols + np.arange(cols)).ravel())
        band = land.reshape(*land.shape[:2], len(unique), cols)
        for left in range(0, cols, _STEP):
            x = np.arange(left - MARGIN_PX, left - MARGIN_PX + WINDOW_PX).clip(0, cols - 1)
            yield top, left, np.ascontiguousarray(band[:, :, back[:, None], x])
