# SPDX-License-Identifier: Apache-2.0
"""How long a referred farm waits for a person, and how often the look changes something.

The clock starts when the machine first referred the farm in an unbroken row of publications: a run of the next morning
that refers it again starts no new clock. It ends with the first act of a person (the first look) and with the act that
decides. Who still waits has no length yet and is counted apart: the longest waits are among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any

from acreline.people.acts import ANSWERED, DECIDING, OPENED, RECOMPUTED, Act, amount_from
from acreline.review.chance import quantile
from acreline.review.outcomes import interval
from acreline.review.reviewed import Run

DAY_SECONDS = 86_400.0
NO_LOOK = (OPENED, RECOMPUTED, ANSWERED)
"""Acts of the farmer or of the machine: no person of the bank has looked."""
GRANTED_AS_NAMED, GRANTED_OTHER, REFUSED = "granted_as_named", "granted_other", "refused"


@dataclass(frozen=True)
class Wait:
    """One referral."""

    farm_id: str
    since: datetime
    looked: Act | None
    """The first act of a person after it."""
    decided: Act | None
    """The first that decided it."""
    named: Decimal | None
    """The amount that the machine named; None where it named none."""


@dataclass(frozen=True)
class Times:
    """Referrals of some runs, and how they went on."""

    referred: int
    looked_days: tuple[float, ...]
    """Days from the referral to the first act, of those that have one."""
    decided_days: tuple[float, ...]
    """Days from the referral to the act that decided, of those that have one."""
    waiting_days: tuple[float, ...]
    """Days that those wait which nobody decided yet."""
    ended: Mapping[str, int]
    """What became of the decided ones: granted as the machine named it, granted another amount, refused."""
    reviewed: int
    """Decisions that a person reviewed, of referrals and of others."""
    changed: int
    """Of these, in which something else stood after than before."""

    def figures(self) -> dict[str, Any]:
        """As plain values; days to a hundredth."""
        low, high = interval(self.changed, self.reviewed)
        return {
            "referred": self.referred,
            "looked": _spread(self.looked_days),
            "decided": _spread(self.decided_days),
            "waiting": _spread(self.waiting_days),
            "ended": dict(self.ended),
            "reviewed": self.reviewed,
            "changed": self.changed,
            "changed_rate": self.changed / self.reviewed if self.reviewed else None,
            "changed_low": low,
            "changed_high": high,
        }


def _spread(days: Sequence[float]) -> dict[str, Any]:
    told = {"median": median(days), "p90": quantile(days, 0.9), "most": max(days)} if days else {}
    return {"n": len(days), **{f"days_{name}": round(value, 2) for name, value in told.items()}}


def measure_times(runs: Sequence[Run], now: datetime) -> Times:
    """Measure the waits of some runs, of the referrals whose deciding act lies in the time asked about or is missing.

    Args:
        runs: from `read_runs`.
        now: until when those wait that nobody decided.
    """
    waits = [(run, wait) for run in runs for wait in find_waits(run)]
    kept = [(run, wait) for run, wait in waits if wait.decided is None or run.within(wait.decided)]
    looked = [_days(wait.since, wait.looked) for run, wait in waits if wait.looked and run.within(wait.looked)]
    decided = [wait for _, wait in kept if wait.decided is not None]
    open_ = [(now - wait.since).total_seconds() / DAY_SECONDS for _, wait in kept if wait.decided is None]
    ended = dict.fromkeys((GRANTED_AS_NAMED, GRANTED_OTHER, REFUSED), 0)
    for wait in decided:
        ended[_end(wait)] += 1
    acts = [act for run in runs for some in run.acts.values() for act in some
            if act.event in DECIDING and run.within(act)]  # fmt: skip
    changed = sum(act.to is not None and act.to != amount_from(act.values["from"]) for act in acts)
    return Times(len(kept), tuple(sorted(looked)), tuple(sorted(_days(one.since, one.decided) for one in decided)),
                 tuple(sorted(open_)), ended, len(acts), changed)  # fmt: skip


def _days(since: datetime, act: Act | None) -> float:
    assert act is not None
    return (datetime.fromisoformat(act.at) - since).total_seconds() / DAY_SECONDS


def _end(wait: Wait) -> str:
    assert wait.decided is not None
    to = wait.decided.to
    if to is None or to.outcome != "approve":
        return REFUSED
    return GRANTED_AS_NAMED if to.limit == wait.named else GRANTED_OTHER


def find_waits(run: Run) -> list[Wait]:
    """Each referral of a run folder with the acts that answered it.

    A machine that decides by itself in a later publication ends the wait without a person: it is no referral any more
    and is left out.
    """
    told = []
    for farm_id in sorted({name for _, farms in run.referred for name in farms}):
        since, named = _waits_since(farm_id, run)
        if since is None:
            continue
        after = [act for act in run.acts.get(farm_id, ()) if datetime.fromisoformat(act.at) >= since]
        looked = next((act for act in after if act.event not in NO_LOOK), None)
        decided = next(
            (act for act in after if act.event in DECIDING and act.to is not None and act.to.outcome != "refer"), None
        )
        told.append(Wait(farm_id, since, looked, decided, named))
    return told


def _waits_since(farm_id: str, run: Run) -> tuple[datetime | None, Decimal | None]:
    """When the machine's last unbroken row of referrals of a farm began, and the amount that it named then."""
    since, named = None, None
    for at, farms in run.referred:
        if farm_id not in farms:
            since, named = None, None
        elif since is None:
            since, named = datetime.fromisoformat(at), farms[farm_id]
    return since, named
