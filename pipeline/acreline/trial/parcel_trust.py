# SPDX-License-Identifier: Apache-2.0
"""How far a parcel's probabilities can be trusted: calibration, crop sets, what to accept, and what is strange."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.calibrate import area_under_curve, calibrated_probability
from acreline.model.classes import HEADS
from acreline.promises import Calibration, SlotCalibration
from acreline.trial.measure import calibration as calibration_of
from acreline.trial.parcels_told import ParcelsTold

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
KEPT = (0.55, 0.70, 0.80)
"""Shares of parcels kept, the most certain first, whose accuracy is told."""
FEWEST = 20
"""A cell with fewer parcels says nothing about coverage."""
LOOK_CELLS = (0, 7, 13)
"""First number of clear looks of each cell: up to 6, 7 to 12, 13 and more."""


def trust_figures(parcels: ParcelsTold, card: Calibration | None, *, detail: bool = False) -> dict[str, Any]:
    """Figures of the parcels that are large enough to be told.

    Args:
        parcels: of one or more counties.
        card: temperature and thresholds of each slot; None: temperature 1 and no sets.
        detail: with reliability and risk-coverage curves.

    Returns:
        A and B: ece (15 bins of equal mass), brier (0 to 2), sets (None without a card: promised, coverage, worst_cell,
        mean_size, single_share, single_accuracy, single_n); both: what holds for both slots at once: n_all (parcels,
        those too small to be told among them), accuracy (both slots right), accepted (share of the told parcels of
        which one crop alone stands in each slot, `SlotCalibration.may_be`, and how many of them are right in both),
        kept (accuracy among the most certain by the product of both confidences), aurc, unlike_share (parcels above the
        card's energy, all of them of classes that can be told) and energy_error_auroc (how well energy parts parcels
        told wrong in a slot from the rest); None where it is not known.
    """
    known = np.logical_and.reduce([parcels.judged, *(true >= 0 for true in parcels.true.values())])
    mine = parcels.keep(known)
    n = len(mine.looks)
    out: dict[str, Any] = {}
    right, sure, single = np.ones(n, bool), np.ones(n), np.ones(n, bool)
    for slot in ("A", "B"):
        head = card.slots[slot] if card is not None else None
        warmth = head.temperatures(mine.looks) if head else 1.0
        share = calibrated_probability(mine.logp[slot].astype(np.float32), warmth)
        true = mine.true[slot]
        hit = share.argmax(axis=1) == true
        right, sure = right & hit, sure * share.max(axis=1)
        told = calibration_of(true, share) if n else {"ece": None, "brier": None, "reliability": []}
        out[slot] = {key: told[key] for key in ("ece", "brier", *(("reliability",) if detail else ()))}
        sets = None if head is None else in_set(head, share, mine.looks)
        out[slot]["sets"] = None if sets is None or head is None or not n else _set_figures(sets, mine, slot, hit, head)
        single &= False if head is None else head.may_be(share, mine.looks).sum(axis=1) == 1
    accepted = single if card is not None else None
    out["both"] = {"n_all": len(parcels.looks)} | _both(right, sure, accepted, mine.energy, detail=detail)
    above = None if card is None or not np.isfinite(mine.energy).all() else card.unlike_above(mine.looks)
    out["both"]["unlike_share"] = None if above is None else _mean(mine.energy > above)
    return out


def in_set(head: SlotCalibration, share: Floats, looks: npt.NDArray[np.int64]) -> Bools:
    """(parcel, class): the class is in the parcel's set."""
    return np.asarray(share >= head.threshold(looks, share.argmax(axis=1))[:, None])


def _set_figures(sets: Bools, parcels: ParcelsTold, slot: str, hit: Bools, head: SlotCalibration) -> dict[str, Any]:
    true = parcels.true[slot]
    inside = sets[np.arange(len(true)), true]
    single = sets.sum(axis=1) == 1
    return {
        "promised": round(1 - head.alpha, 4),
        "n": len(true),
        "coverage": _mean(inside),
        "worst_cell": _worst_cell(inside, true, parcels.looks, HEADS[slot]),
        "mean_size": _mean(sets.sum(axis=1)),
        "empty_share": _mean(sets.sum(axis=1) == 0),
        "single_share": _mean(single),
        "single_accuracy": _mean(hit[single]),
        "single_n": int(single.sum()),
    }


def _worst_cell(
    inside: Bools, true: npt.NDArray[np.int64], looks: npt.NDArray[np.int64], names: tuple[str, ...]
) -> dict[str, Any] | None:
    """The true class and number of clear looks with the lowest coverage, of cells with at least 20 parcels."""
    cell = true * len(LOOK_CELLS) + np.searchsorted(LOOK_CELLS, looks, side="right") - 1
    n = np.bincount(cell, minlength=len(names) * len(LOOK_CELLS))
    held = np.bincount(cell, inside, len(n))
    share = np.where(n >= FEWEST, held / np.maximum(n, 1), np.inf)
    if not np.isfinite(share).any():
        return None
    at = int(share.argmin())
    crop, looked = divmod(at, len(LOOK_CELLS))
    told = {"class": names[crop], "from_looks": LOOK_CELLS[looked]}
    return told | {"n": int(n[at]), "coverage": round(float(share[at]), 4)}


def _both(right: Bools, sure: Floats, accepted: Bools | None, energy: Floats, *, detail: bool) -> dict[str, Any]:
    order = np.argsort(-sure, kind="stable")
    hits = np.cumsum(right[order])
    n = len(right)
    count = np.arange(1, n + 1)
    told = np.isfinite(energy)
    out: dict[str, Any] = {
        "n": n,
        "accuracy": _mean(right),
        "accepted_n": None if accepted is None else int(accepted.sum()),
        "accepted_share": None if accepted is None else _mean(accepted),
        "accepted_accuracy": None if accepted is None else _mean(right[accepted]),
        "kept": [
            {"share": share, "n": k, "accuracy": round(float(hits[k - 1] / k), 4)}
            for share in KEPT
            if n and (k := max(1, round(share * n)))
        ],
        "aurc": _mean(1 - hits / count) if n else None,
        "energy_error_auroc": auroc(energy[told & ~right], energy[told & right]),
    }
    if detail:
        steps = [max(1, round(n * k / 20)) for k in range(1, 21)] if n else []
        out["curve"] = [{"kept": round(k / n, 4), "n": k, "accuracy": round(float(hits[k - 1] / k), 4)} for k in steps]
    return out


def auroc(high: Floats, low: Floats) -> float | None:
    """Share of pairs in which the first kind lies above the second, ties half (Mann-Whitney U); None without pairs."""
    if not len(high) or not len(low):
        return None
    return round(area_under_curve(low, high), 4)


def _mean(values: npt.NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
