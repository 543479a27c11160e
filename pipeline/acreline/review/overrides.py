# SPDX-License-Identifier: Apache-2.0
"""How often people approve, change and pass caps, by officer and by role, and which rate is unusual for its n.

An officer is held against the others of the same role; where they reviewed too little, against everybody else. An alert
asks a question: an officer of a hilly county sees other cases than the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.credit.rules import load_rules
from acreline.errors import ConfigError
from acreline.people.authority import Rates, read_people
from acreline.people.tell import role_words
from acreline.review.chance import adjusted, two_shares
from acreline.review.outcomes import interval
from acreline.review.review_times import Times, measure_times
from acreline.review.reviewed import (
    GRANTED,
    LOWERED,
    RAISED,
    REFERRED,
    REFUSED,
    WAYS,
    Reviewed,
    Run,
    machine_outcomes,
    plain_reviewed,
    read_runs,
    reviewed_in,
)

if TYPE_CHECKING:
    import pandas as pd

    from acreline.trial.exceptions import SegmentException

ALL, ROLE, USER = "all", "role", "user"


@dataclass(frozen=True)
class Rate:
    """A share that is told of every officer: of which decisions, and which of them count."""

    slug: str
    said: tuple[str, str]
    """English and Chinese."""
    of: Callable[[Reviewed], bool]
    counts: Callable[[Reviewed], bool]


RATES = (
    Rate("approved", ("approved", "批准率"), lambda one: True, lambda one: one.after.outcome == "approve"),
    Rate("overridden", ("overridden", "变更率"), lambda one: one.decided, lambda one: one.overridden),
    Rate("raised", ("raised above the machine's", "上调率"), lambda one: one.decided, lambda one: one.raised),
    Rate("exceptions", ("above a cap", "超上限率"), lambda one: True, lambda one: bool(one.over)),
)
COLUMNS = (
    "by", "name", "role", "reviewed", "share_of_decisions", "machine_decided", *WAYS, "sum_raised", "sum_lowered",
    "sum_granted", "sum_withdrawn",
    *(f"{rate.slug}_{end}" for rate in RATES for end in ("count", "n", "rate", "low", "high")), "alerts",
)  # fmt: skip


@dataclass(frozen=True)
class Alert:
    """A rate of one officer that is unusual for so many decisions."""

    user: str
    rate: str
    count: int
    n: int
    others_count: int
    others_n: int
    same_role: bool
    """Held against the others of the same role, else against everybody else."""
    p: float
    """Exact, two-sided, adjusted for all officers and rates that were asked about."""


@dataclass(frozen=True)
class Overrides:
    """What people did in some runs."""

    runs: tuple[str, ...]
    simulated: bool
    currency: str
    since: date | None
    until: date | None
    limits: Rates
    decisions: int
    machine_decided: int
    """Decisions of the runs that the machine made itself."""
    overridden: int
    """Of these, in which something else stands now."""
    table: pd.DataFrame
    """One row for everybody, each role and each officer, `COLUMNS`."""
    cases: pd.DataFrame
    """One row per decision and officer."""
    alerts: tuple[Alert, ...]
    whole_alert: bool
    """More of the machine's own decisions were changed than the settings allow."""
    exceptions: tuple[SegmentException, ...]
    """Signed exceptions to the runs' policies that were in force in the time asked about."""
    gone: int
    """Reviewed decisions on farms that the runs do not have any more."""
    times: Times
    role_words: Mapping[str, tuple[str, str]]
    """What each role is called in English and Chinese, as the acts themselves keep it."""


def measure_overrides(
    publications: Sequence[Path],
    *,
    since: date | None = None,
    until: date | None = None,
    people: Path | None = None,
    exceptions: Path | None = None,
    now: datetime | None = None,
) -> Overrides:
    """Count what people did in finished runs, and tell which rates are unusual.

    Args:
        publications: folders of publications in their run folders, one of each run.
        since: first day (UTC) of acts that count.
        until: last day of them.
        people: the bank's own file of people, for its `rates`.
        exceptions: the bank's own list of signed exceptions, beside the packaged one.
        now: the machine's clock, for what still waits; None: as it is.

    Raises:
        ConfigError: no run, a run twice, two currencies, or a cap in the settings that no rule has.
        StoreError: a log does not hold, or a publication is missing or damaged.
    """
    import pandas as pd

    from acreline.retired import utc_now

    limits = read_people(people).rates
    strange = sorted(set(limits.caps) - set(load_rules()))
    if strange:
        raise ConfigError(
            f"rates: caps: no rule {', '.join(strange)}", hint="see acreline list rules, and mend the file of people"
        )
    runs = read_runs(publications, since, until)
    if not runs:
        raise ConfigError("no run is given", hint="give the OUT folder of a run")
    cases = [one for run in runs for one in reviewed_in(run, limits.caps)]
    gone = sum(1 for run in runs for one in reviewed_in(run, ()) if one.farm_id not in run.decisions)
    machine = [word for run in runs for word in machine_outcomes(run).values()]
    decided = sum(1 for outcome, _ in machine if outcome != "refer")
    overridden = sum(1 for run in runs for one in _last_of_each(run) if one)
    alerts = find_alerts(cases, limits)
    rows = [_row(ALL, ALL, "", cases, len(machine), ())]
    rows += [_row(ROLE, role, role, [one for one in cases if one.role == role], len(machine), ())
             for role in sorted({one.role for one in cases})]  # fmt: skip
    for user in sorted({one.user for one in cases}):
        mine = [one for one in cases if one.user == user]
        rows.append(_row(USER, user, mine[-1].role, mine, len(machine), [a.rate for a in alerts if a.user == user]))
    return Overrides(
        tuple(run.region for run in runs), any(run.simulated for run in runs),
        next((run.currency for run in runs if run.currency), ""), since, until, limits, len(machine), decided,
        overridden, pd.DataFrame(rows, columns=list(COLUMNS)),
        pd.DataFrame([plain_reviewed(one) for one in cases], columns=list(_CASE)), alerts,
        decided >= limits.least and overridden > limits.most_overridden * decided,
        _in_force(runs, exceptions, since, until), gone, measure_times(runs, now or utc_now()), _role_words(runs),
    )  # fmt: skip


_CASE = ("run", "farm_id", "user", "role", "day", "acts", "way", "machine", "machine_limit", "before", "before_limit",
         "after", "after_limit", "overridden", "over_caps")  # fmt: skip


def find_alerts(cases: Sequence[Reviewed], limits: Rates) -> tuple[Alert, ...]:
    """Rates of officers that are unusual for so many decisions, the rarest by chance first.

    One after the other: who is alerted for a rate counts no more among the others of that rate, or an officer who
    changes nearly everything would make the ordinary ones beside him look idle.

    Args:
        cases: reviewed decisions of all officers.
        limits: from the file of people.

    Returns:
        an alert where the exact test's p, adjusted over all officers and rates asked about, is at most `false_alerts`
        and the gap is `least_gap` or more; nobody with fewer than `least` decisions that a rate is about is asked, nor
        anybody beside others who have fewer.
    """
    roles = {user: {one.role for one in cases if one.user == user} for user in sorted({one.user for one in cases})}
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for rate in RATES:
        for user in roles:
            mine = [one for one in cases if one.user == user and rate.of(one)]
            counts[user, rate.slug] = sum(map(rate.counts, mine)), len(mine)
    told: list[Alert] = []
    while True:
        done = {(one.user, one.rate) for one in told}
        asked = [_ask(user, rate.slug, counts, roles, done, limits.least) for user in roles for rate in RATES
                 if (user, rate.slug) not in done]  # fmt: skip
        kept = [one for one in asked if one is not None]
        chances = adjusted([one.p for one in kept] + [one.p for one in told])
        found = [(chance, one) for chance, one in zip(chances, kept, strict=False)
                 if chance <= limits.false_alerts and _gap(one) >= limits.least_gap]  # fmt: skip
        if not found:
            shown = zip(told, chances[len(kept) :], strict=True)
            return tuple(sorted((replace(one, p=chance) for one, chance in shown), key=lambda one: one.p))
        told.append(min(found, key=lambda pair: (pair[0], pair[1].p, pair[1].user, pair[1].rate))[1])


def _ask(
    user: str, rate: str, counts: Mapping[tuple[str, str], tuple[int, int]], roles: Mapping[str, set[str]],
    done: set[tuple[str, str]], least: int,
) -> Alert | None:  # fmt: skip
    """The test of one officer's rate; None where he or the others have too few decisions."""
    count, n = counts[user, rate]
    others = [one for one in roles if one != user and (one, rate) not in done]
    peers = [one for one in others if roles[one] & roles[user]]
    same = sum(counts[one, rate][1] for one in peers) >= least
    beside = [counts[one, rate] for one in (peers if same else others)]
    k, m = sum(one[0] for one in beside), sum(one[1] for one in beside)
    return None if min(n, m) < least else Alert(user, rate, count, n, k, m, same, two_shares(count, n, k, m))


def _gap(alert: Alert) -> float:
    return abs(alert.count / alert.n - alert.others_count / alert.others_n)


def _role_words(runs: Sequence[Run]) -> dict[str, tuple[str, str]]:
    """Words of each role, of its latest act."""
    acts = sorted((act for run in runs for some in run.acts.values() for act in some), key=lambda act: act.at)
    return {act.values["role"]: role_words(act) for act in acts if act.values.get("role")}


def _last_of_each(run: Run) -> list[bool]:
    """For each farm of the publication that the machine decided and a person reviewed: something else stands after."""
    from acreline.people.acts import DECIDING, amount_from

    machine, told = machine_outcomes(run), []
    for farm_id, acts in run.acts.items():
        some = [act for act in acts if act.event in DECIDING and run.within(act)]
        if some and machine.get(farm_id, ("refer", None))[0] != "refer":
            after = some[-1].to or amount_from(some[-1].values["from"])
            told.append((after.outcome, after.limit) != machine[farm_id])
    return told


def _row(by: str, name: str, role: str, cases: Sequence[Reviewed], whole: int, alerts: Sequence[str]) -> dict[str, Any]:
    def total(*ways: str) -> Decimal:
        return sum((one.moved for one in cases if one.way in ways), Decimal(0))

    row: dict[str, Any] = {
        "by": by, "name": name, "role": role, "reviewed": len(cases),
        "share_of_decisions": len(cases) / whole if whole else None,
        "machine_decided": sum(one.decided for one in cases),
        **{way: sum(one.way == way for one in cases) for way in WAYS},
        "sum_raised": total(RAISED), "sum_lowered": total(LOWERED), "sum_granted": total(GRANTED),
        "sum_withdrawn": total(REFUSED, REFERRED), "alerts": "|".join(alerts),
    }  # fmt: skip
    for rate in RATES:
        mine = [one for one in cases if rate.of(one)]
        count = sum(map(rate.counts, mine))
        low, high = interval(count, len(mine))
        row |= {f"{rate.slug}_count": count, f"{rate.slug}_n": len(mine),
                f"{rate.slug}_rate": count / len(mine) if mine else None, f"{rate.slug}_low": low,
                f"{rate.slug}_high": high}  # fmt: skip
    return row


def _in_force(
    runs: Sequence[Run], own: Path | None, since: date | None, until: date | None
) -> tuple[SegmentException, ...]:
    """Signed exceptions to the policies of some runs that were in force at some time between two days."""
    from acreline.trial.exceptions import policy_families, read_exceptions

    names = {name for run in runs for name in policy_families(run.policy)}
    first = datetime.combine(since or date.min, time(), UTC)
    last = datetime.combine((until or date.max - timedelta(days=1)) + timedelta(days=1), time(), UTC)
    return tuple(
        one for one in read_exceptions(own) if one.policy in names and one.valid_from < last and one.valid_to > first
    )


def overrides_figures(found: Overrides) -> Mapping[str, Any]:
    """All of it as plain values."""
    return {
        "runs": list(found.runs),
        "simulated": found.simulated,
        "currency": found.currency,
        "since": found.since and found.since.isoformat(),
        "until": found.until and found.until.isoformat(),
        "limits": found.limits.model_dump(mode="json"),
        "decisions": found.decisions,
        "machine_decided": found.machine_decided,
        "overridden": found.overridden,
        "overridden_above_limit": found.whole_alert,
        "alerts": [{name: getattr(one, name) for name in one.__dataclass_fields__} for one in found.alerts],
        "exceptions": [one.model_dump(mode="json") for one in found.exceptions],
        "farms_gone": found.gone,
        "rates": found.table.to_dict("records"),
        "review_times": found.times.figures(),
    }
