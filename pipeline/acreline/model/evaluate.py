# SPDX-License-Identifier: Apache-2.0
"""The network on land it has never seen, beside the baselines it must beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import SeasonSettings
from acreline.errors import InputError
from acreline.layers import (
    LOGP_SCALE,
    MIN_FULL_PX,
    PIXEL_M,
    Block,
    Cube,
    Maps,
)
from acreline.model.calibrate import calibrated_probability
from acreline.model.card import Model
from acreline.model.fitting import Recipe, read_banks
from acreline.model.folds import forest_on
from acreline.model.labels import CROP_CLASSES, number_fields, read_label_map
from acreline.model.scores import score_labels
from acreline.model.segment import binned_window, harvest_year, segment_cube
from acreline.rasters import read_raster


@dataclass(frozen=True)
class TrueCrops:
    """What grew where, on a block's window."""

    label: npt.NDArray[np.int16]
    """(y, x): index into `CROP_CLASSES`, -1 = no label."""
    field: npt.NDArray[np.int32]
    """(y, x): number of the field, 0 = no label."""


def read_true_crops(path: Path, block: Block, label_map: str = "worldcereal-legacy") -> TrueCrops:
    """Read a raster of label codes onto a block's window.

    Raises:
        InputError: it is missing, on another CRS or grid, or holds a code that `configs/labels/` does not list.
    """
    codes, transform, crs, _ = read_raster(path)
    col, row = (transform[2] - block.origin_x) / PIXEL_M, (block.origin_y - transform[5]) / PIXEL_M
    if crs != block.crs or transform[0] != PIXEL_M or transform[4] != -PIXEL_M or row % 1 or col % 1:
        raise InputError(
            f"{path.name}: expected 10 m pixels on the grid of tile {block.tile} ({block.crs}), "
            f"found {crs} {transform}",
            hint="put the labels on the tile's own pixels",
        )
    window = np.zeros((block.height, block.width), np.int64)
    top, left = int(row) - block.row, int(col) - block.col
    height, width = codes.shape[1:]
    rows = slice(max(top, 0), min(top + height, block.height))
    cols = slice(max(left, 0), min(left + width, block.width))
    if rows.start < rows.stop and cols.start < cols.stop:
        window[rows, cols] = codes[0, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
    return TrueCrops(read_label_map(label_map).indices(window), number_fields(window))


def evaluate_model(
    model: Model,
    cube: Cube,
    block: Block,
    labels: Path,
    *,
    season: SeasonSettings | None = None,
    training: Path | None = None,
) -> dict[str, Any]:
    """Paint a block and compare with the true crops: by pixel, by field, with baselines and 95 % intervals.

    Args:
        model: network and card.
        cube: pixels of `block.read_window`.
        block: the window; pass one without parcels, so that every pixel is painted.
        labels: raster of label codes on the tile's grid.
        season: the region's season.
        training: `data/training`, to fit the random forest on the same inputs; without it that baseline is left out.

    Returns:
        scores of `scores.score_labels` under pixels, maize_and_grassland (pixels), fields, fields_judged (those of at
        least 8 pixels) and, with `training`, forest and forest_maize_and_grassland (pixels); and how often the
        conformal set held a field's crop.

    Raises:
        InputError: the labels or training data cannot be used.
        ConfigError: scikit-learn is needed and not installed.
    """
    truth = read_true_crops(labels, block)
    maps = segment_cube(cube, model, block, season=season)
    report = score_maps(maps, truth, model)
    if training is not None:
        recipe = Recipe.model_validate(model.card.recipe)
        axis = model.card.axis.of(season.end.year if season is not None else harvest_year(cube, model))
        forest = forest_on(read_banks(recipe, training))
        x = binned_window(cube, model.card.bands, axis, block.row, block.col, max(block.height, block.width))
        found = forest.predict(x.reshape(-1, x.shape[2] * x.shape[3]).T).reshape(x.shape[2:])
        factor = max(block.height, block.width) // found.shape[0]
        found = found.repeat(factor, axis=0).repeat(factor, axis=1)[: block.height, : block.width]
        known = truth.label >= 0
        main = known & _is_main(truth)
        report["forest"] = score_labels(truth.label[known], found[known], truth.field[known], CROP_CLASSES)
        forest_main = score_labels(truth.label[main], found[main], truth.field[main], CROP_CLASSES)
        report["forest_maize_and_grassland"] = forest_main
    return report


def score_maps(maps: Maps, truth: TrueCrops, model: Model) -> dict[str, Any]:
    """Scores of maps against the true crops; see `evaluate_model`."""
    logp = maps["crop_logp"].values.astype(np.float64) / LOGP_SCALE
    order = [CROP_CLASSES.index(name) for name in maps["crop_class"].values.tolist()]
    best = np.array(order)[logp.argmax(axis=0)]
    known = (truth.label >= 0) & maps["valid"].values
    main = known & _is_main(truth)
    numbers, counts = np.unique(truth.field[known], return_counts=True)
    fields = np.stack([logp[:, known & (truth.field == number)].mean(axis=1) for number in numbers])
    label = np.array([truth.label[known & (truth.field == number)][0] for number in numbers], np.int64)
    found = np.array(order)[fields.argmax(axis=1)]
    big = counts >= MIN_FULL_PX
    probability = calibrated_probability(fields.astype(np.float32), model.card.temperature)
    column = np.array([order.index(index) for index in label])
    inside = probability[np.arange(len(label)), column] >= model.card.conformal.threshold
    sizes = (probability >= model.card.conformal.threshold).sum(axis=1)
    single = sizes == 1
    return {
        "pixels": score_labels(truth.label[known], best[known], truth.field[known], CROP_CLASSES),
        "maize_and_grassland": score_labels(truth.label[main], best[main], truth.field[main], CROP_CLASSES),
        "fields": score_labels(label, found, numbers, CROP_CLASSES),
        "fields_judged": score_labels(label[big], found[big], numbers[big], CROP_CLASSES),
        "sets": {
            "promised": 1 - model.card.conformal.alpha,
            "held": round(float(inside[big].mean()), 3),
            "mean_size": round(float(sizes[big].mean()), 2),
            "one_crop": int((single & big).sum()),
            "one_crop_right": int((single & big & (found == label)).sum()),
            "fields": int(big.sum()),
        },
    }


def _is_main(truth: TrueCrops) -> npt.NDArray[np.bool_]:
    """Pixels of the two crops that most of the demo square bears."""
    return np.isin(truth.label, [CROP_CLASSES.index("maize"), CROP_CLASSES.index("grassland")])


def report_lines(report: dict[str, Any]) -> Iterator[str]:
    """The report in words, one line each, for a terminal."""
    for name, title in (
        ("pixels", "pixels"),
        ("maize_and_grassland", "pixels of maize and grassland"),
        ("forest", "pixels, random forest on the same inputs"),
        ("forest_maize_and_grassland", "pixels of maize and grassland, random forest on the same inputs"),
        ("fields", "fields"),
        ("fields_judged", f"fields of {MIN_FULL_PX} pixels and more"),
    ):
        score = report.get(name)
        if score and score["n"]:
            low, high = score["interval_95"]
            yield (
                f"{title}: accuracy {score['accuracy']:.3f} (95 % {low:.2f} to {high:.2f}), majority "
                f"{score['majority']:.3f}, macro-F1 {score['macro_f1']:.3f}, n {score['n']:,}"
            )
            yield "  F1 " + ", ".join(f"{crop} {value:.2f}" for crop, value in score["f1"].items())
    sets = report["sets"]
    yield (
        f"crop sets: promised {sets['promised']:.0%}, held {sets['held']:.0%} of {sets['fields']} fields, mean size "
        f"{sets['mean_size']}; one crop alone in {sets['one_crop']}, right in {sets['one_crop_right']}"
    )
