# SPDX-License-Identifier: Apache-2.0
"""Plants laid down by wind or beaten by hail: green that falls from one look to the next, without water or frost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acreline.events import _sudden
from acreline.events._runs import Land, make_events

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDERS = ("mowing", "early_harvest", "frost", "pest_disease")


class Settings(_sudden.Settings):
    """When a fall counts as lodging or hail."""


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find lodging and hail: NDVI falls by a quarter of its value within 15 days while the neighbours' does not.

    The next look must still show half of the fall (a cloud's rim is gone by then), and the ground must not be bare:
    that is a harvest. After a night of frost it is `frost` that is told. `severity` is the fall as a share of what
    stood there, `share` the share of pixels that lie below the middle of before and after.
    """
    table = land.table
    struck, lost, share = _sudden.sudden_falls(table, settings)
    struck &= ~_sudden.frost_before(table, land.weather, settings)
    return make_events(table, struck, event="lodging_hail", min_looks=1, share=share, severity=lost)
