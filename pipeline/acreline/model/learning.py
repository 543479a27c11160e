# SPDX-License-Identifier: Apache-2.0
"""The training loop, readable in one sitting: seeded, resumable, same seed same weights on one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from acreline.config import Settings
from acreline.errors import ConfigError
from acreline.layers import BANDS, HEALTH_CLASSES
from acreline.model.acrenet import AcreNet
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.drawing import Drawer, Shares
from acreline.model.feeding import Steps
from acreline.model.learning_health import teach_health
from acreline.model.losses import HEAD_WEIGHTS, HEALTH_WEIGHTS, fed_losses
from acreline.model.members import AcreNets
from acreline.model.skies import Changes
from acreline.model.threads import torch_threads
from acreline.model.watching import Curve, predict_alone

__all__ = ["HEAD_WEIGHTS", "HEALTH_WEIGHTS", "Device", "Lesson", "Recipe", "learn", "predict_alone"]

Device = Literal["auto", "cpu", "cuda"]
Progress = Callable[[int, int, dict[str, float]], None]
SAVE_EVERY = 100
FULL = "can't allocate memory"
"""What torch says where the main memory is full: it has no error of its own for it."""


class Recipe(Settings):
    """How a network is taught; the `recipe:` of a model's YAML file."""

    seed: int = 7
    steps: int = Field(800, ge=1)
    bins: int = Field(30, ge=4, le=80)
    stem: int = Field(24, ge=8, multiple_of=8, description="a multiple of the attention heads")
    width: int = Field(48, ge=8)
    levels: tuple[int, ...] = (40, 56, 80)
    dropout: float = Field(0.2, ge=0, lt=1)
    members: int = Field(2, ge=1, le=10, description="networks whose log-probabilities are averaged")
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: float = Field(0.08, ge=0, lt=1)
    smoothing: float = Field(0.05, ge=0, lt=1)
    auxiliary: float = Field(0.4, ge=0)
    health: float = Field(1.0, ge=0, description="weight of the health head's loss")
    health_steps: int = Field(0, ge=0, description="steps after the others, in which the health branch alone is taught")
    health_singles: int = Field(768, ge=8, description="fields of one of those steps")
    ema: float = Field(0.99, ge=0, lt=1)
    blend: float = Field(1.0, gt=0, le=1, description="share of what was taught where a network goes on from another")
    mixup: float = Field(0.0, ge=0, description="shape of the share by which single fields are mixed; 0: not")
    changes: dict[str, float] = Field(default_factory=dict, description="fields of `skies.Changes`")
    shares: dict[str, float] = Field(default_factory=dict, description="fields of `drawing.Shares`")
    device: Device = Field("auto", description="auto: the GPU where there is one; weights differ between devices")

    def drawer(self, banks: Sequence[Bank]) -> Drawer:
        """What draws the batches."""
        shares = {k: v if k == "real" else int(v) for k, v in self.shares.items()}
        return Drawer(banks, Changes(**self.changes), Shares(**shares))  # type: ignore[arg-type]

    def build(self) -> AcreNet:
        """One untrained network."""
        return AcreNet(
            bins=self.bins,
            crops_a=len(HEADS["A"]),
            crops_b=len(HEADS["B"]),
            healths=len(HEALTH_CLASSES),
            stem=self.stem,
            width=self.width,
            levels=self.levels,
            dropout=self.dropout,
        )

    def chosen_device(self) -> torch.device:
        """Where the network is taught.

        Raises:
            ConfigError: a GPU is asked for and torch sees none.
        """
        seen = torch.cuda.is_available()
        if self.device == "cuda" and not seen:
            raise ConfigError(
                "recipe: device: cuda is asked for, but torch sees no GPU",
                hint="write device: cpu or auto, or install a CUDA build of torch and torchvision",
            )
        return torch.device("cuda" if seen and self.device != "cpu" else "cpu")


@dataclass(frozen=True)
class Lesson:
    """What goes with a training beside the recipe."""

    seed: int
    progress: Progress | None = None
    """Called with (step, steps, losses by head; with each row of the curve macro-F1 as `f1_<head>` too)."""
    tell_every: int = 1
    """Steps between two calls of `progress`, apart from the curve's rows and the last step."""
    keep: Path | None = None
    """File in which the state is kept from time to time; a training that was stopped goes on from it."""
    watch: Bank | None = None
    """Land that is looked at, never learned from."""
    feeders: int = 0
    """Processes that draw batches ahead; the weights do not depend on it."""
    curve: list[dict[str, float]] | None = None
    """Receives the rows of `watching.Curve`, of one member after the other."""


def learn(recipe: Recipe, banks: Sequence[Bank], lesson: Lesson, *, start: AcreNets | None = None) -> AcreNets:
    """Teach the recipe's networks; same seed, same weights on the same device.

    Args:
        recipe: how.
        banks: what from.
        lesson: seed, and what is told and kept on the way.
        start: networks to go on from, with their normalisation; None: from nothing.

    Returns:
        the members on the CPU, each averaged over its last steps (EMA) and, by the recipe's `blend`, with the network
        it went on from, in evaluation mode.

    Raises:
        ConfigError: nothing is labelled, a GPU is asked for and there is none, memory does not suffice, the networks to
            go on from have another shape, or the loss is no number any more.
    """
    if not any(bank.taught.any() for bank in banks):
        raise ConfigError("training: no pixel of any source has a label", hint="name labels, squares or counties")
    with torch_threads(), torch.random.fork_rng():
        members = []
        for k in range(recipe.members):
            begun = None if start is None else start.members[k % len(start.members)]
            assert begun is None or isinstance(begun, AcreNet)
            try:
                members.append(_learn(recipe, banks, lesson, k, begun))
            except (MemoryError, RuntimeError) as error:
                if not (isinstance(error, MemoryError | torch.OutOfMemoryError) or FULL in str(error)):
                    raise
                raise ConfigError(
                    f"training: memory does not suffice for a step of {recipe.shares or 'the usual shares'}",
                    hint="lower singles, mosaics and crops under `shares:`, or take fewer counties",
                ) from error
        return AcreNets(members).eval()


def _learn(recipe: Recipe, banks: Sequence[Bank], lesson: Lesson, member: int, start: AcreNet | None) -> AcreNet:
    device, seed = recipe.chosen_device(), 1000 * lesson.seed + member
    torch.manual_seed(seed)
    drawer = recipe.drawer(banks)
    net = recipe.build()
    if start is None:
        _normalise(net, drawer, np.random.default_rng(seed))
    else:
        _go_on(net, start)
    net.requires_grad_(True).to(device)
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps + 1, pct_start=max(recipe.warm_up, 1e-3),
        final_div_factor=100, cycle_momentum=False,
    )  # fmt: skip
    parts: dict[str, Any] = {"net": net, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    keep = None if lesson.keep is None else lesson.keep.with_suffix(f".{member}.pt")
    curve = Curve(recipe, lesson.watch)
    first = _resume(parts, curve, keep, recipe, device)
    steps = Steps(drawer, seed, recipe.mixup)
    net.train()
    for step, fed in enumerate(steps.feed(first, recipe.steps, lesson.feeders), start=first + 1):
        losses = fed_losses(net, fed, recipe, device)
        loss = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
        row = curve.add(step, losses, averaged.module, fed.batch)
        if row is not None and not np.isfinite([row[name] for name in losses]).all():
            raise ConfigError(
                f"training: the loss is no number any more by step {step} of {recipe.steps}",
                hint="lower learning_rate in the recipe, and train into another folder",
            )
        if lesson.progress is not None and (row is not None or step % lesson.tell_every == 0 or step == recipe.steps):
            numbers = {name: float(part.detach()) for name, part in losses.items()}
            scores = {name: value for name, value in (row or {}).items() if name.startswith("f1_")}
            lesson.progress(step, recipe.steps + recipe.health_steps, numbers | scores)
        if keep is not None and (step % SAVE_EVERY == 0 or step == recipe.steps):
            _keep(parts, curve, keep, recipe, step)
    if lesson.curve is not None:
        lesson.curve.extend(curve.rows)
    out = averaged.module
    assert isinstance(out, AcreNet)
    if start is not None:
        _blend(out, start, recipe.blend)
    if recipe.health_steps:
        tell = None if lesson.progress is None else partial(_tell_health, lesson, recipe)
        out = teach_health(out, recipe, banks, seed=seed, feeders=lesson.feeders, tell=tell)
    return out.to("cpu").eval().requires_grad_(False)


def _tell_health(lesson: Lesson, recipe: Recipe, step: int, losses: dict[str, float]) -> None:
    if lesson.progress is not None and (step % lesson.tell_every == 0 or step == recipe.health_steps):
        lesson.progress(recipe.steps + step, recipe.steps + recipe.health_steps, losses)


def _normalise(net: AcreNet, drawer: Drawer, rng: np.random.Generator) -> None:
    """Put the mean and spread of the bands, where they were there, into the network."""
    draws = [drawer.draw(rng).single_x for _ in range(8)]
    x = np.concatenate(draws)  # (n, k, c)
    visible = x[:, 0, len(BANDS)] > 0
    for band in range(len(BANDS)):
        values = x[visible, :, band] if band < 3 and visible.any() else x[:, :, band]
        net.mean[band] = float(values.mean())
        net.sd[band] = max(float(values.std()), 1e-3)


def _go_on(net: AcreNet, start: AcreNet) -> None:
    try:
        net.load_state_dict(start.state_dict())
    except RuntimeError as error:
        raise ConfigError(
            f"training: the networks to go on from have another shape: {str(error).splitlines()[-1].strip()}",
            hint="give the recipe their bins, stem, width and levels, which their card tells",
        ) from error


def _blend(net: AcreNet, start: AcreNet, share: float) -> None:
    """Move the weights back towards those begun with: what was learned anew stays, little of the old is forgotten.

    Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models (CVPR), where `share` is alpha.
    """
    before = start.state_dict()
    with torch.no_grad():
        for name, now in net.state_dict().items():
            if now.is_floating_point():
                now.lerp_(before[name].to(now), 1 - share)


# --- a training that is stopped and goes on -----------------------------------------------------------------------
def _resume(parts: dict[str, Any], curve: Curve, keep: Path | None, recipe: Recipe, device: torch.device) -> int:
    """Load a kept state of the same recipe; returns the step to go on from."""
    if keep is None or not keep.is_file():
        return 0
    kept = torch.load(keep, weights_only=True, map_location="cpu")
    if kept["recipe"] != recipe.model_dump_json():
        return 0
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    torch.set_rng_state(kept["torch"])
    curve.load(kept, device)
    return int(kept["step"])


def _keep(parts: dict[str, Any], curve: Curve, keep: Path, recipe: Recipe, step: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"recipe": recipe.model_dump_json(), "step": step, "torch": torch.get_rng_state()}
    state |= curve.state()
    part = keep.with_suffix(".part")
    torch.save(state, part)
    part.replace(keep)
