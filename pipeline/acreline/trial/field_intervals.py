# SPDX-License-Identifier: Apache-2.0
"""Intervals of single fields by how far the surveyed ones were missed, once there are enough of them (conformal)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 40
"""Surveyed fields from which on their own misses set the intervals; until then they are log-normal (science 4.1)."""
PROMISED = 0.9


def conform(told: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Widen or narrow the intervals so that they hold nine tenths of the surveyed fields.

    The score of a surveyed field is its miss on the logarithm over half of its log-normal interval; a field's interval
    is half of its own times the quantile of the others' scores (split-conformal; Vovk et al. 2005, Lei et al. 2018), so
    that one that is known better stays narrower. No field's own harvest takes part in its interval.

    Args:
        told: value, low and high of each field and, where it was surveyed, known; all above zero or NaN.

    Returns:
        the table with low and high anew and "conformal", or as it came and "log-normal" below `ENOUGH` surveyed fields.
    """
    value, high, known = (told[name].to_numpy(np.float64) for name in ("value", "high", "known"))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.log(high / value)
        score = np.abs(np.log(known / value)) / half
    surveyed = np.isfinite(score)
    count = int(surveyed.sum())
    if count < ENOUGH:
        return told, "log-normal"
    ranked = np.sort(score[surveyed])
    rank = np.where(surveyed, np.searchsorted(ranked, score), count)  # of a field among the surveyed, from 0
    others = np.where(surveyed, count - 1, count)
    wanted = np.minimum(np.ceil((others + 1) * PROMISED).astype(int), others) - 1
    factor = ranked[np.where(rank <= wanted, np.minimum(wanted + 1, count - 1), wanted)]
    width = np.exp(factor * half)
    return told.assign(low=(value / width).round(3), high=(value * width).round(3)), "conformal"
