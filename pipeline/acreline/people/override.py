# SPDX-License-Identifier: Apache-2.0
"""A person changes what stands for a farm: within authority, for a reason, with what shows it, for good in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from acreline.credit import decision_from_json, named_amount
from acreline.decision_log import user_name
from acreline.errors import ConfigError, CreditError
from acreline.people.acts import (
    CONFIRMED,
    OPENED,
    OVERRIDE,
    Act,
    Amount,
    Standing,
    acting_root,
    read_amount,
    read_why,
    record_act,
    stand,
)
from acreline.people.authority import Signer, Way, check_amount, find_reason, find_signer, read_reasons
from acreline.people.evidence import keep_files, read_evidence
from acreline.records import Decision
from acreline.report.read import read_lines, read_manifest
from acreline.retired import utc_now

NEAR = "let somebody else act"


@dataclass(frozen=True)
class Change:
    """What an officer asks for."""

    to: str
    """An amount, `refuse` or `refer`."""
    reason: str
    """Code of `overrides.yaml`."""
    why: str
    evidence: Sequence[Path] = ()


@dataclass(frozen=True)
class Decided:
    """One farm's decision with what an act needs to know beside it."""

    publication_id: str
    decision: Decision
    person_id: str | None
    parcel_ids: tuple[str, ...]


def override_farm(publication: Path, farm_id: str, change: Change, *, people: Path | None = None) -> Act:
    """Let the user of this machine change what stands for a farm; the machine's decision stays in the publication.

    Args:
        publication: folder of a publication in its run folder.
        farm_id: whose limit.
        change: what is asked for.
        people: the bank's own file of people.

    Returns:
        the act as it stands in the log.

    Raises:
        ConfigError: no such farm, amount, reason or file of people, or nothing would change.
        CreditError: above authority, no role, the user's own case, one that he objected to, or an open appeal.
        InputError: a file of evidence cannot be kept.
        StoreError: the log does not hold or cannot be written.
    """
    root, case = acting_root(publication), read_decided(publication, farm_id)
    to, why = read_amount(change.to), read_why(change.why)
    signer = find_signer(user_name(), utc_now().date(), people)
    files = [read_evidence(path) for path in change.evidence]

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        mine = acts.get(farm_id, ())
        now = stand(case.decision, mine)
        _refuse_unasked(signer, case, mine, now)
        if to == now.amount:
            raise ConfigError(f"{farm_id}: {to.words(case.decision.currency)} stands already", hint="nothing was done")
        find_reason(read_reasons(), change.reason, way_of(now.amount, to), shown=bool(files))
        check_amount(signer, to, raise_base(case.decision, now), case.decision.currency)
        return OVERRIDE, {
            **act_values(case, now, signer, to, why),
            "reason": change.reason,
            "evidence": keep_files(root, files),
        }

    return record_act(root, make)


def confirm_farm(publication: Path, farm_id: str, why: str, *, people: Path | None = None) -> Act:
    """Let the user of this machine say that what stands for a farm was looked at and is left as it is.

    Without these acts nobody could tell how often a look changes something.

    Args:
        publication: folder of a publication in its run folder.
        farm_id: whose decision was looked at.
        why: what was looked at.
        people: the bank's own file of people.

    Raises:
        ConfigError: no such farm, or the text or the file of people cannot be taken.
        CreditError: no role, the user's own case or one that he objected to, an open appeal, or a referral: that is
            decided by an amount or by a refusal.
        StoreError: the log does not hold or cannot be written.
    """
    root, case = acting_root(publication), read_decided(publication, farm_id)
    told = read_why(why)
    signer = find_signer(user_name(), utc_now().date(), people)

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        mine = acts.get(farm_id, ())
        now = stand(case.decision, mine)
        _refuse_unasked(signer, case, mine, now)
        if now.amount.outcome == "refer":
            raise CreditError(
                f"{farm_id} waits for a person: a referral cannot be left as it is",
                hint="decide it: acreline override RUN FARM --to AMOUNT, or --to refuse",
            )
        return CONFIRMED, {**act_values(case, now, signer, None, told), "evidence": []}

    return record_act(root, make)


def _refuse_unasked(signer: Signer, case: Decided, mine: Sequence[Act], now: Standing) -> None:
    """Who may not change a limit, is too near, or is not asked while an appeal is open."""
    if not signer.role.override:
        raise CreditError(
            f"{signer.user}: role {signer.role_name} may not change a limit", hint="let an officer act who may"
        )
    refuse_near(signer, case, mine)
    if now.review is not None:
        raise CreditError(
            f"{case.decision.farm_id}: appeal {now.review.values['case']} is open, which decides it",
            hint="close it first: acreline appeal close",
        )


def read_decided(publication: Path, farm_id: str) -> Decided:
    """One farm's line of the trail.

    Raises:
        ConfigError: no such farm.
        StoreError: the trail is missing or damaged.
    """
    lines = {line["farm_id"]: line for line in read_lines(publication)}
    if farm_id not in lines:
        raise ConfigError(f"no farm {farm_id!r} in this run", hint=f"known: {', '.join(sorted(lines)[:20])}")
    farm = lines[farm_id]["farm"]
    name = str(read_manifest(publication).get("publication_id"))
    person = (farm.get("applicant") or {}).get("person_id")
    return Decided(name, decision_from_json(lines[farm_id]), person, tuple(farm["parcel_ids"]))


def act_values(case: Decided, now: Standing, signer: Signer, to: Amount | None, why: str) -> dict[str, Any]:
    """What the log says of every act that decides: by what authority, on which decision, from what to what, and why."""
    return {
        "farm_id": case.decision.farm_id,
        "decided_in": case.publication_id,
        "policy": case.decision.policy_id,
        "role": signer.role_name,
        "role_said": list(signer.role.said),
        "people_sha256": signer.people_sha256,
        "machine": now.machine.facts(),
        "from": now.amount.facts(),
        "to": None if to is None else to.facts(),
        "currency": case.decision.currency,
        "why": why,
    }


def refuse_near(signer: Signer, case: Decided, acts: Sequence[Act]) -> None:
    """Nobody decides on land of his own, or where he lodged the objection himself.

    Raises:
        CreditError: the user is too near to the case.
    """
    refuse_own(signer, case)
    if any(act.event == OPENED and act.by == signer.user for act in acts):
        raise CreditError(
            f"{signer.user} opened an appeal for {case.decision.farm_id}, and cannot decide it as well", hint=NEAR
        )


def refuse_own(signer: Signer, case: Decided) -> None:
    """Nobody acts on land of his own.

    Raises:
        CreditError: the farm or the applicant is the user's own, or of the family.
    """
    farm_id = case.decision.farm_id
    if farm_id in signer.farms or (case.person_id is not None and case.person_id in signer.persons):
        raise CreditError(f"{farm_id} is a case of {signer.user}'s own, or of the family", hint=NEAR)


def raise_base(decision: Decision, now: Standing) -> Decimal | None:
    """What a raise is measured from: the machine's limit, else the amount it named; None where it gave neither."""
    if now.machine.outcome == "approve":
        return now.machine.limit
    return named_amount(decision) if now.machine.outcome == "refer" else None


def way_of(before: Amount, to: Amount) -> Way:
    """How an amount moves."""
    if to.outcome != "approve" or to.limit is None:
        return "refuse" if to.outcome == "decline" else "refer"
    if before.outcome != "approve" or before.limit is None:
        return "grant"
    return "raise" if to.limit > before.limit else "lower"
