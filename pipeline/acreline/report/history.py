# SPDX-License-Identifier: Apache-2.0
"""What earlier runs say of the same farms: one row a season, and when a standing crop is expected to be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from acreline.codes import harvest_window
from acreline.config import packaged_crops
from acreline.errors import ConfigError
from acreline.report.read import Row, legends, read_manifest, read_rows
from acreline.report.stages import stage_words
from acreline.report.tell import vigour_grade
from acreline.report.words import word
from acreline.units import m2_to_ha, mu_to_m2

MOST_SEASONS = 6
BACK_DAYS = 330
"""A season's harvest ends at most so long before the season does."""
STANDING = ("not_begun", "bare", "emerging", "growing", "peak", "senescing")
"""Stages of a crop that is not cut yet."""
Pair = tuple[str, str]


def tell_history(earlier: Sequence[Path], until: str | None) -> dict[str, list[Row]]:
    """What earlier runs measured and decided of each farm, the latest season first, at most `MOST_SEASONS` of them.

    Args:
        earlier: folders of publications, in any order; farm ids must mean the same farms in all of them.
        until: last day of the season they come before; a run whose season does not end before it tells nothing.

    Returns:
        farm id -> rows with season, crop and health in both languages, planted_mu, planted_ha, grade, outcome, limit.

    Raises:
        StoreError: a publication is missing or cannot be read.
    """
    ends: dict[str, tuple[Path, Row]] = {}
    for folder in sorted(earlier):
        manifest = read_manifest(folder)
        end = _season_end(folder)
        if end and (until is None or end < until):
            ends[end] = (folder, manifest)  # one run a season
    told: dict[str, list[Row]] = {}
    for _, (folder, manifest) in sorted(ends.items(), reverse=True)[:MOST_SEASONS]:
        decided = {row["farm_id"]: row for row in read_rows(folder, "decisions")}
        names = legends(manifest)
        for row in read_rows(folder, "farms"):
            told.setdefault(row["farm_id"], []).append(_season(row, decided.get(row["farm_id"]), names, manifest))
    return told


def refuse_later(publication: Path, earlier: Sequence[Path]) -> None:
    """A run that was named as one of an earlier season, and is none, would be left out of the page without a word.

    Args:
        publication: whose page is written.
        earlier: folders of publications.

    Raises:
        ConfigError: a season among them does not end before the publication's own, or two are of the same.
        StoreError: a manifest is missing or cannot be read.
    """
    own, seen = _season_end(publication), dict[str, Path]()
    for folder in earlier:
        end = _season_end(folder)
        if own and end >= own:
            raise ConfigError(
                f"--earlier: {folder}: its season ends {end}, and the run's own {own}",
                hint="give runs of seasons that ended before; runs of the same season: acreline watch, acreline drift",
            )
        if end in seen:
            raise ConfigError(
                f"--earlier: {folder}: its season ends {end}, and so does that of {seen[end]}",
                hint="one run a season: leave one of them out",
            )
        seen[end] = folder


def _season_end(folder: Path) -> str:
    return str((read_manifest(folder).get("season") or {}).get("end") or "")


def _season(farm: Row, decision: Row | None, names: Mapping[str, Sequence[Row]], manifest: Mapping[str, Any]) -> Row:
    season = manifest["season"]
    mu = farm["planted_mu"]
    return {
        "start": season["start"],
        "end": season["end"],
        "crop": _name(names, "crop", farm["main_crop"]),
        "health": _name(names, "health", farm["health"]),
        "planted_mu": mu,
        "planted_ha": None if mu is None else m2_to_ha(mu_to_m2(mu)),
        "grade": None if farm["vigour"] is None else word("grade", vigour_grade(farm["vigour"])),
        "outcome": decision["outcome"] if decision else "none",
        "limit": decision["limit"] if decision else None,
        "currency": decision["currency"] if decision else None,
        "simulated": bool(manifest.get("simulated")),
    }


def _name(names: Mapping[str, Sequence[Row]], layer: str, slug: str | None) -> Pair:
    found = next(((row["en"], row["zh"]) for row in names.get(layer, ()) if row["slug"] == slug), None)
    return found or word(layer, slug)


def harvest_line(season: Row, as_of: str | None, season_end: str | None) -> Pair | None:
    """When a stand is expected to be cut, by its crop's calendar; None where it is cut, stands for years or has none.

    Args:
        season: one of a parcel's `stages` as the page tells them: crop, stage, harvest.
        as_of: day of the run.
        season_end: last day of the season that the harvest belongs to.
    """
    crop = packaged_crops().get(season["crop"] or "")
    if as_of is None or season_end is None or crop is None or season["stage"] not in STANDING or season.get("harvest"):
        return None
    window = harvest_window(crop.harvest, date.fromisoformat(season_end) - timedelta(days=BACK_DAYS))
    if window is None:
        return None
    if window[1] < date.fromisoformat(as_of):
        return f"usually cut by {window[1]}", f"通常最迟{window[1]}收获"
    return f"harvest expected {window[0]} to {window[1]}", f"预计收获期{window[0]}至{window[1]}"


def stage_now(
    parcels: Sequence[Row], crop: str | None, as_of: str | None, season_end: str | None
) -> tuple[Pair, Pair | None] | None:
    """Stage of a farm's main crop on the largest parcel that has one, and below it its harvest, seen or expected."""
    rows = [
        (parcel["mu"] or 0.0, season)
        for parcel in parcels
        for season in parcel["stages"]
        if season["crop"] == crop and season["stage"]
    ]
    if not rows:
        return None
    season = max(rows, key=lambda row: row[0])[1]
    below = harvest_line(season, as_of, season_end)
    if season.get("harvest"):
        day, doubt = season["harvest"]
        sure = ("", "") if doubt is None else (f" ± {max(1, round(doubt))} days", f" ± {max(1, round(doubt))}天")
        below = (f"cut {day}{sure[0]}", f"收割{day}{sure[1]}")
    return stage_words(season["crop"], season["stage"]), below
