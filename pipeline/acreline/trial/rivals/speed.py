# SPDX-License-Identifier: Apache-2.0
"""How long a step of teaching takes, and how much land is painted in a second: AcreNet beside its rivals.

A contest of equal minutes needs the steps that fit them; see `steps_in`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from acreline.model.banks import Bank
from acreline.model.feeding import Fed, Steps
from acreline.model.inputs import CHANNELS
from acreline.model.learning import Recipe
from acreline.model.losses import fed_losses
from acreline.model.members import AcreNets
from acreline.model.threads import torch_threads
from acreline.trial.rivals.learn import build_rival, normalise, rival_losses, rival_recipe

WARM_UP = 1
"""Steps before the clock starts: the first one allocates."""


@dataclass(frozen=True)
class Speed:
    """What one network takes on this machine."""

    name: str
    threads: int
    parameters: int
    step_seconds: float
    """Median of a step by the clock: the network forward and back, without the drawing of its batch."""
    step_cpu_seconds: float
    """Median of a step's time on all processors: where others share the machine, what the step itself takes."""
    draw_seconds: float
    """Median of the drawing of a batch, on one thread; other processes can do it ahead."""
    draw_cpu_seconds: float
    """Median of the drawing's own time on all processors."""
    forward_px_per_second: float
    """Pixels of 10 m painted in a second from ready bins, the network alone."""


def probe(
    name: str, recipe: Recipe, banks: Sequence[Bank], *, threads: int = 1, steps: int = 5, window_px: int = 64
) -> Speed:
    """Time one network on this machine; nothing is kept.

    Args:
        name: `acrenet` (one member, the recipe's own batches) or a rival network.
        recipe: of AcreNet.
        banks: what batches are drawn from.
        threads: of the arithmetic.
        steps: that are timed, after `WARM_UP`.
        window_px: side of the window that is painted; a multiple of 4.

    Raises:
        ConfigError: no such rival, or it is no network.
    """
    with torch_threads(threads), torch.random.fork_rng(devices=[]):
        return _probe(name, recipe, banks, threads, steps, window_px)


def steps_in(speed: Speed, minutes: float, *, feeders: bool) -> int:
    """Steps that fit a time: batches drawn between the steps, or ahead by another process (the slower of the two).

    Minutes are those of processors that have nothing else to do: where others share the machine, its clock says little.
    """
    both = (speed.step_cpu_seconds / speed.threads, speed.draw_cpu_seconds)
    return int(60 * minutes / (max(both) if feeders else sum(both)))


def _probe(name: str, recipe: Recipe, banks: Sequence[Bank], threads: int, steps: int, window_px: int) -> Speed:
    net: nn.Module
    painter: nn.Module
    losses: Callable[[Fed], dict[str, torch.Tensor]]
    if name == "acrenet":
        mine = recipe
        acre = recipe.build()
        net, painter, losses = acre, AcreNets([acre]), lambda fed: fed_losses(acre, fed, mine)
        drawer = mine.drawer(banks)
    else:
        mine = rival_recipe(recipe)
        rival = build_rival(name, mine, seed=0)
        drawer = mine.drawer(banks)
        normalise(rival, drawer, 0)
        net, painter = rival, rival
        losses = lambda fed: rival_losses(  # noqa: E731 - the same shape as above
            rival(torch.from_numpy(np.ascontiguousarray(fed.batch.x))), fed.batch.patches, mine
        )
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4)
    source = Steps(drawer, 0, mine.mixup)
    drawn, dug, stepped, worked = [], [], [], []
    net.train()
    for number in range(WARM_UP + steps):
        start, idle = time.perf_counter(), time.process_time()
        fed = source[number]
        middle, busy = time.perf_counter(), time.process_time()
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses(fed).values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        drawn.append(middle - start)
        dug.append(busy - idle)
        stepped.append(time.perf_counter() - middle)
        worked.append(time.process_time() - busy)
    x = torch.rand(1, recipe.bins, len(CHANNELS), window_px, window_px)
    spent = []
    painter.eval()
    with torch.inference_mode():
        for _ in range(WARM_UP + 2):
            start = time.perf_counter()
            painter(x)
            spent.append(time.perf_counter() - start)
    count = sum(weight.numel() for weight in net.parameters())
    step, work, draw, dig, paint = (float(np.median(part[WARM_UP:])) for part in (stepped, worked, drawn, dug, spent))
    return Speed(name, threads, count, step, work, draw, dig, window_px**2 / paint)
