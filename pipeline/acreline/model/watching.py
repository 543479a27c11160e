# SPDX-License-Identifier: Apache-2.0
"""What a training looks like on the way: losses and macro-F1 by head, a few dozen rows in all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from acreline.model.acrenet import AcreNet
from acreline.model.banks import Bank
from acreline.model.departures import CHANNELS
from acreline.model.drawing import Batch, Drawer, Shares
from acreline.model.members import AcreNets
from acreline.model.scores import macro_f1
from acreline.model.skies import Changes

if TYPE_CHECKING:
    from acreline.model.learning import Recipe

ROWS = 40
"""Rows of a curve at most: a card carries them."""
WATCHED = 512
"""Single fields on which macro-F1 is watched."""
PART = 512
"""Pixels told in one go."""

Row = dict[str, float]
"""step; mean loss by head since the row before; macro-F1 as `f1_<head>`."""


class Curve:
    """The rows of one training, at even steps and at the last one.

    Args:
        recipe: of the training.
        watch: land that is looked at, never learned from; None: macro-F1 is that of the step's own single fields.
    """

    def __init__(self, recipe: Recipe, watch: Bank | None = None) -> None:
        self.steps, self.every = recipe.steps, -(-recipe.steps // ROWS)
        self.rows: list[Row] = []
        self._watched = None if watch is None else watched_batch(watch, recipe.seed)
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, step: int, losses: Mapping[str, Tensor], net: nn.Module, batch: Batch) -> Row | None:
        """Take a step's losses in; the new row, if one is due."""
        for name, part in losses.items():  # summed where they are: asking for a number makes a GPU wait
            self._sums[name] = self._sums[name] + part.detach() if name in self._sums else part.detach().clone()
        self._count += 1
        if step % self.every and step != self.steps:
            return None
        means = {name: float(part) / self._count for name, part in self._sums.items()}
        scores = alone_macro_f1(net, self._watched or batch)
        row = {"step": step} | {name: round(value, 4) for name, value in (means | scores).items()}
        self.rows.append(row)
        self._sums, self._count = {}, 0
        return row

    def state(self) -> dict[str, str]:
        """What `load` goes on from, as JSON texts."""
        sums = {name: float(part) for name, part in self._sums.items()}
        return {"curve": json.dumps(self.rows), "since": json.dumps({"count": self._count, "sums": sums})}

    def load(self, state: Mapping[str, str], device: torch.device) -> None:
        """Go on from what `state` gave."""
        self.rows = json.loads(state["curve"])
        since = json.loads(state.get("since", '{"count": 0, "sums": {}}'))
        self._count = since["count"]
        self._sums = {name: torch.tensor(value, device=device) for name, value in since["sums"].items()}


def watched_batch(bank: Bank, seed: int) -> Batch:
    """Whole seasons of `WATCHED` single fields as they are, the same for the same seed."""
    still = Changes(
        shift_days=0, stretch=0, drop=0, hole_days=0, gain=0, look_gain=0, haze=0, in_season=0, damage=0, blind=0
    )
    drawer = Drawer([bank], still, Shares(singles=WATCHED, mosaics=0, crops=0))
    return drawer.draw(np.random.default_rng(seed))


def alone_macro_f1(net: nn.Module, batch: Batch) -> Row:
    """Macro-F1 by head, `f1_<head>`, over the classes that are there; a head that nothing is told of is left out."""
    assert isinstance(net, AcreNet)
    before = net.training
    net.eval()
    found = predict_alone(AcreNets([net]), batch.single_x, batch.single_apart)
    net.train(before)
    told = {"crop_a": batch.singles.crop_a, "crop_b": batch.singles.crop_b, "health": batch.singles.health}
    return {
        f"f1_{name}": macro_f1(true[true >= 0], logp[true >= 0].argmax(axis=1))
        for (name, true), logp in zip(told.items(), found, strict=True)
        if (true >= 0).any()
    }


def predict_alone(
    net: AcreNets, x: npt.NDArray[np.float32], apart: npt.NDArray[np.float32] | None = None
) -> tuple[npt.NDArray[np.float32], ...]:
    """Log-probabilities (n, classes) of slots A and B and health for inputs (n, bin, channel), each pixel by itself.

    Args:
        net: the members.
        x: (n, bin, channel).
        apart: (n, bin, sign + 1), departures; None: there is nothing to compare with.
    """
    device = next(net.parameters()).device
    beside = np.zeros((*x.shape[:2], CHANNELS), np.float32) if apart is None else apart
    out: list[list[Tensor]] = [[], [], []]
    with torch.inference_mode():
        for start in range(0, len(x), PART):
            pixels, z = (
                torch.from_numpy(np.ascontiguousarray(layer[start : start + PART])).to(device).permute(1, 2, 0)
                for layer in (x, beside)
            )
            pixels, z = pixels[None, :, :, None], z[None, :, :, None]  # (1, k, c, 1, n)
            y = net.embed(pixels)
            crops = net.auxiliary(y)
            for k, logits in enumerate((crops.crop_a, crops.crop_b, net.fare(pixels, y, z).health)):
                out[k].append(torch.log_softmax(logits, dim=1)[0, :, 0].T.cpu())
    return tuple(torch.cat(parts).numpy() for parts in out)
