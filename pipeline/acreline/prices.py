# SPDX-License-Identifier: Apache-2.0
"""What a crop is worth and what it costs to grow, from dated tables: each figure with its day and its source."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from acreline.config import Cost, Crop, Sourced
from acreline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

PRICE_COLUMNS = ("crop", "valid_from", "price_per_kg", "relative_error", "currency", "source")
COST_COLUMNS = ("crop", "valid_from", "cost_per_ha", "cash_share", "relative_error", "currency", "source")


def with_prices(crops: Mapping[str, Crop], prices: Path | None, costs: Path | None, *, as_of: date) -> dict[str, Crop]:
    """Crops at the prices and costs that were known on a day.

    Args:
        crops: by slug; one that a table does not name keeps the price of its own file.
        prices: CSV with `PRICE_COLUMNS`: crop (slug), valid_from (YYYY-MM-DD), price_per_kg at the farm's gate,
            relative_error (one standard deviation, as a share), currency (three letters), source (who says so). None:
            the crops' own.
        costs: CSV with `COST_COLUMNS`: the whole cost of growing a hectare for one harvest, and the share of it that is
            paid in cash. None: no costs are known.
        as_of: a figure that holds from later on takes no part; of several the newest counts.

    Returns:
        the same crops, with `price_per_kg`, `price_currency` and `cost` of the tables.

    Raises:
        InputError: a table cannot be read, lacks columns, names no known crop or a number that cannot be true, has a
            figure without a source or two of one day, or nothing of it held on the day.
    """
    out = dict(crops)
    if prices is not None:
        for slug, row in _newest(prices, "prices", PRICE_COLUMNS, {"price_per_kg": 1e5}, crops, as_of).items():
            price = Sourced(value=row["price_per_kg"], cv=row["relative_error"], source=_source(row))
            out[slug] = out[slug].model_copy(update={"price_per_kg": price, "price_currency": row["currency"]})
    if costs is not None:
        bounds = {"cost_per_ha": 1e7, "cash_share": 1.0}
        for slug, row in _newest(costs, "costs", COST_COLUMNS, bounds, crops, as_of).items():
            per_ha = Sourced(value=row["cost_per_ha"], cv=row["relative_error"], source=_source(row))
            cost = Cost(per_ha=per_ha, cash_share=row["cash_share"], currency=row["currency"])
            out[slug] = out[slug].model_copy(update={"cost": cost})
    return out


def _source(row: Mapping[str, object]) -> str:
    return f"{row['source']}; from {row['valid_from']}"


def _newest(
    path: Path, key: str, columns: tuple[str, ...], bounds: Mapping[str, float], crops: Mapping[str, Crop], as_of: date
) -> dict[str, dict[str, object]]:  # fmt: skip
    """Crop -> its newest row that held on the day; crops that the region does not grow are left out."""
    import pandas as pd

    from acreline.config import packaged_crops

    table = _read(path, key, columns)
    known = packaged_crops() | dict(crops)
    for row, slug in enumerate(table["crop"].tolist(), start=table.attrs["first"]):
        if slug not in known:
            close = difflib.get_close_matches(str(slug), list(known), n=1, cutoff=0.5)
            near = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(f"{path}, row {row}: crop {slug!r} is not known", hint=near + "see `acreline list crops`")
    for name, high in {**bounds, "relative_error": 2.0}.items():
        numbers = pd.to_numeric(table[name], errors="coerce").astype("float64")
        low_ok = numbers >= 0 if name in ("relative_error", "cash_share") else numbers > 0
        _refuse(path, ~(low_ok & (numbers <= high)), table, name, f"a number up to {high:g}")
        table[name] = numbers
    _refuse(path, ~table["currency"].str.fullmatch("[A-Z]{3}").fillna(False), table, "currency",
            "three capital letters, as CNY")  # fmt: skip
    days = pd.to_datetime(table["valid_from"], format="%Y-%m-%d", errors="coerce")
    _refuse(path, days.isna(), table, "valid_from", "a day, as 2025-03-01")
    _refuse(path, table["source"].fillna("").str.strip().str.len() < 3, table, "source",
            "say who published it, or `order of magnitude`")  # fmt: skip
    _refuse(path, table.duplicated(["crop", "valid_from"]), table, "valid_from",
            "one figure for a crop and day")  # fmt: skip
    held = table[(days <= pd.Timestamp(as_of)).to_numpy()]
    if held.empty:
        raise InputError(f"{path}: nothing of it held on {as_of}", hint="check valid_from, or leave the table out")
    newest = held.sort_values(["crop", "valid_from"]).drop_duplicates("crop", keep="last")
    return {str(row["crop"]): dict(row) for row in newest.to_dict("records") if row["crop"] in crops}  # type: ignore[arg-type]


def _read(path: Path, key: str, columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, dtype="string", comment="#")
        with path.open(encoding="utf-8-sig") as lines:
            table.attrs["first"] = 2 + sum(1 for line in lines if line.startswith("#"))  # they stand above the table
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", hint=f"check `{key}:` in the region file") from error
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: {key} cannot be read: {error}", hint="CSV in UTF-8") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: columns {missing} are missing; found {list(table.columns)}",
            hint=f"{key} has the columns {', '.join(columns)}",
        )
    return table


def _refuse(path: Path, wrong: pd.Series[bool], table: pd.DataFrame, name: str, wanted: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        found, line = str(table[name].iloc[row]), row + table.attrs["first"]
        raise InputError(f"{path}, row {line}: {name} is {found!r}", hint=f"write {wanted}")
