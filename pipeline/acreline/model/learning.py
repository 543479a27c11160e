# SPDX-License-Identifier: Apache-2.0
"""The training loop, readable in one sitting: seeded, resumable, same seed same weights on one thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from acreline.config import Settings
from acreline.layers import BANDS, HEALTH_CLASSES
from acreline.model.acrenet import AcreNet, AcreNets, Heads
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.damage import HEALTH
from acreline.model.drawing import Batch, Changes, Drawer, Shares, Targets

Progress = Callable[[int, int, dict[str, float]], None]
HEALTH_WEIGHTS = {"normal": 0.12, "harvested": 0.15}
"""Share of a class in the health loss where it is not 1: the common classes would drown the rest otherwise."""
HEAD_WEIGHTS = {"crop_a": 1.0, "crop_b": 1.0, "vigour": 0.3, "edge": 0.2}
SAVE_EVERY = 100


class Recipe(Settings):
    """How a network is taught; the `recipe:` of a model's YAML file."""

    seed: int = 7
    steps: int = Field(800, ge=1)
    bins: int = Field(30, ge=4, le=80)
    stem: int = Field(24, ge=4)
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
    ema: float = Field(0.99, ge=0, lt=1)
    mixup: float = Field(0.0, ge=0, description="shape of the share by which single fields are mixed; 0: not")
    changes: dict[str, float] = Field(default_factory=dict, description="fields of `drawing.Changes`")
    shares: dict[str, float] = Field(default_factory=dict, description="fields of `drawing.Shares`")

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


def learn(
    recipe: Recipe,
    banks: Sequence[Bank],
    *,
    seed: int,
    progress: Progress | None = None,
    start: AcreNets | None = None,
    keep: Path | None = None,
) -> AcreNets:
    """Teach the recipe's networks; same seed, same weights.

    Args:
        recipe: how.
        banks: what from.
        seed: of every draw.
        progress: called with (step, steps, losses by head).
        start: networks to go on from, with their normalisation; None: from nothing.
        keep: file in which the state is kept from time to time; a training that was stopped goes on from it.

    Returns:
        the members, each averaged over its last steps (EMA), in evaluation mode.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            members = []
            for k in range(recipe.members):
                begun = None if start is None else start.members[k % len(start.members)]
                assert begun is None or isinstance(begun, AcreNet)
                path = None if keep is None else keep.with_suffix(f".{k}.pt")
                members.append(_learn(recipe, banks, 1000 * seed + k, progress, begun, path))
            return AcreNets(members).eval()
    finally:
        torch.set_num_threads(threads)


def _learn(
    recipe: Recipe,
    banks: Sequence[Bank],
    seed: int,
    progress: Progress | None,
    start: AcreNet | None,
    keep: Path | None,
) -> AcreNet:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    drawer = recipe.drawer(banks)
    net = recipe.build()
    if start is None:
        _normalise(net, drawer, np.random.default_rng(seed))
    else:
        net.load_state_dict(start.state_dict())
    net.requires_grad_(True)
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps + 1, pct_start=max(recipe.warm_up, 1e-3),
        final_div_factor=100, cycle_momentum=False,
    )  # fmt: skip
    parts: dict[str, Any] = {"net": net, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    first = _resume(parts, rng, keep, recipe)
    net.train()
    for step in range(first, recipe.steps):
        losses = batch_losses(net, drawer.draw(rng), recipe, rng)
        loss = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
        if progress is not None:
            progress(step + 1, recipe.steps, {name: float(part.detach()) for name, part in losses.items()})
        if keep is not None and (step + 1) % SAVE_EVERY == 0:
            _keep(parts, rng, keep, recipe, step + 1)
    if keep is not None:
        _keep(parts, rng, keep, recipe, recipe.steps)
    out = averaged.module
    assert isinstance(out, AcreNet)
    return out.eval().requires_grad_(False)


def batch_losses(
    net: AcreNet, batch: Batch, recipe: Recipe, rng: np.random.Generator | None = None
) -> dict[str, Tensor]:
    """Weighted losses by head: final and auxiliary logits of patches, auxiliary logits of fields that stand alone."""
    patches, k, c, side, _ = batch.x.shape
    single_x, told = _mixed(batch, recipe, rng)
    pixels = batch.x.transpose(1, 2, 0, 3, 4).reshape(1, k, c, 1, -1)  # one row of pixels, so that both kinds share
    alone = single_x.transpose(1, 2, 0).reshape(1, k, c, 1, -1)  # the batch normalisation
    row = net.embed(torch.from_numpy(np.concatenate([pixels, alone], axis=4)))  # (1, d, 1, n)
    said = net.auxiliary(row[..., pixels.shape[-1] :])
    losses = {name: torch.zeros(()) for name in Heads._fields}
    for targets in told:
        _add(losses, _losses(said, _flat(targets), recipe, 1.0))
    if patches:
        y = row[..., : pixels.shape[-1]].reshape(-1, patches, side, side).transpose(0, 1)
        _add(losses, _losses(net.decode(y), batch.patches, recipe, 1.0))
        _add(losses, _losses(net.auxiliary(y), batch.patches, recipe, recipe.auxiliary))
    return losses


def _add(losses: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    for name, part in more.items():
        losses[name] = losses[name] + part


def _mixed(
    batch: Batch, recipe: Recipe, rng: np.random.Generator | None
) -> tuple[npt.NDArray[np.float32], list[Targets]]:
    """Fields that stand alone, each mixed with another one (mixup, Zhang et al. 2018); both teach, by their shares."""
    if not recipe.mixup or rng is None:
        return batch.single_x, [batch.singles]
    n = len(batch.single_x)
    share = rng.beta(recipe.mixup, recipe.mixup, n).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(n)
    x = batch.single_x * share[:, None, None] + batch.single_x[other] * (1 - share)[:, None, None]
    both = []
    for rows, part in ((np.arange(n), share), (other, 1 - share)):
        taught = batch.singles.map(functools.partial(_rows, rows=rows))
        both.append(replace(taught, weight=taught.weight * part))
    return x, both


def _rows(layer: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    return layer[rows]


def _losses(heads: Heads, told: Targets, recipe: Recipe, share: float) -> dict[str, Tensor]:
    weight = torch.from_numpy(np.ascontiguousarray(told.weight))
    kinds = torch.tensor([HEALTH_WEIGHTS.get(name, 1.0) for name in HEALTH])
    out = {}
    for name, true in (("crop_a", told.crop_a), ("crop_b", told.crop_b), ("health", told.health)):
        target = torch.from_numpy(np.ascontiguousarray(true))
        weighted = weight * kinds[target.clamp(min=0)] if name == "health" else weight
        scale = recipe.health if name == "health" else HEAD_WEIGHTS[name]
        out[name] = share * scale * _cross_entropy(getattr(heads, name), target, weighted, recipe.smoothing)
    for name, number in (("vigour", told.vigour), ("edge", told.edge)):
        wanted = torch.from_numpy(np.ascontiguousarray(number))
        known = torch.isfinite(wanted)
        miss = nn.functional.smooth_l1_loss(getattr(heads, name)[:, 0], torch.nan_to_num(wanted), reduction="none")
        out[name] = share * HEAD_WEIGHTS[name] * (miss * known).sum() / known.sum().clamp(min=1)
    return out


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy over labelled pixels, each weighted; 0 where nothing is labelled."""
    loss = nn.functional.cross_entropy(logits, target, ignore_index=-1, reduction="none", label_smoothing=smoothing)
    known = target >= 0
    return (loss * weight * known).sum() / known.sum().clamp(min=1)


def _flat(told: Targets) -> Targets:
    """(field,) -> (1, 1, field), as the row of pixels lies."""
    return told.map(lambda layer: layer[None, None])


def _normalise(net: AcreNet, drawer: Drawer, rng: np.random.Generator) -> None:
    """Put the mean and spread of the bands, where they were there, into the network."""
    draws = [drawer.draw(rng).single_x for _ in range(8)]
    x = np.concatenate(draws)  # (n, k, c)
    visible = x[:, 0, len(BANDS)] > 0
    for band in range(len(BANDS)):
        values = x[visible, :, band] if band < 3 and visible.any() else x[:, :, band]
        net.mean[band] = float(values.mean())
        net.sd[band] = max(float(values.std()), 1e-3)


def _resume(parts: dict[str, Any], rng: np.random.Generator, keep: Path | None, recipe: Recipe) -> int:
    """Load a kept state of the same recipe; returns the step to go on from."""
    if keep is None or not keep.is_file():
        return 0
    kept = torch.load(keep, weights_only=True)
    if kept["recipe"] != recipe.model_dump_json():
        return 0
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    torch.set_rng_state(kept["torch"])
    rng.bit_generator.state = _numbers(kept["numpy"])
    return int(kept["step"])


def _keep(parts: dict[str, Any], rng: np.random.Generator, keep: Path, recipe: Recipe, step: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"recipe": recipe.model_dump_json(), "step": step, "torch": torch.get_rng_state()}
    state["numpy"] = repr(rng.bit_generator.state)
    part = keep.with_suffix(".part")
    torch.save(state, part)
    part.replace(keep)


def _numbers(text: str) -> dict[str, Any]:
    import ast

    value: dict[str, Any] = ast.literal_eval(text)
    return value


def predict_alone(net: AcreNets, x: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], ...]:
    """Log-probabilities (n, classes) of slots A and B and health for inputs (n, bin, channel), each pixel by itself."""
    out: list[list[Tensor]] = [[], [], []]
    with torch.inference_mode():
        for part in torch.split(torch.from_numpy(np.ascontiguousarray(x)), 512):
            heads = net.auxiliary(net.embed(part.permute(1, 2, 0)[None, :, :, None, :]))
            for k in range(3):
                out[k].append(torch.log_softmax(heads[k], dim=1)[0, :, 0].T)
    return tuple(torch.cat(parts).numpy() for parts in out)
