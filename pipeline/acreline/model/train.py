# SPDX-License-Identifier: Apache-2.0
"""From a recipe to a checkpoint with its card: cross-validate, calibrate, train on everything, write it down."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from acreline.errors import ConfigError
from acreline.layers import BANDS_20M, HEALTH_CLASSES
from acreline.model.batches import Bank
from acreline.model.calibrate import calibrated_probability, conformal_threshold, fit_temperature, measured_coverage
from acreline.model.card import Card, ConformalSet, Source, save_model
from acreline.model.fitting import Progress, Recipe, add_normal_bias, fit, read_banks
from acreline.model.folds import cross_validate, score_drawings
from acreline.model.labels import CROP_CLASSES, CROP_SLOTS

ALPHA = 0.10
SOURCES = {
    "flanders-2019": (
        "WorldCereal/worldcereal-classification, patch 000028085BF08E7E; declarations: LPIS Flanders 2019",
        "MIT; contains modified Copernicus Sentinel data 2018-2019",
    ),
    "france-2023": (
        "WorldCereal/worldcereal-classification, 2023_FRA_LPIS_POLY_110 (dekads); declarations: LPIS France 2023",
        "MIT; contains modified Copernicus Sentinel data 2022-2024",
    ),
}
REMARKS = (
    "Crops are scored against farmers' declarations, one main crop a year; two crops in one year are not taught.",
    "The health head learned damage drawn into real series and rules, no field visit: not validated.",
    "Trained on western Europe. Nothing here is evidence for Chinese crops, parcels or years.",
    "False alarms were held down on the very drawings they are counted on; lodging, hail and frost are hardly found.",
    "Potato, vegetables, pulses, soybean and perennials are known from few fields: not to be relied on.",
    "Against the random forest, cross-validation shows no clear gain (differences under 5 points mean nothing here).",
    "Points carry B08 in the place of B8A, which their source lacks.",
)


def train_model(
    recipe: Recipe | Mapping[str, Any],
    data_folder: Path,
    out_folder: Path,
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    name: str = "acrenet-xs",
    version: str = "0.1.0",
    created: date | None = None,
) -> Path:
    """Train a checkpoint, calibrate it on fields it did not see, and write weights, card and the YAML that names them.

    The folds that calibrate are also the cross-validation the card reports: nothing of the demo region is read.

    Args:
        recipe: how to train; a mapping is checked as settings.
        data_folder: what `data/build_training.py` wrote.
        out_folder: receives `<name>.safetensors`, `<name>.json`, `<name>.yaml`.
        seed: wins over the recipe's.
        progress: called with (step, steps, loss) within each of the trainings: folds, health check, final.
        name: of the model.
        version: of the model.
        created: date on the card; default today (UTC).

    Returns:
        the YAML file; its path can stand in a region's `model:`.

    Raises:
        ConfigError: the recipe has a key or number that is wrong, or scikit-learn is not installed.
        InputError: training data are missing or damaged, or name the demo region's square.
    """
    recipe = check_recipe(recipe)
    if seed is not None:
        recipe = recipe.model_copy(update={"seed": seed})
    started = time.perf_counter()
    banks = read_banks(recipe, data_folder)
    folds = cross_validate(recipe, banks, progress)
    temperature = fit_temperature(folds.logits, folds.label)
    true_probability = calibrated_probability(folds.logits, temperature)[np.arange(len(folds.label)), folds.label]
    threshold = conformal_threshold(true_probability, ALPHA)
    drawings, bias = score_drawings(recipe, banks, progress)
    final = time.perf_counter()
    net = fit(recipe, banks, seed=recipe.seed, progress=progress)
    add_normal_bias(net, bias)
    now = time.perf_counter()
    metrics = folds.metrics | {
        "conformal_sets": measured_coverage(folds.logits, folds.label, folds.group, ALPHA),
        "health_head_on_drawings": drawings,
        "training": {
            "seed": recipe.seed,
            "minutes_final_training": round((now - final) / 60, 1),
            "minutes_with_folds": round((now - started) / 60, 1),
            "threads": 1,
            "torch": torch.__version__,
            "get_it_again": f"acreline train --seed {recipe.seed}",
        },
    }
    card = Card(
        name=name,
        version=version,
        created=created or datetime.now(UTC).date(),
        bands=BANDS_20M,
        axis=recipe.axis,
        architecture=recipe.architecture,
        crop_classes=CROP_CLASSES,
        crop_slots=CROP_SLOTS,
        health_classes=tuple(HEALTH_CLASSES),
        temperature=round(temperature, 4),
        conformal=ConformalSet(threshold=np.floor(threshold * 1e4) / 1e4, alpha=ALPHA),
        data=tuple(_source(bank) for bank in banks),
        recipe=recipe.model_dump(mode="json"),
        metrics=metrics,
        remarks=REMARKS,
        weights_sha256="0" * 64,
    )
    return save_model(net, card, out_folder)


def check_recipe(recipe: Recipe | Mapping[str, Any]) -> Recipe:
    """A recipe from plain keys and values.

    Raises:
        ConfigError: a key is unknown or a number is out of range; the message names it.
    """
    if isinstance(recipe, Recipe):
        return recipe
    try:
        return Recipe.model_validate(dict(recipe))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"recipe: {where}: {first['msg']}; found {first['input']!r}",
            hint=f"known keys: {', '.join(Recipe.model_fields)}",
        ) from error


def _source(bank: Bank) -> Source:
    origin, licence = SOURCES.get(bank.name, ("given by the user", "as stated by its owner"))
    known = bank.label >= 0
    return Source(
        name=bank.name,
        origin=origin,
        licence=licence,
        fields=len(np.unique(bank.field[known])),
        pixels=int(known.sum()),
    )
