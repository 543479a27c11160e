# SPDX-License-Identifier: Apache-2.0
"""The network on trial: trained from the packaged labels, reported on the demo square, which no training reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import SeasonSettings, find_config, packaged_configs, read_provider, read_region, read_settings
from acreline.errors import ConfigError, InputError
from acreline.geo import place_parcels, split_blocks
from acreline.imagery import load_cube
from acreline.layers import Block, Coverage, Cube, Weather
from acreline.model import evaluate_model, load_model, report_lines
from acreline.model.card import Model, ModelSettings
from acreline.model.evaluate import score_pixels
from acreline.model.scores import fit_forest
from acreline.model.windows import binned_window
from acreline.parcels import read_parcels
from acreline.search import search_scenes
from acreline.thermal import weather_temperatures
from acreline.weather import read_weather

REGION = "flanders-2018"
VISIBLE_BINS = 3
"""The visible bands come first; the training square lacks them, so the forest does without."""


def train_packaged(
    name: str,
    out: Path,
    *,
    seed: int | None,
    workers: int = 2,
    device: str | None = None,
    steps: int | None = None,
    progress: Callable[[int, int, str], None],
) -> Path:
    """Train a model by its recipe on the labels that come with acreline, and on counties drawn for it.

    Args:
        name: model whose recipe is used.
        out: folder for weights, card and the YAML file that names them.
        seed: instead of the recipe's own.
        workers: processes.
        device: instead of the recipe's own: auto, cpu or cuda.
        steps: instead of the recipe's own.
        progress: called with (done, in all, words).

    Returns:
        the YAML file, which a region file may name under `model:`; the curves stand beside it.

    Raises:
        ConfigError: there is no recipe; else as `train_model`.
    """
    from acreline.trial.training import train_model

    settings = read_settings(ModelSettings, find_config("models", name))
    if not settings.recipe:
        raise ConfigError(
            f"{settings.file or name}: has no recipe", hint="write `recipe:`, as configs/models/acrenet-xs.yaml does"
        )
    return train_model(
        settings.recipe, out, name=settings.name, seed=seed, workers=workers, device=device, steps=steps,
        progress=progress,
    )  # fmt: skip


def evaluate_on_demo(name: str) -> Iterator[str]:
    """Report a model on the demo square, a line each; errors as `score_on_demo`."""
    model = load_model(name)
    scenes, scores = score_on_demo(model)
    yield f"{model.card.name} {model.card.version} on {REGION}, {scenes} scenes; no training reads it"
    for part in scores:
        yield from report_lines(part)


def score_on_demo(model: Model) -> tuple[int, list[dict[str, Any]]]:
    """Score a model on the demo square, block by block: pixels and fields, with majority and forest baselines.

    Returns:
        number of scenes, and the scores of `evaluate_model` with those of the forest.

    Raises:
        ConfigError: no such model.
        InputError: the demo region's scenes or labels are not there.
    """
    region = read_region(packaged_configs() / "regions" / f"{REGION}.yaml")
    labels = region.parcels.path.parent / "labels" / "labels.tif"
    if not labels.is_file():
        raise InputError(f"{labels.name}: no such file", hint="the labels come with the source tree of acreline")
    parcels = read_parcels(region.parcels)
    provider = read_provider(region)
    day = region.as_of or region.season.end
    scenes = search_scenes(parcels, region.season, provider, as_of=day)
    weather = read_weather(region.weather, as_of=day)
    blocks = split_blocks(place_parcels(parcels, scenes), scenes)
    out = []
    for block in blocks:
        whole = _without_parcels(block)
        cube = load_cube(scenes, whole, provider.read)
        report, truth = evaluate_model(model, cube, whole, labels, season=region.season, weather=weather)
        found = forest_picture(model, cube, whole, region.season, weather)
        out.append(report | score_pixels(found, truth))
    return len(scenes.items), out


def forest_picture(
    model: Model, cube: Cube, block: Block, season: SeasonSettings, weather: Weather | None = None
) -> npt.NDArray[np.int64]:
    """What a random forest says of every pixel (y, x), taught by the packaged labels on the network's own bins.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    from acreline.trial.held_back import main_labels
    from acreline.trial.teach import alone_inputs
    from acreline.trial.teaching import Teaching, read_banks

    banks = read_banks(Teaching(bins=model.card.axis.bins), ())
    x, label, weight = [], [], []
    for bank in banks:
        known = main_labels(bank.crop_a, bank.crop_b) >= 0
        _, number, counts = np.unique(bank.field[known], return_inverse=True, return_counts=True)
        x.append(alone_inputs(bank.keep(known))[:, :, VISIBLE_BINS:].reshape(int(known.sum()), -1))
        label.append(main_labels(bank.crop_a, bank.crop_b)[known])
        weight.append(1.0 / counts[number])
    forest = fit_forest(np.concatenate(x), np.concatenate(label), np.concatenate(weight))
    size = max(block.height, block.width)
    axis = model.card.axis.of(season.end.year, None if weather is None else weather_temperatures(weather))
    seen = binned_window(cube, axis, block.row, block.col, size)[:, VISIBLE_BINS:]
    found = forest.predict(seen.transpose(2, 3, 0, 1).reshape(size * size, -1)).reshape(size, size)
    picture: npt.NDArray[np.int64] = found[: block.height, : block.width]
    return picture


def _without_parcels(block: Block) -> Block:
    """The same window, told to paint every pixel."""
    nothing = np.zeros(0, dtype=np.int32)
    return replace(block, coverage=Coverage((), nothing, nothing, nothing, nothing))
