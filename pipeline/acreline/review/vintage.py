# SPDX-License-Identifier: Apache-2.0
"""Vintage curves: of the loans granted in one quarter or season, the share that was ever 30, 60 or 90 days past due.

A month on book counts calendar months since the month of granting. A loan that was paid back stays among those at risk:
it might have been late and was not. A month that not every loan of a vintage has reached yet is left blank: the loans
that have are the older ones of it. acreline has no loans of its own; all is read from the file that is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError, InputError
from acreline.review.outcomes import interval
from acreline.sheets import days, numbers, read_sheet, refuse_row

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("publication_id", "granted_on", "amount", "month", "days_past_due", "state")
WHO = ("farm_id", "person_id")
"""One of them must be there: the farm, or the bank's pseudonym of the person."""
STATES = ("open", "paid", "written_off")
PAST_DUE_DAYS = (30, 60, 90)
BY = ("quarter", "year", "season")
ALL, UNKNOWN = "all", "unknown"
NEVER = 1_000_000
MOST_MONTHS = 600
ROWS = (
    "vintage", "policy", "days_past_due", "month", "loans", "at_risk", "ever", "rate", "rate_low", "rate_high",
    "amount", "amount_ever", "amount_rate",
)  # fmt: skip


@dataclass(frozen=True)
class Vintages:
    """Curves of a file of loans."""

    table: pd.DataFrame
    """One row per vintage, policy (`all`, and each where there are several), days past due and month, `ROWS`; rates are
    missing where not every loan of the vintage has reached the month."""
    by: str
    as_of: str
    """Month until which every open loan is known, YYYY-MM."""
    loans: int
    policies: tuple[str, ...]
    simulated: bool


def read_history(path: Path, as_of: str | None = None) -> tuple[pd.DataFrame, str]:
    """A repayment history, one row per loan and month, as one row per loan.

    Args:
        path: CSV or Parquet with `COLUMNS` and `farm_id` or `person_id`: publication_id: of the run that decided it;
            granted_on: day; amount: granted, above 0; month: calendar months since that of granting, from 0 or 1 on
            without gaps; days_past_due: at the month's end; state: open, paid or written_off, at the month's end.
            Of `currency` and `policy` and `season` what is there is read.
        as_of: month YYYY-MM until which rows count; None: the newest month in the file.

    Returns:
        one row per loan: vintage columns, amount, `reached` (months on book at `as_of`) and `first_30`, `first_60`,
        `first_90`: the month in which it first was so late or was written off, else `NEVER`; and the month.

    Raises:
        InputError: the file cannot be read, a cell is wrong, a loan has a month twice, a gap or rows after its end, or
            an open loan is not told until `as_of`.
        ConfigError: `as_of` is no month, or nothing was granted until then.
    """
    import numpy as np
    import pandas as pd

    table = read_sheet(path, "--outcomes", COLUMNS)
    who = next((name for name in WHO if name in table.columns), None)
    if who is None:
        raise InputError(f"{path}: neither farm_id nor person_id", hint="say whose loan it is, by farm or pseudonym")
    for name in (who, "publication_id"):
        refuse_row(path, table, table[name].isna(), name, "whose loan it is, and by which publication it was decided")
    granted = days(path, table, "granted_on")
    amount = numbers(path, table, "amount", low=0, high=1e12, above=True)
    month = numbers(path, table, "month", low=0, high=MOST_MONTHS)
    refuse_row(path, table, month % 1 != 0, "month", "whole months on book")
    late = numbers(path, table, "days_past_due", low=0, high=1e5)
    refuse_row(path, table, ~table["state"].isin(STATES), "state", " or ".join(STATES))
    if "currency" in table.columns:
        refuse_row(path, table, table["currency"] != table["currency"].iloc[0], "currency", "one currency in one file")
    born = granted.dt.year * 12 + granted.dt.month - 1
    keys = [table[who].astype(str), table["publication_id"].astype(str), table["granted_on"].str.slice(0, 10)]
    rows = pd.DataFrame({"born": born.astype(int), "amount": amount, "month": month.astype(int), "late": late,
                         "state": table["state"].astype(str), "publication_id": keys[1]})  # fmt: skip
    for name in ("policy", "season"):
        rows[name] = table[name].fillna(UNKNOWN).astype(str) if name in table.columns else UNKNOWN
    rows["loan"] = pd.MultiIndex.from_arrays(keys).factorize()[0]
    rows["line"] = np.arange(len(rows)) + table.attrs["first"]
    rows = rows.sort_values(["loan", "month"], kind="stable")
    _check_loans(path, rows)
    until = _month_of(as_of) if as_of is not None else int((rows["born"] + rows["month"]).max()) if len(rows) else 0
    rows = rows[rows["born"] + rows["month"] <= until]
    if rows.empty:
        raise ConfigError(f"{path}: no loan was granted until {_month_name(until)}", hint="see --as-of YYYY-MM")
    for limit in PAST_DUE_DAYS:
        hit = (rows["late"] >= limit) | (rows["state"] == "written_off")
        rows[f"first_{limit}"] = rows["month"].where(hit, NEVER)
    loans = rows.groupby("loan", sort=True).agg(
        publication_id=("publication_id", "first"), policy=("policy", "first"), season=("season", "first"),
        born=("born", "first"), amount=("amount", "first"), last=("month", "last"), state=("state", "last"),
        line=("line", "last"), **{f"first_{k}": (f"first_{k}", "min") for k in PAST_DUE_DAYS},
    )  # fmt: skip
    loans["reached"] = until - loans["born"]
    short = (loans["state"] == "open") & (loans["last"] < loans["reached"])
    if short.any():
        one = loans[short].iloc[0]
        raise InputError(
            f"{path}, row {one['line']}: an open loan ends in month {one['last']}, and {_month_name(until)} is its "
            f"month {one['reached']}",
            hint="tell every open loan until the same month, say paid or written_off, or give --as-of an earlier month",
        )
    return loans.reset_index(drop=True), _month_name(until)


def _check_loans(path: Path, rows: pd.DataFrame) -> None:
    """Refuse a loan whose months repeat, leave a gap or go on after its end, or whose amount changes."""
    before = rows.groupby("loan").shift(1)
    first = before["month"].isna()
    faults = [
        (~first & (rows["month"] == before["month"]), "the month stands twice for this loan"),
        (first & (rows["month"] > 1), "its first month is missing"),
        (~first & (rows["month"] > before["month"] + 1), "the month before it is missing"),
        (~first & (before["state"] != "open"), "the loan had ended before"),
        (~first & (rows["amount"] != before["amount"]), "the amount granted differs from the month before"),
    ]
    for wrong, what in faults:
        if wrong.any():
            line = rows[wrong].iloc[0]
            raise InputError(
                f"{path}, row {line['line']}: month {line['month']}: {what}",
                hint="a loan is a farm (or person), publication and day of granting, with one row for each month",
            )


def _month_of(text: str) -> int:
    """YYYY-MM as a count of months."""
    from datetime import date

    try:
        day = date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise ConfigError(f"--as-of: {text!r} is no month", hint="write it as 2026-03") from error
    return day.year * 12 + day.month - 1


def _month_name(count: int) -> str:
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def measure_vintages(
    path: Path, publications: Sequence[Path] = (), *, by: str = "quarter", as_of: str | None = None
) -> Vintages:
    """Curves of a repayment history by vintage.

    Args:
        path: the history, see `read_history`.
        publications: of finished runs, whose policies the loans were decided by; a column `policy` wins over them.
        by: quarter or year of granting, or the file's own column `season`.
        as_of: month YYYY-MM until which rows count.

    Raises:
        ConfigError: `by` is not known, or the file has no season.
        InputError: see `read_history`.
        StoreError: a run cannot be read.
    """
    import pandas as pd

    if by not in BY:
        raise ConfigError(f"--by: {by!r} is not known", hint=f"one of {', '.join(BY)}")
    loans, until = read_history(path, as_of)
    if by == "season" and (loans["season"] == UNKNOWN).any():
        raise ConfigError(f"{path}: a loan without its season", hint="add the column season, or --by quarter")
    known, simulated = _policies(publications)
    told = [known.get(name, UNKNOWN) for name in loans["publication_id"]]
    loans["policy"] = loans["policy"].where(loans["policy"] != UNKNOWN, told)
    years = (loans["born"] // 12).astype(str)
    quarters = years + "Q" + (loans["born"] % 12 // 3 + 1).astype(str)
    loans["vintage"] = {"season": loans["season"], "year": years, "quarter": quarters}[by]
    policies = tuple(sorted(set(loans["policy"])))
    rows: list[dict[str, Any]] = []
    for vintage in sorted(set(loans["vintage"])):
        mine = loans[loans["vintage"] == vintage]
        rows += _curve(mine, vintage, ALL)
        for policy in sorted(set(mine["policy"])) if len(policies) > 1 else ():
            rows += _curve(mine[mine["policy"] == policy], vintage, policy)
    table = pd.DataFrame(rows, columns=list(ROWS))
    return Vintages(table, by, until, len(loans), policies, simulated)


def _curve(loans: pd.DataFrame, vintage: str, policy: str) -> list[dict[str, Any]]:
    """One vintage by month and days past due; blank where the newest of its loans has not got so far."""
    rows = []
    n, money = len(loans), float(loans["amount"].sum())
    for limit in PAST_DUE_DAYS:
        for month in range(1, int(loans["reached"].max()) + 1):
            reached = loans["reached"] >= month
            hit = reached & (loans[f"first_{limit}"] <= month)
            at_risk, ever, lost = int(reached.sum()), int(hit.sum()), float(loans.loc[hit, "amount"].sum())
            whole = at_risk == n
            low, high = interval(ever, n) if whole else (None, None)
            rows.append(
                {"vintage": vintage, "policy": policy, "days_past_due": limit, "month": month, "loans": n,
                 "at_risk": at_risk, "ever": ever if whole else None, "rate": ever / n if whole else None,
                 "rate_low": low, "rate_high": high, "amount": money, "amount_ever": lost if whole else None,
                 "amount_rate": lost / money if whole else None}
            )  # fmt: skip
    return rows


def _policies(publications: Sequence[Path]) -> tuple[dict[str, str], bool]:
    """Policy with its version by publication id, also by ids that a deletion of a person replaced."""
    from acreline.decision_log import read_log
    from acreline.people.acts import run_root
    from acreline.store import read_manifest

    known: dict[str, str] = {}
    simulated = False
    for publication in publications:
        root, manifest = run_root(publication), read_manifest(publication)
        simulated = simulated or bool(manifest.get("simulated"))
        entries: list[Mapping[str, Any]] = [manifest, *(read_log(root) if root is not None else ())]
        for entry in entries:
            policy = entry.get("policy")
            if isinstance(policy, Mapping):
                for key in ("publication_id", "instead_of"):
                    if entry.get(key):
                        known[str(entry[key])] = f"{policy.get('id')}@{policy.get('version')}"
    return known, simulated


def vintage_figures(found: Vintages) -> dict[str, Any]:
    """All of it as plain values; no loan and no person stands in it."""
    return {
        "by": found.by,
        "as_of": found.as_of,
        "loans": found.loans,
        "policies": list(found.policies),
        "simulated": found.simulated,
        "curves": found.table.astype(object).where(found.table.notna(), None).to_dict("records"),
    }
