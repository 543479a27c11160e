# SPDX-License-Identifier: Apache-2.0
"""Labelled series as land to learn from, under one mask rule for each level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acreline.errors import InputError
from acreline.layers import DN_OFFSET, TimeAxis
from acreline.model.banks import Bank, times_to_days
from acreline.model.card import SeasonAxis
from acreline.model.classes import CROP_CLASSES, slot_targets
from acreline.model.inputs import gather_bands
from acreline.model.series import LabelledSeries, axis_parts, seen_clearly


def series_banks(series: LabelledSeries, axis: SeasonAxis) -> list[Bank]:
    """A series as banks of one time axis each: one by the calendar, one for each zone by warmth.

    They all bear the series' name, and a field's number is its place in the series from 1, whichever bank it is in.

    Raises:
        ConfigError: the axis is thermal, and the series has no temperatures.
        InputError: a band is missing that nothing can stand in for, or no day of the season has a temperature.
    """
    return [
        replace(series_bank(series.keep(mine), one), field=mine.astype(np.int64) + 1)
        for mine, one in axis_parts(series, axis)
    ]


def series_bank(series: LabelledSeries, axis: TimeAxis) -> Bank:
    """Every sample of a series as a field of its own.

    Args:
        series: labelled fields or pixels; `slug` names the crop class, `none` = known and not taught.
        axis: the season's bins.

    Raises:
        InputError: a band is missing that nothing can stand in for.
    """
    values = np.where(
        np.isfinite(series.values), np.clip(np.rint(series.values * 10000) + DN_OFFSET, 1, 65535), 0
    ).astype(np.uint16)
    gathered = gather_bands(values.transpose(1, 2, 0), series.bands)
    if gathered is None:
        raise InputError(
            f"{series.name}: its bands {', '.join(series.bands)} are not enough to learn from",
            hint="B05 B06 B07 B11 B12 and one of B08, B8A are needed",
        )
    fine, visible = gathered
    label = np.array([CROP_CLASSES.index(slug) if slug in CROP_CLASSES else -1 for slug in series.slug], np.int64)
    crop_a, crop_b = slot_targets(label)
    return Bank(
        name=series.name,
        axis=axis,
        days=times_to_days(series.times, axis),
        fine=fine,
        visible=visible,
        clear=seen_clearly(series).T & np.logical_and.reduce(fine[:, 3:] != 0, axis=1),
        crop_a=crop_a,
        crop_b=crop_b,
        field=np.arange(1, len(label) + 1),
        group=series.cell,
    )
