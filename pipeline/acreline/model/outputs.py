# SPDX-License-Identifier: Apache-2.0
"""What a network says of a window of land, head by head."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Crops(NamedTuple):
    """What stands in each pixel: logits of single networks, log-probabilities of several averaged."""

    crop_a: Tensor
    """(b, classes, h, w): crop of the early season slot."""
    crop_b: Tensor
    """(b, classes, h, w): crop of the late season slot."""
    edge: Tensor
    """(b, 1, h, w): distance to the nearest field boundary, 0 at it, 1 from 40 m on."""


class Fares(NamedTuple):
    """How each pixel fares: logits of single networks, log-probabilities of several averaged."""

    health: Tensor
    """(b, classes, h, w)."""
    vigour: Tensor
    """(b, 1, h, w): leaf area against an average stand of the crop, in usual spreads."""


class Heads(NamedTuple):
    """Everything that is said of a window of land."""

    crop_a: Tensor
    crop_b: Tensor
    health: Tensor
    vigour: Tensor
    edge: Tensor
