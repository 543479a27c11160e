# SPDX-License-Identifier: Apache-2.0
"""Decisions that people reviewed, from the logs of runs: by whom, what stood before and after, above which cap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from acreline.credit import decision_from_json, machine_word, named_amount
from acreline.decision_log import read_log
from acreline.desk import read_trail
from acreline.errors import ConfigError
from acreline.people.acts import DECIDING, Act, Amount, acting_root, amount_from, read_acts
from acreline.records import Decision
from acreline.store import read_manifest

RAISED, LOWERED, GRANTED, REFUSED, REFERRED, UPHELD = "raised", "lowered", "granted", "refused", "referred", "upheld"
WAYS = (RAISED, LOWERED, GRANTED, REFUSED, REFERRED, UPHELD)


@dataclass(frozen=True)
class Run:
    """A finished run with all that people did in it."""

    root: Path
    region: str
    currency: str
    simulated: bool
    policy: str
    """Id of the policy that the run was decided by."""
    decisions: Mapping[str, Decision]
    """Of the publication that was given, by farm."""
    referred: tuple[tuple[str, Mapping[str, Decimal | None]], ...]
    """Instant of each publication that is still there, oldest first, with the farms that the machine referred in it and
    the amount that it named for each; None where it named none."""
    acts: Mapping[str, tuple[Act, ...]]
    """All of them, by farm."""
    since: date | None
    until: date | None

    def within(self, act: Act) -> bool:
        """The act's day (UTC) lies in the time that is asked about, both ends inside."""
        day = date.fromisoformat(act.day)
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


@dataclass(frozen=True)
class Reviewed:
    """One decision that one officer reviewed, in one act or several: what stood before the first, after the last."""

    run: str
    farm_id: str
    user: str
    role: str
    day: str
    """Of the last act."""
    acts: int
    machine: Amount
    """The machine's word that the officer had before him."""
    before: Amount
    after: Amount
    over: tuple[str, ...]
    """Rules whose cap the amount that was granted passes."""

    @property
    def decided(self) -> bool:
        """The machine had decided itself, and did not ask for a person."""
        return self.machine.outcome != "refer"

    @property
    def overridden(self) -> bool:
        """The machine had decided, and something else stands now."""
        return self.decided and self.after != self.machine

    @property
    def raised(self) -> bool:
        """The machine had decided, and more stands now."""
        return self.decided and self.after.outcome == "approve" and (self.after.limit or 0) > (self.machine.limit or 0)

    @property
    def way(self) -> str:
        """How the amount moved."""
        if self.after == self.before:
            return UPHELD
        if self.after.outcome != "approve":
            return REFUSED if self.after.outcome == "decline" else REFERRED
        if self.before.outcome != "approve":
            return GRANTED
        return RAISED if (self.after.limit or 0) > (self.before.limit or 0) else LOWERED

    @property
    def moved(self) -> Decimal:
        """Money between what stood before and after, without its sign; none counts as 0."""
        return abs((self.after.limit or Decimal(0)) - (self.before.limit or Decimal(0)))


def read_runs(publications: Sequence[Path], since: date | None = None, until: date | None = None) -> list[Run]:
    """Read runs with their logs.

    Args:
        publications: their folders, each in its run folder.
        since: first day (UTC) of acts that count; None: from the first act on.
        until: last day of them; None: to the last act.

    Raises:
        ConfigError: a run stands twice, two currencies, a copy without its run folder, or days the wrong way round.
        StoreError: a log does not hold, or a publication is missing or damaged.
    """
    if since is not None and until is not None and until < since:
        raise ConfigError(f"--until {until} lies before --since {since}", hint="give the earlier day to --since")
    runs: list[Run] = []
    for publication in publications:
        root = acting_root(publication)
        if root in [run.root for run in runs]:
            raise ConfigError(f"{root}: given twice", hint="its decisions would count twice: give each run once")
        manifest = read_manifest(publication)
        decisions = _decisions(publication)
        currency = next((one.currency for one in decisions.values()), "")
        acts = read_acts(root)
        runs.append(
            Run(root, str(manifest.get("region")), currency, bool(manifest.get("simulated")),
                str((manifest.get("policy") or {}).get("id")), decisions, _referred(root), acts, since, until)
        )  # fmt: skip
    found = sorted({run.currency for run in runs if run.currency})
    if len(found) > 1:
        raise ConfigError(f"runs in {' and '.join(found)} cannot be summed", hint="ask about one currency at a time")
    return runs


def _decisions(publication: Path) -> dict[str, Decision]:
    return {line["farm_id"]: decision_from_json(line) for line in read_trail(publication)}


def _referred(root: Path) -> tuple[tuple[str, Mapping[str, Decimal | None]], ...]:
    """Each time a publication became the current one, if it is still there under the name that it bears now."""
    entries = read_log(root)
    became = {one["instead_of"]: one["publication_id"] for one in entries if "instead_of" in one}
    read: dict[str, Mapping[str, Decimal | None]] = {}
    told = []
    for entry in entries:
        if entry.get("event") != "published":
            continue
        name = entry["publication_id"]
        while name in became:
            name = became[name]
        folder = root / "publications" / name
        if folder.is_dir():
            if name not in read:
                decided = _decisions(folder)
                read[name] = {
                    farm_id: named_amount(one) for farm_id, one in decided.items() if machine_word(one)[0] == "refer"
                }
            told.append((entry["at"], read[name]))
    return tuple(told)


def reviewed_in(run: Run, caps: Sequence[str]) -> list[Reviewed]:
    """Every decision that a person reviewed in the time asked about, once for each officer and decision.

    Args:
        run: from `read_runs`.
        caps: rules whose cap nobody passes but by an exception.
    """
    told = []
    for farm_id, acts in sorted(run.acts.items()):
        mine: dict[tuple[str, str], list[Act]] = {}
        for act in acts:
            if act.event in DECIDING and run.within(act):
                mine.setdefault((act.by, str(act.values.get("decided_in"))), []).append(act)
        for (user, _), some in mine.items():
            first, last = some[0], some[-1]
            before = amount_from(first.values["from"])
            after = last.to or amount_from(last.values["from"])
            over = _passed(run.decisions.get(farm_id), after, caps)
            told.append(Reviewed(run.region, farm_id, user, str(last.values.get("role", "")), last.day, len(some),
                                 first.machine, before, after, over))  # fmt: skip
    return told


def _passed(decision: Decision | None, after: Amount, caps: Sequence[str]) -> tuple[str, ...]:
    """Rules of the farm's trail whose cap an amount passes, in the policy's order."""
    if decision is None or after.outcome != "approve" or after.limit is None:
        return ()
    told = []
    for step in decision.trail:
        cap = _money(step.evidence.get("cap"), decision.currency) if step.rule in caps else None
        if cap is not None and after.limit > cap:
            told.append(step.rule)
    return tuple(dict.fromkeys(told))


def _money(text: str | None, currency: str) -> Decimal | None:
    """The amount behind `1,368 CNY`."""
    try:
        return None if text is None else Decimal(text.removesuffix(currency).strip().replace(",", ""))
    except InvalidOperation:
        return None


def machine_outcomes(run: Run) -> dict[str, tuple[str, Decimal | None]]:
    """What the machine itself said of each farm of the publication, whatever people did."""
    return {farm_id: machine_word(decision) for farm_id, decision in run.decisions.items()}


def plain_reviewed(one: Reviewed) -> dict[str, Any]:
    """A reviewed decision as a row."""
    return {
        "run": one.run,
        "farm_id": one.farm_id,
        "user": one.user,
        "role": one.role,
        "day": one.day,
        "acts": one.acts,
        "way": one.way,
        "machine": one.machine.outcome,
        "machine_limit": one.machine.limit,
        "before": one.before.outcome,
        "before_limit": one.before.limit,
        "after": one.after.outcome,
        "after_limit": one.after.limit,
        "overridden": one.overridden,
        "over_caps": "|".join(one.over),
    }
