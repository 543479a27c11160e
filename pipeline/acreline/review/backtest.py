# SPDX-License-Identifier: Apache-2.0
"""Past seasons decided as they were known then, and held beside how they ended."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from acreline.config import Region, SeasonSettings
from acreline.errors import AcrelineError, ConfigError
from acreline.review.book import Region as Decided
from acreline.review.book import read_book
from acreline.review.compare import records
from acreline.review.files import SIMULATED
from acreline.review.known_then import gather_evidence
from acreline.review.leaks import KINDS, Leak, find_leaks
from acreline.review.outcomes import EVERY_SEASON, LOANS, count_rows, read_outcomes, score_harvests, score_loans
from acreline.review.page import Page, Section, Words, bars, money
from acreline.review.policy_page import aligned
from acreline.run import run_region
from acreline.store import Store

if TYPE_CHECKING:
    import pandas as pd

log = structlog.get_logger(__name__)

MOST_LEAKS_TOLD = 20
Run = Callable[[Region, Path, date], Path]
"""A region, a folder and a day -> the publication."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Season:
    """One past season, decided."""

    year: int
    """Of the harvest."""
    as_of: date
    publication: Path
    policy: str
    leaks: tuple[Leak, ...]
    farms: int
    limit_sum: float
    currency: str
    outcomes: int
    """Rows of the season in the file of outcomes."""


@dataclass(frozen=True)
class Backtest:
    """Past seasons beside how they ended."""

    region: str
    kind: str
    """loans or harvests."""
    table: pd.DataFrame
    """`outcomes.LOAN_ROWS` or `HARVEST_ROWS`."""
    seasons: tuple[Season, ...]
    failed: tuple[tuple[int, str], ...]
    """Seasons that could not be decided, and why."""
    allowed: tuple[str, ...]
    simulated: bool
    rows: Mapping[str, int]
    """`outcomes.count_rows`."""

    @property
    def as_known_then(self) -> bool:
        """No leak but those that were allowed by name."""
        return not any(leak.kind not in self.allowed for season in self.seasons for leak in season.leaks)


def run_backtest(
    region: Region,
    years: Sequence[int],
    outcomes: Path,
    out: Path,
    *,
    as_of: str | None = None,
    allowed: Sequence[str] = (),
    run: Run | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Decide past seasons as of a day of each, look for what that day could not have known, and score the outcomes.

    Each season is the region's own, moved by whole years, under the policy of that day. What is not dated (applicants,
    parcels) is taken as it stands.

    Args:
        region: the region file's settings.
        years: harvest years.
        outcomes: see `read_outcomes`.
        out: folder; runs lie in `out/runs`, and those that are done are kept.
        as_of: month and day of the decision, MM-DD; None: the season's last day.
        allowed: kinds of leak (`leaks.KINDS`) that a reader is told of and that do not spoil the test.
        run: what decides a season; None: `run_region`.
        progress: called with (seasons done, seasons in all, year).

    Raises:
        ConfigError: no season, a day that is none of the season, or a kind of leak that is not known.
        InputError: the outcomes cannot be used.
        AcrelineError: no season could be decided; the first one's reason.
    """
    if not years or len(set(years)) != len(years):
        raise ConfigError(f"--seasons: {list(years)}", hint="name each harvest year once: 2016,2017,2018")
    strange = sorted(set(allowed) - set(KINDS))
    if strange:
        raise ConfigError(f"--allow: {strange[0]!r} is no kind of leak", hint=f"known: {', '.join(KINDS)}")
    kind, ended = read_outcomes(outcomes)
    places = [(season_of(region, year), year) for year in sorted(years)]
    days = {year: day_of_season(moved.season, as_of) for moved, year in places}
    decided: list[tuple[int, Decided]] = []
    seasons, failed, first, simulated = [], [], None, False
    for done, (moved, year) in enumerate(places):
        if progress is not None:
            progress(done, len(places), str(year))
        try:
            publication = (run or _run)(moved, out / "runs" / str(year), days[year])
            book = read_book([publication])
            mine = ended[ended["season"] == year]
            leaks = find_leaks(gather_evidence(moved, publication, _loans(kind, mine, book.regions[0])))
        except AcrelineError as error:
            log.warning("season not decided", season=year, why=error.message)
            failed.append((year, error.message))
            first = first or error
            continue
        place = book.regions[0]
        decided.append((year, place))
        simulated = simulated or book.simulated
        sums = [float(one.limit) for one in place.published if one.limit is not None]
        head = place.published[0]
        told = (head.policy_id, tuple(leaks), len(place.farms), sum(sums), head.currency, len(mine))
        seasons.append(Season(year, days[year], publication, *told))
    if first is not None and not decided:
        raise first
    table = (score_loans if kind == LOANS else score_harvests)(decided, ended)
    return Backtest(region.name, kind, table, tuple(seasons), tuple(failed), tuple(allowed), simulated,
                    count_rows(kind, ended, decided))  # fmt: skip


def _run(region: Region, folder: Path, day: date) -> Path:
    store = Store(folder)
    with store.locked(f"backtest-{day}", str(day)):
        return run_region(region, store, as_of=day).publication


def _loans(kind: str, ended: pd.DataFrame, region: Decided) -> pd.DataFrame:
    """Outcomes of a season as the check of leaks reads them: by farm; of a harvest, the farm whose parcel it is."""
    if kind == LOANS:
        return ended
    owner = {parcel: farm.farm_id for farm in region.farms for parcel in farm.parcel_ids}
    owned = ended[ended["parcel_id"].isin(owner)]
    return owned.assign(farm_id=owned["parcel_id"].map(owner))[["farm_id", "known_on"]]


def season_of(region: Region, year: int) -> Region:
    """The region with its season moved by whole years so that it ends in a year; no day of decision of its own."""
    move = year - region.season.end.year
    season = SeasonSettings(start=_moved(region.season.start, move), end=_moved(region.season.end, move))
    placed = region.model_copy(update={"season": season, "as_of": None, "farm_pages": 0, "shadow": None})
    placed._file = region.file
    return placed


def _moved(day: date, years: int) -> date:
    year = day.year + years
    return date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))


def day_of_season(season: SeasonSettings, month_day: str | None) -> date:
    """The day of a season that a month and day name; the last one where it has two, its end where none is named.

    Raises:
        ConfigError: it is no day, or none of the season.
    """
    if month_day is None:
        return season.end
    try:
        days = [date.fromisoformat(f"{year}-{month_day}") for year in range(season.start.year, season.end.year + 1)]
    except ValueError as error:
        raise ConfigError(f"--as-of: {month_day!r} is no month and day", hint="write it as 06-30") from error
    inside = [day for day in days if season.start <= day <= season.end]
    if not inside:
        raise ConfigError(
            f"--as-of: {month_day} is no day of the season {season.start} to {season.end}", hint="take a day inside it"
        )
    return inside[-1]


def _rows_said(test: Backtest) -> Words:
    """What became of the rows of the file of outcomes, in counts that add up, and seasons that have none."""
    rows, what = test.rows, "farm" if test.kind == LOANS else "stand"
    none = [str(season.year) for season in test.seasons if not season.outcomes]
    en = (
        f"outcomes: {rows['in']} rows = {rows['matched']} of a {what} that was decided + {rows['unknown']} of no such "
        f"{what} + {rows['other_season']} of other seasons"
    )
    zh = (
        f"结果记录：{rows['in']}行 = 已决定的{rows['matched']}行 + 找不到对应对象的{rows['unknown']}行 + "
        f"其他季节的{rows['other_season']}行"
    )
    return (
        en + (f"; none of {', '.join(none)}" if none else ""),
        zh + (f"；{'、'.join(none)}年没有记录" if none else ""),
    )


# --- told -------------------------------------------------------------------------------------------------------------
def leak_table(test: Backtest) -> pd.DataFrame:
    """Every leak: season, kind, where, found, allowed."""
    import pandas as pd

    rows = [
        {"season": season.year, "kind": leak.kind, "where": leak.where, "found": leak.found,
         "allowed": leak.kind in test.allowed}
        for season in test.seasons
        for leak in season.leaks
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["season", "kind", "where", "found", "allowed"])


def backtest_lines(test: Backtest) -> list[str]:
    """The backtest for a terminal: seasons, leaks, then figures by season and segment."""
    lines = ["on simulated data"] if test.simulated else []
    for season in test.seasons:
        lines.append(
            f"{season.year} as of {season.as_of}: {season.farms} farms, {season.limit_sum:,.0f} {season.currency} "
            f"by {season.policy}, {len(season.leaks)} leaks"
        )
    lines += [f"{year}: not decided: {why}" for year, why in test.failed]
    lines.append(_rows_said(test)[0])
    leaks = records(leak_table(test))
    for leak in leaks[:MOST_LEAKS_TOLD]:
        let = "(allowed) " if leak["allowed"] else ""
        lines.append(f"leak {let}{leak['season']} {leak['kind']}: {leak['where']}: {leak['found']}")
    if len(leaks) > MOST_LEAKS_TOLD:
        lines.append(f"and {len(leaks) - MOST_LEAKS_TOLD} leaks more: see --out")
    lines.append("as known then" if test.as_known_then else "NOT as known then: the figures below say too much")
    heads, cells = _columns(test)
    rows = [["", *(words[0] for words in heads)]]
    rows += [[f"{row['season']} {row['by']} {row['group']}", *cells(row)] for row in records(test.table)]
    return [*lines, *(aligned(rows) if len(rows) > 1 else ["no outcome of any farm that was decided"])]


def _columns(test: Backtest) -> tuple[list[Words], Callable[[dict[str, Any]], list[str]]]:
    def share(value: Any) -> str:
        return "–" if value is None or value != value else f"{value:.1%}"

    if test.kind == LOANS:
        heads = [("n", "数量"), ("defaults", "违约"), ("rate", "违约率"), ("95 %", "95% 区间"), ("limits", "额度"),
                 ("defaulted", "违约额度"), ("share", "占比")]  # fmt: skip
        return heads, lambda row: [
            str(row["n"]), str(row["defaults"]), share(row["rate"]),
            f"{share(row['rate_low'])} to {share(row['rate_high'])}", money(row["limit_sum"]),
            money(row["limit_defaulted"]), share(row["limit_share_defaulted"]),
        ]  # fmt: skip
    heads = [("stands", "地块数"), ("bias", "偏差"), ("mean error", "平均误差"), ("inside 90 %", "区间内"),
             ("farms", "农户"), ("limits", "额度"), ("uncovered", "未覆盖农户"), ("by", "未覆盖额度")]  # fmt: skip
    return heads, lambda row: [
        str(row["n"]), share(row["bias"]), share(row["mean_error"]), share(row["inside_share"]), str(row["farms"]),
        money(row["limit_sum"]), str(row["farms_uncovered"]), money(row["limit_uncovered"]),
    ]  # fmt: skip


def backtest_figures(test: Backtest) -> dict[str, Any]:
    """All of it as plain values."""
    seasons = [
        {"season": one.year, "as_of": one.as_of.isoformat(), "policy": one.policy, "farms": one.farms,
         "limit_sum": one.limit_sum, "currency": one.currency, "leaks": len(one.leaks)}
        for one in test.seasons
    ]  # fmt: skip
    return {
        "region": test.region,
        "outcomes": test.kind,
        "simulated": test.simulated,
        "as_known_then": test.as_known_then,
        "allowed": list(test.allowed),
        "seasons": seasons,
        "not_decided": [{"season": year, "why": why} for year, why in test.failed],
        "leaks": records(leak_table(test)),
        "outcome_rows": dict(test.rows),
        "rows": records(test.table),
    }


def backtest_page(test: Backtest) -> Page:
    """The backtest as a page."""
    title = (f"{test.region}: past seasons as known then", f"{test.region}：按当时所知回测")
    under = (
        f"Decided as of {', '.join(str(one.as_of) for one in test.seasons)}, beside how {test.kind} ended.",
        "按各决定日已知信息重新决定，并与实际结果比较。",
    )
    notices = [SIMULATED] if test.simulated else []
    if not test.as_known_then:
        notices.append(
            ("Not as known then: leaks are told below, and the figures say too much.", "存在信息泄漏，数字偏乐观。")
        )
    if test.rows["matched"] < test.rows["in"] or not all(one.outcomes for one in test.seasons):
        notices.append(_rows_said(test))
    notices += [(f"{year} was not decided: {why}", f"{year}年未作决定：{why}") for year, why in test.failed]
    rows = records(test.table)
    key, words = ("rate", ("Share that defaulted", "违约率")) if test.kind == LOANS else (
        "mean_error", ("Mean error of the harvest", "产量平均误差"))  # fmt: skip
    sections = []
    for by, name in (("all", ("by season", "按季节")), ("limit", ("by limit, all seasons", "按额度比例，全部季节"))):
        chosen = [row for row in rows if row["by"] == by and (by == "all") == (row["season"] != EVERY_SEASON)]
        drawn = [(f"{row['season'] if by == 'all' else row['group']}, n {row['n']}", (100 * row[key],))
                 for row in chosen if row[key] is not None and row[key] == row[key]]  # fmt: skip
        if drawn:
            title_words = (f"{words[0]} {name[0]}", f"{words[1]}，{name[1]}")
            sections.append(Section(title_words, chart=bars(drawn, [words], unit=" %")))
    heads, cells = _columns(test)
    table = [[str(row["season"]), row["by"], row["group"], *cells(row)] for row in rows]
    first = [("season", "季节"), ("by", "维度"), ("group", "分组")]
    sections.append(Section(("By season and segment", "按季节与分组"), [*first, *heads], table))
    leaks = [[str(one[name]) for name in ("season", "kind", "where", "found", "allowed")]
             for one in records(leak_table(test))]  # fmt: skip
    names = [("season", "季节"), ("kind", "类别"), ("where", "位置"), ("found", "内容"), ("allowed", "已许可")]
    none = (f"Looked for: {', '.join(KINDS)}.", f"已检查的泄漏类别：{'、'.join(KINDS)}。")
    sections.append(Section(("What that day could not have known", "当日不可能知道的信息"), names, leaks, [none]))
    cards = [(str(len(test.seasons)), ("seasons", "季节")), (str(len(leaks)), ("leaks", "泄漏"))]
    return Page(title, under, cards, sections, notices)
