# SPDX-License-Identifier: Apache-2.0
"""A network on land that lies in memory as a bank: quick, for training and trials; a run goes cell by cell instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from acreline.layers import HEALTH_CLASSES
from acreline.model.acrenet import AcreNet, AcreNets
from acreline.model.banks import Bank, reflectance_of
from acreline.model.inputs import add_visible, bin_quickly
from acreline.model.learning import Recipe

STRIP_ROWS = 16
NORMAL = list(HEALTH_CLASSES).index("normal")


@dataclass(frozen=True)
class Painted:
    """What the network says of a county, (class, y, x) each: log-probabilities."""

    crop_a: npt.NDArray[np.float32]
    crop_b: npt.NDArray[np.float32]
    health: npt.NDArray[np.float32]


def paint_bank(nets: AcreNets, bank: Bank) -> Painted:
    """Paint a picture pixel by pixel with its surroundings; where its size is no multiple of four it is padded."""
    assert bank.shape is not None
    rows, cols = bank.shape
    parts = []
    with torch.inference_mode():
        for top in range(0, rows, STRIP_ROWS):
            count = min(STRIP_ROWS, rows - top)
            pixels = np.arange(top * cols, (top + count) * cols)
            binned = bin_quickly(reflectance_of(bank.read(pixels)), bank.clear[:, pixels], bank.days, bank.axis)
            x = torch.from_numpy(add_visible(binned, bank.visible).reshape(binned.shape[0], -1, count, cols))
            parts.append(nets.embed(x[None]))
        y = torch.cat(parts, dim=2)
        padded = torch.nn.functional.pad(y, (0, -cols % 4, 0, -rows % 4), mode="replicate")
        heads = nets.decode(padded)
    return Painted(*(torch.log_softmax(heads[k][0, :, :rows, :cols], dim=0).numpy() for k in range(3)))


def add_normal_bias(nets: AcreNets, bias: float) -> None:
    """Raise the logit of `normal` in every member: fewer fields are called damaged."""
    for member in nets.members:
        assert isinstance(member, AcreNet)
        assert member.aux_health.bias is not None
        member.aux_health.bias[NORMAL] += bias


def net_state(nets: AcreNets) -> dict[str, npt.NDArray[Any]]:
    """The first member's weights as plain arrays, which another process can be sent."""
    return {key: value.numpy() for key, value in nets.members[0].state_dict().items()}


def nets_of(recipe: Recipe, states: list[dict[str, npt.NDArray[Any]]]) -> AcreNets:
    """Members of the recipe's shape from their weights, ready to work."""
    members = []
    for state in states:
        net = recipe.build()
        net.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        members.append(net)
    return AcreNets(members).eval().requires_grad_(False)
