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
    Weather,
)
from acreline.model.calibrate import calibrated_probability
from acreline.model.card import Model
from acreline.model.classes import CROP_CLASSES, CROP_SLOTS, main_crop_logp
from acreline.model.labels import number_fields, read_label_map
from acreline.model.scores import score_labels
from acreline.model.segment import segment_cube
from acreline.rasters import read_raster


@dataclass(frozen=True)
class TrueCrops:
    """What grew where, on a block's window."""

    label: npt.NDArray[np.int16]
    """(y, x): index into `CROP_CLASSES`, -1 = no label."""
    field: npt.NDArray[np.int32]
    """(y, x): number of the field, 0 = no label."""


def codes_on(path: Path, block: Block) -> npt.NDArray[np.int64]:
    """A raster of label codes on a block's window, 0 where it has none.

    Raises:
        InputError: it is missing, or on another CRS or grid.
    """
    codes, transform, crs, _ = read_raster(path)
    col, row = (transform[2] - block.origin_x) / PIXEL_M, (block.origin_y - transform[5]) / PIXEL_M
    if crs != block.crs or transform[0] != PIXEL_M or transform[4] != -PIXEL_M or row % 1 or col % 1:
        raise InputError(
            f"{path.name}: expected 10 m pixels on the grid of tile {block.tile} ({block.crs}), "
            f"found {crs} {transform}",
            hint="put the labels on the tile's own pixels",
        )
    out = np.zeros((block.height, block.width), np.int64)
    top, left = int(row) - block.row, int(col) - block.col
    height, width = codes.shape[1:]
    rows = slice(max(top, 0), min(top + height, block.height))
    cols = slice(max(left, 0), min(left + width, block.width))
    if rows.start < rows.stop and cols.start < cols.stop:
        out[rows, cols] = codes[0, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
    return out


def read_true_crops(path: Path, block: Block, label_map: str = "worldcereal-legacy") -> TrueCrops:
    """Read a raster of label codes onto a block's window.

    Raises:
        InputError: it is missing, on another CRS or grid, or holds a code that `configs/labels/` does not list.
    """
    window = codes_on(path, block)
    return TrueCrops(read_label_map(label_map).indices(window), number_fields(window))


def evaluate_model(
    model: Model,
    cube: Cube,
    block: Block,
    labels: Path,
    *,
    season: SeasonSettings | None = None,
    weather: Weather | None = None,
) -> tuple[dict[str, Any], TrueCrops]:
    """Paint a block and compare with the true crops: by pixel, by field, with the majority and 95 % intervals.

    Args:
        model: network and card.
        cube: pixels of `block.read_window`.
        block: the window; pass one without parcels, so that every pixel is painted.
        labels: raster of label codes on the tile's grid.
        season: the region's season.
        weather: of the region, for a model on a thermal axis.

    Returns:
        scores of `scores.score_labels` under pixels, maize_and_grassland (pixels), fields, fields_judged (those of at
        least 8 pixels), and how often the set of crops held a field's crop; and the true crops, for a baseline.

    Raises:
        InputError: the labels cannot be used.
    """
    truth = read_true_crops(labels, block)
    return score_maps(segment_cube(cube, model, block, weather, season=season), truth, model), truth


def score_pixels(found: npt.NDArray[np.integer], truth: TrueCrops) -> dict[str, Any]:
    """Scores of a picture (y, x) of crop indices: all labelled pixels, and those of the two crops most of them bear."""
    known = truth.label >= 0
    main = known & _is_main(truth)
    return {
        name: score_labels(truth.label[mask], found[mask], truth.field[mask], CROP_CLASSES)
        for name, mask in (("forest", known), ("forest_maize_and_grassland", main))
    }


def main_crop_picture(maps: Maps, model: Model) -> npt.NDArray[np.float64]:
    """Log-probability of each crop as the year's main crop, (class, y, x), by the card's temperatures."""
    logp = []
    for slot in ("A", "B"):
        values = np.moveaxis(maps[f"crop_{slot.lower()}_logp"].values.astype(np.float64) / LOGP_SCALE, 0, -1)
        values /= model.card.heads[slot].temperature
        values -= values.max(axis=-1, keepdims=True)
        values -= np.log(np.exp(values).sum(axis=-1, keepdims=True))
        logp.append(values)
    return np.moveaxis(main_crop_logp(logp[0], logp[1]), -1, 0)


def field_sets(maps: Maps, picked: list[npt.NDArray[np.bool_]], model: Model) -> npt.NDArray[np.bool_]:
    """The crops that may be a field's main crop, by the river's rule, (field, class of `CROP_CLASSES`).

    In each slot: mean log-probabilities of the field's pixels, the head's temperature, the card's threshold for the
    group of the likeliest class and the clear looks (here of the median pixel). A crop is in the set where the set of a
    slot that it may fill holds it.

    Args:
        maps: painted.
        picked: of each field its pixels, (y, x).
        model: network and card.
    """
    looks = np.array([np.median(maps["clear_looks"].values[mask]) for mask in picked]).astype(np.int64)
    inside = np.zeros((len(picked), len(CROP_CLASSES)), np.bool_)
    for slot, head in model.card.heads.items():
        values = maps[f"crop_{slot.lower()}_logp"].values / LOGP_SCALE
        mean = np.stack([values[:, mask].mean(axis=1) for mask in picked])
        probability = calibrated_probability(mean, head.calibration.temperatures(looks))
        sets = head.calibration.may_be(probability, looks)
        for k, (name, slots) in enumerate(CROP_SLOTS.items()):
            if slot in "".join(slots):
                inside[:, k] |= sets[:, head.classes.index(name)]
    return inside


def score_maps(maps: Maps, truth: TrueCrops, model: Model) -> dict[str, Any]:
    """Scores of maps against the true crops; see `evaluate_model`."""
    logp = main_crop_picture(maps, model)
    best = logp.argmax(axis=0)
    known = (truth.label >= 0) & maps["valid"].values
    main = known & _is_main(truth)
    numbers, counts = np.unique(truth.field[known], return_counts=True)
    fields = np.stack([logp[:, known & (truth.field == number)].mean(axis=1) for number in numbers])
    label = np.array([truth.label[known & (truth.field == number)][0] for number in numbers], np.int64)
    found = fields.argmax(axis=1)
    big = counts >= MIN_FULL_PX
    sets = field_sets(maps, [known & (truth.field == number) for number in numbers], model)
    of_slot = np.array([[_share_a_slot(one, other) for other in CROP_CLASSES] for one in CROP_CLASSES])
    inside, sizes = sets[np.arange(len(label)), label], (sets & of_slot[label]).sum(axis=1)
    single = sizes == 1
    alpha = max(head.alpha for head in model.card.heads.values())
    return {
        "pixels": score_labels(truth.label[known], best[known], truth.field[known], CROP_CLASSES),
        "maize_and_grassland": score_labels(truth.label[main], best[main], truth.field[main], CROP_CLASSES),
        "fields": score_labels(label, found, numbers, CROP_CLASSES),
        "fields_judged": score_labels(label[big], found[big], numbers[big], CROP_CLASSES),
        "sets": {
            "promised": 1 - alpha,
            "held": round(float(inside[big].mean()), 3),
            "mean_size": round(float(sizes[big].mean()), 2),
            "one_crop": int((single & big).sum()),
            "one_crop_right": int((single & big & (found == label)).sum()),
            "fields": int(big.sum()),
        },
    }


def _share_a_slot(one: str, other: str) -> bool:
    """Whether two crops may fill the same slot, so that one can be taken for the other in it."""
    return bool(set("".join(CROP_SLOTS[one])) & set("".join(CROP_SLOTS[other])))


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
