# SPDX-License-Identifier: Apache-2.0
"""AcreNet: first each pixel's season through time, then its surroundings. It knows tensors, not images or places.

Crops are read from a pixel's own season and its surroundings; how a field fares is read from its season beside those of
its kind (`departures`).
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork

from acreline.model.departures import CHANNELS, SIGNS, signs_of
from acreline.model.outputs import Crops, Fares

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
        self.whole_season = nn.Conv2d(wide, wide, (steps, 1))
        self.embed_crop = Conv2dNormActivation(2 * wide, width, 1)
        self.dropout_alone = nn.Dropout(dropout)
        self.sizes = (crops_a, crops_b, 1)
        self.aux_crop = nn.Conv2d(width, crops_a + crops_b, 1)
        # Damage lasts for weeks, not seasons: its convolutions keep finer steps than the crops'.
        self.health_stem = nn.Sequential(_over_time(SIGNS + CHANNELS + 2, stem, 5, 1), _over_time(stem, stem, 5, 2))
        self.attend_health = nn.Conv2d(stem, ATTENTION_HEADS, 1)
        self.embed_health = Conv2dNormActivation(2 * stem + width, width, 1)
        self.dropout_health = nn.Dropout(dropout)
        self.tell_health = nn.Conv2d(width, healths + 1, 1)  # vigour rides with health
        widths = (width, *levels)
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
            (b, d, h, w): the pixel's embedding.
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
        given = torch.cat([scaled, *ratios, flat[:, c - 3 :]], dim=1)
        z = self.stem(_laid(given, self.stem))  # (b, c, k, n) -> (b, wide, k/4, n)
        z = z + self.position
        season = self.whole_season(z)  # (b, wide, k/4, n) -> (b, wide, 1, n)
        pooled = _pool(z, self.attend_crop(z) + _seen(support, z))
        embedding: Tensor = self.embed_crop(torch.cat([pooled, season], dim=1))
        return embedding.reshape(b, -1, h, w)

    def auxiliary(self, y: Tensor) -> Crops:
        """What the pixel alone says; the edge is not its to know and is 0."""
        crop = self.aux_crop(self.dropout_alone(y))
        return self._split(torch.cat([crop, torch.zeros_like(crop[:, :1])], dim=1))

    def decode(self, y: Tensor, rim: tuple[int, int] = (0, 0)) -> Crops:
        """Embeddings with their surroundings -> crops.

        Args:
            y: (b, d, h, w) from `embed`; h and w multiples of 4.
            rim: pixels above and left, below and right, that only surround: nothing is told of them; both 0 or neither.
        """
        levels: dict[str, Tensor] = {}
        z = y
        for level, stage in enumerate(self.encoder):
            z = stage(z)
            levels[str(level)] = z
        size = y.shape[-2:]
        grown = [nn.functional.interpolate(p, size=size, mode="nearest") for p in self.pyramid(levels).values()]
        z = torch.stack(grown).sum(0)
        z = torch.cat([z, y], dim=1)
        if any(rim):  # the last convolution looks one pixel far
            z, y = _inside(z, rim[0] - 1, rim[1] - 1), _inside(y, *rim)
        z = self.dropout(self.mix(z))  # (b, levels[0] + d, h, w) -> (b, levels[0], h, w)
        if any(rim):
            z = _inside(z, 1, 1)
        return Crops(*(alone + more for alone, more in zip(self.auxiliary(y), self._split(self.head(z)), strict=True)))

    def fare(self, x: Tensor, y: Tensor, z: Tensor) -> Fares:
        """How each pixel fares beside those of its kind, whatever stands beside it on the ground.

        Args:
            x: (b, k, c, h, w), as for `embed`.
            y: (b, d, h, w) from `embed`; how fields fare does not teach it.
            z: (b, k, sign + 1, h, w): `departures.depart`; all 0 where there is nothing to compare with.
        """
        return self.fare_seen(health_input(x, signs_of(x), z), y)

    def fare_seen(self, seen: Tensor, y: Tensor) -> Fares:
        """As `fare`, from what the health branch is given, (b, sign + sign + 1 + 2, k, h w)."""
        b, _, h, w = y.shape
        f = self.health_stem(_laid(seen, self.health_stem))
        pooled = _pool(f, self.attend_health(f) + _seen(seen[:, -2:-1], f))
        kind = y.detach().reshape(b, -1, 1, h * w)
        top = reduce(torch.maximum, f.unbind(2))[:, :, None]  # as amax, which is many times slower here
        told = self.embed_health(torch.cat([pooled, top, kind], dim=1))
        out = self.tell_health(self.dropout_health(told)).reshape(b, -1, h, w)
        return Fares(out[:, :-1], out[:, -1:])

    def _split(self, z: Tensor) -> Crops:
        return Crops(*torch.split(z, list(self.sizes), dim=1))


def _inside(z: Tensor, before: int, after: int) -> Tensor:
    """(b, c, h, w) without so many pixels above and left, below and right."""
    return z[..., before : z.shape[-2] - after, before : z.shape[-1] - after].contiguous()


def _over_time(before: int, after: int, length: int, stride: int) -> nn.Module:
    layer: nn.Module = Conv2dNormActivation(before, after, (length, 1), stride=(stride, 1), padding=(length // 2, 0))
    return layer


def _laid(z: Tensor, stem: nn.Module) -> Tensor:
    """Channels last while the stem is taught, which takes a third less time; what is measured keeps its bits."""
    return z.contiguous(memory_format=torch.channels_last) if stem.training else z


def health_input(x: Tensor, signs: Tensor, z: Tensor) -> Tensor:
    """Signs, departures, support and age, (b, k, ..., h, w) each -> (b, channel, k, h w)."""
    b, k, c, h, w = x.shape
    return torch.cat([signs, z, x[:, :, c - 2 :]], dim=2).permute(0, 2, 1, 3, 4).reshape(b, -1, k, h * w)


def _seen(support: Tensor, z: Tensor) -> Tensor:
    """What is added to the attention of each step: (b, 1, k, n) -> (b, 1, steps of z, n)."""
    return torch.log(nn.functional.adaptive_avg_pool2d(support, (z.shape[2], support.shape[3])) + SUPPORT_FLOOR)


def _pool(z: Tensor, logits: Tensor) -> Tensor:
    """Attention over time: each of the heads pools its own group of channels, (b, c, k, n) -> (b, c, 1, n)."""
    b, c, k, n = z.shape
    weights = torch.softmax(logits, dim=2)  # (b, heads, k, n)
    if z.is_contiguous(memory_format=torch.channels_last):  # from `forward.fold_norms`: step by step is quick
        spread = weights.permute(0, 2, 3, 1)[..., None].expand(-1, -1, -1, -1, c // ATTENTION_HEADS).reshape(b, k, n, c)
        steps, shares = z.permute(0, 2, 3, 1).unbind(1), spread.unbind(1)  # (b, n, c) each
        pooled = steps[0] * shares[0]
        for step, share in zip(steps[1:], shares[1:], strict=True):
            pooled = torch.addcmul(pooled, step, share)
        return pooled.transpose(1, 2)[:, :, None]
    groups = z.reshape(b, ATTENTION_HEADS, c // ATTENTION_HEADS, k, n)
    return (groups * weights[:, :, None]).sum(dim=3).reshape(b, c, 1, n)
