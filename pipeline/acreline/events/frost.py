# SPDX-License-Identifier: Apache-2.0
"""Frost on a standing crop: green that falls after a cold night; only weather can tell it from hail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acreline.events import _sudden
from acreline.events._runs import Land, make_events

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDERS = ("lodging_hail", "pest_disease", "late_failed")


class Settings(_sudden.Settings):
    """When a fall counts as frost."""


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find frost: NDVI falls by a quarter within 15 days of a night below the crop's limit, the neighbours' does not.

    The limit is 0 degrees C where the settings give none of the crop.

    Without weather nothing is told: the fall itself looks like hail. `severity` and `share` as for lodging and hail.
    Weather agrees with every event of this kind, so `confirmed` is left to reports and the network.
    """
    table = land.table
    struck, lost, share = _sudden.sudden_falls(table, settings)
    struck &= _sudden.frost_before(table, land.weather, settings)
    return make_events(table, struck, event="frost", min_looks=1, share=share, severity=lost)
