# SPDX-License-Identifier: Apache-2.0
"""Small rasters of crops with a known answer: what stands, what is told, how surely."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt

from acreline.layers import HEALTH_CLASSES, TimeAxis
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import Painted

AXIS = TimeAxis(date(2024, 10, 1), date(2025, 12, 15), 8, "calendar")
Grid = npt.NDArray[np.int64]


def raster_bank(field: Grid, a: dict[int, str], b: dict[int, str] | None = None, **more: object) -> Bank:
    """A picture whose fields bear the crops that are named by their number; slot B bears nothing unless told."""
    rows, cols = field.shape
    looks = 3
    crop_a, crop_b = (
        np.array([HEADS[slot].index((of or {}).get(int(k), "none")) for k in field.ravel()], np.int16)
        for slot, of in (("A", a), ("B", b))
    )
    given: dict[str, object] = {
        "name": "made",
        "axis": AXIS,
        "days": np.array([120.0, 200.0, 300.0]),  # 29 January, 19 April, 28 July
        "fine": np.full((looks, 10, rows * cols), 2000, np.uint16),
        "visible": True,
        "clear": np.ones((looks, rows * cols), bool),
        "crop_a": crop_a,
        "crop_b": crop_b,
        "field": field.ravel().astype(np.int64),
        "group": np.full(rows * cols, "made"),
        "shape": (rows, cols),
        "event": np.zeros(rows * cols, np.int16),
        "event_day": np.full(rows * cols, np.inf, np.float32),
        "simulated": True,
    }
    return Bank(**(given | more))  # type: ignore[arg-type]


def say(classes: tuple[str, ...], told: npt.NDArray[np.object_], sure: float = 0.9) -> npt.NDArray[np.float32]:
    """(y, x) of names -> log-probabilities (class, y, x): `sure` for the name, the rest shared out evenly."""
    share = np.full((len(classes), *told.shape), (1 - sure) / (len(classes) - 1))
    for k, name in enumerate(classes):
        share[k][told == name] = sure
    return np.log(share).astype(np.float32)


def paint_names(
    a: npt.NDArray[np.object_],
    b: npt.NDArray[np.object_] | None = None,
    health: npt.NDArray[np.object_] | None = None,
    *,
    sure: float = 0.9,
    energy: npt.NDArray[np.float32] | None = None,
) -> Painted:
    """What names of crops and of health classes, (y, x) each, say."""
    late = np.full(a.shape, "none", object) if b is None else b
    told = None if health is None else say(tuple(HEALTH_CLASSES), health, sure)
    return Painted(say(HEADS["A"], a, sure), say(HEADS["B"], late, sure), told, energy)


def names_of(bank: Bank, slot: str) -> npt.NDArray[np.object_]:
    """The truth of a slot as names, (y, x)."""
    assert bank.shape is not None
    crop = bank.crop_a if slot == "A" else bank.crop_b
    return np.array(HEADS[slot], object)[crop].reshape(bank.shape)
