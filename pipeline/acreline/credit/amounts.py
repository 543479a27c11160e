# SPDX-License-Identifier: Apache-2.0
"""What rules that set so much money for each piece of planted land have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field

from acreline.credit.contract import RuleContext, Words, make_step
from acreline.credit.facts import Shown, floor_area_at, lowest, plain, show, show_money, why_unmeasured
from acreline.credit.words import measured_words
from acreline.records import NO_CROP, NOT_FARMLAND, Farm, Step

Amount = Annotated[Decimal, Field(ge=0, le=10**9)]
Unit = Literal["ha", "acre", "mu"]
UNIT_ZH: dict[Unit, str] = {"ha": "公顷", "acre": "英亩", "mu": "亩"}
NO_CROPS = {NOT_FARMLAND: "not_farmland", "unknown": "crop_unknown"}
"""What may stand in the place of a crop and has no amount -> the code that says so."""
Crops = tuple[str, ...]
"""The first answer and the crops it cannot be told from."""


@dataclass(frozen=True, slots=True)
class PerArea:
    """How one rule counts land and speaks of it."""

    rule: str
    """Its name, and the code of the cap."""
    digits: int
    """Decimals of the unit to which the land of each stand is rounded down."""
    said: Words
    """With {planted}, {cap} and {crops}."""
    missing: Words
    """With {crops_without_cap}."""


def cap_by_area(
    farm: Farm,
    limit: Decimal | None,
    context: RuleContext,
    how: PerArea,
    unit: Unit,
    amounts: Mapping[str, Decimal],
    counties: Mapping[str, Mapping[str, Decimal]],
) -> Step:
    """Cap the limit at the sum over stands of planted land x the crop's amount.

    A crop that stands the whole year counts its land once, a double crop once for each of its two seasons. Area is
    taken at the policy's quantile, rounded down per stand, so stands add up to the farm to the last cent. Where
    several crops cannot be told apart, the lowest amount of them counts; doubt whether anything grows at all (`none`
    among them) or whether the land is farmed (`non_agri`) is for the evidence bar to refer, no crop with an amount.

    Args:
        farm: facts.
        limit: limit so far.
        context: its county's own amounts win over the general ones.
        how: the rule's name, rounding and words.
        unit: of land that an amount is for.
        amounts: crop slug -> money.
        counties: county -> crop slug -> money.
    """
    unmeasured = why_unmeasured(farm)
    code = unmeasured or (None if farm.stands else "no_stand")
    if code is not None:
        return make_step(how.rule, code, limit, None, measured_words(code), outcome="refer")
    parts: dict[Crops, int] = {}
    for stand in farm.stands:
        crops = _alike(stand.crop, stand.crop_set)
        parts[crops] = parts.get(crops, 0) + floor_area_at(stand.area_m2, context.quantile, unit, how.digits)
    area = {crops: Decimal(whole).scaleb(-how.digits) for crops, whole in parts.items()}
    here = counties.get(context.county or "")
    per_unit = {**amounts, **here} if here else amounts
    missing = sorted({crop for crops in area for crop in crops if crop not in per_unit})
    for crop, code in NO_CROPS.items():
        if crop in missing:
            return make_step(how.rule, code, limit, None, measured_words(code), outcome="refer")
    if missing:
        names = [context.name_crop(crop) for crop in missing]
        lacking = {"crops_without_cap": Shown(", ".join(n.en for n in names), "、".join(n.zh for n in names))}
        return make_step(how.rule, "no_cap_for_crop", limit, None, how.missing, lacking, outcome="refer")
    least = {crops: min([per_unit[crop] for crop in crops]) for crops in area}
    cap = sum([area[crops] * least[crops] for crops in area], Decimal(0))
    facts = {
        "planted": _show_area(sum(area.values(), Decimal(0)), unit),
        "cap": show_money(cap, context.currency),
        "crops": _show_crops(area, least, unit, context),
    }
    if here is not None:
        facts["county"] = show(context.county)
    return make_step(how.rule, how.rule, limit, lowest(limit, cap), how.said, facts, cap=cap)


@lru_cache(1024)
def _alike(crop: str, crop_set: Crops) -> Crops:
    return (crop, *sorted(set(crop_set) - {crop, NO_CROP, NOT_FARMLAND}))


def _show_area(area: Decimal, unit: Unit) -> Shown:
    """12.34 mu, 12.34亩."""
    text = plain(area)
    return Shown(f"{text} {unit}", f"{text}{UNIT_ZH[unit]}")


def _show_crops(
    area: Mapping[Crops, Decimal], amounts: Mapping[Crops, Decimal], unit: Unit, context: RuleContext
) -> Shown:
    en, zh = [], []
    for crops in sorted(area):
        names = [context.name_crop(crop) for crop in crops]
        land, money = _show_area(area[crops], unit), show_money(amounts[crops], context.currency)
        en.append(f"{' or '.join([name.en for name in names])} {land.en} x {money.en}/{unit}")
        zh.append(f"{'或'.join([name.zh for name in names])} {land.zh} × {money.zh}/{UNIT_ZH[unit]}")
    return Shown("; ".join(en), "；".join(zh))
