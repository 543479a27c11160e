# SPDX-License-Identifier: Apache-2.0
"""A network on a simulated county that it has not seen: every pixel, every parcel, every mishap, against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from acreline.model.banks import Bank
from acreline.model.members import AcreNets
from acreline.model.painting import paint_bank
from acreline.trial.county_counts import measure_painted
from acreline.trial.county_scores import figures
from acreline.trial.parcels_told import by_field

__all__ = ["by_field", "choose_normal_bias", "figures", "measure_county", "measure_painted"]
FALSE_ALARMS = 0.05
"""Share of undamaged parcels that may be called damaged: more, and a farmer is troubled for nothing too often."""


def measure_county(nets: AcreNets, bank: Bank, *, normal_bias: float = 0.0) -> dict[str, Any]:
    """Counts of one simulated county that add up over counties, see `figures`.

    Args:
        nets: the members.
        bank: a county, as `counties.county_bank` gives it.
        normal_bias: added to the log-probability of `normal`.
    """
    return measure_painted(paint_bank(nets, bank), bank, normal_bias=normal_bias)


def choose_normal_bias(margins: list[float], share: float = FALSE_ALARMS) -> float:
    """What is added to `normal` so that a given share of undamaged parcels is called damaged, and no more.

    Args:
        margins: of undamaged parcels: log-probability of the likeliest damage less that of `normal`.
        share: of them that may be called damaged.
    """
    ranked = np.sort(np.array(margins))[::-1]
    allowed = int(np.floor(share * len(ranked)))
    return float(ranked[allowed] + 1e-3) if allowed < len(ranked) else 0.0
