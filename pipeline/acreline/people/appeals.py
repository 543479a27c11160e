# SPDX-License-Identifier: Apache-2.0
"""A farmer objects: a case is opened, the automatic path stops for the farm, a clock runs, and another person decides.

Opening, judging again and closing are lines of the log; the explanation that stood on the day, corrected outlines,
photos and papers are kept by hash beside it. Nothing of the earlier decision is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from acreline.decision_log import user_name
from acreline.errors import ConfigError, CreditError
from acreline.people.acts import (
    CLOSED,
    OPENED,
    OVERRIDE,
    RECOMPUTED,
    Act,
    Amount,
    acting_root,
    read_acts,
    read_amount,
    read_why,
    record_act,
    stand,
)
from acreline.people.authority import check_amount, find_signer, read_people
from acreline.people.evidence import Kept, keep_files, read_evidence
from acreline.people.ground import PhotoClaim, boundary_facts, place_photo, read_boundary
from acreline.people.override import Decided, act_values, raise_base, read_decided, refuse_near
from acreline.retired import utc_now


@dataclass(frozen=True)
class Shown:
    """What a farmer brings to an appeal."""

    boundary: Path | None = None
    """GeoJSON with the corrected outline of one or more of the farm's parcels, in WGS 84."""
    photo: PhotoClaim | None = None
    documents: Sequence[Path] = ()


@dataclass(frozen=True)
class Case:
    """One appeal from its opening on."""

    name: str
    farm_id: str
    opened: Act
    recomputed: tuple[Act, ...]
    closed: Act | None

    @property
    def due(self) -> date:
        """Last day on which it is answered in time."""
        return date.fromisoformat(self.opened.values["due"])

    @property
    def boundary(self) -> str | None:
        """File of the corrected outline among the evidence."""
        found = (one["file"] for one in self.opened.values["evidence"] if one["kind"] == "boundary")
        return next(found, None)


def read_appeals(acts: Mapping[str, Sequence[Act]]) -> dict[str, Case]:
    """Every appeal of a run folder by its name, in the order in which they were opened."""
    found = []
    for farm_id, mine in acts.items():
        for act in (one for one in mine if one.event == OPENED):
            name = act.values["case"]
            own = [one for one in mine if one.values.get("case") == name]
            closed = next((one for one in own if one.event == CLOSED), None)
            found.append(Case(name, farm_id, act, tuple(one for one in own if one.event == RECOMPUTED), closed))
    return {case.name: case for case in sorted(found, key=lambda case: case.name)}


def open_reviews(root: Path | None) -> dict[str, dict[str, str]]:
    """Farms whose appeal is open, with case and day of opening: what a later run or policy must leave to a person.

    Raises:
        StoreError: the log does not hold, so nobody can say which cases are open.
    """
    cases = read_appeals(read_acts(root)).values()
    return {one.farm_id: {"case": one.name, "since": one.opened.day} for one in cases if one.closed is None}


def open_appeal(
    publication: Path,
    farm_id: str,
    why: str,
    explanation: str,
    shown: Shown | None = None,
    *,
    people: Path | None = None,
) -> Act:
    """Open a case: from now on the farm is shown as referred, and no later run decides it, until a person has.

    Anybody who works at this machine may open one, for the farmer; who does cannot decide it.

    Args:
        publication: folder of a publication in its run folder.
        farm_id: whose decision is objected to.
        why: the farmer's words, without names and numbers of people.
        explanation: what `acreline explain` says on the day, in the languages spoken; it is kept with the case.
        shown: what the farmer brings.
        people: the bank's own file of people, for the days that an appeal may take.

    Raises:
        ConfigError: no such farm, or the text cannot be taken.
        CreditError: an appeal is open already.
        InputError: a file cannot be kept, or the outline is none of this farm's.
        StoreError: the log does not hold or cannot be written.
    """
    root, case, told = acting_root(publication), read_decided(publication, farm_id), read_why(why)
    shown, files = shown or Shown(), [Kept("explanation", explanation.encode(), ".txt")]
    facts: dict[str, Any] = {}
    if shown.boundary is not None:
        outlines = read_boundary(shown.boundary, case.parcel_ids)
        files.append(Kept("boundary", outlines.content, ".geojson"))
        facts["boundary"] = boundary_facts(publication, farm_id, outlines)
    if shown.photo is not None:
        photo = read_evidence(shown.photo.file, photo=True)
        where, facts["photo"] = place_photo(publication, farm_id, shown.photo, photo.sha256, utc_now())
        files += [photo, where]
    files += [read_evidence(path) for path in shown.documents]
    due = utc_now().date() + timedelta(days=read_people(people).appeal_days)

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        now = stand(case.decision, acts.get(farm_id, ()))
        if now.review is not None:
            raise CreditError(
                f"{farm_id}: appeal {now.review.values['case']} is open already, opened on {now.review.day}",
                hint="see acreline appeal list",
            )
        return OPENED, {
            "case": f"A-{len(read_appeals(acts)) + 1:04d}",
            "farm_id": farm_id,
            "decided_in": case.publication_id,
            "policy": case.decision.policy_id,
            "machine": now.machine.facts(),
            "from": now.amount.facts(),
            "currency": case.decision.currency,
            "why": told,
            "due": due.isoformat(),
            "evidence": keep_files(root, files),
            **facts,
        }

    return record_act(root, make)


def find_case(acts: Mapping[str, Sequence[Act]], name: str) -> Case:
    """An open case by its name.

    Raises:
        ConfigError: there is none of that name.
        CreditError: it is closed.
    """
    cases = read_appeals(acts)
    if name not in cases:
        known = ", ".join(one.name for one in cases.values() if one.closed is None) or "none"
        raise ConfigError(f"no appeal {name!r} in this run", hint=f"open: {known}")
    closed = cases[name].closed
    if closed is not None:
        raise CreditError(
            f"appeal {name} was closed on {closed.day} by {closed.by}", hint="open another one if there is news"
        )
    return cases[name]


def close_appeal(
    publication: Path, name: str, decision: str, why: str, *, to: str | None = None, people: Path | None = None
) -> Act:
    """Decide a case: uphold what stood, or change it; by another person than those who decided or opened before.

    Args:
        publication: folder of a publication in its run folder.
        name: of the case.
        decision: `uphold` or `change`.
        why: what was found.
        to: the amount that stands from now on, with `change`; never less than what stood.
        people: the bank's own file of people.

    Raises:
        ConfigError: no such case, or decision and amount do not fit together.
        CreditError: closed already, above authority, no role, or by one who decided, opened, or is too near.
        StoreError: the log does not hold or cannot be written.
    """
    root, told = acting_root(publication), read_why(why)
    if decision not in ("uphold", "change") or (decision == "change") != (to is not None):
        raise ConfigError(
            f"--decision {decision}{'' if to is None else f' --to {to}'}",
            hint="--decision uphold, or --decision change --to AMOUNT",
        )
    amount = None if to is None else read_amount(to)
    signer = find_signer(user_name(), utc_now().date(), people)
    farm_id = find_case(read_acts(root), name).farm_id
    case = read_decided(publication, farm_id)

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        opened, mine = find_case(acts, name), acts[farm_id]
        now = stand(case.decision, mine)
        if not signer.role.close_appeals:
            raise CreditError(
                f"{signer.user}: role {signer.role_name} may not decide an appeal", hint="let a reviewer decide it"
            )
        refuse_near(signer, case, mine)
        before = [act.by for act in mine if act.event in (OVERRIDE, CLOSED)]
        if signer.user in before:
            raise CreditError(
                f"{signer.user} decided {farm_id} before: an appeal needs another pair of eyes",
                hint="let another do it",
            )
        stood = opened_from(opened)
        if amount is not None:
            _refuse_less(amount, stood, case)
            bases = [raise_base(case.decision, now), *(_new_limit(act) for act in opened.recomputed[-1:])]
            check_amount(signer, amount, max((one for one in bases if one is not None), default=None),
                         case.decision.currency)  # fmt: skip
        days = (utc_now().date() - date.fromisoformat(opened.opened.day)).days
        return CLOSED, {
            **act_values(case, now, signer, amount, told),
            "from": stood.facts(),
            "case": name,
            "decision": decision,
            "days": days,
            "in_time": utc_now().date() <= opened.due,
            "evidence": [],
        }

    return record_act(root, make)


def opened_from(case: Case) -> Amount:
    """What stood when a case was opened."""
    raw = case.opened.values["from"]
    return Amount(raw["outcome"], None if raw["limit"] is None else Decimal(raw["limit"]))


def _refuse_less(amount: Amount, stood: Amount, case: Decided) -> None:
    """Who objects is not worse off for it."""
    if amount.outcome != "approve" or amount.limit is None or amount.limit <= (stood.limit or 0):
        words = (one.words(case.decision.currency) for one in (amount, stood))
        raise CreditError(
            f"an appeal does not end in less than what stood: {' instead of '.join(words)}",
            hint="uphold it; what speaks against the limit is an override of its own, with its reason",
        )


def _new_limit(act: Act) -> Decimal | None:
    """What the rules gave when the case was judged again; None where they gave none."""
    limit = act.values["new"]["limit"]
    return None if limit is None else Decimal(limit)
