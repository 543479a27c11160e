# SPDX-License-Identifier: Apache-2.0
"""The network on trial: trained from the packaged labels, reported on the demo square, which no training reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from acreline.config import find_config, packaged_configs, read_provider, read_region, read_settings
from acreline.errors import InputError
from acreline.geo import place_parcels, split_blocks
from acreline.imagery import load_cube
from acreline.layers import Block, Coverage
from acreline.model import evaluate_model, load_model, report_lines, train_model
from acreline.model.card import ModelSettings
from acreline.parcels import read_parcels
from acreline.search import search_scenes

REGION = "flanders-2018"


def train_packaged(name: str, out: Path, *, seed: int | None, progress: Callable[[int, int, str], None]) -> Path:
    """Train a model by its recipe on the labels that come with acreline.

    Args:
        name: model whose recipe is used.
        out: folder for weights, card and the YAML file that names them.
        seed: instead of the recipe's own.
        progress: called with (step, steps, words).

    Returns:
        the YAML file, which a region file may name under `model:`.
    """
    settings = read_settings(ModelSettings, find_config("models", name))

    def tell(step: int, steps: int, loss: float) -> None:
        progress(step, steps, f"loss {loss:.3f}")

    data = packaged_configs().parent / "data" / "training"
    return train_model(settings.recipe, data, out, seed, tell, name=settings.name)


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
        training = packaged_configs().parent / "data" / "training"
        report = evaluate_model(model, cube, whole, labels, season=region.season, training=training)
        yield from report_lines(report)


def _without_parcels(block: Block) -> Block:
    """The same window, told to paint every pixel."""
    nothing = np.zeros(0, dtype=np.int32)
    return replace(block, coverage=Coverage((), nothing, nothing, nothing, nothing))
