# SPDX-License-Identifier: Apache-2.0
"""The network on trial: trained from the packaged labels, reported on the demo square, which no training reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acreline.config import SeasonSettings, find_config, packaged_configs, read_provider, read_region, read_settings
from acreline.errors import InputError
from acreline.geo import place_parcels, split_blocks
from acreline.imagery import load_cube
from acreline.layers import Block, Coverage, Cube
from acreline.model import evaluate_model, load_model, report_lines
from acreline.model.card import Model, ModelSettings
from acreline.model.evaluate import score_pixels
from acreline.model.scores import fit_forest
from acreline.model.windows import binned_window
from acreline.parcels import read_parcels
from acreline.search import search_scenes

REGION = "flanders-2018"
VISIBLE_BINS = 3
"""The visible bands come first; the training square lacks them, so the forest does without."""


def train_packaged(
    name: str, out: Path, *, seed: int | None, workers: int = 2, progress: Callable[[int, int, str], None]
) -> Path:
    """Train a model by its recipe on the labels that come with acreline, and on counties drawn for it.

    Args:
        name: model whose recipe is used.
        out: folder for weights, card and the YAML file that names them.
        seed: instead of the recipe's own.
        workers: processes.
        progress: called with (done, in all, words).

    Returns:
        the YAML file, which a region file may name under `model:`.
    """
    from acreline.trial.training import train_model

    settings = read_settings(ModelSettings, find_config("models", name))
    return train_model(settings.recipe, out, name=settings.name, seed=seed, workers=workers, progress=progress)


def evaluate_on_demo(name: str) -> Iterator[str]:
    """Report a model on the demo square, a line each: pixels and fields, with majority and forest baselines.

    Raises:
        ConfigError: no such model.
        InputError: the demo region's scenes or labels are not there.
    """
    region = read_region(packaged_configs() / "regions" / f"{REGION}.yaml")
    labels = region.parcels.path.parent / "labels" / "labels.tif"
    if not labels.is_file():
        raise InputError(f"{labels.name}: no such file", hint="the labels come with the source tree of acreline")
    model = load_model(name)
    parcels = read_parcels(region.parcels)
    provider = read_provider(region)
    scenes = search_scenes(parcels, region.season, provider, as_of=region.as_of or region.season.end)
    blocks = split_blocks(place_parcels(parcels, scenes), scenes)
    yield f"{model.card.name} {model.card.version} on {REGION}, {len(scenes.items)} scenes; no training reads it"
    for block in blocks:
        whole = _without_parcels(block)
        cube = load_cube(scenes, whole, provider.read)
        report, truth = evaluate_model(model, cube, whole, labels, season=region.season)
        yield from report_lines(report | score_pixels(forest_picture(model, cube, whole, region.season), truth))


def forest_picture(model: Model, cube: Cube, block: Block, season: SeasonSettings) -> npt.NDArray[np.int64]:
    """What a random forest says of every pixel (y, x), taught by the packaged labels on the network's own bins.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    from acreline.trial.training import Teaching, alone_inputs, main_labels, read_banks

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
    seen = binned_window(cube, model.card.axis.of(season.end.year), block.row, block.col, size)[:, VISIBLE_BINS:]
    found = forest.predict(seen.transpose(2, 3, 0, 1).reshape(size * size, -1)).reshape(size, size)
    picture: npt.NDArray[np.int64] = found[: block.height, : block.width]
    return picture


def _without_parcels(block: Block) -> Block:
    """The same window, told to paint every pixel."""
    nothing = np.zeros(0, dtype=np.int32)
    return replace(block, coverage=Coverage((), nothing, nothing, nothing, nothing))
