# SPDX-License-Identifier: Apache-2.0
"""Gradient boosting on labelled series of anyone, beside the forest: months and indices, clouds taken out by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.series import LabelledSeries, seen_clearly
from acreline.trial.forest import (
    PIXEL_BANDS,
    PIXEL_INDICES,
    POINT_BANDS,
    POINT_INDICES,
    Baseline,
    Inputs,
    Known,
    Progress,
    View,
    binned_inputs,
    fitted_says,
)
from acreline.trial.rivals.shape import no_sklearn
from acreline.trial.tasks import Task

ROUNDS = 60


def boosting_says(series: LabelledSeries, task: Task, progress: Progress | None = None) -> Baseline:
    """Fit the task's booster and let it name the group of every sample; packaged labels by folds, as the forest.

    Args:
        series: what was seen; only scored samples are of use.
        task: names the groups, and which packaged labels the booster learns from.
        progress: called with (fit, fits, words).

    Raises:
        ConfigError: scikit-learn is not installed.
        InputError: packaged labels are missing, or the series lacks bands.
    """
    return fitted_says(series, task, boosting_inputs(task.forest), fit_boosting, progress, words="gradient boosting")


def boosting_inputs(kind: str) -> View:
    """The booster's view of a series by `Task.forest`: means of 30 days of clear looks, and indices of them."""
    bands, indices = (PIXEL_BANDS, PIXEL_INDICES) if kind == "pixels" else (POINT_BANDS, POINT_INDICES)

    def view(series: LabelledSeries) -> Inputs:
        clear = np.where(seen_clearly(series)[..., None], series.values, np.float32("nan"))
        return binned_inputs(replace(series, values=clear), bands, indices)

    return view


def fit_boosting(known: Known, chosen: npt.NDArray[np.bool_]) -> Any:
    """The booster of the samples that are chosen; shallow trees, since there are few of them."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise no_sklearn("gradient boosting") from error
    booster = HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=ROUNDS, max_leaf_nodes=6, min_samples_leaf=5, l2_regularization=1.0,
        max_features=0.2, class_weight="balanced", early_stopping=False, random_state=0,
    )  # fmt: skip
    return booster.fit(known.x[chosen], known.label[chosen], sample_weight=known.weight[chosen])
