# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Set
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from acreline.search.proof import MAX_WINDOWS, Key, prove_by_windows, worse

START = date(2018, 1, 1)


class Server:
    """Gives the first `cap` items of a window and never a next link."""

    def __init__(self, days: list[int], cap: int) -> None:
        self.items = [(START + timedelta(days=day), ("s2", str(k))) for k, day in enumerate(sorted(days))]
        self.cap = cap
        self.asked = 0

    def first_page(self, first: date, last: date) -> tuple[Set[Key], bool]:
        self.asked += 1
        return {key for day, key in self.items if first <= day <= last} & self._head(first, last), False

    def _head(self, first: date, last: date) -> set[Key]:
        return {key for _, key in [item for item in self.items if first <= item[0] <= last][: self.cap]}


@given(days=st.lists(st.integers(0, 364), max_size=120), cap=st.integers(10, 40))
def test_a_list_that_lacks_something_is_never_proven(days: list[int], cap: int) -> None:
    server, end = Server(days, cap), START + timedelta(days=364)
    known, _ = server.first_page(START, end)
    proof, new = prove_by_windows(server.first_page, START, end, known, len(known))
    whole = len(known) == len(days)
    assert bool(new) <= (not whole)
    assert (proof in ("windows", "last_page")) <= whole
    assert server.asked <= MAX_WINDOWS + 1


def test_a_day_that_fills_a_page_stays_undecided() -> None:
    server = Server([5] * 12, 12)
    known, _ = server.first_page(START, START)
    known, _ = server.first_page(START, START + timedelta(days=9))
    assert prove_by_windows(server.first_page, START, START + timedelta(days=9), known, 12)[0] == "undecided"


def test_the_weakest_proof_counts() -> None:
    assert worse(None, "stated") == "stated"
    assert worse("undecided", "stated") == "undecided"
    assert worse("last_page", "windows") == "windows"
