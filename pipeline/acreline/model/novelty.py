# SPDX-License-Identifier: Apache-2.0
"""How unlike all that was taught a pixel is."""

from __future__ import annotations

import torch
from torch import Tensor

from acreline.model.acrenet import AcreNet
from acreline.model.members import AcreNets


def pixel_energy(net: AcreNets, y: Tensor) -> Tensor:
    """How little each pixel by itself is like what was taught: the higher, the stranger.

    Energy (Liu et al. 2020, arXiv:2010.03759): minus the log of the sum of exp(logit), here the mean of the two crop
    heads on the temporal part, and of the members.

    Args:
        net: the members.
        y: embeddings (b, d, h, w).

    Returns:
        (b, h, w).
    """
    scores = []
    for member, part in zip(net.members, torch.chunk(y, len(net.members), dim=1), strict=True):
        assert isinstance(member, AcreNet)
        heads = member.auxiliary(part)
        scores.append(-(torch.logsumexp(heads.crop_a, dim=1) + torch.logsumexp(heads.crop_b, dim=1)) / 2)
    return torch.stack(scores).mean(dim=0)
