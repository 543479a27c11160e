# SPDX-License-Identifier: Apache-2.0
"""Fields of places that were held back: how well networks that never saw them tell the year's main crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank
from acreline.model.classes import CROP_CLASSES, HEADS, main_crop_logp
from acreline.model.scores import score_labels
from acreline.trial import measure
from acreline.trial.evaluate import KEEP_SHARE, group_probability
from acreline.trial.packaged import read_packaged
from acreline.trial.tasks import TASKS
from acreline.trial.teaching import Teaching

Row = tuple[Bank, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Fields of one source, with log-probabilities of slot A and of slot B, (field, class) each."""


@dataclass(frozen=True)
class HeldBack:
    """Fields told by networks that never saw their place."""

    name: npt.NDArray[np.str_]
    logp_a: npt.NDArray[np.float32]
    logp_b: npt.NDArray[np.float32]
    crop_a: npt.NDArray[np.int16]
    crop_b: npt.NDArray[np.int16]
    group: npt.NDArray[np.str_]
    row: npt.NDArray[np.int64]
    """Place of each in its own source."""

    @staticmethod
    def of(rows: Sequence[Row]) -> HeldBack:
        """All fields in one."""
        return HeldBack(
            np.concatenate([np.full(len(bank.crop_a), bank.name) for bank, *_ in rows]),
            np.concatenate([a for _, a, _ in rows]),
            np.concatenate([b for _, _, b in rows]),
            np.concatenate([bank.crop_a for bank, *_ in rows]),
            np.concatenate([bank.crop_b for bank, *_ in rows]),
            np.concatenate([bank.group for bank, *_ in rows]),
            np.concatenate([bank.field - 1 for bank, *_ in rows]),
        )


def cross_validation(teaching: Teaching, told: HeldBack) -> dict[str, Any]:
    """Accuracy of the year's main crop on places that were held back, by source."""
    logp = main_crop_logp(told.logp_a, told.logp_b)
    out: dict[str, Any] = {}
    for name in teaching.labels:
        series = read_packaged(name)
        known = np.array([slug in CROP_CLASSES for slug in series.slug])
        mine = told.name == name
        label = main_labels(told.crop_a[mine], told.crop_b[mine])
        assert known.sum() == (label >= 0).sum()
        taught = np.flatnonzero(mine)[label >= 0]
        out[name] = score_labels(label[label >= 0], logp[taught].argmax(axis=1), told.group[taught], CROP_CLASSES)
        task = TASKS[series.task]
        groups = list(task.groups)
        place = {group: k for k, group in enumerate(groups)}
        true = np.array([place.get(group, -1) for group in series.group[told.row[mine]]], np.int64)
        scored = np.flatnonzero(mine)[true >= 0]
        share = group_probability(logp[scored], CROP_CLASSES, task)
        true = true[true >= 0]
        by_group = measure.scores(true, share.argmax(axis=1), groups, told.group[scored])
        kept = [row["accuracy"] for row in measure.risk_coverage(true, share) if row["kept"] == KEEP_SHARE]
        out[name]["groups"] = {key: by_group[key] for key in ("n", "oa", "macro_f1", "ci95", "majority_oa")} | {
            "accuracy_at_80": kept[0],
            "ece": measure.calibration(true, share)["ece"],
        }
    return out


def main_labels(crop_a: npt.NDArray[np.int16], crop_b: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """Index into `CROP_CLASSES` of the declared crop, from what it teaches the heads; -1 = not taught."""
    out = np.full(len(crop_a), -1, np.int64)
    for slot, crops in (("A", crop_a), ("B", crop_b)):
        for number, name in enumerate(HEADS[slot]):
            if name in CROP_CLASSES:
                out[crops == number] = CROP_CLASSES.index(name)
    return out
