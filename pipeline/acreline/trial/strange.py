# SPDX-License-Identifier: Apache-2.0
"""Land that no model was taught, made from land that it was: a season that runs backwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank
from acreline.model.classes import CROP_SLOTS, HEADS, NONE
from acreline.model.painting import Painted
from acreline.trial.parcel_trust import auroc
from acreline.trial.parcels_told import ParcelsTold, tell_parcels

HALF_YEAR_DAYS = 182.6
SHUFFLED_PIECES = 6
Energies = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Mean energy of each parcel as it was, and with its season backwards."""


def strange_energies(paint: Callable[[Bank], Painted], painted: Painted, bank: Bank) -> Energies | None:
    """Energies of the parcels that bear an annual crop, as painted and painted with the season backwards.

    No crop grows like that: it is ripe first and green last. Perennials, sward and roofs look much the same backwards,
    so they are left out. None where the painter tells no energy.
    """
    if painted.energy is None:
        return None
    usual = tell_parcels(painted, bank)
    strange = tell_parcels(paint(backwards(bank)), bank)
    mine = usual.judged & _annual(usual)
    return usual.energy[mine], strange.energy[mine]


def backwards(bank: Bank) -> Bank:
    """The same looks in the opposite order, mirrored about the middle of the season."""
    length = (bank.axis.end - bank.axis.start).days
    coarse = None if bank.coarse is None else bank.coarse[::-1]
    return replace(bank, days=length - bank.days[::-1], fine=bank.fine[::-1], coarse=coarse, clear=bank.clear[::-1])


def strange_figures(counties: Sequence[Energies | None]) -> dict[str, Any] | None:
    """How well energy tells seasons that run backwards: auroc and n of each kind; None where no energy is told."""
    told = [one for one in counties if one is not None]
    if not told:
        return None
    usual, strange = (np.concatenate([one[k] for one in told]) for k in (0, 1))
    return {"auroc": auroc(strange, usual), "n": len(usual)}


def made_unknowns(
    x: npt.NDArray[np.float32], field: npt.NDArray[np.int64], step_days: float, rng: np.random.Generator
) -> dict[str, npt.NDArray[np.float32]]:
    """Seasons that no crop of ours has, made from seasons that one had; each field changes as a whole.

    Args:
        x: network inputs (n, bin, channel).
        field: (n,).
        step_days: length of a bin.
        rng: of the shuffles.

    Returns:
        mirrored: time runs backwards; other_hemisphere: shifted by half a year; shuffled: pieces of the season in
        another order.
    """
    bins = x.shape[1]
    pieces = np.array_split(np.arange(bins), SHUFFLED_PIECES)
    names, at = np.unique(field, return_inverse=True)
    order = np.stack([np.concatenate([pieces[k] for k in rng.permutation(SHUFFLED_PIECES)]) for _ in names])
    return {
        "mirrored": np.ascontiguousarray(x[:, ::-1]),
        "other_hemisphere": np.roll(x, round(HALF_YEAR_DAYS / step_days), axis=1),
        "shuffled": np.take_along_axis(x, order[at][:, :, None], axis=1),
    }


def _annual(parcels: ParcelsTold) -> npt.NDArray[np.bool_]:
    out = np.zeros(len(parcels.looks), bool)
    for slot, names in HEADS.items():
        annual = [k for k, name in enumerate(names) if name != NONE and slot in CROP_SLOTS[name]]
        out |= np.isin(parcels.true[slot], annual)
    return out
