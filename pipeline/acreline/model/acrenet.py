# SPDX-License-Identifier: Apache-2.0
"""AcreNet: first each pixel's season through time, then its surroundings. It knows tensors, not images or places."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork

ATTENTION_HEADS = 8
SUPPORT_FLOOR = 0.05
"""Added to a bin's support before its logarithm joins the attention: an unseen bin is played down, not forbidden."""
INDEX_PAIRS: tuple[tuple[int, int, bool], ...] = (
    (3, 2, True),  # NDVI: B08, B04
    (1, 3, True),  # NDWI: B03, B08
    (1, 0, True),  # NDYI: B03, B02, rapeseed in flower
    (7, 4, False),  # NDRE: B8A, B05
    (7, 8, False),  # NDMI: B8A, B11
    (8, 9, False),  # straw and soil: B11, B12
)
"""Normalised differences (a - b) / (a + b) of the input bands, by place in `layers.BANDS`; True: needs the visible."""


class Heads(NamedTuple):
    """What the network says of each pixel: logits of single networks, log-probabilities of several averaged."""

    crop_a: Tensor
    """(b, classes, h, w): crop of the early season slot."""
    crop_b: Tensor
    """(b, classes, h, w): crop of the late season slot."""
    health: Tensor
    """(b, classes, h, w)."""
    vigour: Tensor
    """(b, 1, h, w): leaf area against an average stand of the crop, in usual spreads."""
    edge: Tensor
    """(b, 1, h, w): distance to the nearest field boundary, 0 at it, 1 from 40 m on."""


class AcreNet(nn.Module):
    """The network that reads a season from space: what grows in each pixel in each slot, and how it fares.

    Temporal first: convolutions over the bins of a pixel's season, read twice (attention pooling, and one filter over
    the whole season), then a small two-dimensional encoder with a feature pyramid. The heads on the temporal part
    (auxiliary logits) speak for the pixel alone; the spatial part adds a correction.

    Args:
        bins: steps of the season.
        crops_a: classes of the head of slot A.
        crops_b: classes of the head of slot B.
        healths: classes of the health head.
        bands: spectral channels, in the order of `layers.BANDS`; the input has three more: visible, support, age.
        stem: channels of the temporal convolutions; twice that after the first.
        width: channels of a pixel's embedding.
        levels: channels of the spatial encoder, each level at half the size of the one before.
        dropout: share of features dropped in training.
    """

    mean: Tensor
    sd: Tensor

    def __init__(
        self,
        *,
        bins: int,
        crops_a: int,
        crops_b: int,
        healths: int,
        bands: int = 10,
        stem: int = 24,
        width: int = 48,
        levels: tuple[int, ...] = (40, 56, 80),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        wide = 2 * stem
        # Normalisation lives in the network, so that it cannot be forgotten; the other channels pass as they are.
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("sd", torch.ones(bands))
        self.bands = bands
        channels = bands + len(INDEX_PAIRS) + 3
        self.stem = nn.Sequential(
            _over_time(channels, stem, 5, 1), _over_time(stem, wide, 5, 2), _over_time(wide, wide, 3, 2)
        )
        steps = (bins + 3) // 4
        self.position = nn.Parameter(torch.zeros(1, wide, steps, 1))
        self.attend_crop = nn.Conv2d(wide, ATTENTION_HEADS, 1)
        self.attend_health = nn.Conv2d(wide, ATTENTION_HEADS, 1)
        self.whole_season = nn.Conv2d(wide, wide, (steps, 1))
        self.embed_crop = Conv2dNormActivation(2 * wide, width, 1)
        self.embed_health = Conv2dNormActivation(2 * wide, width // 2, 1)
        self.dropout_alone = nn.Dropout(dropout)
        self.sizes = (crops_a, crops_b, healths + 1, 1)  # vigour rides with health: both read its embedding
        self.aux_crop = nn.Conv2d(width, crops_a + crops_b, 1)
        self.aux_health = nn.Conv2d(width // 2, healths + 1, 1)
        widths = (width + width // 2, *levels)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                Conv2dNormActivation(before, after, 3, stride=1 if level == 0 else 2),
                Conv2dNormActivation(after, after, 3),
            )
            for level, (before, after) in enumerate(pairwise(widths))
        )
        self.pyramid = FeaturePyramidNetwork(list(levels), levels[0])
        self.mix = Conv2dNormActivation(levels[0] + widths[0], levels[0], 3)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(levels[0], sum(self.sizes), 1)
        self.width = width
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)  # the spatial correction starts at nothing

    def embed(self, x: Tensor) -> Tensor:
        """Each pixel's season on its own, whatever stands beside it.

        Args:
            x: (b, k, c, h, w): bins, bands + visible + support + age.

        Returns:
            (b, d, h, w): the pixel's embedding, for the crop heads then for the health head.
        """
        b, k, c, h, w = x.shape
        flat = x.permute(0, 2, 1, 3, 4).reshape(b, c, k, h * w)  # time becomes the rows of an image
        bands, visible, support = flat[:, : self.bands], flat[:, c - 3 : c - 2], flat[:, c - 2 : c - 1]
        ratios = []
        for first, second, needs in INDEX_PAIRS:
            one, other = bands[:, first : first + 1], bands[:, second : second + 1]
            ratio = 2 * (one - other) / (one + other + 0.02)  # twice: about the spread of the other channels
            ratios.append(ratio * visible if needs else ratio)
        known = torch.ones_like(bands[:, :, :1])
        known[:, :3] = visible[:, :, :1]
        scaled = (bands - self.mean.view(1, -1, 1, 1)) / self.sd.view(1, -1, 1, 1) * known
        z = self.stem(torch.cat([scaled, *ratios, flat[:, c - 3 :]], dim=1))  # (b, c, k, n) -> (b, wide, k/4, n)
        z = z + self.position
        seen = torch.nn.functional.adaptive_avg_pool2d(support, (z.shape[2], support.shape[3]))
        bias = torch.log(seen + SUPPORT_FLOOR)
        season = self.whole_season(z)  # (b, wide, k/4, n) -> (b, wide, 1, n)
        crop = self.embed_crop(torch.cat([_pool(z, self.attend_crop(z) + bias), season], dim=1))
        health = self.embed_health(torch.cat([_pool(z, self.attend_health(z) + bias), season], dim=1))
        return torch.cat([crop, health], dim=1).reshape(b, -1, h, w)

    def auxiliary(self, y: Tensor) -> Heads:
        """What the pixel alone says; the edge is not its to know and is 0."""
        y = self.dropout_alone(y)
        crop, health = self.aux_crop(y[:, : self.width]), self.aux_health(y[:, self.width :])
        return self._split(torch.cat([crop, health, torch.zeros_like(health[:, :1])], dim=1))

    def decode(self, y: Tensor) -> Heads:
        """Embeddings with their surroundings -> heads.

        Args:
            y: (b, d, h, w) from `embed`; h and w multiples of 4.
        """
        levels: dict[str, Tensor] = {}
        z = y
        for level, stage in enumerate(self.encoder):
            z = stage(z)
            levels[str(level)] = z
        size = y.shape[-2:]
        grown = [nn.functional.interpolate(p, size=size, mode="nearest") for p in self.pyramid(levels).values()]
        z = torch.stack(grown).sum(0)
        z = self.dropout(self.mix(torch.cat([z, y], dim=1)))  # (b, levels[0] + d, h, w) -> (b, levels[0], h, w)
        return Heads(*(alone + more for alone, more in zip(self.auxiliary(y), self._split(self.head(z)), strict=True)))

    def forward(self, x: Tensor) -> Heads:
        """(b, k, c, h, w) -> heads."""
        return self.decode(self.embed(x))

    def _split(self, z: Tensor) -> Heads:
        crop_a, crop_b, health, edge = torch.split(z, list(self.sizes), dim=1)
        return Heads(crop_a, crop_b, health[:, :-1], health[:, -1:], edge)


class AcreNets(nn.Module):
    """Several networks of one shape that learned from different draws: their log-probabilities are averaged.

    Args:
        members: networks of the same shape.
    """

    def __init__(self, members: Sequence[AcreNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def embed(self, x: Tensor) -> Tensor:
        """As `AcreNet.embed`; the members' embeddings one after the other, (b, members x d, h, w)."""
        return torch.cat([self._member(i).embed(x) for i in range(len(self.members))], dim=1)

    def auxiliary(self, y: Tensor) -> Heads:
        """Log-probabilities from the pixel alone."""
        return self._mean([self._member(i).auxiliary(part) for i, part in enumerate(self._parts(y))])

    def decode(self, y: Tensor) -> Heads:
        """Log-probabilities with the surroundings."""
        return self._mean([self._member(i).decode(part) for i, part in enumerate(self._parts(y))])

    def forward(self, x: Tensor) -> Heads:
        """(b, k, c, h, w) -> heads."""
        return self.decode(self.embed(x))

    def _member(self, i: int) -> AcreNet:
        member = self.members[i]
        assert isinstance(member, AcreNet)
        return member

    def _parts(self, y: Tensor) -> tuple[Tensor, ...]:
        return torch.chunk(y, len(self.members), dim=1)

    @staticmethod
    def _mean(outputs: list[Heads]) -> Heads:
        classes = [torch.stack([torch.log_softmax(one[k], dim=1) for one in outputs]).mean(dim=0) for k in range(3)]
        return Heads(*classes, *(torch.stack([one[k] for one in outputs]).mean(dim=0) for k in (3, 4)))


def _over_time(before: int, after: int, length: int, stride: int) -> nn.Module:
    layer: nn.Module = Conv2dNormActivation(before, after, (length, 1), stride=(stride, 1), padding=(length // 2, 0))
    return layer


def _pool(z: Tensor, logits: Tensor) -> Tensor:
    """Attention over time: each of the heads pools its own group of channels, (b, c, k, n) -> (b, c, 1, n)."""
    b, c, k, n = z.shape
    weights = torch.softmax(logits, dim=2)  # (b, heads, k, n)
    groups = z.reshape(b, ATTENTION_HEADS, c // ATTENTION_HEADS, k, n)
    return (groups * weights[:, :, None]).sum(dim=3).reshape(b, c, 1, n)
