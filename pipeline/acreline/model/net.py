# SPDX-License-Identifier: Apache-2.0
"""AcreNet: first each pixel's season through time, then its surroundings. It knows tensors, not images or places."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork

ATTENTION_HEADS = 8
SUPPORT_FLOOR = 0.05
"""Added to a bin's support before its logarithm joins the attention: an unseen bin is played down, not forbidden."""


class AcreNet(nn.Module):
    """The network that reads a season from space: what grows in each pixel, and how it fares.

    Temporal first: convolutions over the bins of a pixel's season, read twice (attention pooling, and one filter over
    the whole season), then a small two-dimensional encoder with a feature pyramid. The heads on the temporal part
    (auxiliary logits) speak for the pixel alone; the spatial part adds a correction.

    Args:
        bins: steps of the season.
        bands: spectral channels; the input has two more, support and age.
        crops: classes of the crop head.
        healths: classes of the health head.
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
        bands: int,
        crops: int,
        healths: int,
        stem: int = 24,
        width: int = 48,
        levels: tuple[int, ...] = (40, 56, 80),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        wide = 2 * stem
        # Normalisation lives in the network, so that it cannot be forgotten; support and age pass as they are.
        self.register_buffer("mean", torch.zeros(bands + 2))
        self.register_buffer("sd", torch.ones(bands + 2))
        self.stem = nn.Sequential(
            _over_time(bands + 2, stem, 5, 1), _over_time(stem, wide, 5, 2), _over_time(wide, wide, 3, 2)
        )
        steps = (bins + 3) // 4
        self.position = nn.Parameter(torch.zeros(1, wide, steps, 1))
        self.attend_crop = nn.Conv2d(wide, ATTENTION_HEADS, 1)
        self.attend_health = nn.Conv2d(wide, ATTENTION_HEADS, 1)
        self.whole_season = nn.Conv2d(wide, wide, (steps, 1))
        self.embed_crop = Conv2dNormActivation(2 * wide, width, 1)
        self.embed_health = Conv2dNormActivation(2 * wide, width // 2, 1)
        self.aux_crop = nn.Conv2d(width, crops, 1)
        self.aux_health = nn.Conv2d(width // 2, healths, 1)
        channels = (width + width // 2, *levels)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                Conv2dNormActivation(before, after, 3, stride=1 if level == 0 else 2),
                Conv2dNormActivation(after, after, 3),
            )
            for level, (before, after) in enumerate(pairwise(channels))
        )
        self.pyramid = FeaturePyramidNetwork(list(levels), levels[0])
        self.mix = Conv2dNormActivation(levels[0] + channels[0], levels[0], 3)
        self.dropout = nn.Dropout(dropout)
        self.crop = nn.Conv2d(levels[0], crops, 1)
        self.health = nn.Conv2d(levels[0], healths, 1)
        self.width = width
        for parameter in (*self.crop.parameters(), *self.health.parameters()):
            nn.init.zeros_(parameter)  # the spatial correction starts at nothing

    def embed(self, x: Tensor) -> Tensor:
        """Each pixel's season on its own, whatever stands beside it.

        Args:
            x: (b, k, c, h, w): bins, bands + support + age.

        Returns:
            (b, d, h, w): the pixel's embedding, for the crop head then for the health head.
        """
        b, k, c, h, w = x.shape
        flat = x.permute(0, 2, 1, 3, 4).reshape(b, c, k, h * w)  # time becomes the rows of an image
        support = flat[:, c - 2 : c - 1]
        flat = (flat - self.mean.view(1, c, 1, 1)) / self.sd.view(1, c, 1, 1)
        z = self.stem(flat)  # (b, c, k, n) -> (b, wide, k/4, n)
        z = z + self.position
        seen = torch.nn.functional.adaptive_avg_pool2d(support, (z.shape[2], support.shape[3]))
        bias = torch.log(seen + SUPPORT_FLOOR)
        season = self.whole_season(z)  # (b, wide, k/4, n) -> (b, wide, 1, n)
        crop = self.embed_crop(torch.cat([_pool(z, self.attend_crop(z) + bias), season], dim=1))
        health = self.embed_health(torch.cat([_pool(z, self.attend_health(z) + bias), season], dim=1))
        return torch.cat([crop, health], dim=1).reshape(b, -1, h, w)

    def auxiliary(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of crop (b, classes, h, w) and health from the pixel alone."""
        return self.aux_crop(y[:, : self.width]), self.aux_health(y[:, self.width :])

    def decode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings with their surroundings -> logits.

        Args:
            y: (b, d, h, w) from `embed`; h and w multiples of 4.

        Returns:
            crop logits (b, crops, h, w), health logits (b, healths, h, w).
        """
        levels: dict[str, Tensor] = {}
        z = y
        for level, stage in enumerate(self.encoder):
            z = stage(z)
            levels[str(level)] = z
        size = y.shape[-2:]
        pyramid = self.pyramid(levels)
        z = torch.stack([torch.nn.functional.interpolate(p, size=size, mode="nearest") for p in pyramid.values()]).sum(
            0
        )
        z = self.dropout(self.mix(torch.cat([z, y], dim=1)))  # (b, levels[0] + d, h, w) -> (b, levels[0], h, w)
        crop, health = self.auxiliary(y)
        return crop + self.crop(z), health + self.health(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(b, k, c, h, w) -> crop logits and health logits, (b, classes, h, w)."""
        return self.decode(self.embed(x))


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

    def auxiliary(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of crop and health from the pixel alone."""
        return self._mean([self._member(i).auxiliary(part) for i, part in enumerate(self._parts(y))])

    def decode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of crop and health with the surroundings."""
        return self._mean([self._member(i).decode(part) for i, part in enumerate(self._parts(y))])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(b, k, c, h, w) -> log-probabilities of crop and health, (b, classes, h, w)."""
        return self.decode(self.embed(x))

    def _member(self, i: int) -> AcreNet:
        member = self.members[i]
        assert isinstance(member, AcreNet)
        return member

    def _parts(self, y: Tensor) -> tuple[Tensor, ...]:
        return torch.chunk(y, len(self.members), dim=1)

    @staticmethod
    def _mean(outputs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        crop = torch.stack([torch.log_softmax(crop, dim=1) for crop, _ in outputs]).mean(dim=0)
        return crop, torch.stack([torch.log_softmax(health, dim=1) for _, health in outputs]).mean(dim=0)


def _over_time(before: int, after: int, length: int, stride: int) -> nn.Module:
    layer: nn.Module = Conv2dNormActivation(before, after, (length, 1), stride=(stride, 1), padding=(length // 2, 0))
    return layer


def _pool(z: Tensor, logits: Tensor) -> Tensor:
    """Attention over time: each of the heads pools its own group of channels, (b, c, k, n) -> (b, c, 1, n)."""
    b, c, k, n = z.shape
    weights = torch.softmax(logits, dim=2)  # (b, heads, k, n)
    groups = z.reshape(b, ATTENTION_HEADS, c // ATTENTION_HEADS, k, n)
    return (groups * weights[:, :, None]).sum(dim=3).reshape(b, c, 1, n)
