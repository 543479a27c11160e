# SPDX-License-Identifier: Apache-2.0
"""What a decision of a past day rests on and could not have known then: every input held against its day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from acreline.review.compare import records

if TYPE_CHECKING:
    import pandas as pd

OUTCOME_WORDS = re.compile(
    r"default|overdue|arrears|delinquen|repaid|repayment|written_?off|charge_?off|outcome|dpd|npl|"
    r"actual|harvested_(?:kg|t)|true_yield|违约|逾期|不良|核销|还款|实际产量",
    re.IGNORECASE,
)
"""Names of columns that say how a loan or a harvest ended."""
ENOUGH, OF_EACH = 20, 5
"""Cases, and of either outcome, from which on a column that parts them without an error is no chance."""


@dataclass(frozen=True)
class Leak:
    """One thing that was not known on the day."""

    kind: str
    """A word of `KINDS`."""
    where: str
    """Which row, column or file."""
    found: str
    """What it says."""


@dataclass(frozen=True)
class Evidence:
    """All that decisions of one day rest on, as plain tables; None or empty where the region names nothing."""

    day: date
    """Of the decision."""
    season: tuple[date, date]
    lag_days: int
    """Of the provider, from sensing to being listed."""
    policy: Mapping[str, Any]
    """id, version, valid_from, valid_to."""
    scenes: pd.DataFrame
    """scene_id, time, status; published where the catalogue says it."""
    looks: pd.DataFrame
    """parcel_id, time."""
    farms: pd.DataFrame
    """farm_id, last_clear."""
    decisions: pd.DataFrame
    """farm_id, as_of, policy_id."""
    events: pd.DataFrame | None = None
    """event, parcel_id, start."""
    weather: pd.DataFrame | None = None
    """date."""
    prices: pd.DataFrame | None = None
    """crop, valid_from, of the figures in force."""
    costs: pd.DataFrame | None = None
    statistics: pd.DataFrame | None = None
    """crop, year, valid_from, of the figures in force."""
    known_events: pd.DataFrame | None = None
    """event, start, valid_from (missing: since its end), end."""
    normals: pd.DataFrame | None = None
    """crop, years (`2016|2017`)."""
    parcels: pd.DataFrame | None = None
    """parcel_id, drawn_on."""
    applicants: pd.DataFrame | None = None
    """As the file has it, any column."""
    features: pd.DataFrame | None = None
    """farm_id and the facts that rules may look at."""
    outcomes: pd.DataFrame | None = None
    """farm_id, known_on, and defaulted where loans are told."""
    earlier: Mapping[str, Any] | None = None
    """as_of and season end of the run of an earlier season."""
    learned: Sequence[tuple[str, int]] = field(default=())
    """Name and harvest year of the real land that the model learned from."""
    model: str = ""


def find_leaks(known: Evidence) -> list[Leak]:
    """Everything in the evidence of a decision that its day could not have known, in the order of `KINDS`."""
    return [Leak(kind, where, found) for kind, look in KINDS.items() for where, found in look(known)]


Found = Iterator[tuple[str, str]]


def _days(column: Any) -> Any:
    """A column of days or instants as instants in UTC; what is none is missing."""
    import pandas as pd

    return pd.to_datetime(pd.Series(column), utc=True, errors="coerce", format="mixed")


def _after(known: Evidence, days: int = 0) -> pd.Timestamp:
    """The first instant after the day of the decision, or some days before it."""
    import pandas as pd

    return pd.Timestamp(known.day + timedelta(days=1 - days), tz="UTC")


def _later(table: pd.DataFrame | None, column: str, name: str, known: Evidence, days: int = 0) -> Found:
    """Rows whose instant lies after the day; `days` before it already."""
    if table is None or column not in table.columns:
        return
    late = (_days(table[column]) >= _after(known, days)).to_numpy()
    for row in records(table[late]):
        yield str(row[name]), f"{column} {str(row[column])[:10]}, decided as of {known.day}"


def _used(known: Evidence) -> pd.DataFrame:
    scenes: pd.DataFrame = known.scenes[known.scenes["status"] == "used"]
    return scenes


def _future_scenes(known: Evidence) -> Found:
    return _later(_used(known), "time", "scene_id", known)


def _unlisted_scenes(known: Evidence) -> Found:
    used = _used(known)
    sensed = used[(_days(used["time"]) < _after(known)).to_numpy()]
    told = _days(sensed["published"]).notna().to_numpy() if "published" in sensed else None
    if told is not None:
        yield from _later(sensed[told], "published", "scene_id", known)
        sensed = sensed[~told]
    if known.lag_days:
        for where, found in _later(sensed, "time", "scene_id", known, known.lag_days):
            yield where, f"{found}: listed {known.lag_days} days after it was sensed"


def _statistics_of_no_harvest(known: Evidence) -> Found:
    if known.statistics is None:
        return
    for row in records(known.statistics):
        if int(row["year"]) > known.day.year:
            yield str(row["crop"]), f"harvest of {int(row['year'])}, decided as of {known.day}"


def _later_reports(known: Evidence) -> Found:
    if known.known_events is None:
        return
    table = known.known_events
    since = _days(table["valid_from"]).where(_days(table["valid_from"]).notna(), _days(table["end"]))
    return (yield from _later(table.assign(valid_from=since.dt.strftime("%Y-%m-%d")), "valid_from", "event", known))


def _later_normals(known: Evidence) -> Found:
    if known.normals is None:
        return
    harvest = known.season[1].year
    for row in records(known.normals.drop_duplicates(["crop", "years"])):
        late = [year for year in str(row["years"]).split("|") if int(float(year)) >= harvest]
        if late:
            yield str(row["crop"]), f"usual greenness made of {', '.join(late)}, the season is {harvest}"


def _later_policy(known: Evidence) -> Found:
    if known.policy["valid_from"] > known.day:
        yield str(known.policy["id"]), f"holds from {known.policy['valid_from']}, decided as of {known.day}"


def _ended_policy(known: Evidence) -> Found:
    end = known.policy.get("valid_to")
    if end is not None and end < known.day:
        yield str(known.policy["id"]), f"held until {end}, decided as of {known.day}"


def _other_policy(known: Evidence) -> Found:
    name = f"{known.policy['id']}@{known.policy['version']}"
    for other, rows in known.decisions.groupby("policy_id"):
        if other != name:
            yield str(rows["farm_id"].iloc[0]), f"decided by {other}, the policy of the day is {name}"


def _decided_later(known: Evidence) -> Found:
    wrong = known.decisions[(_days(known.decisions["as_of"]).dt.date != known.day).to_numpy()]
    for row in records(wrong):
        yield str(row["farm_id"]), f"decided as of {str(row['as_of'])[:10]}, not of {known.day}"


def _later_run(known: Evidence) -> Found:
    if known.earlier is None:
        return
    if known.earlier["as_of"] > known.day:
        yield "previous_run", f"made as of {known.earlier['as_of']}, decided as of {known.day}"
    elif known.earlier["season_end"] >= known.season[1]:
        yield "previous_run", f"its season ends on {known.earlier['season_end']}, no earlier than this one"


def _learned_later(known: Evidence) -> Found:
    for name, year in known.learned:
        if year >= known.season[1].year:
            yield known.model, f"learned from {name}, harvest {year}; the season is {known.season[1].year}"


def _outcome_columns(known: Evidence) -> Found:
    for table, name in ((known.applicants, "applicants"), (known.features, "features")):
        for column in () if table is None else table.columns:
            if OUTCOME_WORDS.search(str(column)):
                yield f"{name}.{column}", "its name says how it ended"


def _outcome_copies(known: Evidence) -> Found:
    """A number that parts the defaulted from the others without an error, whatever it is called."""
    import pandas as pd

    if known.features is None or known.outcomes is None or "defaulted" not in known.outcomes:
        return
    ended = known.outcomes.drop_duplicates("farm_id").set_index("farm_id")["defaulted"]
    both = known.features.join(ended.rename("_ended"), on="farm_id", how="inner")
    bad = both["_ended"].astype(int) == 1
    if len(both) < ENOUGH or min(int(bad.sum()), int((~bad).sum())) < OF_EACH:
        return
    for column in (name for name in both.columns if name not in ("farm_id", "_ended")):
        values = pd.to_numeric(both[column], errors="coerce").astype("float64")
        one, other = values[bad], values[~bad]
        if values.isna().any():
            continue
        if one.max() < other.min() or other.max() < one.min():
            yield f"features.{column}", f"parts defaulted from repaid without an error, n {len(both)}"


def _later_columns(known: Evidence) -> Found:
    """Columns of days in the applicants table that lie after the decision."""
    if known.applicants is None:
        return
    for column in known.applicants.columns:
        texts = known.applicants[column].astype("string")
        shaped = texts[texts.str.fullmatch(r"\d{4}-\d{2}-\d{2}.*").fillna(False)]
        late = shaped[(_days(shaped) >= _after(known)).to_numpy()]
        if len(late):
            yield f"applicants.{column}", f"{late.iloc[0]} in {len(late)} rows, decided as of {known.day}"


def _known_outcomes(known: Evidence) -> Found:
    if known.outcomes is None:
        return
    early = known.outcomes[(_days(known.outcomes["known_on"]) < _after(known)).to_numpy()]
    for row in records(early):
        yield (
            str(row["farm_id"]),
            f"known on {str(row['known_on'])[:10]} already: no outcome of a decision of {known.day}",
        )


Look = Callable[[Evidence], Found]
KINDS: dict[str, Look] = {
    "future_scene": _future_scenes,
    "unlisted_scene": _unlisted_scenes,
    "future_look": lambda known: _later(known.looks, "time", "parcel_id", known),
    "future_last_clear": lambda known: _later(known.farms, "last_clear", "farm_id", known),
    "future_event": lambda known: _later(known.events, "start", "parcel_id", known),
    "future_weather": lambda known: _later(known.weather, "date", "date", known),
    "later_price": lambda known: _later(known.prices, "valid_from", "crop", known),
    "later_cost": lambda known: _later(known.costs, "valid_from", "crop", known),
    "later_statistic": lambda known: _later(known.statistics, "valid_from", "crop", known),
    "statistic_of_no_harvest": _statistics_of_no_harvest,
    "later_report": _later_reports,
    "later_normals": _later_normals,
    "later_policy": _later_policy,
    "ended_policy": _ended_policy,
    "other_policy": _other_policy,
    "decided_later": _decided_later,
    "later_run": _later_run,
    "model_learned_later": _learned_later,
    "drawn_later": lambda known: _later(known.parcels, "drawn_on", "parcel_id", known),
    "outcome_column": _outcome_columns,
    "outcome_copy": _outcome_copies,
    "later_column": _later_columns,
    "known_outcome": _known_outcomes,
}
"""Kind of leak -> what looks for it, yielding where and what."""
