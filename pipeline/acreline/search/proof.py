# SPDX-License-Identifier: Apache-2.0
"""Is a list whole that its server gives no count for? Asked in shorter windows of time, it must bring nothing new.

A server may cap its pages below what is asked for and lose the next link of a full page; the list then ends like a
whole one. A page shorter than one that the same server has given cannot have been capped, so windows of time are halved
until each of them fits on such a page.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import date, timedelta
from typing import Literal

Proof = Literal["stated", "last_page", "windows", "undecided"]
"""How a list was shown to be whole: the server's own count; a last page shorter than an earlier one; windows of time;
or not at all."""

STRENGTH: tuple[Proof, ...] = ("stated", "last_page", "windows", "undecided")
"""From proven by the server itself to not proven; a search of several boxes is as good as its worst."""

NEVER_CAPPED = 10
"""A page of fewer items is taken as whole: ten is what servers give that know no limit (OGC API Features)."""
MAX_WINDOWS = 64

Key = tuple[str, str]
Ask = Callable[[date, date], tuple[Set[Key], bool]]
"""First and last day -> the ids of the first page of that window, and whether it has a next link."""


def worse(one: Proof | None, other: Proof) -> Proof:
    """The weaker of two proofs."""
    return other if one is None else max(one, other, key=STRENGTH.index)


def prove_by_windows(ask: Ask, start: date, end: date, known: Set[Key], largest: int) -> tuple[Proof, Set[Key]]:
    """Look for items that a list lacks, in ever shorter windows of time.

    Args:
        ask: asks the server for the first page of a window.
        start: first day of the list.
        end: last day of the list.
        known: ids of the list.
        largest: items of the largest page that this server gave; a shorter page was not capped.

    Returns:
        ("windows", nothing) where the list is whole; ("undecided", nothing) where the server does not let itself be
        asked by time, or a single day fills a page; ("undecided", the new ids) where the list is not whole.
    """
    if largest < NEVER_CAPPED:
        return "last_page", set()
    open_windows = [(start, end, known)]
    asked = 0
    decided = True
    while open_windows:
        first, last, above = open_windows.pop()
        middle = first + (last - first) // 2
        if first == last or asked + 2 > MAX_WINDOWS:
            decided = False
            continue
        for a, b in ((first, middle), (middle + timedelta(days=1), last)):
            ids, more = ask(a, b)
            asked += 1
            new = ids - known
            if new:
                return "undecided", new
            full = more or len(ids) >= largest
            if full and ids == above:  # the server gives the same page whatever the window
                return "undecided", set()
            if full:
                open_windows.append((a, b, ids))
    return ("windows" if decided else "undecided"), set()
