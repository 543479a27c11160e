# SPDX-License-Identifier: Apache-2.0
"""A network for photographs on three seasonal composites: what the ready-made way gets, with next to no time axis.

LR-ASPP on MobileNetV3-Large (Howard et al. 2019, arXiv 1905.02244) from torchvision, untrained. Its coarse branch has
one value for 16 x 16 inputs and its fine one for 8 x 8, so patches are enlarged four times: 4 and 2 pixels of the
ground, which fields of a few pixels need.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from acreline.layers import BANDS
from acreline.model.outputs import Heads
from acreline.trial.rivals.nets import SIZES, RivalNet, as_heads

SEASONS = 3
ENLARGE = 4
"""Times the patch is enlarged on each side before it goes in; the logits are brought back by their mean."""


class LrAspp(RivalNet):
    """LR-ASPP on composites: 3 x (10 bands + how often it was seen) in, both slots and health out."""

    name: ClassVar[str] = "lraspp"

    def __init__(self) -> None:
        super().__init__()
        self.net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=sum(SIZES))
        for layer in self.net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.1  # its own 0.01 is for far longer trainings: statistics would never settle
        first = self.net.backbone["0"][0]
        self.net.backbone["0"][0] = nn.Conv2d(
            SEASONS * (len(BANDS) + 1), first.out_channels, first.kernel_size, first.stride, first.padding, bias=False
        )

    def forward(self, x: Tensor) -> Heads:
        """(b, k, c, y, x) -> heads; vigour and edge are not told and are 0."""
        z = composites(self.scaled(x), x[:, :, -2])
        z = nn.functional.interpolate(z, scale_factor=ENLARGE, mode="bilinear", align_corners=False)
        logits = self.net(z)["out"]
        return as_heads(nn.functional.avg_pool2d(logits, ENLARGE))


def composites(bands: Tensor, support: Tensor) -> Tensor:
    """Support-weighted means of the bins over three thirds of the season.

    Args:
        bands: (b, k, band, y, x).
        support: (b, k, y, x), 0 (bridged) to 1 (seen).

    Returns:
        (b, 3 x (band + 1), y, x): for each third the bands, then its mean support. Where a third was never seen its
        bands are the plain mean of what its gaps were bridged with, and the support of 0 says so.
    """
    out = []
    for part, weight in zip(
        torch.tensor_split(bands, SEASONS, dim=1), torch.tensor_split(support, SEASONS, dim=1), strict=True
    ):
        total = weight.sum(dim=1, keepdim=True)
        weight = torch.where(total > 0, weight, torch.ones_like(weight))
        mean = (part * weight[:, :, None]).sum(dim=1) / weight.sum(dim=1)[:, None]
        out += [mean, total / part.shape[1]]
    return torch.cat(out, dim=1)
