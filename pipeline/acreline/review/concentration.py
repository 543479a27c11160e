# SPDX-License-Identifier: Apache-2.0
"""How much of a book stands on one crop, person, county or size of farm, and on groups that the bank brings itself.

A limit stands on the crops of its farm as their cautious harvest worth does, and on places as the farm's drawn land
does. Spread is told as the sum of squared shares (Herfindahl-Hirschman index, 1: all on one) and as its inverse, the
number of equal groups that would be spread as well (Adelman 1969).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.credit.totals import worth_by_crop
from acreline.errors import ConfigError, InputError
from acreline.exposure import read_outlines, touched_parcels
from acreline.people.acts import read_acts, run_root, stand
from acreline.records import Farm
from acreline.review.book import UNKNOWN, Book, Region, size_of
from acreline.sheets import read_sheet
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    import pandas as pd

CROP, PERSON, COUNTY, SIZE, PLACE = "crop", "person", "county", "size", "place"
DIMENSIONS = (CROP, PERSON, COUNTY, SIZE)
UNTOLD, ELSEWHERE = "not told", "elsewhere"
COLUMNS = ("by", "group", "farms", "land_mu", "worth_low", "worth_share", "limit", "limit_share", "currency")
NOTHING = Decimal(0)
SLACK = 0.01
"""Share of a farm that two outlines of one border may disagree by."""
Parts = Mapping[str, Decimal]
"""Group -> share of the farm that it bears, in sum 1."""


@dataclass(frozen=True)
class Spread:
    """How a book's limits are spread over the groups of one kind."""

    by: str
    groups: int
    largest: str
    largest_share: float
    """Of all limits, 0 to 1."""
    index: float
    """Sum of squared shares, 0 to 1."""
    effective: float
    """As many equal groups would be spread as well."""


@dataclass(frozen=True)
class Concentration:
    """A book by groups."""

    name: str
    currency: str
    simulated: bool
    farms: int
    granted: int
    """Farms with a limit that stands."""
    by_people: int
    """Those of them whose limit a person set."""
    limit: Decimal
    """All limits that stand."""
    table: pd.DataFrame
    """`COLUMNS`: one row per kind and group, largest limit first. land_mu: drawn, of a crop sown, each of two crops a
    year; worth_low: cautious worth of the harvests. A farm counts under each of its crops and places."""
    spreads: tuple[Spread, ...]


def measure_concentration(
    book: Book,
    groups: Mapping[str, Mapping[str, str]] | None = None,
    places: Mapping[str, Parts] | None = None,
    place_name: str = PLACE,
) -> Concentration:
    """Shares of harvest worth and of limits by crop, person, county, size and what else is brought.

    Args:
        book: from `review.book.read_book`; what people granted or took since counts as it stands.
        groups: from `read_columns`: name of a kind (buyer) -> farm_id -> group; a farm may be missing.
        places: from `read_places`: farm_id -> place -> share of its land.
        place_name: what kind of place that is: watershed.

    Raises:
        ConfigError: two currencies, no limit stands, or an id of two regions' farms where groups or places are given.
    """
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, Any]] = {}
    limits, worth, granted, by_people = NOTHING, NOTHING, 0, 0
    currency = _currency(book)
    if groups or places is not None:
        _check_ids(book)
    for region in book.regions:
        for farm, (limit, person) in zip(region.farms, _standing(region), strict=True):
            own = worth_by_crop(farm, currency)
            low, whole, sown = sum(own.values(), NOTHING), farm.area_m2 or 0.0, _sown(farm)
            limits, worth, granted, by_people = limits + limit, worth + low, granted + (limit > 0), by_people + person
            for by, parts in _parts(farm, region, own, groups or {}, places, place_name).items():
                for group, share in parts.items():
                    row = rows.setdefault(
                        (by, group), {"farms": 0, "land_mu": 0.0, "worth_low": NOTHING, "limit": NOTHING}
                    )
                    row["farms"] += 1
                    row["land_mu"] += m2_to_mu(sown.get(group, 0.0) if by == CROP else whole * float(share))
                    row["worth_low"] += own.get(group, NOTHING) if by == CROP else low * share
                    row["limit"] += limit * share
    if limits == 0:
        raise ConfigError(
            f"{book.name}: no limit stands, so nothing is concentrated", hint="see the outcomes: `acreline report RUN`"
        )
    told = [
        {"by": by, "group": group, **row, "worth_share": float(row["worth_low"] / worth) if worth else 0.0,
         "limit_share": float(row["limit"] / limits), "currency": currency}
        for (by, group), row in rows.items()
    ]  # fmt: skip
    kinds = [*DIMENSIONS, *(groups or {}), *([place_name] if places is not None else [])]
    told.sort(key=lambda row: (kinds.index(row["by"]), -row["limit"], -row["worth_low"], row["group"]))
    for row in told:
        row["worth_low"], row["limit"] = (round(row[name], 2) for name in ("worth_low", "limit"))
    table = pd.DataFrame(told, columns=list(COLUMNS))
    spreads = tuple(_spread(by, [row for row in told if row["by"] == by]) for by in kinds)
    farms = sum(len(region.farms) for region in book.regions)
    return Concentration(book.name, currency, book.simulated, farms, granted, by_people, limits, table, spreads)


def _currency(book: Book) -> str:
    found = sorted({one.currency for region in book.regions for one in region.published})
    if len(found) != 1:
        raise ConfigError(
            f"runs in {' and '.join(found) or 'no currency'} cannot be summed", hint="ask about one currency at a time"
        )
    return found[0]


def _check_ids(book: Book) -> None:
    """Groups and places are told by farm_id, which must mean one farm."""
    seen: dict[str, str] = {}
    for region in book.regions:
        for farm in region.farms:
            if seen.setdefault(farm.farm_id, region.name) != region.name:
                raise ConfigError(
                    f"farm {farm.farm_id} is in {seen[farm.farm_id]} and in {region.name}",
                    hint="whose group it is cannot be told: ask region by region",
                )


def _standing(region: Region) -> list[tuple[Decimal, bool]]:
    """The limit that stands for each farm, 0 where none does, and whether a person set it."""
    acts = read_acts(run_root(region.publication))
    told = []
    for decision in region.published:
        now = stand(decision, acts.get(decision.farm_id, ()))
        limit = now.amount.limit or NOTHING
        told.append((limit, limit > 0 and now.act is not None and now.act.to is not None))
    return told


def _sown(farm: Farm) -> dict[str, float]:
    """Sown land by crop, m2."""
    told: dict[str, float] = {}
    for one in farm.stands:
        told[one.crop] = told.get(one.crop, 0.0) + one.area_m2.mid
    return told


def _parts(
    farm: Farm, region: Region, worth: Parts, groups: Mapping[str, Mapping[str, str]],
    places: Mapping[str, Parts] | None, place_name: str,
) -> dict[str, Parts]:  # fmt: skip
    """By kind the groups that a farm stands on, each with its share."""
    whole, low = Decimal(1), sum(worth.values(), NOTHING)
    crops = {crop: value / low for crop, value in worth.items()} if low > 0 else {farm.main_crop or UNKNOWN: whole}
    person = farm.applicant.person_id if farm.applicant is not None else None
    area_mu = None if farm.area_m2 is None else m2_to_mu(farm.area_m2)
    told: dict[str, Parts] = {
        CROP: crops,
        PERSON: {person or f"farm {farm.farm_id}": whole},
        COUNTY: {region.county or region.name: whole},
        SIZE: {size_of(area_mu): whole},
    }
    for name, of_farm in groups.items():
        told[name] = {of_farm.get(farm.farm_id, UNTOLD): whole}
    if places is not None:
        told[place_name] = places.get(farm.farm_id, {ELSEWHERE: whole})
    return told


def _spread(by: str, rows: Sequence[Mapping[str, Any]]) -> Spread:
    shares = [row["limit_share"] for row in rows]
    index = sum(share**2 for share in shares)
    largest = rows[0]
    return Spread(by, len(rows), largest["group"], largest["limit_share"], index, 1 / index)


def read_columns(path: Path, book: Book) -> dict[str, dict[str, str]]:
    """Groups that a bank brings of its own: to whom a farm sells, who waters it.

    Args:
        path: CSV or Parquet with farm_id and one column or more, each a kind of group; an empty cell is not told.
        book: whose farms are asked about.

    Returns:
        by kind, in the file's order: farm_id -> group.

    Raises:
        InputError: it cannot be read, lacks farm_id or any other column, has a kind that is measured anyway, a farm
            twice, or none of the book's farms.
    """
    table = read_sheet(path, "--groups", ("farm_id",))
    kinds = [str(name) for name in table.columns if name != "farm_id"]
    if not kinds:
        raise InputError(
            f"{path}: needs a column beside farm_id",
            hint="one line per farm: its id, and in each further column a group, as farm_id,buyer",
        )
    taken = [name for name in kinds if name in DIMENSIONS]
    if taken:
        raise InputError(
            f"{path}: {', '.join(taken)} is measured from the run itself", hint="leave the column out, or rename it"
        )
    twice = table["farm_id"].duplicated()
    if twice.any():
        line = int(twice.argmax()) + table.attrs["first"]
        raise InputError(f"{path}, line {line}: a farm stands twice", hint="one line per farm")
    farm_ids = {farm.farm_id for region in book.regions for farm in region.farms}
    if not set(table["farm_id"].dropna()) & farm_ids:
        raise InputError(f"{path}: none of the {len(farm_ids)} farms is in it", hint="ids as in the parcel file")
    told = {}
    for name in kinds:
        known = table[["farm_id", name]].dropna()
        told[name] = {str(farm): str(group).strip() for farm, group in known.itertuples(index=False)}
    return told


def read_places(path: Path, column: str, book: Book) -> dict[str, Parts]:
    """Share of each farm's drawn land in each place of a file of polygons.

    Args:
        path: polygons in any vector format, as `exposure.read_outlines` takes them.
        column: that names them: watershed.
        book: whose farms are asked about; a farm without an area lies elsewhere.

    Returns:
        farm_id -> place -> share, in sum 1; land that lies in none is `elsewhere`.

    Raises:
        InputError: the file cannot be used, lacks the column, holds none of the book's land, or its places overlap.
        StoreError: a publication cannot be read.
    """
    outlines = read_outlines(path, column=column)
    told: dict[str, Parts] = {}
    for region in book.regions:
        area = {farm.farm_id: farm.area_m2 for farm in region.farms}
        touched = touched_parcels(region.publication, outlines)
        land = touched.groupby(["farm_id", "event"], sort=True)["touched_m2"].sum()
        shares: dict[str, dict[str, float]] = {}
        for farm_id, place, m2 in land.reset_index().itertuples(index=False):
            if area.get(farm_id):
                shares.setdefault(farm_id, {})[place] = m2 / area[farm_id]
        told |= {farm_id: _whole(farm_id, parts) for farm_id, parts in shares.items()}
    if not told:
        raise InputError(f"{path}: holds no land of {book.name}", hint="check the polygons and their reference system")
    return told


def _whole(farm_id: str, parts: Mapping[str, float]) -> Parts:
    """Shares of one farm's land that sum to 1, what is left as `elsewhere`."""
    if sum(parts.values()) > 1 + SLACK:
        raise InputError(
            f"farm {farm_id} lies in {' and '.join(parts)} with {sum(parts.values()):.0%} of its land: places overlap",
            hint="draw places that do not overlap, so that no land counts twice",
        )
    shares = {place: Decimal(f"{share:.6f}") for place, share in parts.items()}
    rest = 1 - sum(shares.values(), NOTHING)
    into = ELSEWHERE if rest > Decimal(str(SLACK)) else max(shares, key=lambda place: (shares[place], place))
    return {**shares, into: shares.get(into, NOTHING) + rest}
