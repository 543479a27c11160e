# SPDX-License-Identifier: Apache-2.0
"""Batches by number: what a step sees follows from seed and step alone, so other processes may draw ahead."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from acreline.model.drawing import Batch, Drawer
from acreline.model.targets import Targets

AHEAD = 4
"""Batches that each process draws ahead."""


@dataclass(frozen=True)
class Fed:
    """One step's batch, its single fields mixed."""

    batch: Batch
    single_x: npt.NDArray[np.float32]
    """(field, bin, channel)."""
    single_apart: npt.NDArray[np.float32]
    """(field, bin, sign + 1)."""
    singles: tuple[Targets, ...]
    """What is told of them, once, or twice where fields are mixed; (field,) each."""


class Steps(Dataset[Fed]):
    """The batches of a training, by step.

    Args:
        drawer: draws them.
        seed: of every draw.
        mixup: shape of the share by which single fields are mixed; 0: not.
    """

    def __init__(self, drawer: Drawer, seed: int, mixup: float = 0.0) -> None:
        self.drawer, self.seed, self.mixup = drawer, seed, mixup

    def __getitem__(self, step: int) -> Fed:
        rng = np.random.default_rng([self.seed, step])
        return mix_singles(self.drawer.draw(rng), self.mixup, rng)

    def feed(self, first: int, last: int, feeders: int = 0) -> Iterator[Fed]:
        """The batches of steps `first` to `last`, drawn here or by `feeders` processes ahead of time."""
        steps = range(first, last)
        if not feeders:
            return map(self.__getitem__, steps)
        loader = DataLoader(
            self, batch_size=None, sampler=steps, num_workers=feeders, prefetch_factor=AHEAD, collate_fn=_as_it_is,
            multiprocessing_context="fork",
            generator=torch.Generator(),
        )  # fmt: skip
        return iter(loader)


def mix_singles(batch: Batch, mixup: float, rng: np.random.Generator) -> Fed:
    """Fields that stand alone, each mixed with another one (mixup, Zhang et al. 2018); both teach, by their shares."""
    if not mixup:
        return Fed(batch, batch.single_x, batch.single_apart, (batch.singles,))
    n = len(batch.single_x)
    share = rng.beta(mixup, mixup, n).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(n)
    mine, theirs = share[:, None, None], (1 - share)[:, None, None]
    x, apart = (layer * mine + layer[other] * theirs for layer in (batch.single_x, batch.single_apart))
    both = []
    for rows, part in ((np.arange(n), share), (other, 1 - share)):
        taught = batch.singles.map(functools.partial(_rows, rows=rows))
        both.append(replace(taught, weight=taught.weight * part))
    return Fed(batch, x, apart, tuple(both))


def _rows(layer: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    return layer[rows]


def _as_it_is(fed: Any) -> Any:
    return fed
