# SPDX-License-Identifier: Apache-2.0
"""What a portfolio page needs beside its farms: its queues, and what a farm shows only when it is opened, packed away.

A page of ten thousand farms would be a hundred megabytes of trails and curves. So the table's facts stand in the page
as they are, and the rest of every `CHUNK` farms as one gzip text that the page unpacks when one of them is opened.
"""

from __future__ import annotations

import base64
import csv
import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from acreline.errors import InputError
from acreline.report.read import Row
from acreline.report.standing import NowStands

CHUNK = 64
"""Farms whose details are packed together."""
MICRO = 1_000_000
"""Outlines are told to a millionth of a degree, 0.1 m."""
FARM_DETAILS = ("acres", "planted_acres", "areas", "sown", "vigour", "grade", "looks", "binding", "policy", "trail")
PARCEL_DETAILS = (
    "areas_m2", "areas", "code", "declared_crop", "detail", "figures", "notes", "grades", "sure", "vigour", "planted",
    "looks", "last", "curve", "stages", "seasons", "stands", "events", "settle", "reason", "ha",
)  # fmt: skip
_PACKED = re.compile(r'(<script type="application/json" class="detail">)("[A-Za-z0-9+/=]*")(</script>)')
_CASE = ("case", "farm", "opened", "due", "state", "about_en", "about_zh")


def split_details(told: Row) -> tuple[Row, list[Row]]:
    """Part what `tell_page` gave into what the page reads at once and the details of its farms, by chunks.

    Returns:
        the lean page, with `chunk` (farms per chunk) and outlines by `thin_ring`; and for each chunk of farms in order,
        farms and parcels by place (as text, as JSON has it) with the values that were taken out. Parcels of no farm
        stand in the last chunk.
    """
    chunks: list[Row] = [{"farms": {}, "parcels": {}} for _ in range(max(1, -(-len(told["farms"]) // CHUNK)))]
    farms = []
    owner: dict[int, int] = {}
    for place, farm in enumerate(told["farms"]):
        chunk = chunks[place // CHUNK]["farms"]
        chunk[str(place)] = {name: farm[name] for name in (*FARM_DETAILS, "reasons")}
        lean = {name: value for name, value in farm.items() if name not in FARM_DETAILS}
        lean["reasons"] = [*farm["reasons"][:1], *([code, "", ""] for code, *_ in farm["reasons"][1:])]
        farms.append(lean)
        owner |= dict.fromkeys(farm["parcels"], place // CHUNK)
    parcels = []
    for place, parcel in enumerate(told["parcels"]):
        chunk = chunks[owner.get(place, len(chunks) - 1)]["parcels"]
        chunk[str(place)] = {name: parcel[name] for name in PARCEL_DETAILS if name in parcel}
        lean = {name: value for name, value in parcel.items() if name not in PARCEL_DETAILS}
        grown = parcel["stands"] if len(parcel["stands"]) > 1 else []  # two crops a year: the map's label names both
        lean["rings"] = [[thin_ring(ring) for ring in polygon] for polygon in parcel["rings"]]
        lean["grown"] = [[stand["slot"], stand["crop_set"], stand["crop"], stand["confidence"]] for stand in grown]
        parcels.append(lean)
    return {**told, "farms": farms, "parcels": parcels, "chunk": CHUNK}, chunks


def thin_ring(ring: Sequence[Sequence[float]]) -> list[int]:
    """A ring of (lat, lon) in degrees as whole millionths of a degree, each point as its way from the one before."""
    flat = [(round(lat * MICRO), round(lon * MICRO)) for lat, lon in ring]
    before = [(0, 0), *flat]
    return [at - was for point, last in zip(flat, before, strict=False) for at, was in zip(point, last, strict=True)]


def pack(value: Any) -> str:
    """A value as JSON, gzip and base64, in quotes: the same bytes for the same value."""
    return json.dumps(base64.b64encode(gzip.compress(_json_text(value).encode(), 9, mtime=0)).decode())


def unpack(text: str) -> Any:
    """The value behind `pack`'s text."""
    return json.loads(gzip.decompress(base64.b64decode(json.loads(text))))


def rewrite_packed(text: str, change: Callable[[str], str]) -> str:
    """A page after a change of its text, inside the packed details too; a pack that stays the same keeps its bytes."""

    def again(found: re.Match[str]) -> str:
        before = _json_text(unpack(found[2]))
        after = change(before)
        return found[0] if after == before else f"{found[1]}{pack(json.loads(after))}{found[3]}"

    return _PACKED.sub(again, change(text))


def read_packed(text: str) -> str:
    """All that a page's packed details say, one after the other; of a page without any, nothing."""
    return "\n".join(_json_text(unpack(found[2])) for found in _PACKED.finditer(text))


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def tell_standing(told: Row, stands: Mapping[str, NowStands] | None) -> Row:
    """A page with what stands beside the machine's decision, which stays as it is, where people acted.

    Args:
        told: from `tell_page`.
        stands: by farm; None where nobody can know, as on the page that is published before anybody acts.

    Returns:
        the page with `now` at those farms, and with `acts`: how many farms people acted on, and the last day on
        which one of these states was set; None for `stands` None.
    """
    if stands is None:
        return {**told, "acts": None}
    farms = [
        {**farm, "now": _now(stands[farm["id"]])} if farm["id"] in stands else dict(farm) for farm in told["farms"]
    ]
    acted = [farm["now"] for farm in farms if "now" in farm]
    return {
        **told,
        "farms": farms,
        "acts": {
            "farms": len(acted),
            "last": max((now["day"] for now in acted), default=""),
        },
    }


def _now(stands: NowStands) -> Row:
    return {
        "outcome": stands.outcome,
        "limit": None if stands.limit is None else format(stands.limit, "f"),
        "state": stands.state,
        "by": list(stands.by),
        "day": stands.day,
        "said": [list(pair) for pair in (*stands.said, *stands.asked)],
    }


def tell_queues(
    farms: Sequence[Row],
    watch: Sequence[Row] | None,
    cases: Sequence[Row] | None,
    asks: Sequence[Row] | None = (),
) -> Row:
    """The queues of a portfolio beside its referrals: farms to watch, open appeals, what is asked for.

    Args:
        farms: as the page tells them.
        watch: rows of a list of `acreline watch`; None where there is none.
        cases: open appeals, from `read_cases`; a farm that the run does not have keeps the place -1. None where nobody
            can know.
        asks: what is asked for and not there yet, from `read_cases`; None where nobody can know.

    Returns:
        the rows of each, with the farm's place.
    """
    places = {farm["id"]: place for place, farm in enumerate(farms)}
    return {
        "watch": None if watch is None else [{**row, "place": places.get(row["farm_id"], -1)} for row in watch],
        "cases": None if cases is None else [{**case, "place": places.get(case["farm"], -1)} for case in cases],
        "asks": None if asks is None else [{**ask, "place": places.get(ask["farm"], -1)} for ask in asks],
    }


def read_watch(path: Path) -> list[Row]:
    """A list that `acreline watch --out` wrote, the most money first: farm, signals, money, words in both languages.

    Raises:
        InputError: the file is missing, is no text, or is no such list.
    """
    names = ("farm_id", "signals", "exposed", "currency", "words_en", "words_zh")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}", hint="give the file of `acreline watch --out`") from error
    if any(row.get(name) is None for row in rows for name in names):
        raise InputError(f"{path}: not a list of farms to watch", hint="give the file of `acreline watch --out`")
    return [{name: row[name] for name in names} for row in rows]


def read_cases(path: Path) -> list[Row]:
    """Open appeals, or questions, of a JSON list, those due first in front.

    A row has case, farm, opened, due, state, about_en and about_zh.

    Raises:
        InputError: the file is missing, is not a JSON list of mappings, or a case lacks its name, farm or a day.
    """
    hint = 'a JSON list: [{"case": ..., "farm": ..., "opened": "2025-06-01", "due": "2025-06-21", "state": "open"}]'
    try:
        cases = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON: {error}", hint=hint) from error
    if not isinstance(cases, list) or not all(isinstance(case, Mapping) for case in cases):
        raise InputError(f"{path}: not a list of cases", hint=hint)
    told = []
    for case in cases:
        row = {name: str(case.get(name) or "") for name in _CASE}
        for name in ("opened", "due"):
            try:
                row[name] = date.fromisoformat(row[name]).isoformat() if row[name] else ""
            except ValueError as error:
                raise InputError(f"{path}: case {row['case']!r}: {name}: {row[name]!r} is no day", hint=hint) from error
        if not (row["case"] and row["farm"] and row["opened"]):
            raise InputError(f"{path}: a case without its name, its farm or the day it was opened", hint=hint)
        told.append(row)
    return open_cases(told)


def open_cases(rows: Sequence[Mapping[str, str]]) -> list[Row]:
    """The open ones of appeals or questions, those due first in front, with what the page tells of them."""
    told = [{name: row[name] for name in _CASE} for row in rows if row["state"] in ("", "open")]
    return sorted(told, key=lambda row: (row["due"] or "9", row["case"]))
