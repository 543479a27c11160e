# SPDX-License-Identifier: Apache-2.0
"""How often sets of crops hold the true one on fields of places that no threshold was taken from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.calibrate import (
    LAND,
    LEAST_FIELDS,
    Floats,
    Ints,
    Ranges,
    SlotFields,
    calibrated_probability,
    fit_head,
)
from acreline.model.heads import SlotHead
from acreline.promises import step_at


def measured_coverage(
    slot: str,
    sources: Mapping[str, SlotFields],
    alpha: float,
    *,
    splits: int = 20,
    least: Mapping[str, int] = LEAST_FIELDS,
    ranges: Ranges = LAND,
) -> dict[str, dict[str, Any]]:
    """What such sets hold on fields of other places.

    Temperature and thresholds come from half of each source's places and are measured on the other half, over seeded
    halvings; half as many fields are asked of a cell, since half as many are there.

    Returns:
        source -> promised and measured coverage, mean set size, share of sets with one crop and their accuracy, number
        of fields; the same by range of looks; and the coverage of each cell (`group, from looks`) that is large enough
        for a threshold of its own. A number is None where nothing was measured.
    """
    told: dict[str, list[_Measured]] = {name: [] for name in sources}
    halved = {name: (least.get(name, 100) + 1) // 2 for name in sources}
    for split in range(splits):
        rng = np.random.default_rng(split)
        fit = {name: _half(fields.place, rng) for name, fields in sources.items()}
        some = {name: fields.keep(fit[name]) for name, fields in sources.items()}
        if not any(len(fields) for fields in some.values()):
            continue
        head = fit_head(slot, some, alpha, halved, ranges)
        for name, fields in sources.items():
            rest = fields.keep(~fit[name])
            if len(rest) and len(some[name]):
                told[name].append(_measure(head, rest, ranges.steps))
    return {
        name: _summary(rows, alpha, len(sources[name]), least.get(name, 100), ranges.steps)
        for name, rows in told.items()
    }


@dataclass(frozen=True)
class _Measured:
    """Sets of fields that a head was not calibrated on."""

    held: npt.NDArray[np.bool_]
    size: Ints
    right: npt.NDArray[np.bool_]
    """The likeliest crop is the true one."""
    group: npt.NDArray[np.str_]
    step: Ints


def _measure(head: SlotHead, fields: SlotFields, steps: tuple[int, ...]) -> _Measured:
    probability = calibrated_probability(fields.logits, head.calibration.temperatures(fields.looks))
    best = probability.argmax(axis=1)
    rows = np.arange(len(fields))
    sets = head.calibration.may_be(probability, fields.looks)
    group_of = {name: group for group, names in head.groups.items() for name in names}
    groups = np.array([group_of[name] for name in head.classes])[best]
    return _Measured(
        sets[rows, fields.label], sets.sum(axis=1), best == fields.label, groups, step_at(fields.looks, steps)
    )


def _summary(
    measured: Sequence[_Measured], alpha: float, fields: int, least: int, steps: tuple[int, ...]
) -> dict[str, Any]:
    out: dict[str, Any] = {"promised": round(1 - alpha, 4), "fields": fields}
    if not measured:
        return out | dict.fromkeys(("measured", "mean_set_size", "one_crop_share", "one_crop_accuracy"))
    held, size, right, group, step = (
        np.concatenate([getattr(one, name) for one in measured]) for name in ("held", "size", "right", "group", "step")
    )

    def figures(mine: npt.NDArray[np.bool_]) -> dict[str, Any]:
        one = mine & (size == 1)
        return {
            "measured": _share(held[mine]),
            "mean_set_size": round(float(size[mine].mean()), 2),
            "one_crop_share": _share(one[mine]),
            "one_crop_accuracy": _share(right[one]) if one.any() else None,
        }

    cells = {
        f"{name}, from {from_looks}": mine
        for name in np.unique(group)
        for k, from_looks in enumerate(steps)
        for mine in [(group == name) & (step == k)]
        if mine.sum() >= least / 2 * len(measured)
    }
    return {
        **out,
        **figures(np.ones(len(held), np.bool_)),
        "by_looks": {
            f"from {from_looks}": figures(step == k) for k, from_looks in enumerate(steps) if (step == k).any()
        },
        "by_cell": {name: _share(held[mine]) for name, mine in cells.items()},
    }


def _half(place: npt.NDArray[np.str_], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Fields of half of the places; all of them where there is one place only."""
    names = np.unique(place)
    return np.isin(place, rng.permutation(names)[: max(len(names) // 2, 1)])


def _share(values: Floats) -> float:
    return round(float(values.mean()), 3)
