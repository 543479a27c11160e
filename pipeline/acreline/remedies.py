# SPDX-License-Identifier: Apache-2.0
"""What would settle a doubt: for each code that any layer raises, the cheapest thing that can be done about it.

One language from the pixels to the limit. A code says what is not known; its remedy says what would make it known, so
that a referral is a task and not a dead end. Words of the codes themselves stand in `report.words`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that can be done, cheapest first by `rank`."""

    slug: str
    rank: int
    en: str
    zh: str


REMEDIES = {
    one.slug: one
    for one in (
        Remedy("rerun", 0, "run the region again when the source answers", "数据源恢复后重新运行"),
        Remedy("wait", 1, "wait for more clear looks", "等待更多清晰影像"),
        Remedy("documents", 2, "ask for the figure or paper that is missing", "补充缺少的数字或资料"),
        Remedy("figures", 3, "enter a price or a normal yield for the crop", "补录该作物的价格或常年单产"),
        Remedy("photo", 4, "a photo of the field with date and place", "提供带日期和位置的田间照片"),
        Remedy("boundary", 5, "a corrected outline of the parcel", "重新勾绘地块边界"),
        Remedy("visit", 6, "a visit to the field", "实地查看"),
    )
}

CODES: dict[str, str] = {
    # the farm file
    "absurd_area": "boundary", "duplicate_id": "documents", "geometry_repaired": "boundary",
    "invalid_geometry": "boundary", "no_area": "boundary", "no_farm_id": "documents", "no_geometry": "boundary",
    "no_parcel_id": "documents", "no_tile": "boundary", "not_a_polygon": "boundary", "too_detailed": "boundary",
    "too_small": "boundary", "other_farm": "documents", "overlapping_claim": "documents",
    "overlaps_own_parcel": "boundary", "declared_area_differs": "boundary", "declared_area_unit": "documents",
    "declared_area_unreadable": "documents", "declared_crop_differs": "photo", "declared_crop_unknown": "documents",
    # reading
    "block_failed": "rerun", "not_measured": "rerun", "scenes_lost": "rerun", "incomplete": "rerun",
    "status_failed": "rerun", "status_rejected": "documents",
    # too little seen
    "few_clear_looks": "wait", "few_looks": "wait", "stale_look": "wait", "ground_unseen": "wait", "no_look": "wait",
    "insufficient_imagery": "wait", "status_insufficient": "wait", "no_evidence": "wait",
    "small_parcel": "visit", "few_pixels": "visit",
    # the season is not over
    "in_season": "wait", "peak_not_reached": "wait",
    # what grows there
    "crop_doubtful": "photo", "crop_unknown": "photo", "maybe_no_crop": "photo", "no_crop": "photo",
    "unlike_training": "visit", "mixed_parcel": "boundary", "not_farmland": "visit", "crop_not_in_region": "photo",
    "weak_peak": "photo",
    # how it fares
    "health_doubtful": "photo", "few_neighbours": "visit", "no_normal": "figures", "outside_growth": "photo",
    "suspected": "photo", "reported_only": "visit",
    "event_drought": "photo", "event_early_harvest": "photo", "event_flood": "photo", "event_frost": "photo",
    "event_late_failed": "photo", "event_lodging_hail": "photo", "event_other": "visit",
    "event_pest_disease": "visit", "event_vigour_drop": "photo",
    # what it is worth
    "no_index": "wait", "no_weather": "figures", "no_price": "figures", "no_yield": "figures",
    "not_modelled": "documents", "crop_set_not_priced": "figures", "mixed_currency": "figures",
    "implausible_facts": "visit", "status_degraded": "photo",
    # the applicant
    "applicant_unknown": "documents", "debt_unknown": "documents",
}  # fmt: skip
"""Code -> slug of its cheapest remedy."""
LEAST_LOOKS = 2
"""Fewer clear looks than this tell no rate at which more will come."""


def settle(codes: Iterable[str]) -> list[tuple[Remedy, tuple[str, ...]]]:
    """What would settle some codes, cheapest first, each with the codes it settles; an unknown code is left out.

    Waiting settles nothing that a visit is needed for, and a visit brings the photo along: with a visit on the list the
    photo is not asked for by itself.
    """
    by_slug: dict[str, list[str]] = {}
    for code in dict.fromkeys(codes):
        slug = CODES.get(code)
        if slug is not None:
            by_slug.setdefault(slug, []).append(code)
    if "visit" in by_slug and "photo" in by_slug:
        by_slug["visit"] += by_slug.pop("photo")
    found = sorted(by_slug.items(), key=lambda item: REMEDIES[item[0]].rank)
    return [(REMEDIES[slug], tuple(names)) for slug, names in found]


def wait_until(looks: int, wanted: int, start: date, as_of: date) -> date | None:
    """About when a farm will have been seen often enough, if clear looks keep coming as they did this season.

    Returns:
        None where it has been seen often enough, or too seldom to tell a rate.
    """
    days = (as_of - start).days
    if looks >= wanted or looks < LEAST_LOOKS or days <= 0:
        return None
    return as_of + timedelta(days=math.ceil((wanted - looks) * days / looks))
