# SPDX-License-Identifier: Apache-2.0
"""U-TAE, small: the best known network for image series that looks at each date before it looks through time.

Written from Garnot and Landrieu 2021, arXiv 2107.07933: one two-dimensional encoder for every date, a light temporal
attention encoder (L-TAE) at the lowest resolution, and its attention masks, enlarged, for collapsing time at every
level of the decoder.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from acreline.model.inputs import CHANNELS
from acreline.model.outputs import Heads
from acreline.trial.rivals.nets import SIZES, RivalNet, as_heads

PERIOD = 1000.0
"""Longest wave of the encoding of time, in bins."""


class TemporalAttention(nn.Module):
    """L-TAE: each head has one learnt query, and pools its own group of channels over time.

    Args:
        channels: of what comes in and goes out.
        wide: channels inside.
        heads: attention heads.
        keys: channels of a key.
        dropout: share of attention dropped in training.
    """

    encoding: Tensor

    def __init__(self, *, bins: int, channels: int, wide: int, heads: int, keys: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.keys = heads, keys
        self.before = nn.GroupNorm(heads, channels)
        self.widen = nn.Conv1d(channels, wide, 1)
        self.key = nn.Conv1d(wide, heads * keys, 1)
        self.query = nn.Parameter(torch.randn(heads, keys) * (2 / keys) ** 0.5)
        self.mix = nn.Sequential(nn.Conv1d(wide, channels, 1, bias=False), nn.BatchNorm1d(channels), nn.ReLU())
        self.after = nn.GroupNorm(heads, channels)
        self.dropout = nn.Dropout(dropout)
        part = wide // heads
        rate = PERIOD ** (-torch.arange(0, part, 2) / part)
        angle = rate[:, None] * torch.arange(bins)  # (part / 2, k)
        wave = torch.stack([angle.sin(), angle.cos()], dim=1).reshape(part, bins)
        self.register_buffer("encoding", wave.repeat(heads, 1), persistent=False)  # each head sees the whole encoding

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(b, k, c, h, w) -> (b, c, h, w) and the masks (b, head, k, h, w), which add up to 1 over time."""
        b, k, c, h, w = z.shape
        rows = self.widen(self.before(z.permute(0, 3, 4, 2, 1).reshape(-1, c, k))) + self.encoding  # (n, wide, k)
        keys = self.key(rows).reshape(-1, self.heads, self.keys, k)
        weight = torch.softmax((keys * self.query[:, :, None]).sum(dim=2) / self.keys**0.5, dim=2)  # (n, head, k)
        weight = self.dropout(weight)
        pooled = (rows.reshape(len(rows), self.heads, -1, k) * weight[:, :, None]).sum(dim=3)
        out = self.after(self.mix(pooled.reshape(len(rows), -1, 1)))  # (n, c, 1)
        masks = weight.reshape(b, h, w, self.heads, k).permute(0, 3, 4, 1, 2)
        return out.reshape(b, h, w, c).permute(0, 3, 1, 2), masks


class UTae(RivalNet):
    """The small U-TAE on the bins of a season, as if each were a date.

    Args:
        bins: steps of the season.
        widths: channels of the encoder from the finest level to the coarsest, each half the size of the one before;
            multiples of `heads`.
        wide: channels inside the temporal attention.
        heads: attention heads.
        keys: channels of a key.
        dropout: share of attention dropped in training.
    """

    name: ClassVar[str] = "utae"

    def __init__(
        self,
        *,
        bins: int,
        widths: tuple[int, ...] = (32, 32, 64),
        wide: int = 256,
        heads: int = 16,
        keys: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.first = nn.Sequential(_each_date(len(CHANNELS), widths[0]), _each_date(widths[0], widths[0]))
        self.down = nn.ModuleList(_Down(before, after) for before, after in pairwise(widths))
        self.time = TemporalAttention(
            bins=bins, channels=widths[-1], wide=wide, heads=heads, keys=keys, dropout=dropout
        )
        self.up = nn.ModuleList(_Up(below, level) for level, below in reversed(list(pairwise(widths))))
        self.head = nn.Conv2d(widths[0], sum(SIZES), 1)

    def forward(self, x: Tensor) -> Heads:
        """(b, k, c, y, x) -> heads; y and x multiples of 4; vigour and edge are not told and are 0."""
        b, k = x.shape[:2]
        z = self.first(torch.cat([self.scaled(x), x[:, :, -3:]], dim=2).flatten(0, 1))
        levels = [z]
        for stage in self.down:
            levels.append(stage(levels[-1]))
        series = [level.unflatten(0, (b, k)) for level in levels]  # (b, k, c, h, w) each
        z, masks = self.time(series[-1])
        for stage, level in zip(self.up, reversed(series[:-1]), strict=True):
            z = stage(z, _collapse(level, masks))
        return as_heads(self.head(z))


class _Down(nn.Module):
    """Half the size, then one convolution and a residual one."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shrink = _each_date(before, before, size=4, stride=2)
        self.change = _each_date(before, after)
        self.refine = _each_date(after, after)

    def forward(self, z: Tensor) -> Tensor:
        z = self.change(self.shrink(z))
        out: Tensor = z + self.refine(z)
        return out


class _Up(nn.Module):
    """Twice the size, joined with what the encoder saw there."""

    def __init__(self, below: int, level: int) -> None:
        super().__init__()
        self.grow = nn.Sequential(
            nn.ConvTranspose2d(below, level, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(level), nn.ReLU()
        )
        self.skip = _collapsed(level, level, size=1)
        self.join = _collapsed(2 * level, level)
        self.refine = _collapsed(level, level)

    def forward(self, z: Tensor, skipped: Tensor) -> Tensor:
        z = self.join(torch.cat([self.grow(z), self.skip(skipped)], dim=1))
        out: Tensor = z + self.refine(z)
        return out


def _collapse(level: Tensor, masks: Tensor) -> Tensor:
    """(b, k, c, h, w) -> (b, c, h, w): each head's mask, enlarged, weighs the dates of its own group of channels."""
    b, k, c, h, w = level.shape
    heads = masks.shape[1]
    grown = nn.functional.interpolate(masks.flatten(0, 1), size=(h, w), mode="bilinear", align_corners=False)
    weight = grown.reshape(b, heads, k, h, w).transpose(1, 2)  # (b, k, head, h, w)
    groups = level.reshape(b, k, heads, c // heads, h, w)
    return (groups * weight[:, :, :, None]).sum(dim=1).reshape(b, c, h, w)


def _each_date(before: int, after: int, *, size: int = 3, stride: int = 1) -> nn.Module:
    """Group norm, since a batch norm would mix the dates."""
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride=stride, padding=1, padding_mode="reflect", bias=False),
        nn.GroupNorm(4, after),
        nn.ReLU(),
    )


def _collapsed(before: int, after: int, *, size: int = 3) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, size, padding=size // 2, padding_mode="reflect", bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
