# SPDX-License-Identifier: Apache-2.0
"""The same acquisition listed twice is used once; the two halves of a split scene are both used."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from acreline.layers import SetAside
from acreline.search.items import Candidate

SAME_PASS_S = 600
"""One platform needs about 100 minutes for an orbit: two sightings of a tile within ten minutes are one."""
SAME_MOMENT_S = 1.0
"""Where a platform is not named; two Sentinels have flown half a minute apart."""
SAME_GROUND = 0.8
"""Shared over joint ground (intersection over union). Copies cover the same ground; halves of a split scene do not."""
EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


def drop_copies(candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[SetAside]]:
    """Keep one copy of each acquisition, by a rule that does not depend on the order of the list.

    Two scenes are copies if tile and platform are the same, they were sensed within ten minutes (within one second
    where a platform is not named) and their footprints share at least 80 % of their joint ground. Otherwise they are
    parts of a split scene, and both stay. Of copies the one is used that was there on the as-of day, then that of the
    highest baseline, then the one processed last, then the one with the highest id.

    Returns:
        scenes kept, sorted by time, then id; the others with reason `duplicate_of`, naming the winner and the rule.
    """
    buckets: dict[tuple[str, int], list[Candidate]] = {}
    lost: list[SetAside] = []
    kept: list[Candidate] = []
    for one in sorted(candidates, key=_rank, reverse=True):
        slot = int((one.time - EPOCH).total_seconds() // SAME_PASS_S)
        near = [other for k in (slot - 1, slot, slot + 1) for other in buckets.get((one.tile, k), ())]
        winner = next((other for other in near if _are_copies(one, other)), None)
        if winner is None:
            buckets.setdefault((one.tile, slot), []).append(one)
            kept.append(one)
        else:
            detail = f"copy of {winner.scene_id}, kept for its {_rule(one, winner)}"
            lost.append(SetAside(one.scene_id, one.time, one.tile, "duplicate_of", detail))
    return sorted(kept, key=lambda one: (one.time, one.scene_id)), lost


def _rank(one: Candidate) -> tuple[bool, float, str, str, datetime]:
    """Higher is better; ids and times at the end make the order total."""
    return one.known, float(one.baseline or 0), one.processed, one.scene_id, one.time


def _are_copies(one: Candidate, other: Candidate) -> bool:
    apart_s = abs((one.time - other.time).total_seconds())
    if "S2" in (one.platform, other.platform):
        if apart_s > SAME_MOMENT_S:
            return False
    elif one.platform != other.platform or apart_s > SAME_PASS_S:
        return False
    shared = one.footprint.intersection(other.footprint).area
    return bool(shared >= SAME_GROUND * one.footprint.union(other.footprint).area)


def _rule(loser: Candidate, winner: Candidate) -> str:
    if loser.known != winner.known:
        return "date (it was there on the as-of day, the other was processed later)"
    if (loser.baseline or "") != (winner.baseline or ""):
        return f"baseline ({winner.baseline} over {loser.baseline or 'none'})"
    if loser.processed != winner.processed:
        return f"processing time ({winner.processed} over {loser.processed or 'none'})"
    return "id"
