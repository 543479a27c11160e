# SPDX-License-Identifier: Apache-2.0
"""What so few cases give by chance: an exact test of two shares, and a correction for asking many times."""

from __future__ import annotations

import math
from collections.abc import Sequence

NEAR = 1.0000001
"""Two tables whose probabilities differ by less than this count as equally rare (rounding alone tells them apart)."""


def two_shares(count: int, n: int, count_others: int, n_others: int) -> float:
    """Fisher's exact two-sided p that two samples have one share: of few cases it is large, whatever the gap.

    The others are a sample too. A binomial test against their share would take that share as known, and speak up too
    often where they are few.

    Args:
        count: hits of the one sample, 0 to n.
        n: its size.
        count_others: hits of the other sample, 0 to n_others.
        n_others: its size.

    Returns:
        0 to 1; 1 where a sample is empty.

    Raises:
        ValueError: a count is below 0 or above its size.
    """
    if not (0 <= count <= n and 0 <= count_others <= n_others):
        raise ValueError(f"{count} of {n} and {count_others} of {n_others} are no shares")
    hits, whole = count + count_others, n + n_others
    chances = [_chance(k, hits, n, whole) for k in range(max(0, hits - n_others), min(n, hits) + 1)]
    seen = _chance(count, hits, n, whole)
    return min(1.0, math.fsum(chance for chance in chances if chance <= seen * NEAR))


def _chance(count: int, hits: int, n: int, whole: int) -> float:
    """Probability of so many hits among n drawn from a whole of which so many are hits."""
    return math.exp(_ways(hits, count) + _ways(whole - hits, n - count) - _ways(whole, n))


def _ways(n: int, k: int) -> float:
    """Logarithm of the number of ways to draw k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def adjusted(chances: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values, in the order given.

    Alerting where they are at most q keeps the expected share of false alerts among the alerts at q or below, for tests
    that are independent or hang together positively, as the rates of one officer do.
    """
    order = sorted(range(len(chances)), key=lambda k: chances[k], reverse=True)
    out, least = [1.0] * len(chances), 1.0
    for place, k in enumerate(order):
        least = min(least, chances[k] * len(chances) / (len(chances) - place))
        out[k] = least
    return out


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values do not exceed (nearest rank).

    Raises:
        ValueError: there is no value.
    """
    if not values:
        raise ValueError("no value, no quantile")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
