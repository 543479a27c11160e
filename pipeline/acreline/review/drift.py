# SPDX-License-Identifier: Apache-2.0
"""Whether two samples are of one distribution: the population stability index with its bins, n and a size-aware test.

The index has thresholds by convention (0.10, 0.25) that know nothing of n: of two samples of 50 from one distribution
in ten bins it is 0.36 on average. Where both are of one distribution, index / (1/n + 1/m) follows a chi-square with one
degree of freedom less than bins (Yurdakul and Naranjo 2020): what is above the threshold and below the value that
chance gives is told as `small_sample`, not as drift.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

NOTE, ALERT = 0.10, 0.25
"""Of the index, by convention."""
LEVEL = 0.05
"""Share of comparisons of equal land in which anything is told to drift, over all features and classes together."""
MOST_BINS = 10
PER_BIN = 10
"""Of the smaller sample, at least, on average."""
LEAST = 20
"""Below this many on either side nothing is told."""
HALF = 0.5
"""Added to each count, so that an empty bin has a logarithm."""
MISSING = "missing"
VERDICTS = ("alert", "note", "small_sample", "stable", "too_few")
COLUMNS = ("kind", "name", "n_since", "n_now", "bins", "psi", "critical", "verdict", "bin_names", "counts_since",
           "counts_now", "mean_since", "mean_now")  # fmt: skip
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Binned:
    """Two samples counted in the same bins."""

    names: tuple[str, ...]
    since: tuple[int, ...]
    now: tuple[int, ...]


def bin_numbers(since: Floats, now: Floats) -> Binned:
    """Count two samples in bins of equal share of the earlier one, as many as the smaller sample fills.

    Args:
        since: (n,), the earlier sample; NaN is missing and counts in a bin of its own.
        now: (m,), the later one.

    Returns:
        at most `MOST_BINS` bins with `PER_BIN` of the smaller sample on average, fewer where values repeat; values
        beyond the earlier sample's lie in the outermost.
    """
    known = since[np.isfinite(since)]
    smaller = min(len(known), int(np.isfinite(now).sum()))
    count = max(2, min(MOST_BINS, smaller // PER_BIN))
    edges = np.unique(np.quantile(known, np.arange(1, count) / count)) if len(known) else np.empty(0)
    ends = ["-inf", *(f"{edge:.6g}" for edge in edges), "inf"]
    names = [f"{low} to {high}" for low, high in itertools.pairwise(ends)]
    counts = []
    for sample in (since, now):
        finite = sample[np.isfinite(sample)]
        places = np.searchsorted(edges, finite, side="left")  # a value on an edge lies below it
        counts.append([*np.bincount(places, minlength=len(names)).tolist(), len(sample) - len(finite)])
    return _filled([*names, MISSING], *counts)


def bin_classes(since: Sequence[str | None], now: Sequence[str | None]) -> Binned:
    """Count two samples of class names, by name; None is missing."""
    names = sorted({str(one) for one in (*since, *now) if one is not None})
    counts = [[sum(one == name for one in sample) for name in names] + [sum(one is None for one in sample)]
              for sample in (since, now)]  # fmt: skip
    return _filled([*names, MISSING], *counts)


def _filled(names: Sequence[str], since: Sequence[int], now: Sequence[int]) -> Binned:
    """Without bins that are empty on both sides."""
    kept = [k for k in range(len(names)) if since[k] + now[k]]
    return Binned(*(tuple(values[k] for k in kept) for values in (names, since, now)))  # type: ignore[arg-type]


def stability_index(binned: Binned) -> float:
    """Sum over bins of (share now - share since) x ln(share now / share since), half an item added to each count."""
    bins = len(binned.names)
    told = [[(count + HALF) / (sum(side) + HALF * bins) for count in side] for side in (binned.since, binned.now)]
    return math.fsum((new - old) * math.log(new / old) for old, new in zip(*told, strict=True))


def critical_index(n: int, m: int, bins: int, level: float) -> float:
    """The index that two samples of one distribution exceed in the share `level` of cases; 0 of a single bin."""
    return 0.0 if bins < 2 else (1 / n + 1 / m) * chi_square(level, bins - 1)


def chi_square(upper: float, freedom: int) -> float:
    """The value that a chi-square of so many degrees of freedom exceeds with probability `upper`, 0 to 1."""
    low, high = 0.0, 10.0 * freedom + 100.0
    for _ in range(200):
        middle = (low + high) / 2
        if _exceeds(middle, freedom) > upper:
            low = middle
        else:
            high = middle
    return high


def _exceeds(x: float, freedom: int) -> float:
    """Probability that a chi-square exceeds x: its closed series for whole and half orders."""
    half = x / 2
    if freedom % 2:
        terms = [math.exp(-half + (i - 0.5) * math.log(half) - math.lgamma(i + 0.5)) if half else 0.0
                 for i in range(1, (freedom - 1) // 2 + 1)]  # fmt: skip
        return math.erfc(math.sqrt(half)) + sum(terms)
    return math.exp(-half) * sum(half**i / math.factorial(i) for i in range(freedom // 2))


def measure_drift(
    features: Sequence[tuple[str, Floats, Floats]],
    classes: Sequence[tuple[str, Sequence[str | None], Sequence[str | None]]],
) -> pd.DataFrame:
    """Compare two samples feature by feature and class by class.

    Args:
        features: name, earlier and later values of each.
        classes: name, earlier and later names of each.

    Returns:
        one row each, `COLUMNS`, the gravest first. `critical` is what chance exceeds in `LEVEL` of comparisons, over
        all rows that are told together (Bonferroni). Verdicts: alert (index over `ALERT` and over critical), note (over
        `NOTE` and over critical), small_sample (over `NOTE`, not over critical), stable, too_few (fewer than `LEAST` on
        a side; no index).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for name, since, now in features:
        seen = since[np.isfinite(since)], now[np.isfinite(now)]
        means = [float(one.mean()) if len(one) else None for one in seen]
        rows.append(_row("feature", name, bin_numbers(since, now)) | {"mean_since": means[0], "mean_now": means[1]})
    rows += [_row("class", name, bin_classes(since, now)) for name, since, now in classes]
    told = [row for row in rows if row["verdict"] is None]
    for row in told:
        row["critical"] = critical_index(row["n_since"], row["n_now"], row["bins"], LEVEL / len(told))
        row["verdict"] = _judge(row["psi"], row["critical"])
    rows.sort(key=lambda row: (VERDICTS.index(row["verdict"]), -(row["psi"] or 0.0), row["kind"], row["name"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(kind: str, name: str, binned: Binned) -> dict[str, Any]:
    n, m = sum(binned.since), sum(binned.now)
    few = min(n, m) < LEAST
    return {
        "kind": kind,
        "name": name,
        "n_since": n,
        "n_now": m,
        "bins": len(binned.names),
        "psi": None if few else stability_index(binned),
        "critical": None,
        "verdict": "too_few" if few else None,
        "bin_names": "|".join(binned.names),
        "counts_since": "|".join(map(str, binned.since)),
        "counts_now": "|".join(map(str, binned.now)),
        "mean_since": None,
        "mean_now": None,
    }


def _judge(psi: float, critical: float) -> str:
    if psi <= NOTE:
        return "stable"
    if psi <= critical:
        return "small_sample"
    return "alert" if psi > ALERT else "note"
