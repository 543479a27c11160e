# SPDX-License-Identifier: Apache-2.0
"""Acts of people in the log of decisions, and what stands after them.

An act is a line of `OUT/log/decisions.jsonl`: `override`, `confirmed`, `appeal_opened`, `appeal_recomputed`,
`appeal_closed`, `asked`, `ask_answered` or `ask_closed`. None is ever changed, and the machine's decision stays where
it is. What stands is told by `stand`: the machine's word; then
each act in the order of the log; `refer` while an appeal is open; and `refer` where a person granted more than the
machine did and the machine has since come to another decision, since nobody has looked at that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from acreline.chain import check_chain
from acreline.credit import machine_word
from acreline.credit.facts import plain
from acreline.decision_log import LOG_FILE, append_log, read_log
from acreline.errors import ConfigError, StoreError
from acreline.records import Decision

OVERRIDE, CONFIRMED = "override", "confirmed"
OPENED, RECOMPUTED, CLOSED = "appeal_opened", "appeal_recomputed", "appeal_closed"
ASKED, ANSWERED, ASK_CLOSED = "asked", "ask_answered", "ask_closed"
ASKS = (ASKED, ANSWERED, ASK_CLOSED)
"""Acts that move no amount: evidence is asked for, handed in, or needed no more."""
EVENTS = (OVERRIDE, CONFIRMED, OPENED, RECOMPUTED, CLOSED, *ASKS)
DECIDING = (OVERRIDE, CONFIRMED, CLOSED)
"""Acts by which a person has reviewed a decision, whether it was changed or left."""
LONGEST_WHY, SHORTEST_WHY = 500, 10
MOST_MONEY = Decimal(10) ** 12
_PERSONAL = (
    ("an identity card's number", r"(?<!\d)[1-9]\d{16}[\dXx](?!\d)"),
    ("a phone's number", r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"),
    ("an e-mail address", r"[^@\s]+@[^@\s]+\.[^@\s]+"),
)


@dataclass(frozen=True, slots=True)
class Amount:
    """An outcome with its limit, as a decision has them: None for refer, 0 for decline."""

    outcome: str
    limit: Decimal | None

    def facts(self) -> dict[str, str | None]:
        """As plain values for the log."""
        return {"outcome": self.outcome, "limit": None if self.limit is None else format(self.limit, "f")}

    def words(self, currency: str) -> str:
        """As a few words that fit into a sentence: `a limit of 8,000 CNY`."""
        if self.outcome == "approve" and self.limit:
            return f"a limit of {plain(self.limit)} {currency}"
        return "a referral to a person" if self.outcome == "refer" else "no limit"


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the log that a person's act left."""

    event: str
    at: str
    """Instant in UTC, ISO."""
    by: str
    farm_id: str
    values: Mapping[str, Any] = field(repr=False)
    """The whole line."""

    @property
    def to(self) -> Amount | None:
        """What the act lets stand; None where it leaves that as it is."""
        return None if self.values.get("to") is None else amount_from(self.values["to"])

    @property
    def machine(self) -> Amount:
        """The machine's word that the person had before him."""
        return amount_from(self.values["machine"])

    @property
    def day(self) -> str:
        """Day of the act, in UTC."""
        return self.at[:10]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands for a farm."""

    amount: Amount
    machine: Amount
    """The machine's word, which stays whatever people do."""
    act: Act | None = None
    """The last act that set the amount; None where nobody changed it."""
    review: Act | None = None
    """The opening of the appeal that is open."""
    overtaken: bool = False
    """A person granted more than the machine, which has come to another decision since: somebody must look again."""
    last: Act | None = None
    """The last act, but for those that only ask."""
    asks: tuple[Act, ...] = ()
    """What is asked for and not there yet, oldest first."""
    handed_in: tuple[Act, ...] = ()
    """Answers that came since a person last decided."""


def stand(decision: Decision, acts: Sequence[Act]) -> Standing:
    """What stands after some acts.

    Args:
        decision: of the publication that is looked at.
        acts: of this farm, oldest first.
    """
    machine = Amount(*machine_word(decision))
    amount, setting, review = machine, None, None
    for act in acts:
        if act.event == OPENED:
            review = act
        elif act.event == CLOSED:
            review = None
        if act.to is not None:
            amount, setting = act.to, act
    last = next((act for act in reversed(acts) if act.event not in ASKS), None)
    ended = {act.values["ask"] for act in acts if act.event in (ANSWERED, ASK_CLOSED)}
    asks = tuple(act for act in acts if act.event == ASKED and act.values["ask"] not in ended)
    decided = max((place for place, act in enumerate(acts) if act.event in DECIDING), default=-1)
    handed_in = tuple(act for act in acts[decided + 1 :] if act.event == ANSWERED)
    if review is not None:
        return Standing(Amount("refer", None), machine, setting, review, last=last, asks=asks, handed_in=handed_in)
    overtaken = setting is not None and setting.machine != machine and _more(amount, machine)
    amount = Amount("refer", None) if overtaken else amount
    return Standing(amount, machine, setting, overtaken=overtaken, last=last, asks=asks, handed_in=handed_in)


def _more(amount: Amount, machine: Amount) -> bool:
    """A grant above the machine's, or where the machine granted none."""
    return amount.outcome == "approve" and (machine.limit is None or (amount.limit or 0) > machine.limit)


def read_acts(root: Path | None) -> dict[str, tuple[Act, ...]]:
    """Acts by farm, oldest first; of a copied publication, which has no log, none.

    Raises:
        StoreError: the log does not hold, so nobody can say what stands.
    """
    if root is None or not (root / LOG_FILE).is_file():
        return {}
    found = check_chain(root / LOG_FILE)
    if found.faults:
        raise StoreError(
            f"{root / LOG_FILE}: does not hold: {found.faults[0]}",
            hint="see `acreline verify`: what people decided cannot be told from a log that was edited",
        )
    return acts_of(read_log(root))


def acts_of(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[Act, ...]]:
    """Acts by farm among the entries of a log, oldest first."""
    told: dict[str, list[Act]] = {}
    for entry in entries:
        if entry.get("event") in EVENTS:
            act = Act(entry["event"], entry["at"], entry["by"], entry["farm_id"], entry)
            told.setdefault(act.farm_id, []).append(act)
    return {farm_id: tuple(acts) for farm_id, acts in told.items()}


def run_root(publication: Path) -> Path | None:
    """The run folder that a publication lies in; None for a copy."""
    return publication.parent.parent if publication.parent.name == "publications" else None


def acting_root(publication: Path) -> Path:
    """The run folder whose log an act goes to.

    Raises:
        ConfigError: the publication is a copy that lies in none.
    """
    root = run_root(publication)
    if root is None:
        raise ConfigError(f"{publication}: no run folder around it", hint="give the OUT folder of `acreline run`")
    return root


def record_act(root: Path, make: Callable[[dict[str, tuple[Act, ...]]], tuple[str, Mapping[str, Any]]]) -> Act:
    """Add one act to the log; nobody else adds one while it is checked and written.

    Args:
        root: the run folder.
        make: given the acts so far by farm, it checks and gives event and values, or raises.

    Raises:
        StoreError: the log does not hold, or cannot be written.
    """
    made: list[tuple[str, Mapping[str, Any]]] = []

    def checked() -> tuple[str, Mapping[str, Any]]:
        made.append(make(read_acts(root)))
        return made[0]

    try:
        append_log(root, checked)
    except OSError as error:
        raise StoreError(f"{root / LOG_FILE}: cannot be written: {error}", hint="check the run folder") from error
    return read_acts(root)[made[0][1]["farm_id"]][-1]


# --- what people type -------------------------------------------------------------------------------------------------
def read_amount(text: str) -> Amount:
    """What `--to` says: an amount, `refuse` or `refer`.

    Raises:
        ConfigError: neither, or an amount that is no money.
    """
    if text in ("refuse", "refer"):
        return Amount("decline", Decimal(0)) if text == "refuse" else Amount("refer", None)
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ConfigError(f"--to: {text!r} is no amount", hint="an amount like 9000, refuse, or refer") from error
    if not amount.is_finite() or not 0 < amount <= MOST_MONEY or amount != amount.quantize(Decimal("0.01")):
        raise ConfigError(
            f"--to: {text} cannot be a limit", hint="above 0, whole or with two decimals; for none at all: refuse"
        )
    return Amount("approve", Decimal(format(amount.normalize(), "f")))


def read_why(text: str) -> str:
    """Free text for the log, on one line.

    Raises:
        ConfigError: too short or long, or it holds what tells who somebody is.
    """
    told = " ".join(text.split())
    if not SHORTEST_WHY <= len(told) <= LONGEST_WHY:
        raise ConfigError(
            f"--why: {len(told)} characters", hint=f"say in {SHORTEST_WHY} to {LONGEST_WHY} what was found, and where"
        )
    for what, pattern in _PERSONAL:
        if re.search(pattern, told):
            raise ConfigError(
                f"--why: it holds {what}", hint="the log is kept for years: no names and numbers of people in it"
            )
    return told


def amount_from(raw: Mapping[str, Any]) -> Amount:
    """The amount behind `facts`."""
    return Amount(raw["outcome"], None if raw["limit"] is None else Decimal(raw["limit"]))


def day_of_act(at: str) -> date:
    """Day of an instant of the log."""
    return date.fromisoformat(at[:10])
