# SPDX-License-Identifier: Apache-2.0
"""How a rival network is taught: AcreNet's batches, AcreNet's losses on crops and health, AcreNet's schedule."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from acreline.errors import ConfigError, InputError
from acreline.layers import BANDS
from acreline.model.banks import Bank
from acreline.model.drawing import Drawer
from acreline.model.feeding import Steps
from acreline.model.inputs import VISIBLE
from acreline.model.learning import Progress, Recipe
from acreline.model.losses import crop_losses, fare_losses
from acreline.model.outputs import Crops, Fares, Heads
from acreline.model.painting import Painted
from acreline.model.targets import Targets
from acreline.model.threads import torch_threads
from acreline.trial.rivals import find_rival
from acreline.trial.rivals.nets import RivalNet, paint_windows

SHARES: dict[str, float] = {"singles": 2, "mosaics": 0, "crops": 4}
"""A rival learns from windows of land alone; the drawer cannot do without single fields, so there are two."""
NORMAL_DRAWS = 8
"""Batches from which the normalisation is taken."""


@dataclass(frozen=True)
class LearntRival:
    """A rival network that has been taught, and what that took."""

    net: RivalNet
    recipe: Recipe
    seed: int
    steps: int
    step_seconds: float
    """Mean over the training, the drawing of batches included."""
    device: str
    threads: int

    @property
    def name(self) -> str:
        """As in `RIVALS`."""
        return self.net.name

    @property
    def parameters(self) -> int:
        """Weights that were learnt."""
        return self.net.parameter_count

    def paint(self, bank: Bank) -> Painted:
        """See `shape.Painter`; with a health head."""
        return paint_windows(self.net, bank)


def rival_recipe(recipe: Recipe, shares: dict[str, float] | None = None) -> Recipe:
    """A recipe of AcreNet with batches for rivals; its share of real sources is kept."""
    mine = dict(SHARES) if shares is None else dict(shares)
    if "real" in recipe.shares:
        mine.setdefault("real", recipe.shares["real"])
    return recipe.model_copy(update={"shares": mine})


def build_rival(name: str, recipe: Recipe, *, seed: int) -> RivalNet:
    """An untrained network, its first weights drawn by the seed.

    Raises:
        ConfigError: no such rival, or it is no network.
    """
    build = find_rival(name).build
    if build is None:
        raise ConfigError(f"the baseline {name!r} is no network: it has no steps", hint="use its `teach`")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(recipe.bins)


def learn_rival(
    net: RivalNet,
    recipe: Recipe,
    banks: Sequence[Bank],
    *,
    seed: int,
    steps: int,
    device: str = "cpu",
    threads: int = 1,
    feeders: int = 0,
    progress: Progress | None = None,
) -> LearntRival:
    """Teach a rival; same network, seed and threads on a CPU: same weights, whatever the feeders.

    Args:
        net: untrained, of `build_rival`; changed in place.
        recipe: of which the learning rate, decay, warm-up, smoothing, health weight, EMA, changes and shares count.
        banks: what from; only those that are pictures teach, unless the shares ask for mosaics.
        seed: of every draw: that of step n follows from (seed, n) alone.
        steps: batches.
        device: cpu or cuda.
        threads: of the arithmetic on a CPU.
        feeders: processes that draw batches ahead; 0: drawn between the steps.
        progress: called with (step, steps, losses by head).

    Returns:
        the network averaged over its last steps (EMA), in evaluation mode, on the CPU.

    Raises:
        ConfigError: there is no such device.
        InputError: no bank is a picture with labels.
    """
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {device}: no GPU is to be seen", hint="use device=cpu")
    drawer = recipe.drawer(banks)
    if not drawer.picture_chance.any():
        names = ", ".join(bank.name for bank in banks) or "none"
        raise InputError(f"no bank is a picture with labels: {names}", hint="give simulated counties")
    with torch_threads(threads), torch.random.fork_rng():
        normalise(net, drawer, seed)
        started = time.perf_counter()
        out = _learn(net.to(device), recipe, drawer, seed, steps, feeders, progress)
        spent = time.perf_counter() - started
    return LearntRival(out, recipe, seed, steps, spent / steps, device, threads)


def _learn(
    net: RivalNet, recipe: Recipe, drawer: Drawer, seed: int, steps: int, feeders: int, progress: Progress | None
) -> RivalNet:
    device = next(net.parameters()).device
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=steps + 1, pct_start=max(recipe.warm_up, 1e-3),
        final_div_factor=100, cycle_momentum=False,
    )  # fmt: skip
    feed = Steps(drawer, seed).feed(0, steps, feeders)
    torch.manual_seed(seed)  # feeders take a number of torch's generator, so dropout starts after them
    net.train()
    for step, fed in enumerate(feed, start=1):
        x = torch.from_numpy(np.ascontiguousarray(fed.batch.x)).to(device, non_blocking=True)
        losses = rival_losses(net(x), fed.batch.patches, recipe)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
        if progress is not None:
            progress(step, steps, {name: float(part.detach()) for name, part in losses.items()})
    out = averaged.module
    assert isinstance(out, RivalNet)
    return out.cpu().eval().requires_grad_(False)


def normalise(net: RivalNet, drawer: Drawer, seed: int) -> None:
    """Put the mean and spread of the bands, where they were there, into the network."""
    draws = [drawer.draw(np.random.default_rng([seed, 1, k])).x for k in range(NORMAL_DRAWS)]
    x = np.concatenate(draws)  # (patch, k, c, y, x)
    seen = x[:, 0, len(BANDS), 0, 0] > 0
    for band in range(len(BANDS)):
        values = x[seen, :, band] if band < len(VISIBLE) and seen.any() else x[:, :, band]
        net.mean[band] = float(values.mean())
        net.sd[band] = max(float(values.std()), 1e-3)


def rival_losses(heads: Heads, told: Targets, recipe: Recipe) -> dict[str, Tensor]:
    """Losses on the crops of both slots and on health, as AcreNet's; what a rival does not tell is left out."""
    crops = crop_losses(Crops(heads.crop_a, heads.crop_b, heads.edge), told, recipe)
    fares = fare_losses(Fares(heads.health, heads.vigour), told, recipe)
    return {"crop_a": crops["crop_a"], "crop_b": crops["crop_b"], "health": fares["health"]}


def save_rival(rival: LearntRival, folder: Path) -> Path:
    """Write `<name>.safetensors` and `<name>.json` into a folder; returns the latter."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{rival.name}.safetensors"
    save_file({key: value.contiguous() for key, value in rival.net.state_dict().items()}, weights)
    told: dict[str, Any] = {
        "name": rival.name,
        "seed": rival.seed,
        "steps": rival.steps,
        "step_seconds": round(rival.step_seconds, 4),
        "device": rival.device,
        "threads": rival.threads,
        "parameters": rival.parameters,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "recipe": rival.recipe.model_dump(mode="json"),
    }
    path = folder / f"{rival.name}.json"
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8", newline="\n")
    return path


def load_rival(folder: Path, name: str) -> LearntRival:
    """Read back what `save_rival` wrote, wherever it was taught.

    Raises:
        ConfigError: there is no rival network of this name.
        InputError: a file is missing or damaged, or the weights are not those the text speaks of.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights, path = folder / f"{name}.safetensors", folder / f"{name}.json"
    again = "teach it again, or copy both files of the rival"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
        recipe = Recipe(**{key: value for key, value in told["recipe"].items() if key in Recipe.model_fields})
        numbers = (int(told["seed"]), int(told["steps"]), float(told["step_seconds"]))
        machine = (str(told["device"]), int(told["threads"]))
        wanted = str(told["weights_sha256"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder}: no rival {name!r} can be read: {error}", hint=again) from error
    if found != wanted:
        raise InputError(f"{weights.name}: not the weights that {path.name} speaks of", hint=again)
    net = build_rival(name, recipe, seed=0)
    try:
        net.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise InputError(f"{weights.name}: weights of another shape: {error}", hint=again) from error
    return LearntRival(net.eval().requires_grad_(False), recipe, *numbers, *machine)
