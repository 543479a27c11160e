# SPDX-License-Identifier: Apache-2.0
"""What a rule is, what it is told, and the step it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from acreline.config import Policy, Settings
from acreline.credit.facts import Shown
from acreline.records import Farm, Step

Words = tuple[str, str]
"""The same sentence in English and Chinese."""


DebtWithoutRecord = Annotated[
    bool,
    Field(description="true: a debt that nobody gave counts as none; false: the farm is referred"),
]
"""The same word in every rule that takes debt off."""


@dataclass(frozen=True, slots=True)
class PersonTotals:
    """Sums over the farms of one person who brings several."""

    farms: int
    debt: Decimal | None
    """Debt of all of them, each in the line of the farm it was taken for; None where one line names none."""
    limit: Decimal | None
    """What the rules before the cap on one person would give all of them; None where one of them cannot be told."""
    value_low: Decimal = Decimal(0)
    """Cautious worth of their harvests, in whole units of money."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all farms of a batch, the same whatever their order: what concentration is judged by."""

    farms: int
    value_low: Decimal
    """Cautious worth of all harvests that have one in the policy's currency, in whole units of money."""
    value_low_by_crop: Mapping[str, Decimal] = field(default_factory=dict)
    persons: Mapping[str, PersonTotals] = field(default_factory=dict)
    """Persons who bring more than one farm, by their pseudonym."""


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule may know besides the farm: the day, the money, the place, the crops' names, sums over the batch."""

    as_of: date
    currency: str
    round_to: Decimal
    quantile: Decimal = Decimal("0.05")
    """Quantile of the harvest's value that is lent on."""
    county: str | None = None
    """What the region file calls the place; None where it says none."""
    crop_names: Mapping[str, Words] = field(default_factory=dict)
    """Crop slug -> name in English and Chinese."""
    totals: Totals | None = None
    """Sums over all farms of the region, made before any rule is asked."""
    person: PersonTotals | None = None
    """Sums over this person's farms; None where the person is not named or brings this farm alone."""
    base: Decimal | None = None
    """Amount that additions are a share of, once a rule that sets one was asked."""

    def name_crop(self, slug: str) -> Shown:
        """A crop as a farmer calls it; the slug where no name is known."""
        return Shown(*self.crop_names.get(slug, (slug, slug)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of rule: its settings, its pure function, and words for the reasons it can give."""

    name: str
    title: Words
    """What a reader sees instead of the name."""
    settings: type[Settings]
    apply: Callable[[Farm, Decimal | None, Any, RuleContext], Step | tuple[Step, ...]]
    """Pure: (farm, limit so far, settings, context) -> the step or steps it leaves."""
    reasons: Mapping[str, Words]
    """Reason code -> a sentence without numbers, for the farmer."""
    actions: Mapping[str, Words] = field(default_factory=dict)
    """Reason code -> what the farmer can do about it; a code of `configs/codes.yaml` has its own action there."""
    sets_limit: bool = False
    """It leaves a limit, or refers with none (`after` None) where the facts for its cap are missing."""
    needs_limit: bool = False
    """It compares the limit so far, so a rule that sets one must come before."""
    sets_base: bool = False
    """The limit it leaves is the amount that additions are a share of."""
    judges: bool = False
    """It may refer and never touches the limit."""
    adds: bool = False
    """It raises the limit, so it stands straight after the rule that sets the base, before every cap."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule of a policy with its numbers checked."""

    rule: Rule
    settings: Settings
    source: str


@dataclass(frozen=True)
class CompiledPolicy:
    """A policy whose every rule and number has been checked; the only thing a limit is made with."""

    policy: Policy
    rules: tuple[CompiledRule, ...]
    version: str
    """Hash of all that decides a limit: currency, rounding, dates, names of the two who signed, rules and numbers."""
    crop_names: Mapping[str, Words] = field(default_factory=dict)
    """Crop slug -> name in English and Chinese: words only, no part of the version."""
    name: str = field(init=False)
    """`<id>@<version>`: what every decision carries."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.policy.id}@{self.version}")


def make_step(
    rule: str,
    code: str,
    before: Decimal | None,
    after: Decimal | None,
    words: Words,
    facts: Mapping[str, Shown] | None = None,
    *,
    outcome: str | None = None,
    cap: Decimal | None = None,
    fill: bool = True,
) -> Step:
    """A step with its sentence in both languages, the facts filled into it and kept as evidence.

    Args:
        rule: name of the rule.
        code: reason code.
        before: limit before the rule.
        after: limit after it.
        words: sentence in English and Chinese with {names} of facts.
        facts: printed facts by name; without any, the words are taken as they are.
        outcome: refer or decline where the rule itself decides.
        cap: of a rule that leaves the lower of the limit before and an amount of its own: that amount.
        fill: False: the words are taken as they are, whatever the facts.
    """
    text_en, text_zh = words
    if not facts:
        evidence: dict[str, str] = {}
        evidence_zh: dict[str, str] = {}
    else:
        evidence = {name: shown[0] for name, shown in facts.items()}
        evidence_zh = {name: shown[1] for name, shown in facts.items()}
        if fill:
            text_en, text_zh = text_en.format_map(evidence), text_zh.format_map(evidence_zh)
    changed = outcome is not None or before != after
    return Step(rule, before, after, code, changed, outcome, evidence, text_en, text_zh, evidence_zh, cap)
