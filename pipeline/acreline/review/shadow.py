# SPDX-License-Identifier: Apache-2.0
"""A challenger beside the champion: a second policy, or another model's run; it writes shadow results alone."""

from __future__ import annotations

import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError, StoreError
from acreline.review.book import choose_policy, decide, read_book
from acreline.review.compare import Comparison, compare, records
from acreline.review.files import SIMULATED, write_review
from acreline.review.page import Page
from acreline.review.policy_page import comparison_cards, comparison_lines, comparison_sections
from acreline.store import read_manifest
from acreline.tables import write_decisions

if TYPE_CHECKING:
    from acreline.records import Decision

SHADOW = "shadow"
"""Folder of a run in which challengers write, and they write nowhere else."""


@dataclass(frozen=True)
class Challenge:
    """What a challenger would have decided of a publication's farms."""

    champion: str
    challenger: str
    comparison: Comparison
    decisions: tuple[Decision, ...]
    """Of the challenger, in the order of the publication's farms."""
    publication_id: str
    region: str
    notes: tuple[str, ...]
    simulated: bool


def challenge_policy(publication: Path, policy: str, base: Path | None = None) -> Challenge:
    """Decide the farms of a publication by a second policy, as if it held on its day.

    Args:
        publication: its folder; it is read, never written.
        policy: name or path of the challenger.
        base: folder that a path counts from.

    Raises:
        ConfigError: the policy is not known, does not compile, or is in another currency.
    """
    book = read_book([publication])
    region = book.regions[0]
    chosen = choose_policy(policy, region, base)
    decisions = decide(region, chosen)
    champion = region.published[0].policy_id
    found = compare([(region, region.farms, region.published, decisions)])
    notes = () if chosen.note is None else (chosen.note,)
    name = _id_of(publication)
    return Challenge(champion, chosen.name, found, tuple(decisions), name, region.name, notes, book.simulated)


def challenge_run(publication: Path, beside: Path) -> Challenge:
    """Hold the decisions of another run of the same region, season and day, such as another model's, beside a run's.

    Raises:
        ConfigError: the runs are of another region, season or day, or tell of other farms.
    """
    heads = [read_manifest(folder) for folder in (publication, beside)]
    for name in ("region", "season", "as_of"):
        if heads[0].get(name) != heads[1].get(name):
            raise ConfigError(
                f"the runs differ in {name}: {heads[0].get(name)} and {heads[1].get(name)}",
                hint="run the challenger on the same region, season and day, into a folder of its own",
            )
    books = [read_book([folder]) for folder in (publication, beside)]
    regions = [book.regions[0] for book in books]
    champion, challenger = ({one.farm_id: one for one in region.published} for region in regions)
    if set(champion) != set(challenger):
        lost = sorted(set(champion) ^ set(challenger))
        raise ConfigError(
            f"the runs tell of other farms: {lost[0]!r} is in one alone", hint="give both runs the same parcel file"
        )
    decisions = [challenger[one.farm_id] for one in regions[0].published]
    found = compare([(regions[0], regions[0].farms, regions[0].published, decisions)])
    names = [_judges(head) for head in heads]
    simulated = any(book.simulated for book in books)
    return Challenge(
        names[0], names[1], found, tuple(decisions), _id_of(publication), regions[0].name, (), simulated
    )  # fmt: skip


def _judges(head: dict[str, Any]) -> str:
    model, policy = head.get("model") or {}, head.get("policy") or {}
    named = f"{model.get('name')}@{model.get('version')} {str(model.get('digest'))[:8]}"
    return f"{named} under {policy.get('id')}@{policy.get('version')}"


def _id_of(publication: Path) -> str:
    return str(read_manifest(publication).get("publication_id") or publication.resolve().name)


def write_challenge(challenge: Challenge, root: Path) -> list[Path]:
    """Write a challenge under `root/shadow/<publication>/<challenger>`: decisions, tables, figures, a page.

    Args:
        challenge: from `challenge_policy` or `challenge_run`.
        root: the OUT folder of a run, or any other.

    Returns:
        the page first; the folder is replaced whole, so half a result is never there.

    Raises:
        StoreError: it cannot be written.
    """
    final = root / SHADOW / challenge.publication_id / re.sub(r"[^A-Za-z0-9.@-]+", "_", challenge.challenger)
    staging = final.with_name(f".{uuid.uuid4().hex[:8]}")
    tables = {"difference-groups": challenge.comparison.groups, "difference-farms": challenge.comparison.farms}
    try:
        paths = write_review(staging, "difference", tables, challenge_figures(challenge), challenge_page(challenge))
        write_decisions(challenge.decisions, staging / "decisions.parquet")
        shutil.rmtree(final, ignore_errors=True)
        staging.rename(final)
    except OSError as error:
        raise StoreError(f"{final}: cannot be written: {error}", hint="check the run folder") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # renamed by now, unless something went wrong
    return [final / path.name for path in paths]


def root_of(publication: Path) -> Path:
    """The OUT folder that a publication lies in.

    Raises:
        ConfigError: it is a copy that lies in none: a file more in it would be a fault to `acreline verify`.
    """
    if publication.parent.name != "publications":
        raise ConfigError(f"{publication}: no run folder around it", hint="say with --out where shadow results go")
    return publication.parent.parent


def summary_line(challenge: Challenge) -> str:
    """The challenge in one line, for the end of a run."""
    whole = records(challenge.comparison.groups)[0]
    moved = whole["farms"] - whole["same"]
    return (
        f"shadow: {challenge.challenger} would decide {moved} of {whole['farms']} farms otherwise, "
        f"{whole['limit_new'] - whole['limit_old']:+,.0f} {challenge.comparison.currency} in all; nothing was granted"
    )


def challenge_lines(challenge: Challenge) -> list[str]:
    """The challenge by segment for a terminal."""
    lines = ["on simulated data"] if challenge.simulated else []
    lines += [f"champion {challenge.champion}", f"challenger {challenge.challenger}", *challenge.notes]
    return [*lines, *comparison_lines(challenge.comparison), summary_line(challenge)]


def challenge_figures(challenge: Challenge) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "champion": challenge.champion,
        "challenger": challenge.challenger,
        "publication_id": challenge.publication_id,
        "region": challenge.region,
        "simulated": challenge.simulated,
        "notes": list(challenge.notes),
        "currency": challenge.comparison.currency,
        "groups": records(challenge.comparison.groups),
        "farms": records(challenge.comparison.farms),
    }


def challenge_page(challenge: Challenge) -> Page:
    """The challenge as a page."""
    title = (f"{challenge.region}: a challenger in shadow", f"{challenge.region}：影子挑战者")
    under = (
        f"Champion {challenge.champion} (old), challenger {challenge.challenger} (new); what was published stays.",
        f"现行 {challenge.champion}（旧），挑战者 {challenge.challenger}（新）；已发布结果不变。",
    )
    notices = [*([SIMULATED] if challenge.simulated else []), *((note, "") for note in challenge.notes)]
    found = challenge.comparison
    return Page(title, under, comparison_cards(found), comparison_sections(found), notices)
