# SPDX-License-Identifier: Apache-2.0
"""Two decisions of every farm side by side: who gains, who loses, who goes to a person, and sums that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError, ContractError
from acreline.records import Decision, Farm
from acreline.review.book import UNKNOWN, Region, size_of
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("gains", "loses", "same", "to_person", "from_person")
"""Higher limit; lower limit; nothing moved; a limit that becomes a referral; a referral that becomes a limit."""
MONEY = ("limit_old", "limit_new", "gained", "lost", "to_person_money", "from_person_money")
FARM_COLUMNS = (
    "region", "county", "farm_id", "main_crop", "size", "outcome_old", "outcome_new", "limit_old", "limit_new",
    "currency", "kind", "change", "binding_old", "binding_new", "reasons_old", "reasons_new",
)  # fmt: skip
GROUP_COLUMNS = ("by", "group", "farms", *KINDS, *MONEY)
DIMENSIONS = {"outcome": "outcome", "crop": "main_crop", "county": "county", "size": "size"}
"""Name of a dimension -> the column of farms it is made of."""
ALL = "all"
ZERO = Decimal(0)


@dataclass(frozen=True)
class Comparison:
    """Every farm decided twice."""

    farms: pd.DataFrame
    """One row per farm, `FARM_COLUMNS`; limits are decimals, None for a referral. The largest fall first."""
    groups: pd.DataFrame
    """One row per dimension and group, `GROUP_COLUMNS`; the first is all farms. Money in `currency`."""
    currency: str


Side = tuple[Region, Sequence[Farm], Sequence[Decision], Sequence[Decision]]
"""A region, its farms in order, and the two decisions of each."""


def compare(sides: Sequence[Side]) -> Comparison:
    """Put two decisions of each farm side by side and sum them up by outcome, crop, county and size.

    A declined farm has a limit of 0; a referred farm has none and counts as no amount: what a person will grant is not
    known. So the new sum is the old one, plus gained, minus lost, minus what goes to a person, plus what comes back.

    Raises:
        ConfigError: the limits are in two currencies.
        ContractError: a farm was lost on the way, or sums do not add up.
    """
    import pandas as pd

    rows = [row for side in sides for row in _rows(side)]
    money = sorted({row["currency"] for row in rows})
    if len(money) > 1:
        raise ConfigError(
            f"the limits are in {' and '.join(money)}: no difference can be told",
            hint="compare policies of one currency",
        )
    table = pd.DataFrame(rows, columns=list(FARM_COLUMNS))
    order = [(_moved(row), row["region"], row["farm_id"]) for row in rows]
    table = table.iloc[sorted(range(len(rows)), key=order.__getitem__)].reset_index(drop=True)
    found = Comparison(table, sum_up(table), money[0] if money else "")
    check_sums(found)
    return found


def _rows(side: Side) -> list[dict[str, Any]]:
    region, farms, old, new = side
    if not [farm.farm_id for farm in farms] == [one.farm_id for one in old] == [one.farm_id for one in new]:
        raise ContractError(
            f"{region.name}: {len(farms)} farms, decided {len(old)} and {len(new)} times, or in another order",
            hint="this is a fault of acreline: please report it",
        )
    out = []
    for farm, then, now in zip(farms, old, new, strict=True):
        for one in (then, now):
            if one.currency != then.currency:
                raise ConfigError(
                    f"the limits are in {then.currency} and {one.currency}: no difference can be told",
                    hint="compare policies of one currency",
                )
        both = then.limit is not None and now.limit is not None
        out.append(
            {
                "region": region.name,
                "county": region.county or UNKNOWN,
                "farm_id": farm.farm_id,
                "main_crop": farm.main_crop or UNKNOWN,
                "size": size_of(None if farm.area_m2 is None else m2_to_mu(farm.area_m2)),
                "outcome_old": then.outcome,
                "outcome_new": now.outcome,
                "limit_old": then.limit,
                "limit_new": now.limit,
                "currency": then.currency,
                "kind": _kind(then.limit, now.limit),
                "change": now.limit - then.limit if both and now.limit is not None and then.limit is not None else None,
                "binding_old": then.binding_rule,
                "binding_new": now.binding_rule,
                "reasons_old": "|".join(then.reasons),
                "reasons_new": "|".join(now.reasons),
            }
        )
    return out


def _kind(old: Decimal | None, new: Decimal | None) -> str:
    if old is None or new is None:
        return "same" if old is new else "to_person" if new is None else "from_person"
    return "gains" if new > old else "loses" if new < old else "same"


def _moved(row: dict[str, Any]) -> Decimal:
    """What a farm's granted amount moves by, a referral as nothing granted: what sorts the table."""
    return (row["limit_new"] or ZERO) - (row["limit_old"] or ZERO)


def sum_up(farms: pd.DataFrame) -> pd.DataFrame:
    """Counts and sums of all farms, then by each dimension, groups by name; money stays exact."""
    import pandas as pd

    rows = records(farms)
    outcomes = [f"{row['outcome_old']} -> {row['outcome_new']}" for row in rows]
    out = [_group(ALL, ALL, rows)]
    for name, column in DIMENSIONS.items():
        keys = outcomes if name == "outcome" else [row[column] for row in rows]
        for key in sorted(set(keys), key=_in_order):
            out.append(_group(name, key, [row for row, its in zip(rows, keys, strict=True) if its == key]))
    return pd.DataFrame(out, columns=list(GROUP_COLUMNS))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as mappings from column to value."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _in_order(key: str) -> tuple[int, float, str]:
    """Classes of size by their lower end, other names by letter, what is not known last."""
    first = key.split(" ", 1)[0]
    return (2, 0.0, key) if key == UNKNOWN else (0, float(first), key) if first.isdigit() else (1, 0.0, key)


def _group(by: str, group: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    def total(column: str, kind: str | None = None) -> Decimal:
        return sum((row[column] or ZERO for row in rows if kind is None or row["kind"] == kind), ZERO)

    return {
        "by": by,
        "group": group,
        "farms": len(rows),
        **{kind: sum(row["kind"] == kind for row in rows) for kind in KINDS},
        "limit_old": total("limit_old"),
        "limit_new": total("limit_new"),
        "gained": total("change", "gains"),
        "lost": -total("change", "loses"),
        "to_person_money": total("limit_old", "to_person"),
        "from_person_money": total("limit_new", "from_person"),
    }


def check_sums(comparison: Comparison) -> None:
    """Counts and money of every dimension are those of all farms, and old and new sums differ by what is told.

    Raises:
        ContractError: they do not.
    """
    rows = comparison.groups.to_dict("records")
    whole = rows[0]
    if whole["farms"] != len(comparison.farms):
        raise _wrong(f"{len(comparison.farms)} farms, {whole['farms']} counted")
    for row in rows:
        if row["farms"] != sum(row[kind] for kind in KINDS):
            raise _wrong(f"{row['by']} {row['group']}: the kinds are not all farms")
        moved = row["gained"] - row["lost"] - row["to_person_money"] + row["from_person_money"]
        if row["limit_new"] - row["limit_old"] != moved:
            raise _wrong(f"{row['by']} {row['group']}: the limits differ by another sum than {moved}")
    for name in DIMENSIONS:
        parts = [row for row in rows if row["by"] == name]
        for column in ("farms", *KINDS, *MONEY):
            if sum((part[column] for part in parts), type(whole[column])(0)) != whole[column]:
                raise _wrong(f"{column} by {name} does not add up to {whole[column]}")


def _wrong(found: str) -> ContractError:
    return ContractError(
        f"sums do not add up: {found}", hint="this is a fault of acreline: please report it with the run"
    )
