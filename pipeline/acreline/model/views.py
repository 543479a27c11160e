# SPDX-License-Identifier: Apache-2.0
"""Land as it would have been seen with fewer looks: some left out at random, or the season cut off at a day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank

FEW_LOOKS = (10, 4)
"""About so many clear looks are left in the poorer views, one for each range of few looks that has its own cells."""
EARLIEST_CUT = 0.6
"""A season is cut off no earlier than after this share of its axis (about 20 June): before, hardly any late crop is up,
and a promise that held then too would name half of all crops at the season's end."""

Mask = npt.NDArray[np.bool_]


def draw_views(bank: Bank, rng: np.random.Generator) -> dict[str, Bank]:
    """The same land seen less and less.

    Few looks come about in two ways, so each poorer view is made in one of them, drawn by lot: a cloudy season (looks
    left out at random), and a season that is still young (cut off after so many looks).

    Args:
        bank: land with all its looks.
        rng: where chance comes from.

    Returns:
        whole: all looks; cut: up to a day between 60 % and 100 % of the axis; then, for each of `FEW_LOOKS`, about so
        many clear looks of an average pixel.
    """
    length = (bank.axis.end - bank.axis.start).days
    clear = bank.clear.mean(axis=1)
    views = {"whole": bank, "cut": keep_looks(bank, bank.days < length * rng.uniform(EARLIEST_CUT, 1))}
    for wanted in FEW_LOOKS:
        order = rng.permutation(len(clear)) if rng.random() < 0.5 else np.arange(len(clear))
        kept = np.zeros(len(clear), np.bool_)
        kept[order[np.cumsum(clear[order]) <= wanted]] = True
        views[f"about {wanted}"] = keep_looks(bank, kept)
    return views


def keep_looks(bank: Bank, kept: Mask) -> Bank:
    """The bank with only these looks, (time,)."""
    return replace(
        bank,
        days=bank.days[kept],
        fine=bank.fine[kept],
        coarse=None if bank.coarse is None else bank.coarse[kept],
        clear=bank.clear[kept],
    )
