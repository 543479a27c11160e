# SPDX-License-Identifier: Apache-2.0
"""Figures over simulated counties, from the counts of `county_counts`: each with its n, none of real land."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.layers import HEALTH_CLASSES
from acreline.model.classes import HEADS, NONE
from acreline.model.painting import NORMAL
from acreline.promises import Calibration
from acreline.trial.county_counts import parcel_tables
from acreline.trial.drawn_blocks import draw_counts, interval_of, score_blocks
from acreline.trial.measure import SIZES_HA, per_class
from acreline.trial.parcel_trust import trust_figures
from acreline.trial.parcels_told import ParcelsTold

Table = npt.NDArray[np.int64]
PX_HA = 0.01
LOOKS = ((0, 6), (7, 12), (13, 24), (25, 48), (49, None))
"""Clear looks of a parcel, fewest and most of a class; the first two are those of the conformal cells."""
MAIN_PX = 200
"""A crop with fewer true pixels in the parcels has no area figure: 2 ha."""
NOT_TOLD = {
    "event_date": "the network tells what struck a field, not when",
    "damage_percent": "the network tells no share of yield lost",
    "farm_acreage": "drawn counties keep no farms, so errors are by parcel and by crop",
}


def figures(
    counts: Sequence[dict[str, Any]], calibration: Calibration | None = None, *, detail: bool = False
) -> dict[str, Any]:
    """Figures over several counties, on simulated data.

    Args:
        counts: of `county_counts.measure_painted`, one a county.
        calibration: temperatures and sets of the model's card; None: temperature 1 and no sets.
        detail: with confusion tables, tables by class and curves, for a page; cards do without.

    Returns:
        counties, on; slot_A and slot_B: pixels (accuracy, mIoU over the classes that occur, boundary against interior),
        parcels of the farm file with at least 8 inner pixels (accuracy, macro-F1 and F1 by class, area-weighted, by
        size, by clear looks, 95 % intervals over blocks of land), calibration and sets; both_slots: what holds for a
        parcel whose slots are both right; area: told against true by crop; health: parcels and flooded pixels (None
        without a health head); not_told: what no figure stands for, and why.
    """
    parcels = ParcelsTold.join([one["parcels"] for one in counts])
    tables = parcel_tables(parcels)
    out: dict[str, Any] = {"counties": [one["county"] for one in counts], "on": "simulated data"}
    trust = trust_figures(parcels, calibration, detail=detail)
    for slot in ("A", "B"):
        pixels = sum(one[f"pixels_{slot}"] for one in counts)
        boundary = sum(one[f"pixels_boundary_{slot}"] for one in counts)
        out[f"slot_{slot}"] = (
            _pixel_figures(pixels, boundary, HEADS[slot])
            | _parcel_figures(parcels, tables[slot], slot)
            | trust[slot]
            | (_details(pixels, tables[slot], HEADS[slot]) if detail else {})
        )
    out["both_slots"] = trust["both"]
    out["area"] = {slot: _areas(parcels, slot) for slot in ("A", "B")}
    told = [one for one in counts if one["health"] is not None]
    out["health"] = _health_figures(told, detail=detail) if told else None
    out["not_told"] = NOT_TOLD
    return out


def _pixel_figures(pixels: Table, boundary: Table, names: tuple[str, ...]) -> dict[str, Any]:
    interior = pixels - boundary
    return {
        "n_pixels": int(pixels.sum()),
        "pixel_accuracy": share_of(np.trace(pixels), pixels.sum()),
        "majority": share_of(pixels.sum(axis=1).max(), pixels.sum()),
        "miou": miou_of(pixels),
        "pixel_classes": int((pixels.sum(axis=1) > 0).sum()),
        **{
            f"{where}_{key}": value
            for where, table in (("boundary", boundary), ("interior", interior))
            for key, value in (
                ("pixels", int(table.sum())),
                ("accuracy", share_of(np.trace(table), table.sum())),
                ("miou", miou_of(table)),
            )
        },
    }


def _parcel_figures(parcels: ParcelsTold, table: Table, slot: str) -> dict[str, Any]:
    names, count = HEADS[slot], len(HEADS[slot])
    known = parcels.true[slot] >= 0
    mine = parcels.keep(known & parcels.judged)
    true, found = mine.true[slot], mine.logp[slot].argmax(axis=1)
    every = parcels.keep(known)
    doubt = score_blocks(true, found, count, mine.block)
    weighed = np.bincount(true * count + found, mine.size_px, count * count).reshape(count, count)
    f1 = f1_of(table)
    return {
        "n_parcels": int(table.sum()),
        "parcels_too_small": int(len(every.size_px) - table.sum()),
        "parcel_accuracy": share_of(np.trace(table), table.sum()),
        "parcel_accuracy_ci95": doubt["oa_ci95"],
        "parcel_majority": share_of(table.sum(axis=1).max(), table.sum()),
        "parcel_macro_f1": _mean(f1[table.sum(axis=1) > 0]),
        "parcel_macro_f1_ci95": doubt["macro_f1_ci95"],
        "blocks": doubt["blocks"],
        "parcel_f1": {name: _round(value) for name, value, n in zip(names, f1, table.sum(axis=1), strict=True) if n},
        "parcel_n": {name: int(n) for name, n in zip(names, table.sum(axis=1), strict=True) if n},
        "area_ha": round(float(mine.size_px.sum()) * PX_HA, 2),
        "area_weighted_accuracy": share_of(np.trace(weighed), weighed.sum()),
        "area_weighted_macro_f1": _mean(f1_of(weighed)[weighed.sum(axis=1) > 0]),
        "by_size": _by_size(every, slot),
        "by_looks": _by_looks(mine, slot),
    }


def _by_size(parcels: ParcelsTold, slot: str) -> list[dict[str, Any]]:
    """Parcels by their area, the small ones too: those a run would not tell are told from the pixels they have."""
    area = parcels.size_px * PX_HA
    rows = []
    for low, high in SIZES_HA:
        mine = (area >= low - 1e-9) & (area < high - 1e-9)
        limit = None if np.isinf(high) else high
        rows.append({"from_ha": low, "to_ha": limit, **_scored(parcels, slot, mine)})
    return rows


def _by_looks(parcels: ParcelsTold, slot: str) -> list[dict[str, Any]]:
    rows = []
    for low, high in LOOKS:
        mine = (parcels.looks >= low) & (parcels.looks <= (np.inf if high is None else high))
        rows.append({"from_looks": low, "to_looks": high, **_scored(parcels, slot, mine)})
    return rows


def _scored(parcels: ParcelsTold, slot: str, mine: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """n, oa and macro_f1 of some parcels; None where there are none."""
    count = len(HEADS[slot])
    true, found = parcels.true[slot][mine], parcels.logp[slot][mine].argmax(axis=1)
    table = np.bincount(true * count + found, minlength=count * count).reshape(count, count)
    return {
        "n": int(mine.sum()),
        "oa": share_of(np.trace(table), table.sum()),
        "macro_f1": _mean(f1_of(table)[table.sum(axis=1) > 0]),
    }


def _details(pixels: Table, table: Table, names: tuple[str, ...]) -> dict[str, Any]:
    """Tables by class: IoU, producer's and user's accuracy of pixels; precision, recall and F1 of parcels."""
    rows, columns, iou = pixels.sum(axis=1), pixels.sum(axis=0), iou_of(pixels)
    return {
        "pixel_per_class": {
            name: {
                "n": int(rows[k]),
                "iou": _round(iou[k]),
                "producers": share_of(pixels[k, k], rows[k]),
                "users": share_of(pixels[k, k], columns[k]),
            }
            for k, name in enumerate(names)
            if rows[k] or columns[k]
        },
        "parcel_per_class": per_class(table, names),
        "parcel_confusion": {"groups": list(names), "rows_true_columns_found": table.tolist()},
    }


def _areas(parcels: ParcelsTold, slot: str) -> dict[str, Any]:
    """Area by crop, told as the sum of pixel probabilities, against the truth raster; nothing is corrected.

    The truth gives a pixel to what fills most of it, so the error of counting edge pixels is in neither side.
    """
    true, told, named = (of[slot] for of in (parcels.px_true, parcels.px_told, parcels.px_named))
    names, at = np.unique(parcels.block, return_inverse=True)
    size = len(names)
    summed = [np.stack([np.bincount(at, col, size) for col in px.T], axis=1) for px in (true, told)]
    drawn = draw_counts(size)
    by_crop = {}
    for k, name in enumerate(HEADS[slot]):
        total = float(true[:, k].sum())
        if total < MAIN_PX:
            continue
        parts = [drawn @ px[:, k] for px in summed]
        bias = parts[1][parts[0] > 0] / parts[0][parts[0] > 0] - 1
        by_crop[name] = {
            "true_ha": round(total * PX_HA, 2),
            "bias": _round(told[:, k].sum() / total - 1),
            "bias_ci95": interval_of(bias) if size > 1 else None,
            "bias_of_counted_pixels": _round(named[:, k].sum() / total - 1),
        }
    bare = [HEADS[slot].index(NONE), HEADS[slot].index("non_agri")]
    planted = np.delete(true, bare, axis=1).sum(axis=1)
    mine = planted > 0
    error = np.delete(told, bare, axis=1).sum(axis=1)[mine] / planted[mine] - 1
    return {
        "by_crop": by_crop,
        "planted_parcels": int(mine.sum()),
        "planted_error_mean_abs": _mean(np.abs(error)),
        "planted_error_median_abs": _round(np.median(np.abs(error))) if mine.any() else None,
    }


def _health_figures(counts: Sequence[dict[str, Any]], *, detail: bool) -> dict[str, Any]:
    health = sum(one["health"] for one in counts)
    hit, wet, said = sum(one["flood"] for one in counts).tolist()
    names = list(HEALTH_CLASSES)
    events = np.flatnonzero((health.sum(axis=1) > 0) & (np.arange(len(names)) != NORMAL))
    quiet = health[NORMAL]
    calm = quiet[NORMAL] + quiet[names.index("harvested")]
    found = f1_of(health)
    out: dict[str, Any] = {
        "n_parcels": int(health.sum()),
        "macro_f1_events": _mean(found[events]),
        "f1": {names[k]: _round(found[k]) for k in events.tolist()},
        "n": {names[k]: int(health[k].sum()) for k in events.tolist()},
        "n_events": int(health[events].sum()),
        "n_normal": int(quiet.sum()),
        "false_alarms": share_of(quiet.sum() - calm, quiet.sum()),
        "found_events": share_of(health[events].sum() - health[events][:, NORMAL].sum(), health[events].sum()),
        "flood_iou": share_of(hit, wet + said - hit),
        "flood_pixels": int(wet),
        "flood_pixels_told": int(said),
    }
    if detail:
        out["per_class"] = per_class(health, names)
        out["confusion"] = {"groups": names, "rows_true_columns_found": health.tolist()}
    return out


def iou_of(table: Table) -> npt.NDArray[np.float64]:
    """Intersection over union of each class, rows true."""
    hit = np.diag(table)
    share: npt.NDArray[np.float64] = hit / np.maximum(table.sum(axis=0) + table.sum(axis=1) - hit, 1)
    return share


def miou_of(table: Table) -> float | None:
    """Mean IoU over the classes that occur in truth."""
    return _mean(iou_of(table)[table.sum(axis=1) > 0])


def f1_of(table: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """F1 of each class, rows true."""
    share: npt.NDArray[np.float64] = 2 * np.diag(table) / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)
    return share


def share_of(part: Any, whole: Any) -> float | None:
    """A share to four places; None of nothing."""
    return _round(float(part) / float(whole)) if whole else None


def _mean(values: npt.NDArray[Any]) -> float | None:
    return _round(values.mean()) if len(values) else None


def _round(value: Any) -> float:
    return round(float(value), 4)
