# SPDX-License-Identifier: Apache-2.0
"""A book of farms decided again after a shock: harvest, limits and money at stake, before and after, by crop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError
from acreline.exposure import read_outlines, touched_parcels
from acreline.records import Farm
from acreline.review.book import Book, Region, choose_policy, decide, own_policy
from acreline.review.compare import ALL, Comparison, compare, records
from acreline.review.files import SIMULATED
from acreline.review.page import Page, Section, Words, bars, money
from acreline.review.policy_page import aligned, comparison_cards, comparison_sections
from acreline.review.shocks import EVERY, Touched, change_prices, change_yields, crops_of, read_change, strike

if TYPE_CHECKING:
    import pandas as pd

DAMAGE = 0.4
"""Share of the harvest that a flood takes where nothing else is said; order of magnitude."""
CROP_COLUMNS = (
    "crop", "farms", "stands", "value_low_before", "value_low_after", "value_mid_before", "value_mid_after",
    "limit_before", "limit_after", "at_stake", "currency",
)  # fmt: skip
ENDS = ("low", "mid")
NOTHING = {"stands": 0, **{f"value_{end}_{side}": 0.0 for end in ENDS for side in ("before", "after")}}


@dataclass(frozen=True)
class Shocks:
    """What happens to a book; all of it at once."""

    event: Path | None = None
    """Outline of the ground that is struck."""
    damage: float = DAMAGE
    """Share of the harvest lost on it."""
    event_name: str | None = None
    """What struck; None: the outline's own word, else its file's name."""
    unseen: bool = False
    """No farm says what struck it."""
    prices: tuple[str, ...] = ()
    """`maize=-0.2`, or `-0.2` of every crop."""
    yields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stress:
    """A book before and after a shock."""

    shocks: tuple[Words, ...]
    """In words."""
    policy: str
    comparison: Comparison
    """Old: before; new: after."""
    crops: pd.DataFrame
    """`CROP_COLUMNS`, all first: harvest by the crop of the stand, limits by the farm's main crop."""
    touched_farms: int | None
    """Farms on the ground of an event; None without one."""
    name: str
    simulated: bool


def stress_book(book: Book, shocks: Shocks, policy: str | None = None) -> Stress:
    """Change the facts of every farm by a shock and decide them again, before and after by the same policy.

    Args:
        book: from `read_book`.
        shocks: what happens.
        policy: name or path; None: the one each run was decided by.

    Raises:
        ConfigError: no shock, one that cannot be, or a policy that is not known.
        InputError: the outline cannot be used.
        StoreError: parcels of a run cannot be read.
    """
    change, words, touched = _ready(book, shocks)
    sides, names, after = [], [], []
    for region in book.regions:
        chosen = own_policy(region) if policy is None else choose_policy(policy, region)
        shocked = change(region)
        sides.append((region, region.farms, decide(region, chosen), decide(region, chosen, shocked)))
        names.append(chosen.name)
        after.append(shocked)
    found = compare(sides)
    before = [farm for region in book.regions for farm in region.farms]
    crops = by_crop(before, [farm for farms in after for farm in farms], found)
    told = ", ".join(dict.fromkeys(names))
    return Stress(words, told, found, crops, touched, book.name, book.simulated)


Change = Callable[[Region], list[Farm]]


def _ready(book: Book, shocks: Shocks) -> tuple[Change, tuple[Words, ...], int | None]:
    """Every shock read and checked before any farm is changed: the change, its words, the farms on struck ground."""
    crops = crops_of(farm for region in book.regions for farm in region.farms)
    prices = dict(read_change(text, "--price", crops) for text in shocks.prices)
    yields = dict(read_change(text, "--yield", crops) for text in shocks.yields)
    if shocks.event is None and not prices and not yields:
        raise ConfigError("no shock is given", hint="--event FILE, --price CROP=-0.2 or --yield -0.3")
    words = [_words("price", "价格", crop, change) for crop, change in prices.items()]
    words += [_words("yield", "产量", crop, change) for crop, change in yields.items()]
    struck: dict[str, list[tuple[str, Touched]]] = {}
    if shocks.event is not None:
        outlines = read_outlines(shocks.event, shocks.event_name)
        for region in book.regions:
            hits = touched_parcels(region.publication, outlines)
            struck[region.name] = [(str(event), _shares(rows)) for event, rows in hits.groupby("event")]
        lost = f"{shocks.damage:.0%}"
        words += [(f"{name}: {lost} of the harvest lost where it struck", f"{name}：受灾处减产{lost}")
                  for name in outlines.names]  # fmt: skip

    def change(region: Region) -> list[Farm]:
        farms = list(region.farms)
        for event, shares in struck.get(region.name, []):
            farms = strike(farms, shares, shocks.damage, event, seen=not shocks.unseen)
        farms = change_yields(farms, yields) if yields else farms
        return change_prices(farms, prices) if prices else farms

    on_it = {(name, farm) for name, events in struck.items() for _, shares in events for farm, _ in shares}
    return change, tuple(words), None if shocks.event is None else len(on_it)


def _shares(rows: pd.DataFrame) -> Touched:
    table = rows[["farm_id", "parcel_id", "share", "touched_m2"]]
    return {(str(farm), str(one)): (float(share), float(m2)) for farm, one, share, m2 in table.itertuples(index=False)}


def _words(en: str, zh: str, crop: str, change: float) -> Words:
    every = crop == EVERY
    return f"{en} of {'every crop' if every else crop} {change:+.0%}", f"{'各作物' if every else crop}{zh}{change:+.0%}"


def by_crop(before: Sequence[Farm], after: Sequence[Farm], found: Comparison) -> pd.DataFrame:
    """Harvest and limits by crop, before and after; a stand that has no worth in the limits' currency adds nothing.

    At stake is what was granted and would not be again: the falls of limits, and whole limits of those who would go to
    a person.
    """
    import pandas as pd

    worth: dict[str, dict[str, Any]] = {}
    for side, farms in (("before", before), ("after", after)):
        for stand in (stand for farm in farms for stand in farm.stands):
            row = worth.setdefault(stand.crop, dict(NOTHING))
            row["stands"] += side == "before"
            if stand.value is not None and stand.currency == found.currency:
                for end in ENDS:
                    row[f"value_{end}_{side}"] += getattr(stand.value, end)
    groups = {row["group"]: row for row in records(found.groups) if row["by"] == "crop"}
    rows = [_crop_row(crop, worth.get(crop), groups.get(crop), found.currency) for crop in sorted({*worth, *groups})]
    whole = {name: sum(row[name] for row in rows) for name in CROP_COLUMNS if name not in ("crop", "currency")}
    return pd.DataFrame([{"crop": ALL, "currency": found.currency, **whole}, *rows], columns=list(CROP_COLUMNS))


def _crop_row(
    crop: str, worth: Mapping[str, Any] | None, group: Mapping[str, Any] | None, currency: str
) -> dict[str, Any]:
    limits = {"farms": 0, "limit_before": Decimal(0), "limit_after": Decimal(0), "at_stake": Decimal(0)}
    if group is not None:
        limits = {"farms": group["farms"], "limit_before": group["limit_old"], "limit_after": group["limit_new"],
                  "at_stake": group["lost"] + group["to_person_money"]}  # fmt: skip
    return {"crop": crop, "currency": currency, **(worth or NOTHING), **limits}


def stress_lines(stress: Stress) -> list[str]:
    """The stress by crop for a terminal."""
    lines = ["on simulated data"] if stress.simulated else []
    lines += [f"shock: {words[0]}" for words in stress.shocks]
    if stress.touched_farms is not None:
        lines.append(f"farms on the struck ground: {stress.touched_farms}")
    lines.append(f"decided by {stress.policy}, before and after")
    titles = ["", "farms", "harvest before", "after", "at its low end", "after", "limits before", "after", "at stake"]
    lines += aligned([titles, *([row["crop"], *_cells(row)] for row in _sum_last(stress))])
    whole = records(stress.comparison.groups)[0]
    lines.append(
        f"{whole['loses']} farms would get less, {whole['to_person']} go to a person; in {stress.comparison.currency}; "
        "at stake: granted before and not again"
    )
    return lines


def _sum_last(stress: Stress) -> list[dict[str, Any]]:
    whole, *rows = records(stress.crops)
    return [*rows, whole]


def _cells(row: Mapping[str, Any]) -> list[str]:
    names = ("value_mid_before", "value_mid_after", "value_low_before", "value_low_after", "limit_before",
             "limit_after", "at_stake")  # fmt: skip
    return [str(row["farms"]), *(money(row[name]) for name in names)]


def stress_figures(stress: Stress) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "shocks": [words[0] for words in stress.shocks],
        "policy": stress.policy,
        "regions": stress.name,
        "simulated": stress.simulated,
        "touched_farms": stress.touched_farms,
        "currency": stress.comparison.currency,
        "crops": records(stress.crops),
        "groups": records(stress.comparison.groups),
        "farms": records(stress.comparison.farms),
    }


def stress_page(stress: Stress) -> Page:
    """The stress as a page."""
    title = (f"{stress.name}: stressed", f"{stress.name}：压力测试")
    shocks, shocks_zh = ("; ".join(words[k] for words in stress.shocks) for k in (0, 1))
    under = (
        f"{shocks}. Decided by {stress.policy}, before and after; nothing was changed in the run.",
        f"冲击：{shocks_zh}。前后均按 {stress.policy} 决定；运行结果未改动。",
    )
    whole, *rows = records(stress.crops)
    currency = stress.comparison.currency
    cards = [(money(whole["at_stake"]), (f"at stake, {currency}", f"风险金额，{currency}"))]
    if stress.touched_farms is not None:
        cards.append((str(stress.touched_farms), ("farms on the struck ground", "受灾范围内农户")))
    cards += comparison_cards(stress.comparison)
    names = [("before", "冲击前"), ("after", "冲击后")]
    sections = []
    drawn = [(row["crop"], (row["value_low_before"], row["value_low_after"])) for row in rows]
    if drawn:
        words = (f"Harvest at its low end by crop, {currency}", f"产值下限，按作物，{currency}")
        sections.append(Section(words, chart=bars(drawn, names)))
    heads = [("crop", "作物"), ("farms", "农户"), ("harvest before", "产值前"), ("after", "后"),
             ("low end before", "下限前"), ("after", "后"), ("limits before", "额度前"), ("after", "后"),
             ("at stake", "风险金额")]  # fmt: skip
    table = [[row["crop"], *_cells(row)] for row in _sum_last(stress)]
    note = (
        "Harvest by the crop of the stand, limits by the farm's main crop. At stake: granted before and not again.",
        "产值按地块作物，额度按农户主要作物；风险金额为原已授予而冲击后不再授予的部分。",
    )
    sections.append(Section(("By crop", "按作物"), heads, table, [note]))
    sections += comparison_sections(stress.comparison)
    return Page(title, under, cards, sections, [SIMULATED] if stress.simulated else [])
