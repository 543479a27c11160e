# SPDX-License-Identifier: Apache-2.0
"""What grew on each parcel and when: a row for each stand, with its crop's doubt and its dates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import Crop, SeasonSettings
from acreline.curves import clear_looks, dates_of, end_of_day, join_codes, nullable, parcel_ids
from acreline.doors import check_seasons
from acreline.layers import UNKNOWN, Looks, Parcels, Seasons, Weather
from acreline.promises import Calibration
from acreline.records import NO_CROP, NOT_FARMLAND
from acreline.seasons.crops import choose_crops
from acreline.seasons.dates import STAGES, date_seasons
from acreline.seasons.gaps import long_gaps

if TYPE_CHECKING:
    import pandas as pd

"""The class of land that is no farmland at all."""


def judged_only(seasons: Seasons, parcels: Parcels) -> Seasons:
    """The seasons of parcels that may be judged: one that is too small or too little seen is nobody's neighbour."""
    return Seasons(seasons[_is_judged(seasons, parcels)].reset_index(drop=True))


def without_guesses(seasons: Seasons, parcels: Parcels) -> Seasons:
    """The same parcels; of one that may not be judged one row stays, with its looks, and no crop or slot is told."""
    guesses = ~_is_judged(seasons, parcels)
    told = seasons[~guesses | ~seasons["parcel_id"].duplicated()].copy()
    guesses = guesses.reindex(told.index)
    for column, value in (("slot", "AB"), ("crop", UNKNOWN), ("crop_confidence", 0.0), ("crop_set", "")):
        told.loc[guesses, column] = value
    return Seasons(told.reset_index(drop=True))


def _is_judged(seasons: Seasons, parcels: Parcels) -> pd.Series[bool]:
    judged = parcels.loc[parcels["status"].isin(["ok", "degraded"]), "parcel_id"]
    return seasons["parcel_id"].isin(judged)


def describe_seasons(
    looks: Looks,
    crops: Mapping[str, Crop],
    calibration: Calibration,
    season: SeasonSettings,
    *,
    as_of: date,
    weather: Weather | None = None,
) -> Seasons:
    """Name what stands on each parcel in each season slot and date it, each date with its doubt.

    Season dates are calendar dates read from the smoothed NDVI curve; `weather` takes no part in them.

    Args:
        looks: what was seen.
        crops: the region's crops by slug.
        calibration: the card's promise about the network's probabilities.
        season: first and last day looked at.
        as_of: nothing after this day is used.
        weather: daily weather or None.

    Returns:
        one row per stand, sorted by parcel and slot: two crops a year on one parcel are a row of slot A and one of slot
        B; what stands the whole year, a parcel on which nothing grew (crop `none`) and one of which nothing is known
        have one row of slot AB. `crop_set` is `a|b` text, the first answer first; `none` in it is doubt that anything
        grew; `seasons` counts the crops of the year by the curve alone, 1 for what stands all year. Dates are UTC
        midnights (NaT: not known) with doubt in days (half the gap between the looks around);
        `evidence` is a JSON list of passes; `code` is `a|b` text of no_evidence, no_crop, unlike_training,
        few_pixels, mixed_parcel, crop_doubtful (several crops in its set), not_farmland, few_looks, long_gap,
        crop_not_in_region, not_begun (a late crop of which nothing is to be seen yet: it has no date),
        peak_not_reached, weak_peak, area_by_outline, seasons_differ (the curve shows another number of crops than are
        named).

    Raises:
        ContractError: the looks hold a crop class that the card does not.
    """
    import pandas as pd

    ids = parcel_ids(looks)
    table = clear_looks(looks, end_of_day(as_of))
    rows = table.groupby("parcel")
    count = rows.size().reindex(range(len(ids)), fill_value=0).to_numpy().astype(np.int64)
    last = rows["day"].max().reindex(range(len(ids))).to_numpy(dtype="float64")
    chosen = choose_crops(looks, ids, calibration, count)
    parcel, slots = chosen["parcel"].to_numpy(dtype="int64"), chosen["slot"].to_numpy(dtype=object)
    dated = date_seasons(table, len(ids), parcel, slots, season)

    no_curve = dated["no_curve"]
    floors = {slug: 0.0 if crop.under_cover else crop.min_peak_ndvi for slug, crop in crops.items()}
    floor = chosen["crop"].map(floors).to_numpy(dtype="float64")
    with np.errstate(invalid="ignore"):
        weak = ~no_curve & ~dated["open"] & (dated["peak_ndvi"] < floor)
    crop = chosen["crop"].to_numpy(dtype=object)
    empty = crop == NO_CROP
    listed = np.isin(crop.astype(str), [*crops, UNKNOWN, NO_CROP, NOT_FARMLAND])
    codes = {
        "no_evidence": crop == UNKNOWN,
        "no_crop": empty,
        "unlike_training": chosen["unlike"].to_numpy(dtype=bool) & (crop != UNKNOWN),
        "few_pixels": chosen["few_px"].to_numpy(dtype=bool),
        "mixed_parcel": chosen["mixed"].to_numpy(dtype=bool),
        "crop_doubtful": chosen["crop_set"].str.contains("|", regex=False).to_numpy(dtype=bool) & ~empty,
        "not_farmland": crop == NOT_FARMLAND,
        "few_looks": no_curve,
        "long_gap": long_gaps(table, parcel, slots, dated["emergence"], dated["harvest"]) & ~no_curve & ~empty,
        "crop_not_in_region": ~listed,
        "not_begun": dated["not_begun"],
        "peak_not_reached": ~no_curve & dated["open"] & (slots != "AB"),
        "weak_peak": weak,
        "area_by_outline": np.isin(crop.astype(str), [slug for slug, one in crops.items() if one.under_cover]),
        "seasons_differ": _counted_otherwise(dated["seasons"], parcel, slots, no_curve | dated["open"] | weak),
    }
    stage = np.where(empty, STAGES.index(UNKNOWN), dated["stage"])  # weeds have no stage
    result = pd.DataFrame(
        {
            "parcel_id": ids[parcel],
            "slot": chosen["slot"],
            "crop": chosen["crop"],
            "crop_confidence": chosen["confidence"],
            "crop_set": chosen["crop_set"],
            "seasons": pd.array(np.where(no_curve | empty, 0, dated["seasons"]).astype("int32"), dtype="int32"),
            "stage": pd.array(np.asarray(STAGES, dtype=object)[stage], dtype="string"),
        }
    )
    dated["emergence"], dated["emergence_doubt"] = _came_up(dated, parcel, crop, crops)
    for name in ("emergence", "peak", "senescence", "harvest"):
        result[name] = dates_of(dated[name])
        result[f"{name}_doubt_days"] = nullable(dated[f"{name}_doubt"])
    result["peak_ndvi"] = nullable(dated["peak_ndvi"].round(4))
    result["clear_looks"] = pd.array(count[parcel].astype("int32"), dtype="int32")
    result["last_clear"] = dates_of(last[parcel])
    result["evidence"] = pd.array(_evidence(table, dated["passes"]), dtype="string")
    result["code"] = join_codes(codes, len(result))
    return check_seasons(result)


def _counted_otherwise(
    seasons: npt.NDArray[Any], parcel: npt.NDArray[np.int64], slots: npt.NDArray[Any], unsure: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Stands of parcels on which the curve shows more or fewer crops than are named, unless one is weak or runs on."""
    named, parcels = slots != "AB", int(parcel.max(initial=-1)) + 1
    stands = np.bincount(parcel[named], minlength=parcels)[parcel]
    any_unsure = np.bincount(parcel[unsure], minlength=parcels)[parcel] > 0
    differs: npt.NDArray[np.bool_] = named & ~any_unsure & (seasons != stands)
    return differs


def _came_up(
    dated: Mapping[str, npt.NDArray[Any]],
    parcel: npt.NDArray[np.int64],
    crop: npt.NDArray[Any],
    crops: Mapping[str, Crop],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Emergence and its doubt, (stand,): the day on which the field showed green, less what its crop needs for that.

    No crop came up before the one before it was cut.
    """
    lags = {slug: (one.value, one.value * one.cv) for slug, kind in crops.items() if (one := kind.green_after_days)}
    days, unsure = np.array([lags.get(slug, (0.0, 0.0)) for slug in crop], np.float64).reshape(-1, 2).T
    green, doubt = dated["emergence"], np.hypot(dated["emergence_doubt"], unsure)
    before = np.full(len(parcel), np.nan)
    before[1:] = np.where(parcel[1:] == parcel[:-1], dated["harvest"][:-1], np.nan)
    with np.errstate(invalid="ignore"):
        came_up = np.where(green - days <= before, np.minimum(before + 1, green), green - days)
    return came_up, doubt


def _evidence(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> Sequence[str]:
    """The passes that decided peak, harvest and emergence, as JSON lists."""
    names = table["pass_id"].to_numpy(dtype=object)
    return [
        json.dumps([str(names[row]) for row in dict.fromkeys(sorted(int(r) for r in chosen if r >= 0))])
        for chosen in rows
    ]
