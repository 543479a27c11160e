# SPDX-License-Identifier: Apache-2.0
"""The crops that the network knows, the slots they fill, and what a label of one main crop a year says of each slot."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import Slot

NONE = "none"
"""Nothing was grown for harvest in the slot: fallow, bare, a catch crop."""

CROP_SLOTS: dict[str, tuple[Slot, ...]] = {
    "winter_cereal": ("A",),
    "winter_barley": ("A",),
    "spring_cereal": ("A",),
    "rapeseed": ("A",),
    "early_rice": ("A",),
    "late_rice": ("B",),
    "single_rice": ("B",),
    "maize": ("B",),
    "soybean": ("B",),
    "cotton": ("B",),
    "peanut": ("B",),
    "potato": ("A", "B"),
    "sweet_potato": ("B",),
    "sunflower": ("B",),
    "beet": ("B",),
    "pulses": ("B",),
    "sugarcane": ("AB",),
    "tobacco": ("B",),
    "tea": ("AB",),
    "perennial": ("AB",),
    "vegetables": ("A", "B", "AB"),
    "greenhouse": ("AB",),
    "grassland": ("AB",),
    "non_agri": ("AB",),
}
"""Crop class -> the season slots it may fill. A: harvested by about 20 July; B: after it; AB: stands in both.

Spring and summer maize are one class: what the soil bore before them, and the calendar, tell them apart, and a set of
the two would send a farm to a person for nothing.
"""

CROP_GROUPS: dict[str, tuple[str, ...]] = {
    "winter_crops": ("winter_cereal", "winter_barley", "spring_cereal", "rapeseed"),
    "rice": ("early_rice", "late_rice", "single_rice"),
    "tall_summer_crops": ("maize", "sunflower", "tobacco"),
    "low_summer_crops": (
        "soybean",
        "cotton",
        "peanut",
        "potato",
        "sweet_potato",
        "beet",
        "pulses",
        "vegetables",
    ),
    "lasting_covers": ("sugarcane", "tea", "perennial", "greenhouse", "grassland", "non_agri"),
    "nothing": (NONE,),
}
"""Group -> classes that are taken for each other more than for those of other groups: their sets share a promise.

Green from spring to early summer; standing in water; tall or low through summer; green or unchanged all year; bare.
"""

CROP_CLASSES: tuple[str, ...] = tuple(CROP_SLOTS)
HEADS: dict[str, tuple[str, ...]] = {
    slot: (NONE, *(name for name, slots in CROP_SLOTS.items() if slot in slots or "AB" in slots)) for slot in "AB"
}
"""Slot -> classes of its head, in order."""


def head_groups(slot: str) -> dict[str, tuple[str, ...]]:
    """The crop groups of a slot's head: those of its classes, each class in one."""
    mine = {group: tuple(name for name in names if name in HEADS[slot]) for group, names in CROP_GROUPS.items()}
    return {group: names for group, names in mine.items() if names}


MAIN_ALONE = {"potato": "B", "vegetables": "B"}
"""Crops that may stand in either slot: where a farmer declares one as the year's main crop, it is taken for this."""
LATE_MAIN_MEANS_NO_EARLY = True
"""A declared main crop of slot B says that no main crop was harvested before it; one of slot A says nothing of B."""

Labels = npt.NDArray[np.integer[Any]]


def slot_targets(label: Labels) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Declared main crop of a year -> what it teaches the head of each slot.

    Args:
        label: index into `CROP_CLASSES`; below 0 = not known. Any shape.

    Returns:
        index into `HEADS["A"]` and `HEADS["B"]`, -1 where the declaration says nothing.
    """
    tables = {"A": np.full(len(CROP_CLASSES) + 1, -1, np.int16), "B": np.full(len(CROP_CLASSES) + 1, -1, np.int16)}
    for number, (name, slots) in enumerate(CROP_SLOTS.items()):
        slot = MAIN_ALONE.get(name) or slots[0]
        for head in slot:
            tables[head][number] = HEADS[head].index(name)
        if slot == "B" and LATE_MAIN_MEANS_NO_EARLY:
            tables["A"][number] = HEADS["A"].index(NONE)
    at = np.where(label < 0, len(CROP_CLASSES), label)
    return tables["A"][at], tables["B"][at]


def main_crop_logp(
    logp_a: npt.NDArray[np.floating[Any]], logp_b: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """Log-probability that a crop is the year's main crop, from those of both slots.

    An early crop is the main crop where it stands in slot A; a late one where it stands in B and nothing in A; a crop
    of the whole year must stand in both (geometric mean). A crop that may stand in either slot counts where it is
    likelier.

    Args:
        logp_a: (..., classes of head A), log-probabilities.
        logp_b: (..., classes of head B).

    Returns:
        (..., classes of `CROP_CLASSES`), normalised.
    """
    empty = logp_a[..., HEADS["A"].index(NONE)]
    columns: list[npt.NDArray[np.float64]] = []
    for name, slots in CROP_SLOTS.items():
        ways: list[npt.NDArray[np.float64]] = []
        for slot in slots:
            a = logp_a[..., HEADS["A"].index(name)].astype(np.float64) if "A" in slot else None
            b = logp_b[..., HEADS["B"].index(name)].astype(np.float64) if "B" in slot else None
            if a is not None and b is not None:
                ways.append((a + b) / 2)
            elif a is not None:
                ways.append(a)
            elif b is not None:
                ways.append(empty + b)
        columns.append(np.maximum.reduce(ways))
    out = np.stack(columns, axis=-1)
    out -= out.max(axis=-1, keepdims=True)
    out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))
    return out
