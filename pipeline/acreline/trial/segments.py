# SPDX-License-Identifier: Apache-2.0
"""Whether some farms get less than others of equal true value: approvals, limits and acreage by segment.

Segments are held beside the reference group of their kind by the four-fifths convention (US Uniform Guidelines on
Employee Selection Procedures, 29 CFR 1607.4 D: a rate under four fifths of the best group's is a sign of adverse
impact). Rates are compared at equal true value: farms are put into bins by the true value of their harvest, each bin is
compared in itself, and the bins are averaged with the weights that they have in the segment (direct standardisation).
So a segment is never held against a reference group that is merely richer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

LOWEST_RATIO = 0.8
"""Approval and limit over those of the reference group."""
MOST_BIAS = 0.03
"""Of the sum of planted land, relative, up or down."""
FEWEST = 30
"""Farms on either side below which a segment is too small to judge: it is neither passed nor failed."""
VALUE_BINS = 5
"""Bins of true value, each with as many farms of the whole."""
FEWEST_EXPECTED = 5
"""Approvals that a segment would have at the reference group's rates; below it one farm more or less decides."""
FEWEST_IN_BIN = 3
"""Farms of the reference group in a bin; bins with fewer compare nobody."""
DRAWS = 500
"""Samples drawn anew for the interval of a ratio or a bias."""
Z_95 = 1.959964
M2_PER_HA = 10_000
PASSES, NEEDS, FEW, UNKNOWN = "passes", "needs an exception", "too few to judge", "true value not known"
NOT_KNOWN = "not known"
MEASURES = ("approval", "limit", "acreage")

Floats = npt.NDArray[np.float64]


class Kind(NamedTuple):
    """One way to cut farms into segments: by the column of their table, at edges that are named from below."""

    column: str
    edges: tuple[float, ...]
    names: tuple[str, ...]
    best: str | None
    """The segment that should be treated best, as the best seen; None: the one with most farms."""


KINDS: dict[str, Kind] = {
    "clear views": Kind("clear_looks", (6, 12, 24, 48), ("0-5", "6-11", "12-23", "24-47", "48 or more"), "48 or more"),
    "slope": Kind("slope_deg", (2, 6, 15), ("under 2 deg", "2-6 deg", "6-15 deg", "15 deg or more"), "under 2 deg"),
    "crop share": Kind("crop_share", (0.05, 0.2), ("minority, under 5 %", "5-20 %", "20 % or more"), "20 % or more"),
    "size": Kind(
        "area_ha", (0.3, 0.5, 1, 5), ("under 0.3 ha", "0.3-0.5 ha", "0.5-1 ha", "1-5 ha", "5 ha or more"), None
    ),
}
"""Clear views: the fewest over a farm's parcels. Crop share: of its main crop in the land sown in the county."""


def segment_farms(farms: pd.DataFrame, *, seed: int = 2018) -> pd.DataFrame:
    """Approval, referral, limit and acreage by segment, beside the reference group at equal true value.

    Args:
        farms: one row per farm: outcome (approve, refer, decline), limit (money; NaN where referred), area_ha (drawn),
            planted_m2 (as told; NaN where not measured); of the columns of `KINDS` those that are known; true_value
            (money) and true_planted_m2 where the truth is known, NaN or left out where not.
        seed: of the samples drawn for intervals.

    Returns:
        one row per kind and segment that has a farm, in the order of `KINDS`: kind, segment, reference (it is what the
        others are held against), n, approved and referred (shares; approved_low and _high: 95 %, Wilson), decided
        (farms), limit_per_ha (of those decided), limit_per_value (limits over true values, of those decided); at equal
        true value compared and compared_decided (farms in bins that both have), approval_ratio and limit_ratio to the
        reference group with _low and _high (95 %, drawn anew); acreage_n, acreage_bias (sum told over sum true, less 1)
        with _low and _high; verdict; failing and unjudged (measures, `a|b`). NaN where there is nothing to compare. A
        kind whose column is missing is one row, segment "not known".
    """
    import pandas as pd

    table = _with_bins(farms)
    rows = [row for kind in KINDS for row in _rows_of(kind, table, np.random.default_rng(seed))]
    return pd.DataFrame(rows)


def _with_bins(farms: pd.DataFrame) -> pd.DataFrame:
    """The farms with plain numbers for limits and truth, and their bin of true value; -1 where it is not known."""
    import pandas as pd

    absent = {name: np.nan for name in ("true_value", "true_planted_m2") if name not in farms}
    table = farms.assign(**absent).reset_index(drop=True)
    for name in ("limit", "area_ha", "planted_m2", "true_value", "true_planted_m2"):
        table[name] = pd.to_numeric(table[name]).astype(float)
    value = table["true_value"]
    known = (value > 0).to_numpy()
    bins = np.full(len(table), -1)
    if known.any():
        inner = np.quantile(value[known], np.linspace(0, 1, VALUE_BINS + 1)[1:-1])
        bins[known] = np.searchsorted(inner, value[known], side="right")
    return table.assign(bin=bins)


def _rows_of(name: str, table: pd.DataFrame, rng: np.random.Generator) -> list[dict[str, Any]]:
    kind = KINDS[name]
    known = table[table[kind.column].notna()] if kind.column in table else table.iloc[:0]
    rows = []
    if len(known):
        place = np.searchsorted(kind.edges, known[kind.column].to_numpy(float), side="right")
        parts = {segment: known[place == at] for at, segment in enumerate(kind.names) if (place == at).any()}
        most = max(parts, key=lambda segment: len(parts[segment]))
        best = kind.best if kind.best in parts and len(parts[kind.best]) >= FEWEST else most
        rows = [_row(name, segment, part, parts[best], segment == best, rng) for segment, part in parts.items()]
    if len(known) < len(table):
        rest = table.drop(known.index)
        rows.append({**_plain(name, NOT_KNOWN, rest), "reference": False, "verdict": NOT_KNOWN, "failing": "",
                     "unjudged": ""})  # fmt: skip
    return rows


def _plain(kind: str, segment: str, part: pd.DataFrame) -> dict[str, Any]:
    """What needs no truth, and places for what does."""
    approved, referred = part["outcome"] == "approve", part["outcome"] == "refer"
    decided = part[part["limit"].notna()]
    low, high = wilson(int(approved.sum()), len(part))
    told = decided["true_value"] > 0
    return {
        "kind": kind,
        "segment": segment,
        "reference": False,
        "n": len(part),
        "approved": float(approved.mean()),
        "approved_low": low,
        "approved_high": high,
        "referred": float(referred.mean()),
        "decided": len(decided),
        "limit_per_ha": _over(decided["limit"].sum(), decided["area_ha"].sum()),
        "limit_per_value": _over(decided["limit"][told].sum(), decided["true_value"][told].sum()),
        "compared": 0,
        "compared_decided": 0,
        **{f"{name}{end}": np.nan for name in ("approval_ratio", "limit_ratio") for end in ("", "_low", "_high")},
        "acreage_n": 0,
        **{f"acreage_bias{end}": np.nan for end in ("", "_low", "_high")},
    }


def _row(
    kind: str, segment: str, part: pd.DataFrame, other: pd.DataFrame, is_reference: bool, rng: np.random.Generator
) -> dict[str, Any]:
    row = _plain(kind, segment, part) | {"reference": is_reference}
    judged: dict[str, tuple[bool, bool]] = {}
    """Measure -> whether there is enough to compare, and whether it holds."""
    if not is_reference:
        both = _common(part, other)
        row["compared"], expected, ratio, ends = _ratio(*both, _approval, rng)
        _tell(row, "approval_ratio", ratio, ends)
        judged["approval"] = (_enough(both) and expected >= FEWEST_EXPECTED, ratio >= LOWEST_RATIO)
        decided = _common(part[part["limit"].notna()], other[other["limit"].notna()])
        row["compared_decided"], _, ratio, ends = _ratio(*decided, _limit, rng)
        _tell(row, "limit_ratio", ratio, ends)
        judged["limit"] = (_enough(decided) and np.isfinite(ratio), ratio >= LOWEST_RATIO)
    land = part[(part["true_planted_m2"] > 0) & part["planted_m2"].notna()]
    row["acreage_n"] = len(land)
    bias, ends = _bias(land, rng)
    _tell(row, "acreage_bias", bias, ends)
    judged["acreage"] = (len(land) >= FEWEST, abs(bias) <= MOST_BIAS)
    known = (part["true_value"] > 0).any() or len(land) > 0
    failing = [name for name in MEASURES if name in judged and judged[name][0] and not judged[name][1]]
    few = [name for name in MEASURES if name in judged and not judged[name][0]]
    verdict = NEEDS if failing else FEW if few else PASSES
    return row | {
        "verdict": verdict if known else UNKNOWN,
        "failing": "|".join(failing),
        "unjudged": "|".join(few) if known else "",
    }


def _common(part: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Farms of both in the bins of true value that both have."""
    of_other = other["bin"].value_counts()
    shared = [at for at in sorted(set(part["bin"])) if at >= 0 and of_other.get(at, 0) >= FEWEST_IN_BIN]
    return part[part["bin"].isin(shared)], other[other["bin"].isin(shared)]


def _enough(both: tuple[pd.DataFrame, pd.DataFrame]) -> bool:
    return min(len(both[0]), len(both[1])) >= FEWEST


def _approval(part: pd.DataFrame) -> tuple[Floats, Floats]:
    return np.asarray(part["outcome"] == "approve", dtype=np.float64), np.ones(len(part))


def _limit(part: pd.DataFrame) -> tuple[Floats, Floats]:
    return part["limit"].to_numpy(float), part["true_value"].to_numpy(float)


def _ratio(
    part: pd.DataFrame, other: pd.DataFrame, parts_of: Any, rng: np.random.Generator
) -> tuple[int, float, float, tuple[float, float]]:
    """Farms compared, their sum at the other group's rates, the ratio of rates at equal true value, and its interval.

    The rate of a bin is a sum over a sum (approvals over farms, limits over true values), so that a farm of hardly any
    worth does not outweigh the others.
    """
    if not len(part):
        return 0, 0.0, np.nan, (np.nan, np.nan)
    weights = part["bin"].value_counts()
    sums = np.zeros((2, DRAWS + 1))
    for at, weight in weights.sort_index().items():
        for side, group in enumerate((part, other)):
            above, below = parts_of(group[group["bin"] == at])
            chosen = rng.integers(0, len(above), (DRAWS, len(above)))
            top = np.append(above.sum(), above[chosen].sum(axis=1))
            bottom = np.append(below.sum(), below[chosen].sum(axis=1))
            sums[side] += weight * top / bottom
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(sums[1] > 0, sums[0] / sums[1], np.nan)
    return len(part), float(sums[1, 0]), float(ratios[0]), _ends(ratios[1:])


def _bias(land: pd.DataFrame, rng: np.random.Generator) -> tuple[float, tuple[float, float]]:
    """Sum of told over sum of true planted land, less 1."""
    if not len(land):
        return np.nan, (np.nan, np.nan)
    told, true = land["planted_m2"].to_numpy(float), land["true_planted_m2"].to_numpy(float)
    chosen = rng.integers(0, len(land), (DRAWS, len(land)))
    return float(told.sum() / true.sum() - 1), _ends(told[chosen].sum(axis=1) / true[chosen].sum(axis=1) - 1)


def _ends(drawn: Floats) -> tuple[float, float]:
    drawn = drawn[np.isfinite(drawn)]
    return (float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))) if len(drawn) else (np.nan, np.nan)


def _tell(row: dict[str, Any], name: str, value: float, ends: tuple[float, float]) -> None:
    row[name], (row[f"{name}_low"], row[f"{name}_high"]) = value, ends


def _over(above: float, below: float) -> float:
    return float(above / below) if below > 0 else np.nan


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927): never outside 0 to 1, and of some width where every farm is alike.

    >>> [round(end, 3) for end in wilson(10, 10)]
    [0.722, 1.0]
    """
    if n == 0:
        return np.nan, np.nan
    share, z2 = hits / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def worst_of(table: pd.DataFrame, kind: str, measure: str) -> tuple[float, str, int, int]:
    """The lowest ratio, or the largest bias, over the segments of a kind that are large enough to judge.

    Args:
        table: of `segment_farms`.
        kind: a name of `KINDS`.
        measure: approval, limit or acreage.

    Returns:
        the figure (NaN where no segment can be judged), its segment, the farms behind it, and how many segments are too
        small to judge.
    """
    column, count = {
        "approval": ("approval_ratio", "compared"),
        "limit": ("limit_ratio", "compared_decided"),
        "acreage": ("acreage_bias", "acreage_n"),
    }[measure]
    mine = [row for row in table.to_dict("records") if row["kind"] == kind and row["segment"] != NOT_KNOWN]
    mine = [row for row in mine if measure == "acreage" or not row["reference"]]
    judged = [row for row in mine if measure not in row["unjudged"].split("|") and np.isfinite(row[column])]
    small = sum(measure in row["unjudged"].split("|") for row in mine)
    if not judged:
        return np.nan, "", 0, small
    row = max(judged, key=lambda one: abs(one[column]) if measure == "acreage" else -one[column])
    return abs(float(row[column])), str(row["segment"]), int(row[count]), small
