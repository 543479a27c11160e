# SPDX-License-Identifier: Apache-2.0
"""Decisions in the words of earlier code, so that a trail of years ago can be compared byte for byte.

A publication says which edition of the trail its code wrote. Whoever renames a fact of a step, or puts a step in other
words, adds a row to `RENAMED`: it tells a step of today as it was told before. Nothing here reads the old trail: a step
is told from the farm's kept facts, so a difference that no row explains stays one. Outcome, limit and reasons are never
touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from acreline.credit.contract import CompiledPolicy, Words
from acreline.credit.words import measured_words
from acreline.records import Decision, Farm, Step


@dataclass(frozen=True, slots=True)
class Renamed:
    """Facts of one rule that code since an edition shows by other names, or shows at all."""

    edition: int
    """The first edition of the trail that shows them as they are now."""
    since: date
    rule: str
    old: tuple[str, ...]
    """Names before; none: they were not shown."""
    new: tuple[str, ...]
    tell: Callable[[Step, Farm, CompiledPolicy], Step]
    """(step in the words of `edition`, farm, policy) -> the step as the edition before told it."""

    def words(self) -> str:
        """One line for a reader of `replay`."""
        now = ", ".join(self.new)
        if not self.old:
            return f"trail: written before {self.since}, when {self.rule} did not show {now} yet; compared without"
        then = ", ".join(self.old)
        return f"trail: written before {self.since}, when {self.rule} showed {now} as {then}; compared by those names"


def _without_crops_in_doubt(step: Step, farm: Farm, policy: CompiledPolicy) -> Step:
    if step.outcome != "refer":
        return step
    said_en, said_zh = measured_words(step.code)
    return replace(_shown(step, drop=("declared", "seen", "could_be")), text_en=said_en, text_zh=said_zh)


def _declared_and_seen_apart(step: Step, farm: Farm, policy: CompiledPolicy) -> Step:
    if "declared_but_seen" not in step.evidence:
        return step
    differ = [s for s in farm.stands if s.declared_crop is not None and s.declared_crop not in (s.crop, *s.crop_set)]
    declared = _names((s.declared_crop or "" for s in differ), policy)
    seen = _names((s.crop for s in differ), policy)
    told = _shown(step, drop=("declared_but_seen",), add={"declared": declared, "seen": seen})
    if step.code != "declared_crop_differs":
        return told
    said_en, said_zh = measured_words(step.code)
    figures = f" Declared: {declared[0]}; seen: {seen[0]}.", f"申报：{declared[1]}；看到：{seen[1]}。"
    return replace(told, text_en=said_en + figures[0], text_zh=said_zh + figures[1])


RENAMED: tuple[Renamed, ...] = (
    Renamed(1, date(2026, 11, 27), "evidence_bar", (), ("declared", "seen", "could_be"), _without_crops_in_doubt),
    Renamed(
        2, date(2026, 11, 27), "evidence_bar", ("declared", "seen"), ("declared_but_seen",), _declared_and_seen_apart
    ),
)
"""Oldest first. A row once added stays, and so does its edition."""
EDITION = max(row.edition for row in RENAMED)
"""Of the trails that this code writes."""
UNNUMBERED = {"62aef98050614106": 1, "3e1604f16ada7290": 2, "ad09cc89d92aebbf": 2, "5720cab1788150a8": 2}
"""Digest of the deciding code -> edition, of code that did not write its edition down; any other is of edition 0."""


def edition_of(code: Mapping[str, Any]) -> int:
    """The edition of a publication's trail.

    Args:
        code: `code` of its lineage: `trail` where the edition was written down, and `decides`.
    """
    written = code.get("trail")
    return UNNUMBERED.get(code["decides"], 0) if written is None else int(written)


def renamed_since(edition: int) -> list[Renamed]:
    """Rows that a trail of this edition is older than, newest first: the order in which they are undone."""
    return sorted((row for row in RENAMED if row.edition > edition), key=lambda row: -row.edition)


def tell_as(decision: Decision, farm: Farm, policy: CompiledPolicy, edition: int) -> Decision:
    """The decision with its steps as code of that edition told them; the same object where nothing was renamed since.

    Args:
        decision: as this code made it.
        farm: the facts it was made of.
        policy: the policy that decided.
        edition: of the trail that it is compared with, from `edition_of`.
    """
    rows = renamed_since(edition)
    if not rows:
        return decision
    steps = list(decision.trail)
    for row in rows:
        steps = [row.tell(step, farm, policy) if step.rule == row.rule else step for step in steps]
    return replace(decision, trail=tuple(steps))


def _names(crops: Iterable[str], policy: CompiledPolicy) -> Words:
    names = [policy.crop_names.get(crop, (crop, crop)) for crop in dict.fromkeys(crops)]
    return ", ".join(en for en, _ in names), "、".join(zh for _, zh in names)


def _shown(step: Step, *, drop: tuple[str, ...], add: Mapping[str, Words] | None = None) -> Step:
    """The step with other facts beside it; its sentence stays."""
    added = add or {}
    kept = {name: value for name, value in step.evidence.items() if name not in drop}
    kept_zh = {name: value for name, value in step.evidence_zh.items() if name not in drop}
    return replace(
        step,
        evidence=kept | {name: words[0] for name, words in added.items()},
        evidence_zh=kept_zh | {name: words[1] for name, words in added.items()},
    )
