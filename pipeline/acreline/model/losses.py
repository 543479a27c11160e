# SPDX-License-Identifier: Apache-2.0
"""What a training step is punished for: crops of both slots, edge, health and vigour, in patches and single fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from acreline.model.acrenet import AcreNet
from acreline.model.damage import HEALTH
from acreline.model.feeding import Fed
from acreline.model.outputs import Crops, Fares, Heads
from acreline.model.targets import Targets

if TYPE_CHECKING:
    from acreline.model.learning import Recipe

HEALTH_WEIGHTS = {"normal": 0.3, "harvested": 0.3}
"""Share of a class in the health loss where it is not 1: the common classes would drown the rest otherwise."""
HEAD_WEIGHTS = {"crop_a": 1.0, "crop_b": 1.0, "vigour": 0.3, "edge": 0.2}

Losses = dict[str, Tensor]


def fed_losses(net: AcreNet, fed: Fed, recipe: Recipe, device: torch.device | str = "cpu") -> Losses:
    """Weighted losses by head: final and auxiliary logits of patches, auxiliary logits of fields that stand alone."""
    patches, _, _, side, _ = fed.batch.x.shape
    land, apart = row_of(fed.batch.x, fed.single_x, device), row_of(fed.batch.apart, fed.single_apart, device)
    y = net.embed(land)  # (1, d, 1, n): one row of pixels, so that patches and single fields share the normalisation
    fares = net.fare(land, y, apart)
    n = patches * side * side
    losses = {name: torch.zeros((), device=device) for name in Heads._fields}
    for told in fed.singles:
        _add(losses, crop_losses(net.auxiliary(y[..., n:]), flat(told), recipe))
        _add(losses, fare_losses(Fares(*(part[..., n:] for part in fares)), flat(told), recipe))
    if patches:
        told = fed.batch.patches
        window, *shaped = (
            part[..., :n].reshape(part.shape[1], patches, side, side).transpose(0, 1) for part in (y, *fares)
        )
        _add(losses, crop_losses(net.decode(window), told, recipe))
        _add(losses, crop_losses(net.auxiliary(window), told, recipe, recipe.auxiliary))
        _add(losses, fare_losses(Fares(*shaped), told, recipe))
    return losses


def crop_losses(crops: Crops, told: Targets, recipe: Recipe, share: float = 1.0) -> Losses:
    """Losses of the crop heads and the edge, times `share`: logits (patch, class, y, x) against what is told there."""
    weight = _there(told.weight, crops.crop_a.device)
    return {
        "crop_a": share * _cross_entropy(crops.crop_a, told.crop_a, weight, recipe.smoothing),
        "crop_b": share * _cross_entropy(crops.crop_b, told.crop_b, weight, recipe.smoothing),
        "edge": share * HEAD_WEIGHTS["edge"] * _distance(crops.edge, told.edge),
    }


def fare_losses(fares: Fares, told: Targets, recipe: Recipe) -> Losses:
    """Losses of health and vigour; see `crop_losses`."""
    device = fares.health.device
    kinds = torch.tensor([HEALTH_WEIGHTS.get(name, 1.0) for name in HEALTH], device=device)
    weight = _there(told.weight, device) * kinds[_there(told.health, device).clamp(min=0)]
    return {
        "health": recipe.health * _cross_entropy(fares.health, told.health, weight, recipe.smoothing),
        "vigour": HEAD_WEIGHTS["vigour"] * _distance(fares.vigour, told.vigour),
    }


def _add(losses: Losses, more: Losses) -> None:
    for name, part in more.items():
        losses[name] = losses[name] + part


def row_of(patches: npt.NDArray[np.float32], singles: npt.NDArray[np.float32], device: torch.device | str) -> Tensor:
    """(patch, k, c, y, x) and (field, k, c) -> (1, k, c, 1, pixel) there, the patches' pixels first."""
    wide, alone = _there(patches, device), _there(singles, device)
    k, c = alone.shape[1:]
    return torch.cat([wide.permute(1, 2, 0, 3, 4).reshape(k, c, -1), alone.permute(1, 2, 0)], dim=2)[None, :, :, None]


def _there(values: npt.NDArray[Any], device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device, non_blocking=True)


def _cross_entropy(logits: Tensor, true: npt.NDArray[np.int64], weight: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy over labelled pixels, each weighted; 0 where nothing is labelled."""
    target = _there(true, logits.device)
    loss = nn.functional.cross_entropy(logits, target, ignore_index=-1, reduction="none", label_smoothing=smoothing)
    known = target >= 0
    return (loss * weight * known).sum() / known.sum().clamp(min=1)


def _distance(found: Tensor, number: npt.NDArray[np.float32]) -> Tensor:
    """Smooth L1 over what is told."""
    wanted = _there(number, found.device)
    known = torch.isfinite(wanted)
    miss = nn.functional.smooth_l1_loss(found[:, 0], torch.nan_to_num(wanted), reduction="none")
    return (miss * known).sum() / known.sum().clamp(min=1)


def flat(told: Targets) -> Targets:
    """(field,) -> (1, 1, field), as the row of pixels lies."""
    return told.map(lambda layer: layer[None, None])
