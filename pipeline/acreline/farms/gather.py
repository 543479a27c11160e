# SPDX-License-Identifier: Apache-2.0
"""The plain facts of each farm, put together from all the tables: the bridge from arrays to money."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.config import Crop
from acreline.curves import has_code
from acreline.farms.edges import edge_pixels, perimeter_m
from acreline.farms.judge import by_parcel
from acreline.farms.land import JUDGED, area_codes, green_land, idle_set, planted_land, split_names
from acreline.farms.struck import struck_land, struck_parcels
from acreline.layers import PIXEL_M, UNKNOWN, Events, Growth, Health, Looks, Parcels, Seasons
from acreline.records import NO_CROP, ZERO, Applicant, Farm, Interval, Stand, Struck, worst_status

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

PIXEL_M2 = PIXEL_M**2
EDGE_PX_SD = 0.29
"""Where the edge of a crop lies inside a pixel is uniform: standard deviation 1/sqrt(12) of a pixel."""
Z_95 = 1.645
MOST_UNSEEN = 0.05
"""Ground of a judged parcel that was never seen, as a share: more asks for a person."""
MIN_GRADED_SHARE = 0.5
"""A farm has a vigour when at least this share of its sown land has one: a corner does not speak for the whole."""
SEASON_FLAGS = {
    "crop_not_in_region": "crop_not_in_region",
    "not_farmland": "not_farmland",
    "unlike_training": "unlike_training",
    "few_pixels": "few_pixels",
    "mixed_parcel": "mixed_parcel",
    "weak_peak": "event_late_failed",
    "not_begun": "not_begun",
}
"""Codes of the season that ask for a person, and the flag they raise."""
IDLE_CODES = ("unlike_training", "few_pixels", "mixed_parcel")
"""Those that ask for a person on land where nothing grew, too."""
WIDE_CODES = ("not_begun", "few_looks", "few_neighbours", "in_season")
"""Codes of the growth index that make a yield missing or wide; the rest the yields see for themselves."""

StandFacts = tuple[Stand, str, float | None, dict[str, Any]]
"""A stand with its health class, its vigour and the row of the season it comes from."""


def gather_farms(
    parcels: Parcels,
    looks: Looks,
    seasons: Seasons,
    health: Health,
    events: Events,
    growth: Growth,
    crops: Mapping[str, Crop],
    applicants: Mapping[str, Applicant],
) -> list[Farm]:
    """Put together what is known of each farm: land, crops, health, and everything that asks for a person.

    Planted land is the parcel's area times the share of its ground that bore a crop. Its low and high ends add 1.645 x
    0.29 pixel x sqrt(edge pixels) and count unseen ground as bare and as planted; never more than the polygon. Edge
    pixels are those the outline cuts, or those its length runs past where it was drawn along the pixels.

    Two crops a year on one parcel are two stands on its planted land, which counts once as planted and twice as sown. A
    parcel under roofs (`under_cover`) is planted as it is drawn, whatever green shows. A parcel on which nothing was
    grown has no stand and no planted land; where it cannot be told whether something was
    (`maybe_no_crop`), its planted land runs from none to all that was green, and a person looks.

    Args:
        parcels: all rows after `judge_parcels`.
        looks: land cover and evidence.
        seasons: crop of each parcel and slot.
        health: class and vigour.
        events: what struck.
        growth: growth index.
        crops: the region's crops by slug.
        applicants: what the bank knows, by farm id.

    Returns:
        one record per farm id in `parcels`, sorted by it; farms of rejected parcels only have status rejected.
    """
    roofed = [slug for slug, crop in crops.items() if crop.under_cover]
    facts = _parcel_facts(parcels, looks, seasons, roofed)
    words = _crop_words(crops)
    facts["declared_slug"] = [words.get((_text(name) or "").strip().casefold()) for name in facts["declared_crop"]]
    stands = _stand_facts(facts, seasons, health, growth)
    in_crops = events[~has_code(events, "outside_growth")]
    struck = struck_parcels(in_crops)
    farms = []
    by_farm: dict[Any, list[dict[str, Any]]] = {}
    for record in facts.to_dict("records"):
        by_farm.setdefault(record["farm_id"], []).append({str(name): value for name, value in record.items()})
    for farm_id, rows in by_farm.items():
        own = [stand for row in rows for stand in stands.get(row["row"], ())]
        farms.append(_make_farm(farm_id, rows, own, struck, words, applicants.get(farm_id)))
    strangers = sorted(set(applicants) - {farm.farm_id for farm in farms})
    if strangers:
        log.warning("%d applicants have no parcel in the farm file, first: %s", len(strangers), strangers[0])
    return farms


def _parcel_facts(parcels: Parcels, looks: Looks, seasons: Seasons, roofed: Sequence[str]) -> pd.DataFrame:
    """Parcels with planted land and clear looks, one row per input row, in farm and parcel order."""
    import pandas as pd

    table = pd.DataFrame(parcels.drop(columns=parcels.geometry.name))
    table["row"] = np.arange(len(table))
    table["farm_id"] = table["farm_id"].fillna("").astype(str)
    ids = table["parcel_id"].astype("string")
    seen = seasons.drop_duplicates("parcel_id").set_index("parcel_id").reindex(ids)
    table["views"] = seen["clear_looks"].fillna(0).to_numpy(dtype="int64")
    table["last_view"] = seen["last_clear"].to_numpy()
    idle = seasons[seasons["crop"] == NO_CROP].set_index("parcel_id").reindex(ids)
    table["idle_set"] = idle["crop_set"].fillna("").to_numpy(dtype=object)
    table["idle_code"] = idle["code"].fillna("").to_numpy(dtype=object)
    land = looks.evidence[looks.evidence["head"] == "land"]
    for name in ("planted", "bare", "unseen"):
        table[name] = by_parcel(land[land["cls"] == name], "prob", ids).fillna(0).to_numpy(dtype="float64")
    under = ids.isin(seasons.loc[seasons["crop"].isin(roofed), "parcel_id"]).to_numpy(dtype=bool)
    table["planted"] += np.where(under, table["bare"], 0.0)  # what grows under a roof does not show green
    table["bare"] = np.where(under, 0.0, table["bare"])
    cover = by_parcel(looks.land, "cover", ids).fillna(0).to_numpy(dtype="float64")
    full = by_parcel(looks.land, "n_full", ids).fillna(0).to_numpy(dtype="float64")
    edge_px = edge_pixels(cover / 10_000, full, perimeter_m(parcels.geometry))
    table["edge_m2"] = Z_95 * EDGE_PX_SD * np.sqrt(edge_px) * PIXEL_M2
    return table.sort_values(["farm_id", "parcel_id", "row"], kind="stable").reset_index(drop=True)


def _stand_facts(facts: pd.DataFrame, seasons: Seasons, health: Health, growth: Growth) -> dict[int, list[StandFacts]]:
    """Stands of each input row that was looked at, with health class, vigour and the season's own facts."""
    # Of a parcel that cannot be judged the land is known, and what stands on it is not guessed.
    measured = facts[facts["status"].isin(JUDGED)]
    seasons = Seasons(seasons[seasons["crop"] != NO_CROP])
    key = ["parcel_id", "slot"]
    both = seasons.merge(health[[*key, "health", "vigour"]], on=key, how="left", validate="one_to_one")
    index = growth[[*key, "index_ratio", "index_error", "code"]].rename(columns={"code": "code_growth"})
    both = both.merge(index, on=key, how="left", validate="one_to_one")
    joined = measured.merge(both, on="parcel_id", how="inner", suffixes=("", "_season")).sort_values(["row", "slot"])
    found: dict[int, list[StandFacts]] = {}
    for record in joined.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        stand = Stand(
            farm_id=str(row["farm_id"]),
            parcel_id=str(row["parcel_id"]),
            slot=str(row["slot"]),
            crop=str(row["crop"]),
            crop_confidence=float(row["crop_confidence"]),
            crop_set=split_names(row["crop_set"]),
            area_m2=green_land(row),
            declared_crop=_text(row["declared_slug"]),
            index_ratio=_number(row["index_ratio"]),
            index_error=_number(row["index_error"]),
            code=next((code for code in str(row["code_growth"]).split("|") if code in WIDE_CODES), None),
            vigour=_number(row["vigour"]),
        )
        health_class = _text(row["health"]) or UNKNOWN
        found.setdefault(int(row["row"]), []).append((stand, health_class, stand.vigour, row))
    return found


def _make_farm(
    farm_id: str,
    rows: Sequence[Mapping[str, Any]],
    own: Sequence[StandFacts],
    struck: Mapping[str, Sequence[Struck]],
    words: Mapping[str, str],
    applicant: Applicant | None,
) -> Farm:
    status = worst_status([row["status"] for row in rows])
    reason = next((_text(row["reason"]) for row in rows if row["status"] == status), None)
    kept = [row for row in rows if row["status"] != "rejected"]
    stands = tuple(stand for stand, *_ in own)
    planted = [planted_land(row) for row in kept if row["status"] != "failed"]
    known = [stand for stand in stands if stand.crop != UNKNOWN]
    area_of: dict[str, float] = {}
    for stand in known:
        area_of[stand.crop] = area_of.get(stand.crop, 0.0) + stand.area_m2.mid
    main = min(area_of, key=lambda crop: (-area_of[crop], crop)) if area_of else None
    if not own and kept and all(idle_set(row) for row in kept):
        main = NO_CROP
    largest = min(own, key=lambda s: (-s[0].area_m2.mid, s[0].parcel_id, s[0].slot)) if own else None
    graded = [(vigour, stand.area_m2.mid) for stand, _, vigour, _ in own if vigour is not None]
    weight, whole = math.fsum(area for _, area in graded), math.fsum(stand.area_m2.mid for stand in stands)
    speaks = weight > 0 and weight >= MIN_GRADED_SHARE * whole
    vigour = math.fsum(grade * area for grade, area in graded) / weight if speaks else None
    views = [(int(row["views"]), _day(row["last_view"])) for row in kept]
    days = [day for _, day in views if day is not None]
    hits = struck_land([(float(row["area_m2"]), struck.get(str(row["parcel_id"]), ())) for row in kept])
    names = [hit.event for hit in hits]
    return Farm(
        farm_id=farm_id,
        status=status,
        reason=None if status == "ok" else reason,
        parcel_ids=tuple(str(row["parcel_id"]) for row in rows),
        area_m2=_land(rows),
        planted_m2=sum(planted, ZERO),
        sown_m2=math.fsum(stand.area_m2.mid for stand in stands),
        stands=stands,
        main_crop=main,
        health=largest[1] if largest else UNKNOWN,
        vigour=None if vigour is None else round(vigour, 4),
        clear_looks=min((count for count, _ in views), default=0),
        last_clear=min(days) if days and len(days) == len(views) else None,
        flags=_flags(kept, own, words, names),
        events=tuple(names),
        struck=hits,
        applicant=applicant,
    )


def _land(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Land of all drawn parcels; None where one has no area, for the sum of the others is not the farm."""
    areas = [_number(row["area_m2"]) or 0.0 for row in rows]
    return math.fsum(areas) if areas and all(area > 0 for area in areas) else None


def _flags(
    rows: Sequence[Mapping[str, Any]], own: Sequence[StandFacts], words: Mapping[str, str], struck: Sequence[str]
) -> tuple[str, ...]:
    """Codes that ask for a person, sorted."""
    flags = {f"event_{name}" for name in struck}
    sets: dict[str, set[str]] = {}
    planted: dict[str, Interval] = {}
    grown: dict[str, set[str]] = {}
    for stand, _, _, row in own:
        codes = (_text(row["code"]) or "").split("|")
        planted[stand.parcel_id] = stand.area_m2
        grown.setdefault(stand.parcel_id, set()).update(codes)
        flags.update(flag for code, flag in SEASON_FLAGS.items() if code in codes)
        sets.setdefault(stand.parcel_id, set()).update(stand.crop_set)
        if stand.crop == UNKNOWN:
            flags.add("crop_unknown")
    for parcel in rows:
        idle = idle_set(parcel)
        sets.setdefault(str(parcel["parcel_id"]), set()).update(idle)
        if len(idle) > 1:
            flags.add("maybe_no_crop")
        if idle:
            flags.update(code for code in IDLE_CODES if code in str(parcel["idle_code"]).split("|"))
        if parcel["status"] == "degraded":
            flags.add(_text(parcel["reason"]) or "status_degraded")
        flags.update(re.findall(r"\bwas (\w+)", _text(parcel["detail"]) or ""))
        if "scenes_lost" in (_text(parcel["detail"]) or ""):
            flags.add("scenes_lost")
        if parcel["status"] == "failed":
            flags.add("incomplete")
        declared, found = (_text(parcel["declared_crop"]) or "").strip(), sets.get(str(parcel["parcel_id"]), set())
        slug = words.get(declared.casefold())
        if declared and slug is None:
            flags.add("declared_crop_unknown")
        elif declared and found and slug not in found:
            flags.add("declared_crop_differs")
        ground = float(parcel["planted"]) + float(parcel["bare"]) + float(parcel["unseen"])
        if parcel["status"] in JUDGED and float(parcel["unseen"]) > MOST_UNSEEN * ground:
            flags.add("ground_unseen")
        name, declared_m2 = str(parcel["parcel_id"]), _number(parcel["declared_area_m2"])
        flags.update(area_codes(declared_m2, float(parcel["area_m2"]), planted.get(name), grown.get(name, ())))
    return tuple(sorted(flags))


def _crop_words(crops: Mapping[str, Crop]) -> dict[str, str]:
    """What a farmer may have written for a crop: slug, Chinese and English name, to the slug."""
    return {word.casefold(): slug for slug, crop in crops.items() for word in (slug, crop.name_zh, crop.name_en)}


def _number(value: Any) -> float | None:
    import pandas as pd

    return None if pd.isna(value) else float(value)


def _text(value: Any) -> str | None:
    import pandas as pd

    return None if pd.isna(value) or not str(value) else str(value)


def _day(value: Any) -> date | None:
    import pandas as pd

    return None if pd.isna(value) else pd.Timestamp(value).date()
