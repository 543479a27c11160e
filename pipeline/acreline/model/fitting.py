# SPDX-License-Identifier: Apache-2.0
"""The training loop, readable in one sitting: seeded, on a laptop's CPU, same seed same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from acreline.config import Settings
from acreline.cubes import bin_series
from acreline.layers import BANDS_20M, HEALTH_CLASSES
from acreline.model.batches import Bank, Batch, Changes, draw_batch, points_bank, square_bank
from acreline.model.card import Architecture, SeasonAxis, build_member
from acreline.model.damage import HEALTH
from acreline.model.labels import CROP_CLASSES, read_points, read_square
from acreline.model.net import AcreNet, AcreNets

HEALTH_WEIGHTS = {"normal": 0.25, "harvested": 0.3}
"""Share of a class in the health loss where it is not 1: the common classes would drown the rest otherwise."""
Progress = Callable[[int, int, float], None]
"""Called with (step, steps, loss)."""


class Recipe(Settings):
    """How a checkpoint is made; the `recipe:` of a model's YAML file."""

    seed: int = 7
    steps: int = Field(450, ge=1)
    bins: int = Field(14, ge=4, le=80)
    stem: int = Field(24, ge=4)
    width: int = Field(48, ge=8)
    levels: tuple[int, ...] = (40, 56, 80)
    dropout: float = Field(0.1, ge=0, lt=1)
    points: tuple[str, ...] = ("france-2023",)
    squares: tuple[str, ...] = ("flanders-2019",)
    members: int = Field(2, ge=1, le=10, description="networks whose log-probabilities are averaged")
    singles: int = Field(48, ge=2, description="fields without surroundings per step")
    mosaics: int = Field(3, ge=1, description="patches of single fields per step")
    crops: int = Field(2, ge=0, description="patches of real squares per step")
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: float = Field(0.08, ge=0, lt=1)
    smoothing: float = Field(0.05, ge=0, lt=1)
    auxiliary: float = Field(0.4, ge=0)
    health: float = Field(1.5, ge=0, description="weight of the health head's loss")
    ema: float = Field(0.99, ge=0, lt=1)
    shift_days: float = 15
    stretch: float = 0.05
    drop: float = 0.5
    damage: float = 0.5
    in_season: float = 0.2

    @property
    def axis(self) -> SeasonAxis:
        """The season's bins."""
        return SeasonAxis(bins=self.bins)

    @property
    def architecture(self) -> Architecture:
        """Sizes of the network."""
        return Architecture(
            stem=self.stem, width=self.width, levels=self.levels, dropout=self.dropout, members=self.members
        )

    @property
    def changes(self) -> Changes:
        """How the series are varied."""
        return Changes(
            shift_days=self.shift_days, stretch=self.stretch, drop=self.drop, damage=self.damage,
            in_season=self.in_season,
        )  # fmt: skip


def read_banks(recipe: Recipe, folder: Path) -> list[Bank]:
    """The recipe's training data, on its time axis.

    Raises:
        InputError: a file is missing or damaged, or the demo region's square is asked for.
    """
    banks = []
    for name in recipe.points:
        points = read_points(folder / f"{name}.npz")
        banks.append(points_bank(points, recipe.axis.of(points.harvest_year)))
    for name in recipe.squares:
        square = read_square(folder / f"{name}.npz")
        banks.append(square_bank(square, recipe.axis.of(square.harvest_year)))
    return banks


def fit(recipe: Recipe, banks: list[Bank], *, seed: int, progress: Progress | None = None) -> AcreNets:
    """Train the recipe's networks on banks of fields; same seed, same weights.

    Returns:
        the members, each averaged over its last steps (EMA), in evaluation mode.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            return AcreNets([_fit(recipe, banks, 1000 * seed + i, progress) for i in range(recipe.members)]).eval()
    finally:
        torch.set_num_threads(threads)


def _fit(recipe: Recipe, banks: list[Bank], seed: int, progress: Progress | None) -> AcreNet:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = build_member(recipe.architecture, recipe.bins, len(BANDS_20M), len(CROP_CLASSES), len(HEALTH_CLASSES))
    _normalise(net, banks, recipe, np.random.default_rng(seed))
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps + 1, pct_start=max(recipe.warm_up, 1e-3),
        final_div_factor=100, cycle_momentum=False,
    )  # fmt: skip
    net.train()
    for step in range(recipe.steps):
        batch = draw_batch(banks, BANDS_20M, recipe.changes, recipe.mosaics, recipe.crops, recipe.singles, rng)
        loss = batch_loss(net, batch, recipe)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
        if progress is not None:
            progress(step + 1, recipe.steps, float(loss.detach()))
    out = averaged.module
    assert isinstance(out, AcreNet)
    return out.eval().requires_grad_(False)


def batch_loss(net: AcreNet, batch: Batch, recipe: Recipe) -> Tensor:
    """Weighted cross-entropy of both heads, final and auxiliary."""
    patches, k, c, side, _ = batch.x.shape
    pixels = batch.x.transpose(1, 2, 0, 3, 4).reshape(1, k, c, 1, -1)  # one row of pixels, so that both kinds share
    alone = batch.single_x.transpose(1, 2, 0).reshape(1, k, c, 1, -1)  # the batch normalisation
    row = net.embed(torch.from_numpy(np.concatenate([pixels, alone], axis=4)))  # (1, d, 1, n)
    y = row[..., : pixels.shape[-1]].reshape(-1, patches, side, side).transpose(0, 1)
    y = y.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # (p, d, 16, 16) -> (p, d, 32, 32)
    weight = torch.from_numpy(batch.weight)
    ones = torch.ones(1, 1, len(batch.single_crop))
    loss = torch.zeros(())
    heads = zip(net.decode(y), net.auxiliary(y), net.auxiliary(row[..., pixels.shape[-1] :]), strict=True)
    kinds = torch.tensor([HEALTH_WEIGHTS.get(name, 1.0) for name in HEALTH_CLASSES])
    targets = (
        (batch.crop, batch.single_crop, 1.0, torch.ones(len(CROP_CLASSES))),
        (batch.health, batch.single_health, recipe.health, kinds),
    )
    for (final, pixel, single), (mapped, listed, share, kind) in zip(heads, targets, strict=True):
        true, true_alone = torch.from_numpy(mapped), torch.from_numpy(listed)[None, None]
        weighted = weight * kind[true.clamp(min=0)]
        loss = loss + share * _cross_entropy(final, true, weighted, recipe.smoothing)
        loss = loss + share * recipe.auxiliary * _cross_entropy(pixel, true, weighted, recipe.smoothing)
        weighted = ones * kind[true_alone.clamp(min=0)]
        loss = loss + share * _cross_entropy(single, true_alone, weighted, recipe.smoothing)
    return loss


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy over labelled pixels, each weighted; 0 where nothing is labelled."""
    loss = nn.functional.cross_entropy(logits, target, ignore_index=-1, reduction="none", label_smoothing=smoothing)
    counted = weight * (target >= 0)
    return (loss * counted).sum() / counted.sum().clamp(min=1e-6)


def _normalise(net: AcreNet, banks: list[Bank], recipe: Recipe, rng: np.random.Generator) -> None:
    """Put the mean and spread of the training inputs into the network."""
    batch = draw_batch(banks, BANDS_20M, recipe.changes, 32, 8, 96, rng)
    bands = batch.x[:, :, :-2]
    net.mean[:-2] = torch.from_numpy(bands.mean(axis=(0, 1, 3, 4)))
    net.sd[:-2] = torch.from_numpy(bands.std(axis=(0, 1, 3, 4)))


def add_normal_bias(net: AcreNets, bias: float) -> None:
    """Raise the logit of `normal` in every member: fewer fields are called damaged."""
    for member in net.members:
        assert isinstance(member, AcreNet)
        assert member.aux_health.bias is not None
        member.aux_health.bias[HEALTH.index("normal")] += bias


def predict_points(net: AcreNets, bank: Bank) -> npt.NDArray[np.float32]:
    """Crop logits (pixel, class) of single pixels, each as if its field filled the land around it."""
    binned = bin_series(bank.values, bank.clear, bank.times(), bank.axis)  # (k, c, n)
    x = torch.from_numpy(np.ascontiguousarray(binned.transpose(2, 0, 1)[..., None, None]))
    out = []
    with torch.inference_mode():
        for part in torch.split(x, 64):
            y = net.embed(part).expand(-1, -1, 16, 16)
            out.append(net.decode(y)[0][:, :, 8, 8])
    return torch.cat(out).numpy()


def predict_square(net: AcreNets, bank: Bank) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Crop and health logits (class, y, x) of a whole square on the 10 m grid."""
    assert bank.raster is not None
    side = bank.raster.shape[0] // 2
    binned = bin_series(bank.values, bank.clear, bank.times(), bank.axis)
    x = torch.from_numpy(binned.reshape(1, *binned.shape[:2], side, side))
    with torch.inference_mode():
        y = net.embed(x).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        crop, health = net.decode(y)
    return crop[0].numpy(), health[0].numpy()


def predict_batch(net: AcreNets, x: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Crop and health logits (patch, class, y, x) of training-like patches."""
    with torch.inference_mode():
        y = net.embed(torch.from_numpy(x)).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        crop, health = net.decode(y)
    return crop.numpy(), health.numpy()
