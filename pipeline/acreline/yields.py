# SPDX-License-Identifier: Apache-2.0
"""How much each stand will yield and what the harvest is worth, always as a range.

A field's growth index says how it stands against the same crop around it; the region's normal yield says what the
crop gives there. The index is believed as far as its own error allows (shrinkage, as in Fay and Herriot 1979), and
every range is log-normal: half of the harvests lie above the middle number, one in twenty below the low one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from acreline.config import Crop, Sourced
from acreline.errors import ConfigError, ContractError, InputError
from acreline.records import NO_CROP, TRUE_SPREAD, UNSEEN_SPREAD, ZERO, Farm, Interval, Stand

SEEN_SPREAD = math.sqrt(TRUE_SPREAD**2 - UNSEEN_SPREAD**2)
"""What of it the growth index can follow."""
COMMON_ERROR = 0.18
"""Relative error common to all fields where no county statistic pins the level (0.15 to 0.20); order of magnitude."""
NOT_MODELLED_CV = 0.5
"""Least relative error of a crop whose yield is not modelled (vegetables, orchards)."""
VIGOUR_SLOPE, MOST_VIGOUR = 0.08, 3.0
"""Share of the regional yield that a spread of vigour stands for where nothing is modelled, and how many spreads count.
On simulated counties of seeds 902 to 911: orchards 0.12 (n 135), greenhouses 0.05 (n 43); order of magnitude."""
NOT_BEGUN = "not_begun"
"""Code of a stand of which nothing is to be seen yet: it has no yield and no worth."""
Z95 = 1.6448536269514722
"""95 % quantile of the standard normal distribution."""
M2_PER_HA = 10_000

Statistics = Mapping[str, tuple[float, float]]


def estimate_yields(
    farms: Sequence[Farm], crops: Mapping[str, Crop], statistics: Statistics | None = None
) -> list[Farm]:
    """Give every stand its expected yield and the worth of its harvest, and every farm the sum, each with its doubt.

    Per stand, with normal yield M (relative error s_M), index ratio r (error s), spread between fields tau, the part u
    of it that no picture shows and t^2 = tau^2 - u^2: w = t^2 / (t^2 + s^2), yield = M (1 + w (r - 1)), CV = sqrt(tau^2
    - w t^2 + s_M^2 + common^2), where the common error falls away once a county statistic is given; without an index
    yield = M and CV = sqrt(tau^2 + s_M^2 + common^2). A crop that is not modelled has yield = M (1 + 0.08 v), v its
    vigour within 3, and a CV of 0.5 at least. Why u is no part of s: `docs/decisions/0011`.
    The yield is the median of a log-normal; value is area x yield x price, the price's error joining in quadrature,
    the two ends of the area multiplied on as if both errors went the same way: never too narrow. Where several crops
    cannot be told apart (`crop_set`), the value's low end is the lowest and its high end the highest of all of them
    that are priced in the same currency; its middle, and the yield, stay those of the first answer. `none` among them
    is no crop and has no worth: whether the stand is there at all is for the policy's evidence bar, not for the range.

    Args:
        farms: the region's farms; not changed.
        crops: crop settings by slug.
        statistics: slug -> (yield in kg/ha, relative standard error) that replaces the crop's own normal yield; crops
            of the statistic that the region does not grow are not used.

    Returns:
        the farms in the same order, stands with `yield_kg_per_ha`, `value`, `currency`, `cash_cost` (None where no cost
        is known in that currency) and a `code` where one of the first three is missing (crop_unknown,
        crop_not_in_region, not_begun, no_yield, no_price) or wide (not_modelled, no_index), or where of several
        possible crops only the first could be priced (crop_set_not_priced). A farm has a value only if all its parcels
        were measured and each of its stands has a value, in one currency; two currencies add the flag mixed_currency.

    Raises:
        ConfigError: a crop's normal yield or price is not above zero.
        InputError: a statistic is not above zero, or its error is negative.
        ContractError: an index ratio is negative or not a number.
    """
    statistics = statistics or {}
    for slug, (value, cv) in statistics.items():
        if not (math.isfinite(value) and value > 0 and math.isfinite(cv) and cv >= 0):
            raise InputError(
                f"statistics: {slug}: yield {value} kg/ha with relative error {cv}",
                hint="a yield is above 0 kg/ha and its relative error 0 or more",
                crop=slug,
            )
    return [_value_farm(farm, crops, statistics) for farm in farms]


def log_normal(mid: float, cv: float) -> Interval:
    """A number with its relative error as a range: 5, 50 and 95 % quantiles of the log-normal with median `mid`."""
    spread = math.exp(Z95 * math.sqrt(math.log1p(cv * cv)))
    return Interval(mid / spread, mid, mid * spread)


def combine_cv(*parts: float) -> float:
    """Relative error of a product of log-normal factors whose own errors do not depend on each other."""
    return math.sqrt(math.expm1(sum(math.log1p(cv * cv) for cv in parts)))


def _value_farm(farm: Farm, crops: Mapping[str, Crop], statistics: Statistics) -> Farm:
    stands = tuple(_value_stand(stand, crops, statistics) for stand in farm.stands)
    values = [stand.value for stand in stands if stand.value is not None]
    currencies = sorted({stand.currency for stand in stands if stand.currency is not None})
    flags = farm.flags
    if len(currencies) > 1 and "mixed_currency" not in flags:
        flags = (*flags, "mixed_currency")
    whole = farm.status not in ("failed", "rejected") and len(values) == len(stands) > 0
    if not whole or len(currencies) != 1:
        return replace(farm, stands=stands, flags=flags, value=None, currency=None, cash_cost=None)
    costs = [stand.cash_cost for stand in stands if stand.cash_cost is not None]
    cash = sum(costs, ZERO) if len(costs) == len(stands) else None
    value = sum(values, ZERO)
    return replace(farm, stands=stands, flags=flags, value=value, currency=currencies[0], cash_cost=cash)


def _value_stand(stand: Stand, crops: Mapping[str, Crop], statistics: Statistics) -> Stand:
    crop = crops.get(stand.crop)
    if crop is None:
        missing = "crop_unknown" if stand.crop == "unknown" else "crop_not_in_region"
        return replace(stand, yield_kg_per_ha=None, value=None, currency=None, cash_cost=None, code=missing)
    if stand.code == NOT_BEGUN:
        return replace(stand, yield_kg_per_ha=None, value=None, currency=None, cash_cost=None)
    estimate = _estimate(stand, crop, statistics.get(crop.slug))
    if estimate is None:
        return replace(stand, yield_kg_per_ha=None, value=None, currency=None, cash_cost=None, code="no_yield")
    kg_per_ha, cv, code = estimate
    harvest = log_normal(kg_per_ha, cv)
    if crop.price_per_kg is None:
        return replace(stand, yield_kg_per_ha=harvest, value=None, currency=None, cash_cost=None, code="no_price")
    value = _worth(stand.area_m2, kg_per_ha, cv, crop.slug, crop.price_per_kg)
    rivals = sorted({*stand.crop_set} - {stand.crop, NO_CROP})
    others = [_worth_as(other, stand, crop, crops, statistics) for other in rivals]
    known = [worth for worth in others if worth is not None]
    if others and not known:
        code = "crop_set_not_priced"
    low, high = min([value.low, *(w.low for w in known)]), max([value.high, *(w.high for w in known)])
    value = Interval(low, value.mid, high)
    cash = _cash_cost(stand.area_m2, crop)
    return replace(stand, yield_kg_per_ha=harvest, value=value, currency=crop.price_currency, code=code, cash_cost=cash)


def _cash_cost(area: Interval, crop: Crop) -> Interval | None:
    """What is paid out for the stand, whatever it yields; None where the crop's cost is not known in its currency."""
    cost = crop.cost
    if cost is None or cost.currency != crop.price_currency:
        return None
    per_ha = log_normal(_above_zero(cost.per_ha, crop.slug, "cost.per_ha") * cost.cash_share, cost.per_ha.cv)
    return Interval(*(getattr(area, end) / M2_PER_HA * getattr(per_ha, end) for end in ("low", "mid", "high")))


def _worth(area: Interval, kg_per_ha: float, cv: float, slug: str, price: Sourced) -> Interval:
    per_ha = log_normal(kg_per_ha * _above_zero(price, slug, "price_per_kg"), combine_cv(cv, price.cv))
    ends = [getattr(area, end) / M2_PER_HA * getattr(per_ha, end) for end in ("low", "mid", "high")]
    return Interval(*ends)


def _worth_as(
    slug: str, stand: Stand, first: Crop, crops: Mapping[str, Crop], statistics: Statistics
) -> Interval | None:
    """What the stand is worth if it is another crop of its set; None where that cannot be told in the same money."""
    crop = crops.get(slug)
    if crop is None or crop.price_per_kg is None or crop.price_currency != first.price_currency:
        return None
    # Growth index and vigour were taken among fields of the first answer: they say nothing of another crop.
    estimate = _estimate(
        replace(stand, crop=slug, index_ratio=None, index_error=None, vigour=None), crop, statistics.get(slug)
    )
    return None if estimate is None else _worth(stand.area_m2, estimate[0], estimate[1], slug, crop.price_per_kg)


def _estimate(
    stand: Stand, crop: Crop, statistic: tuple[float, float] | None
) -> tuple[float, float, str | None] | None:
    """Median yield in kg/ha, its relative error and why that is wide; None where no normal yield is known."""
    if statistic is not None:
        (normal, normal_cv), common = statistic, 0.0
    elif crop.yield_kg_per_ha is not None:
        normal = _above_zero(crop.yield_kg_per_ha, crop.slug, "yield_kg_per_ha")
        normal_cv, common = crop.yield_kg_per_ha.cv, COMMON_ERROR
    else:
        return None
    prior_cv = math.sqrt(TRUE_SPREAD**2 + normal_cv**2 + common**2)
    if not crop.modelled_yield:
        lively = 0.0 if stand.vigour is None else max(-MOST_VIGOUR, min(MOST_VIGOUR, stand.vigour))
        return normal * (1 + VIGOUR_SLOPE * lively), max(NOT_MODELLED_CV, prior_cv), "not_modelled"
    ratio, error = stand.index_ratio, stand.index_error
    if ratio is None or error is None:
        return normal, prior_cv, stand.code or "no_index"
    if not (math.isfinite(ratio) and ratio >= 0 and math.isfinite(error) and error >= 0):
        raise ContractError(
            f"stand {stand.parcel_id} {stand.slot}: index ratio {ratio} with error {error}",
            hint="this is a fault of acreline: please report it with the run's log",
            parcel=stand.parcel_id,
        )
    weight = SEEN_SPREAD**2 / (SEEN_SPREAD**2 + error**2)
    cv = math.sqrt(TRUE_SPREAD**2 - weight * SEEN_SPREAD**2 + normal_cv**2 + common**2)
    return normal * (1 + weight * (ratio - 1)), cv, stand.code


def _above_zero(number: Sourced, slug: str, name: str) -> float:
    if not (math.isfinite(number.value) and number.value > 0):
        raise ConfigError(
            f"crop {slug}: {name} must be above 0; found {number.value}",
            hint=f"mend {name!r} in the crop's file, or leave it out if it is not known",
            crop=slug,
        )
    return number.value
