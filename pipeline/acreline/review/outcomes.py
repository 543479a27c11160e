# SPDX-License-Identifier: Apache-2.0
"""How loans or harvests ended, held beside what was decided: errors by season and segment, each with its n."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import InputError
from acreline.review.book import UNKNOWN, Region, size_of
from acreline.review.compare import ALL, records
from acreline.sheets import days, numbers, read_sheet, refuse_row
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    import pandas as pd

LOANS, HARVESTS = "loans", "harvests"
LOAN_COLUMNS = ("season", "farm_id", "known_on", "defaulted")
HARVEST_COLUMNS = ("season", "parcel_id", "slot", "known_on", "yield_kg_per_ha")
LOAN_ROWS = (
    "season", "by", "group", "n", "defaults", "rate", "rate_low", "rate_high", "limit_sum", "limit_defaulted",
    "limit_share_defaulted",
)  # fmt: skip
HARVEST_ROWS = (
    "season", "by", "group", "n", "bias", "mean_error", "inside_share", "farms", "limit_sum", "farms_uncovered",
    "limit_uncovered",
)  # fmt: skip
BANDS = (0.1, 0.2, 0.3)
"""Ends of the bands of a limit's share of the harvest's expected worth."""
Z95 = 1.959963984540054
EVERY_SEASON = "all"


def read_outcomes(path: Path) -> tuple[str, pd.DataFrame]:
    """How it ended, by season, from a CSV or Parquet file.

    Args:
        path: of loans: `LOAN_COLUMNS` (season: harvest year; known_on: the day on which it was known; defaulted: 1 or
            0). Of harvests: `HARVEST_COLUMNS` (slot: A, B or AB).

    Returns:
        `loans` or `harvests`, and the table with season as int, known_on as text, the rest as numbers.

    Raises:
        InputError: the file cannot be read, has neither set of columns, a number that cannot be, or tells of one loan
            or harvest twice.
    """
    table = read_sheet(path, "--outcomes", ())
    kind = LOANS if "defaulted" in table.columns else HARVESTS
    wanted = LOAN_COLUMNS if kind == LOANS else HARVEST_COLUMNS
    if kind == HARVESTS and "yield_kg_per_ha" not in table.columns:
        raise InputError(
            f"{path}: neither defaulted nor yield_kg_per_ha; found {list(table.columns)}",
            hint=f"of loans the columns are {', '.join(LOAN_COLUMNS)}; of harvests {', '.join(HARVEST_COLUMNS)}",
        )
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: columns {missing} are missing; found {list(table.columns)}",
            hint=f"of {kind} the columns are {', '.join(wanted)}",
        )
    days(path, table, "known_on")
    figures = {"season": numbers(path, table, "season", low=1900, high=2200).astype(int)}
    if kind == LOANS:
        refuse_row(path, table, ~table["defaulted"].isin(["0", "1"]), "defaulted", "1 for a loan not paid back, else 0")
        figures["defaulted"] = table["defaulted"].astype(int)
    else:
        figures["yield_kg_per_ha"] = numbers(path, table, "yield_kg_per_ha", low=0, high=1e6)
    keys = list(wanted[:2] if kind == LOANS else wanted[:3])
    refuse_row(path, table, table.duplicated(keys), keys[1], "each loan or harvest of a season once")
    return kind, table[list(wanted)].assign(**figures)


def count_rows(kind: str, ended: pd.DataFrame, seasons: Sequence[tuple[int, Region]]) -> dict[str, int]:
    """Rows of a file of outcomes: in it, of a decided season's farm or stand, of none, and of no decided season.

    Returns:
        `in` = `matched` + `unknown` + `other_season`.
    """
    names = ("farm_id",) if kind == LOANS else ("parcel_id", "slot")
    known: set[tuple[int | str, ...]] = set()
    for year, place in seasons:
        for farm in place.farms:
            known |= {(year, farm.farm_id)} if kind == LOANS else {(year, s.parcel_id, s.slot) for s in farm.stands}
    years = {year for year, _ in seasons}
    rows = [(int(row["season"]), *(str(row[name]) for name in names)) for row in records(ended)]
    matched, other = sum(row in known for row in rows), sum(row[0] not in years for row in rows)
    return {"in": len(rows), "matched": matched, "unknown": len(rows) - matched - other, "other_season": other}


def interval(count: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not n:
        return 0.0, 1.0
    share, z2 = count / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


# --- what was decided -------------------------------------------------------------------------------------------------
def decided_rows(region: Region) -> list[dict[str, Any]]:
    """One row per farm: outcome, limit, segments, and the band of its limit in the harvest's expected worth."""
    out = []
    for farm, decision in zip(region.farms, region.published, strict=True):
        limit = None if decision.limit is None else float(decision.limit)
        worth = farm.value.mid if farm.value is not None and farm.currency == decision.currency else None
        out.append(
            {
                "farm_id": farm.farm_id,
                "outcome": decision.outcome,
                "limit": limit,
                "worth": worth,
                "crop": farm.main_crop or UNKNOWN,
                "size": size_of(None if farm.area_m2 is None else m2_to_mu(farm.area_m2)),
                "county": region.county or UNKNOWN,
                "band": band_of(limit, worth),
            }
        )
    return out


def band_of(limit: float | None, worth: float | None) -> str:
    """The band of a limit's share of the harvest's worth; `no limit` where none was granted."""
    if not limit:
        return "no limit"
    if not worth:
        return UNKNOWN
    ends = (0.0, *BANDS)
    for low, high in zip(ends, BANDS, strict=False):
        if limit / worth <= high:
            return f"{low:.0%} to {high:.0%} of the harvest"
    return f"over {BANDS[-1]:.0%} of the harvest"


SEGMENTS = {"outcome": "outcome", "limit": "band", "crop": "crop", "county": "county", "size": "size"}


def _groups(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """All rows, then each segment's groups by name."""
    yield ALL, ALL, list(rows)
    for name, column in SEGMENTS.items():
        for group in sorted({str(row[column]) for row in rows}):
            yield name, group, [row for row in rows if row[column] == group]


def _by_season(
    cases: Sequence[dict[str, Any]], columns: Sequence[str], told: Callable[[list[dict[str, Any]]], dict[str, Any]]
) -> pd.DataFrame:
    import pandas as pd

    seasons = sorted({case["season"] for case in cases})
    out: list[dict[str, Any]] = []
    for season in [*seasons, EVERY_SEASON]:
        mine = [case for case in cases if season in (EVERY_SEASON, case["season"])]
        for by, group, rows in _groups(mine):
            if rows:
                out.append({"season": season, "by": by, "group": group, **told(rows)})
    return pd.DataFrame(out, columns=list(columns))


# --- loans ------------------------------------------------------------------------------------------------------------
def score_loans(seasons: Sequence[tuple[int, Region]], outcomes: pd.DataFrame) -> pd.DataFrame:
    """Share of loans that defaulted, by season and segment, beside the limits that were decided as known then.

    All farms with an outcome count, also those that a person or another policy lent to; the groups of `outcome` and
    `limit` tell them apart. Money is that of the limits decided here, not of the loans.

    Returns:
        one row per season (and `all`), dimension and group, `LOAN_ROWS`, with Wilson's 95 % interval of the rate.
    """
    cases = []
    for season, region in seasons:
        ended = {str(row["farm_id"]): row["defaulted"] for row in records(outcomes[outcomes["season"] == season])}
        for row in decided_rows(region):
            if row["farm_id"] in ended:
                cases.append({**row, "season": season, "defaulted": int(ended[row["farm_id"]])})
    return _by_season(cases, LOAN_ROWS, _loan_figures)


def _loan_figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    n, bad = len(rows), sum(row["defaulted"] for row in rows)
    low, high = interval(bad, n)
    money = sum(row["limit"] or 0.0 for row in rows)
    lost = sum(row["limit"] or 0.0 for row in rows if row["defaulted"])
    return {"n": n, "defaults": bad, "rate": bad / n, "rate_low": low, "rate_high": high, "limit_sum": money,
            "limit_defaulted": lost, "limit_share_defaulted": lost / money if money else None}  # fmt: skip


# --- harvests ---------------------------------------------------------------------------------------------------------
def score_harvests(seasons: Sequence[tuple[int, Region]], outcomes: pd.DataFrame) -> pd.DataFrame:
    """Error of told harvests by season and segment, and limits that the true harvest would not have covered.

    Returns:
        one row per season (and `all`), dimension and group, `HARVEST_ROWS`. n: stands with a told and a true harvest;
        bias: mean of told / true - 1; mean_error: mean of its size; inside_share: true ones inside the 90 % interval;
        farms: those whose every stand is known; farms_uncovered, limit_uncovered: of them, limits above the worth of
        the true harvest at the prices of the day, and by how much. A segment is the farm's, a crop the stand's.
    """
    stands, farms = [], []
    for season, region in seasons:
        true = {
            (str(row["parcel_id"]), str(row["slot"])): float(row["yield_kg_per_ha"])
            for row in records(outcomes[outcomes["season"] == season])
        }
        for farm, row in zip(region.farms, decided_rows(region), strict=True):
            worth, whole = 0.0, bool(farm.stands)
            for stand in farm.stands:
                harvest, told = true.get((stand.parcel_id, stand.slot)), stand.yield_kg_per_ha
                if harvest is None or told is None or told.mid <= 0:
                    whole = False
                    continue
                if harvest > 0:
                    error, inside = told.mid / harvest - 1, told.low <= harvest <= told.high
                    stands.append({**row, "season": season, "crop": stand.crop, "error": error, "inside": inside})
                if stand.value is None:
                    whole = False
                else:
                    worth += stand.value.mid * harvest / told.mid
            if whole and row["limit"] is not None and row["worth"] is not None:
                farms.append({**row, "season": season, "gap": max(0.0, row["limit"] - worth)})
    return _by_season([*stands, *farms], HARVEST_ROWS, _harvest_figures)


def _harvest_figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    stands, farms = [row for row in rows if "error" in row], [row for row in rows if "gap" in row]
    n = len(stands)
    return {
        "n": n,
        "bias": sum(row["error"] for row in stands) / n if n else None,
        "mean_error": sum(abs(row["error"]) for row in stands) / n if n else None,
        "inside_share": sum(row["inside"] for row in stands) / n if n else None,
        "farms": len(farms),
        "limit_sum": sum(row["limit"] for row in farms),
        "farms_uncovered": sum(row["gap"] > 0 for row in farms),
        "limit_uncovered": sum(row["gap"] for row in farms),
    }
