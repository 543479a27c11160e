# SPDX-License-Identifier: Apache-2.0
"""What a night changed: farms whose outcome or limit moved since the publication before it, and how much money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import AcrelineError, StoreError
from acreline.store import read_manifest

if TYPE_CHECKING:
    import pandas as pd

ZERO = Decimal(0)


@dataclass(frozen=True)
class Move:
    """Some farms and the money that is moved or touched."""

    farms: int
    money: Decimal


@dataclass(frozen=True)
class Changes:
    """Two publications of one region and season held side by side; a referral is no amount, so it moves on its own."""

    since: str
    """As-of day of the publication before."""
    outcomes: int
    """Farms whose outcome is another one."""
    up: Move
    """Farms of which both have a limit, and the new one is higher."""
    down: Move
    to_person: Move
    """Farms that had a limit and are referred now: the limit they had."""
    from_person: Move
    """Farms that were referred and have a limit now."""
    new: int
    """Farms that the publication before did not have."""
    gone: int
    currency: str
    watch: Move
    """Farms that have become worse, as `acreline watch` tells them, and the money at stake with them."""

    @property
    def sum_money(self) -> Decimal:
        """By how much all limits together are higher, a referral as no limit."""
        return self.up.money - self.down.money - self.to_person.money + self.from_person.money


def publication_before(root: Path, entries: Sequence[Mapping[str, Any]], instant: datetime) -> Path | None:
    """The publication that was current before a night, as it is called now; None where there is none to compare with.

    Args:
        root: the run folder.
        entries: of its log of decisions.
        instant: when the night began. Where nothing was current then, it is the one before the newest.
    """
    made = [one for one in entries if one.get("event") == "published"]
    names = [str(one["publication_id"]) for one in made if datetime.fromisoformat(one["at"]) < instant]
    if not names:
        names = [str(one["publication_id"]) for one in made]
        names = [name for name in names if name != names[-1]]
    if not names:
        return None
    name = names[-1]
    for entry in entries:
        if entry.get("instead_of") == name:
            name = str(entry["publication_id"])
    folder = root / "publications" / name
    return folder if (folder / "decisions.parquet").is_file() else None


def compare_nights(publication: Path, before: Path) -> Changes | None:
    """Hold a publication beside the one before it; None where they are of two seasons.

    Raises:
        StoreError: one of them cannot be read.
    """
    manifests = [read_manifest(folder) for folder in (before, publication)]
    if any(manifests[0].get(name) != manifests[1].get(name) for name in ("region", "season")):
        return None
    then, now = (_decisions(folder) for folder in (before, publication))
    both = then.add_suffix("_then").join(now.add_suffix("_now"), how="inner")
    moves: dict[str, list[Decimal]] = {"up": [], "down": [], "to_person": [], "from_person": []}
    for old, new in zip(both["limit_then"], both["limit_now"], strict=True):
        old, new = (None if limit is None or limit != limit else limit for limit in (old, new))
        if old is not None and new is not None and old != new:
            moves["up" if new > old else "down"].append(abs(new - old))
        elif old is not None and new is None:
            moves["to_person"].append(old)
        elif old is None and new is not None:
            moves["from_person"].append(new)
    currencies = sorted({*then["currency"], *now["currency"]})
    return Changes(
        since=str(manifests[0]["as_of"]),
        outcomes=int((both["outcome_then"] != both["outcome_now"]).sum()),
        new=int((~now.index.isin(then.index)).sum()),
        gone=int((~then.index.isin(now.index)).sum()),
        currency="/".join(map(str, currencies)),
        watch=_watch(publication, before),
        **{kind: Move(len(amounts), sum(amounts, ZERO)) for kind, amounts in moves.items()},
    )


def _decisions(publication: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_parquet(publication / "decisions.parquet", columns=["farm_id", "outcome", "limit", "currency"])
    except (OSError, ValueError) as error:
        raise StoreError(f"{publication}: decisions cannot be read: {error}", hint="see `acreline verify`") from error
    return table.set_index("farm_id")


def _watch(publication: Path, before: Path) -> Move:
    """Farms that have become worse and the money at stake; none where the two cannot be compared so."""
    from acreline.watch import watch_farms

    try:
        table = watch_farms(publication, before).table
    except AcrelineError:
        return Move(0, ZERO)
    return Move(len(table), sum(table["exposed"], ZERO))
