# SPDX-License-Identifier: Apache-2.0
"""Presto on labelled series: monthly means in, a logistic regression on its embeddings out; and a proof of the order.

Presto is given Sentinel-2 alone (and the NDVI of it): radar, weather and terrain are hidden from it, as it was taught
to bear. It was pretrained on reflectance at the top of the atmosphere; series of surface reflectance go in as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acreline.errors import InputError
from acreline.model.series import LabelledSeries, seen_clearly
from acreline.trial.forest import Baseline, Inputs, Known, Progress, fitted_says
from acreline.trial.rivals.presto import GROUPS, MONTHS, Presto, load_presto, unit_vector
from acreline.trial.rivals.shape import no_sklearn
from acreline.trial.tasks import Task

BANDS: Mapping[str, tuple[str, ...]] = {
    "S2_RGB": ("B02", "B03", "B04"),
    "S2_Red_Edge": ("B05", "B06", "B07"),
    "S2_NIR_10m": ("B08",),
    "S2_NIR_20m": ("B8A",),
    "S2_SWIR": ("B11", "B12"),
}
"""Presto's groups of Sentinel-2 with the bands in the order it was taught; blue before red."""
PLACE_LON_LAT = (5.0, 48.0)
"""Amid the sources of labels. Series do not say where each sample lies, and one place for all tells no one apart."""
FIRST_MONTH = 10
"""November before the harvest year, from 0 = January: the twelve months end with October."""
PART = 256
STRENGTH = 1.0
"""Inverse of the penalty of the logistic regression (its usual value)."""


def presto_says(series: LabelledSeries, task: Task, weights: Path, progress: Progress | None = None) -> Baseline:
    """Name the group of every sample from Presto's embedding; packaged labels teach, by folds where they are asked.

    Args:
        series: what was seen; only scored samples are of use.
        task: names the groups and which packaged labels teach.
        weights: file of Presto's weights; see `presto.load_presto`.
        progress: called with (fit, fits, words).

    Raises:
        ConfigError: scikit-learn is not installed.
        InputError: the weights cannot be read, or no group of Presto's is among the bands.
    """
    net = load_presto(weights)
    return fitted_says(
        series, task, lambda some: embeddings(net, some), fit_regression, progress, words="Presto and regression"
    )


def fit_regression(known: Known, chosen: npt.NDArray[np.bool_]) -> Any:
    """A logistic regression on standardised embeddings, classes weighted evenly."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise no_sklearn("Presto") from error
    pipe = make_pipeline(
        StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000, random_state=0)
    )
    return pipe.fit(known.x[chosen], known.label[chosen], logisticregression__sample_weight=known.weight[chosen])


def embeddings(net: Presto, series: LabelledSeries) -> Inputs:
    """(n, 128): mean of the tokens of what was seen in the twelve months."""
    inputs, seen = monthly(series)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(series.ids), PART):
            some = slice(start, start + PART)
            values, masks = ({name: one[some] for name, one in each.items()} for each in (inputs, seen))
            parts.append(net.embed(values, masks, _place(len(values["S1"])), FIRST_MONTH))
    out: Inputs = torch.cat(parts).numpy()
    return out


def monthly(series: LabelledSeries) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Means of each month's clear looks, November to October, in Presto's scale.

    Returns:
        group -> (n, 12, inputs), 0 where nothing was seen; group -> (n, 12), whether all its bands were seen.

    Raises:
        InputError: the series has no group of bands that Presto knows.
    """
    n = len(series.ids)
    values = np.where(seen_clearly(series)[..., None], series.values, np.nan)
    month = series.times.astype("datetime64[M]").astype(np.int64)
    first = int(np.datetime64(f"{series.harvest_year - 1}-{FIRST_MONTH + 1:02d}", "M").astype(np.int64))
    means = np.full((n, MONTHS, len(series.bands)), np.nan, np.float32)
    for k in range(MONTHS):
        part = values[:, month == first + k]
        count = np.isfinite(part).sum(axis=1)
        means[:, k] = np.where(count > 0, np.nansum(part, axis=1) / np.maximum(count, 1), np.nan)
    inputs = {name: torch.zeros(n, MONTHS, size) for name, size in GROUPS.items()}
    seen = {name: torch.zeros(n, MONTHS, dtype=torch.bool) for name in GROUPS}
    known = {name: bands for name, bands in BANDS.items() if set(bands) <= set(series.bands)}
    if not known:
        raise InputError(
            f"{series.name}: holds no whole group of Presto's bands", hint="B02 B03 B04, B05 B06 B07, B08, B8A, B11 B12"
        )
    for name, bands in known.items():
        group = means[:, :, [series.bands.index(band) for band in bands]]
        seen[name] = torch.from_numpy(np.logical_and.reduce(np.isfinite(group), axis=2))
        inputs[name] = torch.from_numpy(np.nan_to_num(group, nan=0.0))
    if {"S2_RGB", "S2_NIR_10m"} <= set(known):
        red, near = inputs["S2_RGB"][:, :, 2:], inputs["S2_NIR_10m"]
        seen["NDVI"] = seen["S2_RGB"] & seen["S2_NIR_10m"]
        inputs["NDVI"] = torch.where(red + near > 0, (near - red) / (red + near).clamp(min=1e-6), 0.0)
    return inputs, seen


def rebuilt(
    net: Presto, series: LabelledSeries, change: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None
) -> dict[str, float]:
    """Hide one group of bands after the other and let the decoder rebuild it from the rest: proof of the band order.

    Args:
        net: with its decoder.
        series: what was seen.
        change: made to the inputs before they go in, such as another order of bands; None: none.

    Returns:
        group -> Pearson's r of its values and the rebuilt ones, over everything that was seen of all its bands; NDVI,
        which would give them away, is hidden with red and near infrared.
    """
    inputs, seen = monthly(series)
    inputs = inputs if change is None else change(inputs)
    out = {}
    for name in BANDS:
        if not seen[name].any():
            continue
        hidden = {name, "NDVI"} if name in ("S2_RGB", "S2_NIR_10m") else {name}
        shown = {group: torch.zeros_like(one) if group in hidden else one for group, one in seen.items()}
        with torch.inference_mode():
            told = net.rebuild(inputs, shown, _place(len(series.ids)), FIRST_MONTH)[name]
        rows = [
            np.corrcoef(told[..., band][seen[name]].numpy(), inputs[name][..., band][seen[name]].numpy())[0, 1]
            for band in range(told.shape[-1])
        ]
        out[name] = float(np.mean(rows))
    return out


def shuffled(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same series with its bands in another order: blue is given red edge, and so on, round by three."""
    names = [name for name in BANDS if inputs[name].any()]
    row = torch.cat([inputs[name] for name in names], dim=2)
    parts = torch.split(row.roll(3, dims=2), [inputs[name].shape[2] for name in names], dim=2)
    return inputs | dict(zip(names, parts, strict=True))


def _place(n: int) -> Tensor:
    return unit_vector(*PLACE_LON_LAT).expand(n, -1)
