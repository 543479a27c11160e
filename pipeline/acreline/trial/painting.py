# SPDX-License-Identifier: Apache-2.0
"""A network on a simulated county that it has not seen: every pixel, every parcel, every mishap, against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.layers import HEALTH_CLASSES
from acreline.model.acrenet import AcreNets
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import NORMAL, Painted, paint_bank

SUM_FLOOR = -12.0
"""A pixel's log-probability counts no less than this for its parcel: one odd pixel must not outvote a field."""
MIN_PARCEL_PX = 8
FALSE_ALARMS = 0.05
"""Share of undamaged parcels that may be called damaged (science notes: what a farmer feels)."""


def by_field(
    logp: npt.NDArray[np.float32], field: npt.NDArray[np.int64], inner: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Mean log-probability of each field's inner pixels: fields, (field, class), pixels."""
    flat = np.maximum(logp.reshape(len(logp), -1)[:, inner], SUM_FLOOR).astype(np.float64)
    numbers, at, counts = np.unique(field[inner], return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(at, row, len(numbers)) for row in flat], axis=1)
    return numbers, sums / counts[:, None], counts


def measure_county(nets: AcreNets, bank: Bank, *, normal_bias: float = 0.0) -> dict[str, Any]:
    """Figures on one simulated county: `counts` that add up over counties, see `figures`.

    Args:
        nets: the members.
        bank: a county, as `counties.county_bank` gives it.
        normal_bias: added to the log-probability of `normal`.
    """
    painted = paint_bank(nets, bank)
    counts: dict[str, Any] = {"county": bank.name}
    inner = bank.field > 0
    whole = inner & (bank.weight >= 1) if bank.weight is not None else inner
    for slot, logp, true in (("A", painted.crop_a, bank.crop_a), ("B", painted.crop_b, bank.crop_b)):
        found = logp.reshape(len(logp), -1).argmax(axis=0)
        counts[f"pixels_{slot}"] = _table(true[inner], found[inner], len(HEADS[slot]))
        numbers, means, size = by_field(logp, bank.field, whole)
        label = _field_label(bank.field, true, numbers, whole)
        judged = size >= MIN_PARCEL_PX
        counts[f"parcels_{slot}"] = _table(label[judged], means.argmax(axis=1)[judged], len(HEADS[slot]))
    counts |= _health_counts(painted, bank, whole, normal_bias)
    return counts


def _health_counts(painted: Painted, bank: Bank, whole: npt.NDArray[np.bool_], normal_bias: float) -> dict[str, Any]:
    """Parcels by what struck them; a parcel counts as struck by what hit more than 30 % of it."""
    assert bank.event is not None
    health = painted.health.copy()
    health[NORMAL] += normal_bias
    numbers, means, size = by_field(health, bank.field, whole)
    empty = HEADS["A"].index("none")
    planted = _field_label(bank.field, bank.crop_a, numbers, whole) != empty
    planted |= _field_label(bank.field, bank.crop_b, numbers, whole) != HEADS["B"].index("none")
    land = _field_label(bank.field, bank.crop_a, numbers, whole) != HEADS["A"].index("non_agri")
    at = np.searchsorted(numbers, bank.field[whole])
    share = np.stack(
        [np.bincount(at, bank.event[whole] == k, len(numbers)) / size for k in range(len(HEALTH_CLASSES))], 1
    )
    struck = np.where(share[:, 1:].max(axis=1) > 0.3, share[:, 1:].argmax(axis=1) + 1, 0)
    clear_cut = (share[:, 0] > 0.98) | (struck > 0)
    judged = (size >= MIN_PARCEL_PX) & planted & land & clear_cut
    found = means.argmax(axis=1)
    margin = np.delete(means, NORMAL, axis=1).max(axis=1) - means[:, NORMAL]
    return {
        "health": _table(struck[judged], found[judged], len(HEALTH_CLASSES)),
        "normal_margins": margin[judged & (struck == 0)].round(4).tolist(),
    }


def choose_normal_bias(margins: list[float], share: float = FALSE_ALARMS) -> float:
    """What is added to `normal` so that a given share of undamaged parcels is called damaged, and no more.

    Args:
        margins: of undamaged parcels: log-probability of the likeliest damage less that of `normal`.
        share: of them that may be called damaged.
    """
    ranked = np.sort(np.array(margins))[::-1]
    allowed = int(np.floor(share * len(ranked)))
    return float(ranked[allowed] + 1e-3) if allowed < len(ranked) else 0.0


def figures(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures over several counties, on simulated data: mIoU and accuracy by slot, health, false alarms."""
    out: dict[str, Any] = {"counties": [one["county"] for one in counts], "on": "simulated data"}
    for slot in ("A", "B"):
        pixels = sum(one[f"pixels_{slot}"] for one in counts)
        parcels = sum(one[f"parcels_{slot}"] for one in counts)
        out[f"slot_{slot}"] = {
            "n_pixels": int(pixels.sum()),
            "pixel_accuracy": _share(np.trace(pixels), pixels.sum()),
            "majority": _share(pixels.sum(axis=1).max(), pixels.sum()),
            "miou": _round(np.mean(_iou(pixels)[pixels.sum(axis=1) > 0])),
            "n_parcels": int(parcels.sum()),
            "parcel_accuracy": _share(np.trace(parcels), parcels.sum()),
            "parcel_macro_f1": _round(np.mean(_f1(parcels)[parcels.sum(axis=1) > 0])),
            "parcel_f1": {
                name: _round(value)
                for name, value, n in zip(HEADS[slot], _f1(parcels), parcels.sum(axis=1), strict=True)
                if n
            },
        }
    health = sum(one["health"] for one in counts)
    names = list(HEALTH_CLASSES)
    events = np.flatnonzero((health.sum(axis=1) > 0) & (np.arange(len(names)) != NORMAL))
    quiet = health[NORMAL]
    calm = quiet[NORMAL] + quiet[names.index("harvested")]
    out["health"] = {
        "n_parcels": int(health.sum()),
        "macro_f1_events": _round(np.mean(_f1(health)[events])) if len(events) else None,
        "f1": {names[k]: _round(_f1(health)[k]) for k in events.tolist()},
        "n": {names[k]: int(health[k].sum()) for k in events.tolist()},
        "false_alarms": _share(quiet.sum() - calm, quiet.sum()),
    }
    return out


def _field_label(
    field: npt.NDArray[np.int64],
    crop: npt.NDArray[np.int16],
    numbers: npt.NDArray[np.int64],
    mask: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """The commonest crop of each field."""
    at = np.searchsorted(numbers, field[mask])
    kinds = int(crop.max()) + 1
    table = np.bincount(at * kinds + crop[mask], minlength=len(numbers) * kinds).reshape(len(numbers), kinds)
    commonest: npt.NDArray[np.int64] = table.argmax(axis=1)
    return commonest


def _table(true: npt.NDArray[Any], found: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    """Confusion counts, rows true."""
    known = true >= 0
    at = true[known].astype(np.int64) * classes + found[known]
    table: npt.NDArray[np.int64] = np.bincount(at, minlength=classes * classes).reshape(classes, classes)
    return table


def _iou(table: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    hit = np.diag(table)
    share: npt.NDArray[np.float64] = hit / np.maximum(table.sum(axis=0) + table.sum(axis=1) - hit, 1)
    return share


def _f1(table: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    share: npt.NDArray[np.float64] = 2 * np.diag(table) / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)
    return share


def _share(part: Any, whole: Any) -> float | None:
    return _round(float(part) / float(whole)) if whole else None


def _round(value: Any) -> float:
    return round(float(value), 4)
