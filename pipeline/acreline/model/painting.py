# SPDX-License-Identifier: Apache-2.0
"""A network on land that lies in memory as a bank: quick, for training and trials; a run goes cell by cell instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from acreline.layers import CELL_PX, HEALTH_CLASSES
from acreline.model.acrenet import AcreNet
from acreline.model.banks import Bank, inputs_of
from acreline.model.forward import AROUND_PX
from acreline.model.learning import Recipe
from acreline.model.members import USUAL_STEP_PX, AcreNets
from acreline.model.novelty import pixel_energy
from acreline.model.outputs import Crops

STRIP_ROWS = 16
NORMAL = list(HEALTH_CLASSES).index("normal")


@dataclass(frozen=True)
class Painted:
    """What a network says of a county: log-probabilities (class, y, x)."""

    crop_a: npt.NDArray[np.float32]
    crop_b: npt.NDArray[np.float32]
    health: npt.NDArray[np.float32] | None = None
    """None: it has no health head."""
    energy: npt.NDArray[np.float32] | None = None
    """(y, x): how little a pixel is like what was taught, `novelty.pixel_energy`; None: not told."""


def paint_bank(nets: AcreNets, bank: Bank) -> Painted:
    """Paint a picture pixel by pixel with its surroundings; where its size is no multiple of four it is padded.

    Fields are compared within squares of `CELL_PX` and what lies around them, as a run does it.
    """
    assert bank.shape is not None
    rows, cols = bank.shape
    parts, seen = [], []
    with torch.inference_mode():
        for top in range(0, rows, STRIP_ROWS):
            count = min(STRIP_ROWS, rows - top)
            pixels = np.arange(top * cols, (top + count) * cols)
            binned = inputs_of(bank, pixels)
            x = torch.from_numpy(binned.reshape(*binned.shape[:2], count, cols))
            parts.append(nets.embed(x[None]))
            seen.append(x.half())
        y, x = torch.cat(parts, dim=2), torch.cat(seen, dim=2)
        padded = torch.nn.functional.pad(y, (0, -cols % 4, 0, -rows % 4), mode="replicate")
        crops = Crops(*(part[..., :rows, :cols] for part in nets.decode(padded)))
        health = _fares(nets, x, y, crops)
        energy = pixel_energy(nets, y)[0].numpy()
    crop_a, crop_b = (torch.log_softmax(logits[0], dim=0).numpy() for logits in crops[:2])
    return Painted(crop_a, crop_b, torch.log_softmax(health, dim=0).numpy(), energy)


def _fares(nets: AcreNets, x: torch.Tensor, y: torch.Tensor, crops: Crops) -> torch.Tensor:
    """Health of a picture, (class, y, x), square by square."""
    rows, cols = y.shape[-2:]
    out = y.new_zeros((nets.healths, rows, cols))
    for top in range(0, rows, CELL_PX):
        for left in range(0, cols, CELL_PX):
            near = x[
                :, :,
                max(top - AROUND_PX, 0) : top + CELL_PX + AROUND_PX : USUAL_STEP_PX,
                max(left - AROUND_PX, 0) : left + CELL_PX + AROUND_PX : USUAL_STEP_PX,
            ]  # fmt: skip
            here = (..., slice(top, top + CELL_PX), slice(left, left + CELL_PX))
            one = Crops(*(part[here] for part in crops))
            usual = nets.usual(near.flatten(2).float())
            out[here] = nets.fare_beside(x[here].float(), y[here], one, usual).health[0]
    return out


def add_normal_bias(nets: AcreNets, bias: float) -> None:
    """Raise the logit of `normal` in every member: fewer fields are called damaged."""
    for member in nets.members:
        assert isinstance(member, AcreNet)
        assert member.tell_health.bias is not None
        member.tell_health.bias[NORMAL] += bias


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
