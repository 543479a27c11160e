# SPDX-License-Identifier: Apache-2.0
"""A farmer is asked for evidence, or somebody is sent to the field: an act with a day by which, that moves no amount.

Asking, what is handed in, and closing are lines of the log. The farm stays as it was decided, the question stands in
the queue, and letter and explanation tell the farmer what is asked for and by when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from acreline.decision_log import user_name
from acreline.errors import ConfigError, CreditError
from acreline.people.acts import (
    ANSWERED,
    ASK_CLOSED,
    ASKED,
    Act,
    acting_root,
    read_acts,
    read_why,
    record_act,
    stand,
)
from acreline.people.authority import Signer, find_signer, read_people
from acreline.people.evidence import Kept, keep_files, read_evidence
from acreline.people.ground import boundary_facts, read_boundary
from acreline.people.override import act_values, read_decided, refuse_own
from acreline.retired import utc_now

VISIT, PHOTO, BOUNDARY = "visit", "photo", "boundary"
KINDS: dict[str, tuple[str, str]] = {
    PHOTO: ("a photo of the field with date and place", "带日期和位置的田间照片"),
    BOUNDARY: ("a corrected outline of the plot", "更正后的地块边界"),
    "land_paper": ("a paper that shows whose the land is", "土地权属证明"),
    "contract": ("a purchase contract or delivery notes", "收购合同或交售单"),
    "receipt": ("a receipt for a debt that was paid back", "还款凭证"),
    "insurance": ("the insurance policy of the crop", "农业保险单"),
    "document": ("a paper", "证明材料"),
    VISIT: ("a visit to the field", "实地查看"),
}
"""What may be asked for, in English and Chinese; `visit` sends somebody."""
MOST_DAYS = 366


@dataclass(frozen=True)
class Ask:
    """One question from its asking on."""

    name: str
    farm_id: str
    asked: Act
    answered: Act | None
    closed: Act | None

    @property
    def kind(self) -> str:
        """What is asked for, of `KINDS`."""
        return str(self.asked.values["kind"])

    @property
    def until(self) -> date:
        """Last day on which it comes in time."""
        return date.fromisoformat(self.asked.values["until"])

    @property
    def open(self) -> bool:
        """Nobody has answered or closed it."""
        return self.answered is None and self.closed is None


def read_asks(acts: Mapping[str, Sequence[Act]]) -> dict[str, Ask]:
    """Every question of a run folder by its name, in the order in which they were asked."""
    found = []
    for farm_id, mine in acts.items():
        for act in (one for one in mine if one.event == ASKED):
            own = [one for one in mine if one.values.get("ask") == act.values["ask"]]
            ends = {one.event: one for one in own}
            found.append(Ask(act.values["ask"], farm_id, act, ends.get(ANSWERED), ends.get(ASK_CLOSED)))
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def ask_farm(
    publication: Path, farm_id: str, kind: str, why: str, until: date | None = None, *, people: Path | None = None
) -> Act:
    """Ask a farmer for evidence, or send somebody to the field; no amount moves.

    Args:
        publication: folder of a publication in its run folder.
        farm_id: whose evidence.
        kind: of `KINDS`.
        why: what exactly, in words that the farmer reads.
        until: last day; None: so many days from today as the file of people says.
        people: the bank's own file of people.

    Raises:
        ConfigError: no such farm or kind, a day that cannot be, or the text or the file of people cannot be taken.
        CreditError: no role that may ask, the user's own case, or the same is asked for already.
        StoreError: the log does not hold or cannot be written.
    """
    root, case, told = acting_root(publication), read_decided(publication, farm_id), read_why(why)
    if kind not in KINDS:
        raise ConfigError(f"--for: {kind!r} is not known", hint=f"one of {', '.join(k for k in KINDS if k != VISIT)}")
    today = utc_now().date()
    day = today + timedelta(days=read_people(people).ask_days) if until is None else until
    if not today <= day <= today + timedelta(days=MOST_DAYS):
        raise ConfigError(f"--until {day}: not a day between today and a year from now", hint="as 2026-03-15")
    signer = find_signer(user_name(), today, people)

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        _refuse_asking(signer)
        refuse_own(signer, case)
        asks = read_asks(acts)
        same = next((one for one in asks.values() if one.open and (one.farm_id, one.kind) == (farm_id, kind)), None)
        if same is not None:
            raise CreditError(
                f"{farm_id}: {kind} is asked for already, by {same.name} until {same.until}",
                hint="close that first: acreline answer RUN FARM --close --why TEXT",
            )
        now = stand(case.decision, acts.get(farm_id, ()))
        values = act_values(case, now, signer, None, told)
        return ASKED, {**values, "ask": f"E-{len(asks) + 1:04d}", "kind": kind, "until": day.isoformat()}

    return record_act(root, make)


def answer_ask(
    publication: Path,
    farm_id: str,
    files: Sequence[Path],
    *,
    why: str | None = None,
    name: str | None = None,
    people: Path | None = None,
) -> Act:
    """Keep what a farmer hands in, or what was seen on a visit, as the answer to an open question.

    Anybody who works at this machine may take papers in; what was seen on a visit is said by one who may ask, and not
    about land of his own.

    Args:
        publication: folder of a publication in its run folder.
        farm_id: whose evidence.
        files: what is handed in; of a visit there may be none.
        why: in words; of a visit there must be some.
        name: of the question, where several are open.
        people: the bank's own file of people.

    Raises:
        ConfigError: no open question, several and no name, or nothing is handed in.
        CreditError: a visit is told by one who may not.
        InputError: a file cannot be kept, or is not what was asked for.
        StoreError: the log does not hold or cannot be written.
    """
    root, case = acting_root(publication), read_decided(publication, farm_id)
    told = None if why is None else read_why(why)
    kind = find_ask(read_acts(root), farm_id, name).kind
    if kind == VISIT:
        signer = find_signer(user_name(), utc_now().date(), people)
        _refuse_asking(signer)
        refuse_own(signer, case)
        if told is None:
            raise ConfigError("a visit is answered by what was seen", hint="add --why TEXT, and photos by --evidence")
    elif not files:
        raise ConfigError("nothing is handed in", hint="add --evidence FILE; or --close --why TEXT, to ask no more")
    kept, facts = _read_files(publication, farm_id, case.parcel_ids, kind, files)

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        ask = find_ask(acts, farm_id, name)
        values = _ending(ask, case.publication_id)
        return ANSWERED, {**values, "why": told, "evidence": keep_files(root, kept), **facts}

    return record_act(root, make)


def close_ask(publication: Path, farm_id: str, why: str, *, name: str | None = None, people: Path | None = None) -> Act:
    """Ask no more: it is not needed, or it does not come.

    Args:
        publication: folder of a publication in its run folder.
        farm_id: who was asked.
        why: why it is asked for no more.
        name: of the question, where several are open.
        people: the bank's own file of people.

    Raises:
        ConfigError: no open question, or several and no name.
        CreditError: no role that may ask, or the user's own case.
        StoreError: the log does not hold or cannot be written.
    """
    root, case, told = acting_root(publication), read_decided(publication, farm_id), read_why(why)
    signer = find_signer(user_name(), utc_now().date(), people)

    def make(acts: Mapping[str, tuple[Act, ...]]) -> tuple[str, Mapping[str, Any]]:
        ask = find_ask(acts, farm_id, name)
        _refuse_asking(signer)
        refuse_own(signer, case)
        values = _ending(ask, case.publication_id)
        return ASK_CLOSED, {**values, "why": told, "role": signer.role_name, "role_said": list(signer.role.said)}

    return record_act(root, make)


def find_ask(acts: Mapping[str, Sequence[Act]], farm_id: str, name: str | None) -> Ask:
    """The open question of a farm.

    Raises:
        ConfigError: there is none, or several and no name.
    """
    mine = [one for one in read_asks(acts).values() if one.open and one.farm_id == farm_id]
    found = [one for one in mine if name in (None, one.name)]
    told = ", ".join(f"{one.name} ({one.kind})" for one in mine) or "none"
    if not found:
        what = "nothing is asked for" if name is None else f"{name} is not open"
        raise ConfigError(f"{farm_id}: {what}", hint=f"open: {told}; see acreline asks RUN")
    if len(found) > 1:
        raise ConfigError(f"{farm_id}: {len(found)} are open: {told}", hint="say which by --ask NAME")
    return found[0]


def _refuse_asking(signer: Signer) -> None:
    if not signer.role.ask:
        raise CreditError(
            f"{signer.user}: role {signer.role_name} may not ask for evidence", hint="let an officer ask who may"
        )


def _ending(ask: Ask, publication_id: str) -> dict[str, Any]:
    today = utc_now().date()
    return {
        "ask": ask.name,
        "farm_id": ask.farm_id,
        "decided_in": publication_id,
        "kind": ask.kind,
        "days": (today - date.fromisoformat(ask.asked.day)).days,
        "in_time": today <= ask.until,
    }


def _read_files(
    publication: Path, farm_id: str, parcel_ids: Sequence[str], kind: str, files: Sequence[Path]
) -> tuple[list[Kept], dict[str, Any]]:
    """Files as they are kept; of an outline also what it changes."""
    if kind != BOUNDARY:
        return [read_evidence(path, photo=kind == PHOTO) for path in files], {}
    kept: list[Kept] = []
    facts: dict[str, Any] = {}
    for path in files:
        outlines = read_boundary(path, parcel_ids)
        kept.append(Kept("boundary", outlines.content, ".geojson"))
        facts |= boundary_facts(publication, farm_id, outlines)
    return kept, {"boundary": facts}
