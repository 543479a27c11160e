# SPDX-License-Identifier: Apache-2.0
"""What is open about the parcels and farms of a publication, and what would settle it: actions and days to wait for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from acreline.codes import Seen, all_codes, cheapest_action, split_codes, wait_until, without_following
from acreline.config import packaged_crops
from acreline.report.read import Row, read_table

JUDGED = ("ok", "degraded")
"""Statuses of parcels of which it is said what stands on them."""
TABLES = {"seasons": ["crop"], "stands": ["crop"], "health": [], "growth": ["crop"], "events": ["event"]}
"""Tables whose rows carry codes, with what else is read of them."""
SAID_BY = {
    "peak_not_reached": "in_season", "in_season": "not_begun", "few_looks": "few_clear_looks",
    "weak_peak": "event_late_failed",
}  # fmt: skip
"""A code that another one of the same land says too, to that other."""


@dataclass(frozen=True)
class Frame:
    """The days of a run."""

    start: date
    end: date
    as_of: date


@dataclass(frozen=True)
class Doubt:
    """One code, the parcel it speaks of (empty: the farm as a whole) and what was seen of it."""

    code: str
    parcel_id: str
    seen: Seen | None


@dataclass(frozen=True)
class OpenFarm:
    """What a farm and its decision say that is open."""

    codes: tuple[str, ...]
    looks: int
    wanted: int | None
    """Clear looks that the policy asks for; None: its trail does not say."""


def read_frame(manifest: Mapping[str, Any]) -> Frame | None:
    """The days of a run as its manifest has them; None where it does not say."""
    season = manifest.get("season")
    given = (season.get("start"), season.get("end"), manifest.get("as_of")) if isinstance(season, Mapping) else (None,)
    return None if None in given else Frame(*(date.fromisoformat(str(day)) for day in given))


def open_farm(
    reason: str | None, flags: Iterable[str], looks: int, trail: Iterable[tuple[str, str | None, Mapping[str, str]]]
) -> OpenFarm:
    """A farm's own codes: why a person decides, why it was not measured, what its flags say; each once.

    Args:
        reason: of its status.
        flags: of the farm.
        looks: clear looks of its worst parcel.
        trail: code, outcome and evidence of each step of its decision.
    """
    steps = list(trail)
    found = [code for code, outcome, _ in steps if outcome == "refer"] + [*split_codes(reason), *flags]
    found = without_following(found, reason)
    told = (evidence.get("min_clear_looks", "") for _, _, evidence in steps)
    wanted = next((int(text.split()[0]) for text in told if text[:1].isdigit()), None)
    return OpenFarm(tuple(code for code in dict.fromkeys(found) if SAID_BY.get(code) not in found), looks, wanted)


def read_codes(publication: Path, parcel_ids: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """The rows of a publication's tables that carry codes, by parcel; of some parcels or of all.

    Raises:
        StoreError: a table is missing or is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows: dict[str, list[Row]] = {}
    for name, columns in TABLES.items():
        table = read_table(publication, name, ["parcel_id", "code", *columns])
        if parcel_ids is not None:
            mine = pa.array(list(parcel_ids), type=pa.string())
            table = table.filter(pc.is_in(table["parcel_id"].cast(pa.string()), mine))
        for row in table.to_pylist():
            rows.setdefault(str(row["parcel_id"]), []).append(row)
    return rows


def read_parcels(publication: Path, farm_id: str) -> list[Row]:
    """A farm's parcels as `parcel_doubts` takes them.

    Raises:
        StoreError: the table is missing or is not Parquet.
    """
    import pyarrow.compute as pc

    table = read_table(publication, "parcels")
    known = [name for name in table.column_names if name not in ("geometry", "bbox")]
    rows = table.select(known).filter(pc.equal(table["farm_id"], farm_id)).to_pylist()
    return [{**row, "looks": row["clear_looks"]} for row in rows]


def parcel_doubts(parcel: Row, rows: Sequence[Row], farm: OpenFarm, frame: Frame | None) -> list[Doubt]:
    """Every code of one parcel, each once, with what was seen of it.

    Args:
        parcel: id, status, reason, detail, looks, and code where the run knew of any.
        rows: its rows of the tables, from `read_codes`.
        farm: its farm.
        frame: the days of the run.
    """
    detail = parcel["detail"] or ""
    found = [(code, "") for code in (*split_codes(parcel["reason"]), *re.findall(r"\bwas (\w+)", detail))]
    found += [(code, "") for code in split_codes(parcel.get("code"))]
    found += [("scenes_lost", "")] if "scenes_lost" in detail else []
    for row in rows if parcel["status"] in JUDGED else ():  # of the others nothing is said but why
        crop, codes = row.get("crop") or "", split_codes(row["code"])
        found += [(code, crop) for code in codes]
        found += [(f"event_{row['event']}", "")] if row.get("event") and "outside_growth" not in codes else []
    crops: dict[str, str] = {}
    for code, crop in found:
        crops.setdefault(code, crop)
    asked = re.search(r"\d+ clear looks \(needs (\d+)\)", detail)
    wanted = max((number for number in (farm.wanted, int(asked[1]) if asked else None) if number), default=None)
    return [
        Doubt(code, parcel["id"], _seen(frame, parcel["looks"], wanted, code, crop))
        for code, crop in crops.items()
        if SAID_BY.get(code) not in crops
    ]


def farm_doubts(farm: OpenFarm, parcels: Sequence[Doubt], frame: Frame | None) -> list[Doubt]:
    """All that is open about a farm: the codes that no parcel of it has, then those of its parcels."""
    theirs = {doubt.code for doubt in parcels}
    theirs |= {"event_late_failed"} if "weak_peak" in theirs else set()  # the flag that it raises
    own = [code for code in farm.codes if code not in theirs]
    return [*(Doubt(code, "", _seen(frame, farm.looks, farm.wanted, code, "")) for code in own), *parcels]


def settle(doubts: Sequence[Doubt]) -> list[Row]:
    """The cheapest that settles some doubts: action, day to wait for, and its codes with the parcels that have them."""
    seen: dict[str, Seen] = {}
    places: dict[str, dict[str, None]] = {}
    for doubt in doubts:
        places.setdefault(doubt.code, {}).update({doubt.parcel_id: None} if doubt.parcel_id else {})
        if doubt.seen is not None and doubt.code in all_codes():
            known = seen.setdefault(doubt.code, doubt.seen)  # of several parcels the one to be waited for longest
            if (wait_until(doubt.code, doubt.seen) or date.min) > (wait_until(doubt.code, known) or date.min):
                seen[doubt.code] = doubt.seen
    return [
        {
            "action": one.action.slug,
            "until": one.until.isoformat() if one.until else None,
            "codes": [[code, list(places[code])] for code in one.codes],
        }
        for one in cheapest_action(places, seen)
    ]


def tell_doubts(publication: Path, manifest: Mapping[str, Any], farms: Iterable[Row], parcels: Sequence[Row]) -> None:
    """Write into each farm and parcel that is to be told what would settle its doubts (`settle`), and its `notes`.

    Args:
        publication: its folder.
        manifest: of the publication.
        farms: as the page tells them.
        parcels: as the page tells them; a farm names its own by their places.

    Raises:
        StoreError: a table of the publication is missing or cannot be read.
    """
    rows, frame = read_codes(publication), read_frame(manifest)
    for parcel in parcels:
        parcel.update(settle=[], notes=[])
    for farm in farms:
        trail = [(s["code"], s["outcome"], {name: value for name, value, _ in s["evidence"]}) for s in farm["trail"]]
        said = open_farm(farm["reason"], farm["flags"], farm["looks"], trail)
        theirs: list[Doubt] = []
        for place in farm["parcels"]:
            parcel = parcels[place]
            own = parcel_doubts(parcel, rows.get(parcel["id"], []), said, frame)
            parcel.update(settle=settle(own), notes=_notes(own))
            theirs += own
        farm["settle"] = settle(farm_doubts(said, theirs, frame))


def _notes(doubts: Sequence[Doubt]) -> list[str]:
    """The codes among them that ask for nothing."""
    codes = all_codes()
    return [doubt.code for doubt in doubts if doubt.code in codes and codes[doubt.code].kind == "note"]


def _seen(frame: Frame | None, looks: int | None, wanted: int | None, code: str, crop: str) -> Seen | None:
    if frame is None:
        return None
    harvest = ""
    if crop and code in all_codes() and all_codes()[code].waits_for == "harvest":
        known = packaged_crops().get(crop)
        harvest = known.harvest if known is not None else ""
    return Seen(frame.as_of, frame.start, frame.end, looks or 0, wanted, harvest)
