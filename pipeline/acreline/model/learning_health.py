# SPDX-License-Identifier: Apache-2.0
"""The second part of a training: the health branch alone, on fields drawn by what struck them.

Struck fields are few among all fields, and each mishap few among the struck: while crops are taught, fields are drawn
by crop, and a step holds hardly any flood. Health does not teach the crops (`AcreNet.fare`), so it can have steps of
its own, in which the rest of the network stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from acreline.model.acrenet import AcreNet
from acreline.model.banks import Bank
from acreline.model.drawing import Drawer, Shares
from acreline.model.feeding import Fed, Steps
from acreline.model.losses import fare_losses, flat, row_of
from acreline.model.skies import Changes

if TYPE_CHECKING:
    from acreline.model.learning import Recipe

PARTS = ("health_stem", "attend_health", "embed_health", "tell_health")
"""What is taught here."""
REAL = 0.25
"""Share of real fields: no real field has a known mishap, but drawn ones."""

Tell = Callable[[int, dict[str, float]], None]


def teach_health(
    net: AcreNet, recipe: Recipe, banks: Sequence[Bank], *, seed: int, feeders: int = 0, tell: Tell | None = None
) -> AcreNet:
    """Teach the health branch for `recipe.health_steps`; the crops' part keeps every bit.

    Args:
        net: taught crops; it is changed.
        recipe: how.
        banks: what from.
        seed: of every draw.
        feeders: processes that draw batches ahead.
        tell: called with (step, losses).

    Returns:
        the network, its health branch averaged over the last steps (EMA), in evaluation mode.
    """
    device = next(net.parameters()).device
    shares = Shares(singles=recipe.health_singles, mosaics=0, crops=0, real=REAL)
    drawer = Drawer(banks, Changes(**recipe.changes), shares, by_event=True)
    net.eval().requires_grad_(False)
    for name in PARTS:
        getattr(net, name).train().requires_grad_(True)
    net.dropout_health.train()
    learned = [weight for weight in net.parameters() if weight.requires_grad]
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(learned, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.health_steps + 1, pct_start=max(recipe.warm_up, 1e-3),
        final_div_factor=100, cycle_momentum=False,
    )  # fmt: skip
    feed = Steps(drawer, seed).feed(0, recipe.health_steps, feeders)
    torch.manual_seed(seed)
    for step, fed in enumerate(feed, start=1):
        losses = _losses(net, fed, recipe, device)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
        if tell is not None:
            tell(step, {name: float(part.detach()) for name, part in losses.items()})
    out = averaged.module
    assert isinstance(out, AcreNet)
    return out.eval().requires_grad_(False)


def _losses(net: AcreNet, fed: Fed, recipe: Recipe, device: torch.device) -> dict[str, torch.Tensor]:
    x, z = row_of(fed.batch.x, fed.single_x, device), row_of(fed.batch.apart, fed.single_apart, device)
    with torch.no_grad():
        y = net.embed(x)
    return fare_losses(net.fare(x, y, z), flat(fed.singles[0]), recipe)
