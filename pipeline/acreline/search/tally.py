# SPDX-License-Identifier: Apache-2.0
"""What a search asked for and got, counted while it happens."""

from __future__ import annotations

from dataclasses import dataclass

from acreline.search.proof import Proof

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass
class Tally:
    """Counts of one search; `requests` and `retries` go to the log, the others are part of the result."""

    received: int = 0
    """Items of all queries, each kept once within its query."""
    stated: int | None = None
    pages: int = 0
    duplicates: int = 0
    """Items that came again on a later page of the same query."""
    shared: int = 0
    """Items found by more than one query (a region of several boxes)."""
    requests: int = 0
    retries: int = 0
    proof: Proof | None = None
    """The weakest proof among the queries that the list is whole; None where nothing was asked of a server."""
    simulated: bool = False
    """A catalogue or collection on the way calls its pictures simulated."""
