# SPDX-License-Identifier: Apache-2.0
"""Which crop stands in which season slot of each parcel, and which others it cannot be told from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.errors import ContractError
from acreline.layers import LOGP_SCALE, NUMBER_SCALE, SLOTS, UNKNOWN, Looks
from acreline.promises import Calibration
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
WHOLE_YEAR = "AB"
FEW_PX = 12
"""Fewer pixels than this are few to tell a crop by, whatever their probabilities say (science notes 2.5)."""
MAJORITY = 0.80
"""Where no class is likeliest on so large a share of a parcel's pixels, it may bear two crops (science notes 2.5)."""


@dataclass(frozen=True)
class _Voice:
    """What the head of one slot says of each parcel."""

    names: tuple[str, ...]
    logp: Floats
    """(parcel, class): calibrated log-probabilities."""
    inside: Mask
    """(parcel, class): may stand there, by the card."""
    n_px: Floats
    """(parcel,): pixels it spoke on."""
    majority: Floats
    """(parcel,): share of them on which the commonest class is likeliest."""


def choose_crops(
    looks: Looks, ids: pd.Index[Any], calibration: Calibration, n_looks: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Name the stands of each parcel: one row for each season slot that bears a crop.

    A parcel's log-probabilities are the mean over its pixels, divided by the head's temperature for so many looks. A
    crop of the whole year (grass, orchards) must stand in both slots: it is one row of slot AB where it is likeliest in
    both, or where its probability in both together beats that of the best pair of other classes. Else each slot has a
    row of its own unless nothing is likeliest to have grown in it; land where nothing grew in either is one row of slot
    AB, crop `none`.

    Args:
        looks: what was seen.
        ids: the parcels.
        calibration: the card's promise.
        n_looks: clear looks of each parcel, by which the card's temperatures and thresholds go.

    Returns:
        rows sorted by parcel and slot: parcel (place in `ids`), slot, crop, confidence, crop_set (the crop first, then
        the others that may stand there, `SlotCalibration.may_be`, likeliest first), unlike (the parcel is unlike all
        that was taught), few_px (fewer than 12 pixels told of it), mixed (no class is likeliest on 80 % of them in a
        slot of the row).

        In slot AB the set holds what may stand in either slot (`none` only where it does in both), and the
        confidence is the geometric mean of both slots'.

    Raises:
        ContractError: the looks hold a class that the card does not.
    """
    import pandas as pd

    known = np.zeros(len(ids), dtype=bool)
    voices: dict[str, _Voice] = {}
    for slot in SLOTS:
        voices[slot], heard = _hear(looks, ids, calibration, slot, n_looks)
        known |= heard
    early, late = voices["A"], voices["B"]
    whole_year = [name for name, slots in calibration.crop_slots.items() if tuple(slots) == (WHOLE_YEAR,)]
    places = [[voice.names.index(name) for name in whole_year] for voice in (early, late)]
    joint = early.logp[:, places[0]] + late.logp[:, places[1]]  # (parcel, crop of the whole year)
    best = joint.argmax(axis=1)
    singles = [_best_single(voice, whole_year) for voice in (early, late)]
    here = np.arange(len(ids))
    pair = early.logp[here, singles[0]] + late.logp[here, singles[1]]
    both = np.isin(early.logp.argmax(axis=1), places[0]) & np.isin(late.logp.argmax(axis=1), places[1])
    whole = known & (both | (joint[here, best] > pair))
    empty = [singles[k] == voice.names.index(NO_CROP) for k, voice in enumerate((early, late))]
    bare = known & ~whole & empty[0] & empty[1]

    rows = [(int(i), WHOLE_YEAR, UNKNOWN, 0.0, "") for i in np.flatnonzero(~known)]
    for i in np.flatnonzero(whole | bare):
        name = whole_year[best[i]] if whole[i] else NO_CROP
        total = early.logp[i, early.names.index(name)] + late.logp[i, late.names.index(name)]
        rows.append((int(i), WHOLE_YEAR, name, _share(total / 2), _set_text(name, _union(early, late, i))))
    for k, (slot, voice) in enumerate(voices.items()):
        for i in np.flatnonzero(known & ~whole & ~bare & ~empty[k]):
            name = voice.names[singles[k][i]]
            chosen = dict(zip(voice.names, voice.logp[i], strict=True))
            inside = {other: chosen[other] for other, holds in zip(voice.names, voice.inside[i], strict=True) if holds}
            rows.append((int(i), slot, name, _share(chosen[name]), _set_text(name, inside)))
    rows.sort(key=lambda row: row[:2])
    mixed = {slot: voice.majority < MAJORITY for slot, voice in voices.items()}
    mixed[WHOLE_YEAR] = mixed["A"] | mixed["B"]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    parcel = np.array(columns[0], dtype=np.int64)
    return pd.DataFrame(
        {
            "parcel": parcel,
            "slot": pd.array(columns[1], dtype="string"),
            "crop": pd.array(columns[2], dtype="string"),
            "confidence": np.array(columns[3], dtype="float64"),
            "crop_set": pd.array(columns[4], dtype="string"),
            "unlike": _is_unlike(looks, ids, calibration, n_looks)[parcel],
            "few_px": (known & (np.minimum(early.n_px, late.n_px) < FEW_PX))[parcel],
            "mixed": np.array([mixed[slot][i] for i, slot, *_ in rows], dtype=bool) & known[parcel],
        }
    )


def _hear(
    looks: Looks, ids: pd.Index[Any], calibration: Calibration, slot: str, n_looks: npt.NDArray[np.int64]
) -> tuple[_Voice, Mask]:
    """The calibrated voice of one slot's head, and which parcels it spoke on."""
    import pandas as pd

    promise = calibration.slots[slot]
    names = promise.classes
    rows = looks.evidence[looks.evidence["head"] == f"crop_{slot.lower()}"]
    odd = sorted(set(rows["cls"]) - set(names))
    if odd:
        raise ContractError(
            f"seasons: the looks hold crop classes {odd} that the model's card does not (slot {slot}): {list(names)}",
            hint="the looks were made with another model: run again in a fresh folder",
        )
    shape = (len(ids), len(names))
    logp, n_px = np.full(shape, -np.inf), np.zeros(shape)
    row = ids.get_indexer(pd.Index(rows["parcel_id"].astype("string")))
    at = row, pd.Index(names).get_indexer(pd.Index(rows["cls"]))
    logp[at], n_px[at] = rows["logp"].to_numpy(dtype="float64"), rows["n_px"].to_numpy(dtype="float64")
    total = n_px.sum(axis=1)
    known = total > 0
    logp[~known] = 0.0
    score = logp / np.maximum(total, 1)[:, None] / LOGP_SCALE / promise.temperatures(n_looks)[:, None]
    score -= score.max(axis=1, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):
        score -= np.log(np.exp(score).sum(axis=1, keepdims=True))
    inside = promise.may_be(np.exp(score), n_looks)
    majority = n_px.max(axis=1, initial=0) / np.maximum(total, 1)
    return _Voice(names, score, inside & known[:, None], total, majority), known


def _best_single(voice: _Voice, whole_year: Sequence[str]) -> npt.NDArray[np.int64]:
    """The likeliest class that does not need the whole year, (parcel,)."""
    taken = np.isin(np.asarray(voice.names, dtype=object).astype(str), whole_year)
    best: npt.NDArray[np.int64] = np.where(taken, -np.inf, voice.logp).argmax(axis=1)
    return best


def _union(early: _Voice, late: _Voice, parcel: np.integer[Any]) -> dict[str, float]:
    """What either slot cannot rule out, with its highest log-probability; `none` only where neither slot can."""
    found: dict[str, float] = {}
    counts: dict[str, int] = {}
    for voice in (early, late):
        for k in np.flatnonzero(voice.inside[parcel]):
            name = voice.names[k]
            found[name] = max(float(voice.logp[parcel, k]), found.get(name, -np.inf))
            counts[name] = counts.get(name, 0) + 1
    return {name: logp for name, logp in found.items() if name != NO_CROP or counts[name] == len(SLOTS)}


def _set_text(first: str, inside: Mapping[str, float]) -> str:
    others = sorted((name for name in inside if name != first), key=lambda name: (-inside[name], name))
    return "|".join([first, *others])


def _share(logp: float) -> float:
    return round(float(np.exp(logp)), 6)


def _is_unlike(looks: Looks, ids: pd.Index[Any], calibration: Calibration, n_looks: npt.NDArray[np.int64]) -> Mask:
    """Parcels whose mean energy lies above what the card allows for land of the kinds that were taught."""
    import pandas as pd

    unlike = np.zeros(len(ids), dtype=bool)
    above = calibration.unlike_above(n_looks)
    if above is None:
        return unlike
    rows = looks.evidence[looks.evidence["head"] == "energy"]
    mean = rows["logp"].to_numpy(dtype="float64") / np.maximum(rows["n_px"].to_numpy(dtype="float64"), 1) / NUMBER_SCALE
    at = ids.get_indexer(pd.Index(rows["parcel_id"].astype("string")))
    unlike[at] = mean > above[at]
    return unlike
