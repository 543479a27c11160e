# SPDX-License-Identifier: Apache-2.0
"""What grew on each parcel and when: crop with its doubt, emergence, peak and harvest, and the stage it is in now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import Crop, SeasonSettings
from acreline.curves import (
    Curves,
    clear_looks,
    dates_of,
    end_of_day,
    growing_window,
    join_codes,
    nullable,
    parcel_ids,
    smooth_curves,
    turn_day,
)
from acreline.doors import check_seasons
from acreline.errors import ContractError
from acreline.layers import (
    LOGP_SCALE,
    UNKNOWN,
    Calibration,
    Looks,
    Parcels,
    Seasons,
    Weather,
)

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

EARLY_DAYS = 30
"""Before the window of its slot opens, a crop is told by this many days up to its newest look."""
MIN_AMPLITUDE = 0.15
"""A rise or fall of NDVI below this is no season (science 3.1: prominence of a peak)."""
MIN_PEAK_DAYS = 50
EMERGENCE_SHARE = 0.15
"""Emergence is where the curve first rises by this share of its amplitude (science 3.1: 10 %, here above the noise)."""
SOIL_NDVI = 0.30
"""Harvested: the curve came down to this, or to a quarter of its amplitude above its own soil, if that is higher."""
SOIL_SHARE = 0.25
EMERGING_NDVI = 0.4
"""A rising stand below it does not cover the ground yet."""
NEAR_PEAK = 0.9

STAGES = ("bare", "emerging", "growing", "peak", "senescing", "harvested", "permanent", UNKNOWN)


def judged_only(seasons: Seasons, parcels: Parcels) -> Seasons:
    """The seasons of parcels that may be judged: one that is too small or too little seen is nobody's neighbour."""
    return Seasons(seasons[_is_judged(seasons, parcels)].reset_index(drop=True))


def without_guesses(seasons: Seasons, parcels: Parcels) -> Seasons:
    """The same rows; of a parcel that may not be judged the looks stay, and crop and confidence are not told."""
    guesses = ~_is_judged(seasons, parcels)
    told = seasons.copy()
    told.loc[guesses, "crop"] = UNKNOWN
    told.loc[guesses, "crop_confidence"] = 0.0
    told.loc[guesses, "crop_set"] = ""
    return Seasons(told)


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
    """Name each parcel's crop and date its season, each date with its doubt.

    Season dates are calendar dates read from the smoothed NDVI curve; `weather` takes no part in them.

    Args:
        looks: what was seen.
        crops: the region's crops by slug; they tell the season slot.
        calibration: the card's promise about the network's probabilities.
        season: first and last day looked at.
        as_of: nothing after this day is used.
        weather: daily weather or None.

    Returns:
        one row per parcel that looks know, sorted: `crop_set` is `a|b` text, most likely first; dates are UTC midnights
        (NaT: not known) with doubt in days (half the gap between the looks around); `evidence` is a JSON list of
        passes; `code` is `a|b` text of no_evidence, few_looks, crop_not_in_region, peak_not_reached, weak_peak.

    Raises:
        ContractError: the looks hold a crop class that the card does not.
    """
    import pandas as pd

    ids = parcel_ids(looks)
    chosen = _choose_crops(looks, ids, calibration, crops)
    table = clear_looks(looks, end_of_day(as_of))
    dated = _date_seasons(table, len(ids), chosen["slot"].to_numpy(dtype=object), season)
    rows = table.groupby("parcel")
    count = rows.size().reindex(range(len(ids)), fill_value=0).to_numpy()
    last = rows["day"].max().reindex(range(len(ids))).to_numpy(dtype="float64")

    no_curve = dated["no_curve"]
    floor = chosen["crop"].map({slug: crop.min_peak_ndvi for slug, crop in crops.items()}).to_numpy(dtype="float64")
    with np.errstate(invalid="ignore"):
        weak = ~no_curve & ~dated["open"] & (dated["peak_ndvi"] < floor)
    unknown = (chosen["crop"] == UNKNOWN).to_numpy(dtype=bool)
    codes = {
        "no_evidence": unknown,
        "few_looks": no_curve,
        "crop_not_in_region": ~unknown & ~chosen["crop"].isin(list(crops)).to_numpy(dtype=bool),
        "peak_not_reached": ~no_curve & dated["open"] & (chosen["slot"] != "AB").to_numpy(dtype=bool),
        "weak_peak": weak,
    }
    result = pd.DataFrame(
        {
            "parcel_id": ids,
            "slot": chosen["slot"],
            "crop": chosen["crop"],
            "crop_confidence": chosen["confidence"],
            "crop_set": chosen["crop_set"],
            "seasons": pd.array(np.where(no_curve, 0, dated["seasons"]).astype("int32"), dtype="int32"),
            "stage": pd.array(np.asarray(STAGES, dtype=object)[dated["stage"]], dtype="string"),
        }
    )
    for name in ("emergence", "peak", "harvest"):
        result[name] = dates_of(dated[name])
        result[f"{name}_doubt_days"] = nullable(dated[f"{name}_doubt"])
    result["peak_ndvi"] = nullable(dated["peak_ndvi"].round(4))
    result["clear_looks"] = pd.array(count.astype("int32"), dtype="int32")
    result["last_clear"] = dates_of(last)
    result["evidence"] = pd.array(_evidence(table, dated["passes"]), dtype="string")
    result["code"] = join_codes(codes, len(ids))
    return check_seasons(result)


# --- which crop ---------------------------------------------------------------------------------------------------
def _choose_crops(
    looks: Looks, ids: pd.Index[Any], calibration: Calibration, crops: Mapping[str, Crop]
) -> pd.DataFrame:
    """Mean log-probability over the parcel's pixels, divided by the temperature, made into probabilities."""
    import pandas as pd

    classes = list(calibration.classes)
    rows = looks.evidence[looks.evidence["head"] == "crop"]
    odd = sorted(set(rows["cls"]) - set(classes))
    if odd:
        raise ContractError(
            f"seasons: the looks hold crop classes {odd} that the model's card does not: {classes}",
            hint="the looks were made with another model: run again in a fresh folder",
        )
    shape = (len(ids), len(classes))
    logp, n_px = np.full(shape, -np.inf), np.zeros(shape)
    row = ids.get_indexer(pd.Index(rows["parcel_id"].astype("string")))
    at = row, pd.Index(classes).get_indexer(pd.Index(rows["cls"]))
    logp[at], n_px[at] = rows["logp"].to_numpy(dtype="float64"), rows["n_px"].to_numpy(dtype="float64")
    total = n_px.sum(axis=1)
    known = total > 0
    logp[~known] = 0.0
    score = logp / np.maximum(total, 1)[:, None] / LOGP_SCALE / calibration.temperature
    score -= score.max(axis=1, keepdims=True, initial=-np.inf)
    probability = np.exp(score)
    probability /= probability.sum(axis=1, keepdims=True)
    order = np.argsort(-probability, axis=1, kind="stable")
    ranked = np.take_along_axis(probability, order, axis=1)
    size = np.where(known, np.maximum((ranked >= calibration.set_threshold).sum(axis=1), 1), 0)
    names = np.asarray(classes, dtype=object)
    crop = np.where(known, names[order[:, 0]], UNKNOWN)
    slots = {slug: settings.slot for slug, settings in crops.items()}
    return pd.DataFrame(
        {
            "crop": pd.array(crop, dtype="string"),
            "confidence": np.where(known, ranked[:, 0], 0.0).round(6),
            "crop_set": pd.array(["|".join(names[o[:k]]) for o, k in zip(order, size, strict=True)], dtype="string"),
            "slot": pd.array([slots.get(name, "AB") for name in crop], dtype="string"),
        }
    )


# --- when ---------------------------------------------------------------------------------------------------------
def _date_seasons(
    table: pd.DataFrame, n: int, slots: npt.NDArray[Any], season: SeasonSettings
) -> dict[str, npt.NDArray[Any]]:
    """Dates (days since 1970-01-01, NaN where not known), doubts, peak, stage and number of seasons of n parcels."""
    names = ("emergence", "peak", "harvest", "emergence_doubt", "peak_doubt", "harvest_doubt", "peak_ndvi")
    dated: dict[str, npt.NDArray[Any]] = {name: np.full(n, np.nan) for name in names}
    dated["open"], dated["no_curve"] = np.zeros(n, dtype=bool), np.ones(n, dtype=bool)
    dated["seasons"] = np.zeros(n, dtype=np.int64)
    dated["stage"] = np.full(n, STAGES.index(UNKNOWN), dtype=np.int64)
    dated["passes"] = np.full((n, 5), -1, dtype=np.int64)
    days = table["day"].to_numpy()
    epoch = date(1970, 1, 1)
    turn = turn_day((season.start - epoch).days, (season.end - epoch).days)
    for curves in smooth_curves(table, n):
        for name, values in _date_chunk(curves, days, slots[curves.parcels], turn).items():
            dated[name][curves.parcels] = values
    dated["seasons"] = np.where(slots == "AB", 1, dated["seasons"])
    return dated


def _date_chunk(
    curves: Curves, look_days: npt.NDArray[np.int64], slots: npt.NDArray[Any], turn: int | None
) -> dict[str, npt.NDArray[Any]]:
    ndvi = curves.ndvi
    n, length = ndvi.shape
    day = np.arange(length)
    here = np.arange(n)
    seen = ~np.isnan(ndvi)
    annual = slots == "AB"
    last, first = length - 1 - seen[:, ::-1].argmax(axis=1), seen.argmax(axis=1)

    # The peak of the slot: the highest peak of its window, or just its highest day where the curve has none.
    window = seen.copy()
    opens, closes = (bound[:, None] - curves.first_day for bound in growing_window(slots, turn))
    window &= (day >= np.minimum(opens, last[:, None] - EARLY_DAYS)) & (day <= closes)
    has_curve, has_peak = seen.any(axis=1), window.any(axis=1)
    seasons, is_top = _count_seasons(ndvi, first, last)
    tops = window & is_top & ~annual[:, None]
    window = np.where(tops.any(axis=1, keepdims=True), tops, window)
    top = np.where(window, ndvi, -np.inf).argmax(axis=1)
    peak_ndvi = np.where(has_peak, ndvi[here, top], np.nan)

    # Soil before it, and the rise out of that soil.
    early = seen & (day <= top[:, None])
    valley = length - 1 - np.where(early, ndvi, np.inf)[:, ::-1].argmin(axis=1)  # the latest of equal lows
    low = ndvi[here, valley]
    rise = peak_ndvi - low
    risen = early & (day > valley[:, None]) & (ndvi >= (low + EMERGENCE_SHARE * rise)[:, None])
    emerged = has_peak & ~annual & (rise >= MIN_AMPLITUDE) & (low < SOIL_NDVI + SOIL_SHARE * rise)
    emergence = risen.argmax(axis=1)

    # The fall after it: first day near soil, and the fastest fall before that.
    late = seen & (day >= top[:, None])
    end_low = np.where(late, ndvi, np.inf).min(axis=1)
    soil = np.fmin(low, end_low)
    amplitude = peak_ndvi - soil
    ground = np.maximum(SOIL_NDVI, soil + SOIL_SHARE * amplitude)
    # A short stubble between two stands is smoothed away: a look at soil counts once the curve has half fallen.
    half = (soil + 0.5 * amplitude)[:, None]
    down = late & ((ndvi <= ground[:, None]) | ((curves.raw <= ground[:, None]) & (ndvi <= half)))
    cut: Mask = has_peak & ~annual & (peak_ndvi - end_low >= MIN_AMPLITUDE) & down.any(axis=1)
    slope = np.full_like(ndvi, np.inf)
    slope[:, 1:] = np.diff(ndvi, axis=1)
    falling = late & (day > top[:, None]) & (day <= np.where(cut, down.argmax(axis=1), -1)[:, None])
    steepest = np.where(falling & ~np.isnan(slope), slope, np.inf).argmin(axis=1)
    with np.errstate(invalid="ignore"):
        falling_off = peak_ndvi - ndvi[here, last] > (1 - NEAR_PEAK) * amplitude
    running = last <= closes[:, 0]
    open_end = has_curve & running & ~(has_peak & (cut | falling_off))

    around_peak = _Around(curves, look_days, top)
    around_start = _Around(curves, look_days, np.maximum(emergence - 1, 0))
    around_cut = _Around(curves, look_days, np.maximum(steepest - 1, 0))
    origin = curves.first_day
    return {
        "peak": np.where(has_peak, top + origin, np.nan),
        "peak_ndvi": peak_ndvi,
        "peak_doubt": np.where(has_peak & ~open_end, around_peak.doubt, np.nan),
        "emergence": np.where(emerged, emergence + origin, np.nan),
        "emergence_doubt": np.where(emerged, around_start.doubt, np.nan),
        "harvest": np.where(cut, around_cut.middle, np.nan),
        "harvest_doubt": np.where(cut, around_cut.doubt, np.nan),
        "open": open_end,
        "no_curve": ~has_curve,
        "seasons": seasons,
        "stage": _stage(ndvi, last, top, soil, amplitude, np.asarray(has_peak), cut, annual),
        "passes": np.stack(
            [
                np.where(has_peak, around_peak.before, -1),
                np.where(has_peak, around_peak.after, -1),
                np.where(cut, around_cut.before, -1),
                np.where(cut, around_cut.after, -1),
                np.where(emerged, around_start.after, -1),
            ],
            axis=1,
        ),
    }


class _Around:
    """The looks before and after a day of each parcel: their rows, the middle between them and half the gap."""

    def __init__(self, curves: Curves, look_days: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> None:
        here = np.arange(len(column))
        self.before, self.after = curves.before[here, column], curves.after[here, column]
        day = (column + curves.first_day).astype(np.float64)
        earlier = np.where(self.before >= 0, look_days[self.before], day)
        later = np.where(self.after >= 0, look_days[self.after], earlier)
        self.middle: Floats = np.floor((earlier + later) / 2)
        self.doubt: Floats = np.maximum((later - earlier) / 2, 1.0)


def _count_seasons(ndvi: Floats, first: npt.NDArray[Any], last: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], Mask]:
    """Peaks that stand 0.15 above the lows on both sides and 50 days apart; one still rising at the end counts.

    Returns:
        their number (parcel,), and where they stand (parcel, day).
    """
    n, length = ndvi.shape
    count, is_top, here = np.zeros(n, dtype=np.int64), np.zeros(ndvi.shape, dtype=bool), np.arange(n)
    latest = np.full(n, -(10**6))
    rising = np.zeros(n, dtype=bool)
    low, high = ndvi[here, first].copy(), np.full(n, -np.inf)
    high_day = np.zeros(n, dtype=np.int64)
    for day in range(length):
        value = ndvi[:, day]
        with np.errstate(invalid="ignore"):
            low = np.where(~rising & (value < low), value, low)
            starts = ~rising & (value - low >= MIN_AMPLITUDE)
            rising |= starts
            higher = rising & (starts | (value > high))
            high, high_day = np.where(higher, value, high), np.where(higher, day, high_day)
            ends = rising & ((high - value >= MIN_AMPLITUDE) | (last == day))
        fresh = ends & (high_day - latest >= MIN_PEAK_DAYS)
        count += fresh
        is_top[here[fresh], high_day[fresh]] = True
        latest = np.where(fresh, high_day, latest)
        low = np.where(ends, value, low)
        rising &= ~ends
    return count, is_top


def _stage(
    ndvi: Floats,
    last: npt.NDArray[Any],
    top: npt.NDArray[Any],
    soil: Floats,
    amplitude: Floats,
    has_peak: Mask,
    cut: Mask,
    annual: Mask,
) -> npt.NDArray[np.int64]:
    """Where the stand is at its newest clear look."""
    now = ndvi[np.arange(len(ndvi)), last]
    with np.errstate(invalid="ignore"):
        flat = amplitude < MIN_AMPLITUDE
        level = (now - soil) / np.maximum(amplitude, MIN_AMPLITUDE)
        choices = (
            (np.isnan(now), UNKNOWN),
            (annual, "permanent"),
            (~has_peak & (now <= SOIL_NDVI), "bare"),
            (~has_peak, UNKNOWN),
            (cut, "harvested"),
            (flat & (now <= SOIL_NDVI), "bare"),
            ((last > top) & (level < NEAR_PEAK) & ~flat, "senescing"),
            ((last > top) & (level >= NEAR_PEAK), "peak"),
            (now <= EMERGING_NDVI, "emerging"),
        )
    codes = [STAGES.index(name) for _, name in choices]
    return np.select([holds for holds, _ in choices], codes, STAGES.index("growing"))


def _evidence(table: pd.DataFrame, rows: npt.NDArray[np.int64]) -> Sequence[str]:
    """The passes that decided peak, harvest and emergence, as JSON lists."""
    names = table["pass_id"].to_numpy(dtype=object)
    return [
        json.dumps([str(names[row]) for row in dict.fromkeys(sorted(int(r) for r in chosen if r >= 0))])
        for chosen in rows
    ]
