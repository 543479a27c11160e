# SPDX-License-Identifier: Apache-2.0
"""What a crop is worth and what it costs to grow, from dated tables: each figure with its day and its source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from acreline.config import Cost, Crop, Sourced, packaged_crops
from acreline.sheets import days, held, numbers, read_sheet, refuse_nameless, refuse_row, refuse_unknown

PRICE_COLUMNS = ("crop", "valid_from", "price_per_kg", "relative_error", "currency", "source")
COST_COLUMNS = ("crop", "valid_from", "cost_per_ha", "cash_share", "relative_error", "currency", "source")


def with_prices(
    crops: Mapping[str, Crop], prices: Path | None, costs: Path | None, *, as_of: date
) -> tuple[dict[str, Crop], tuple[str, ...]]:
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
        the same crops, with `price_per_kg`, `price_currency` and `cost` of the tables; and which tables, `prices` or
        `costs`, held nothing yet on the day: the crops are as if they were not named.

    Raises:
        InputError: a table cannot be read, lacks columns, names no known crop or a number that cannot be true, or has a
            figure without a source or two of one day.
    """
    out = dict(crops)
    not_yet: list[str] = []
    if prices is not None:
        rows = _newest(prices, "prices", PRICE_COLUMNS, {"price_per_kg": 1e5}, crops, as_of)
        not_yet += ["prices"] if rows is None else []
        for slug, row in (rows or {}).items():
            price = Sourced(value=row["price_per_kg"], cv=row["relative_error"], source=_source(row))
            out[slug] = out[slug].model_copy(update={"price_per_kg": price, "price_currency": row["currency"]})
    if costs is not None:
        bounds = {"cost_per_ha": 1e7, "cash_share": 1.0}
        rows = _newest(costs, "costs", COST_COLUMNS, bounds, crops, as_of)
        not_yet += ["costs"] if rows is None else []
        for slug, row in (rows or {}).items():
            per_ha = Sourced(value=row["cost_per_ha"], cv=row["relative_error"], source=_source(row))
            cost = Cost(per_ha=per_ha, cash_share=row["cash_share"], currency=row["currency"])
            out[slug] = out[slug].model_copy(update={"cost": cost})
    return out, tuple(not_yet)


def _source(row: Mapping[str, object]) -> str:
    return f"{row['source']}; from {row['valid_from']}"


def _newest(
    path: Path, key: str, columns: tuple[str, ...], bounds: Mapping[str, float], crops: Mapping[str, Crop], as_of: date
) -> dict[str, dict[str, object]] | None:
    """Crop -> its newest row that held on the day, of crops that the region grows; None where none held yet."""
    table = read_sheet(path, key, columns)
    refuse_unknown(path, table, "crop", packaged_crops() | dict(crops), "see `acreline list crops`")
    figures = {
        name: numbers(path, table, name, low=0, high=high, above=name != "cash_share") for name, high in bounds.items()
    }
    figures["relative_error"] = numbers(path, table, "relative_error", low=0, high=2)
    capitals = table["currency"].str.fullmatch("[A-Z]{3}").fillna(False)
    refuse_row(path, table, ~capitals, "currency", "three capital letters, as CNY")
    since = days(path, table, "valid_from")
    refuse_nameless(path, table)
    refuse_row(path, table, table.duplicated(["crop", "valid_from"]), "valid_from", "one figure for a crop and day")
    known = held(path, table.assign(**figures), since, as_of=as_of)
    if known.empty:
        return None
    newest = known.sort_values(["crop", "valid_from"]).drop_duplicates("crop", keep="last")
    return {str(row["crop"]): dict(row) for row in newest.to_dict("records") if row["crop"] in crops}  # type: ignore[arg-type]
