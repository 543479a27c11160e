# SPDX-License-Identifier: Apache-2.0
"""A book of farms decided by two policies on the same facts, before the second is released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from acreline.review.book import Book, Chosen, choose_policy, decide
from acreline.review.compare import Comparison, compare


@dataclass(frozen=True)
class PolicyDiff:
    """What another policy does to a book."""

    old: str
    """`<id>@<version>`, of each region's day, joined where regions differ."""
    new: str
    comparison: Comparison
    notes: tuple[str, ...]
    """What a reader must know of either policy or of a model."""
    name: str
    """The regions."""
    simulated: bool


def diff_policies(book: Book, old: str, new: str) -> PolicyDiff:
    """Decide every farm of a book by two policies, on the facts and the day of its run.

    Args:
        book: from `read_book`.
        old: name or path of a policy.
        new: of the other.

    Raises:
        ConfigError: a policy is not known or does not compile, or the two are in two currencies.
    """
    sides, chosen, notes = [], [], []
    for region in book.regions:
        pair = choose_policy(old, region), choose_policy(new, region)
        then, now = (decide(region, one) for one in pair)
        sides.append((region, region.farms, then, now))
        chosen.append(pair)
        notes += [one.note for one in pair if one.note is not None]
        if region.model_retired:
            notes.append(f"{region.name}: its model was retired, every farm is referred by either policy")
    first, second = (_names([pair[k] for pair in chosen]) for k in (0, 1))
    return PolicyDiff(first, second, compare(sides), tuple(dict.fromkeys(notes)), book.name, book.simulated)


def _names(chosen: Sequence[Chosen]) -> str:
    return ", ".join(dict.fromkeys(one.name for one in chosen))
