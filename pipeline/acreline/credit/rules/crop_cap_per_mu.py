# SPDX-License-Identifier: Apache-2.0
"""So much per mu of each crop that stands on the land, counted at the low end of the planted area."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import Shown, floor_mu, lowest, show, show_money, show_mu, why_unmeasured
from acreline.credit.words import measured_words
from acreline.records import NO_CROP, Farm, Step

NAME = "crop_cap_per_mu"
Crops = tuple[str, ...]
"""The first answer and the crops it cannot be told from."""
Amount = Annotated[Decimal, Field(ge=0, le=10**9)]

CAP: Words = (
    "Crops on at least {planted} of your land carry {cap} at the amount per mu set for each crop ({crops}).",
    "您的地块上至少种植了{planted}作物，按各作物每亩额度计算为{cap}（{crops}）。",
)
REASONS: dict[str, Words] = {
    "crop_cap_per_mu": (
        "The limit is the planted area times the amount per mu for your crops.",
        "额度按您实际种植的面积和作物的每亩额度计算。",
    ),
    "no_cap_for_crop": measured_words("no_cap_for_crop"),
    "no_stand": measured_words("no_stand"),
}
ACTIONS: dict[str, Words] = {
    "crop_cap_per_mu": (
        "If more is planted than was counted, send a corrected outline or a photo of the field with date and place.",
        "如实际种植面积更大，提供更正的地块边界，或带日期和位置的田间照片。",
    ),
    "no_cap_for_crop": (
        "Bring what shows your costs or what the crop earned before; a person sets the amount.",
        "提供该作物的成本或往年收入凭证，由工作人员确定金额。",
    ),
}
MISSING: Words = (
    "This policy has no amount per mu for: {crops_without_cap}. A person sets it.",
    "本政策没有以下作物的每亩额度：{crops_without_cap}，需人工确定。",
)


class CropCapSettings(Settings):
    """Most money per mu, by crop, in the policy's currency."""

    caps_per_mu: dict[str, Amount] = Field(min_length=1, description="crop slug -> money per planted mu")
    counties: dict[str, dict[str, Amount]] = Field(
        default_factory=dict,
        description="county -> crop slug -> money per planted mu, where it differs there from `caps_per_mu`",
    )


def apply(farm: Farm, limit: Decimal | None, settings: CropCapSettings, context: RuleContext) -> Step:
    """Cap the limit at the sum over stands of planted mu x the crop's amount per mu.

    A crop that stands the whole year counts its land once, a double crop once for each of its two seasons. Area is
    the declared low bound, rounded down to 0.01 mu per stand, so stands add up to the farm to the last cent. Where
    several crops cannot be told apart, the lowest amount of them counts; doubt whether anything grows at all (`none`
    among them) is for the evidence bar to refer, not a crop with an amount.
    """
    unmeasured = why_unmeasured(farm)
    if unmeasured is not None:
        return make_step(NAME, unmeasured, limit, None, measured_words(unmeasured), outcome="refer")
    if not farm.stands:
        return make_step(NAME, "no_stand", limit, None, REASONS["no_stand"], outcome="refer")
    area_mu: dict[Crops, Decimal] = {}
    for stand in farm.stands:
        crops = (stand.crop, *sorted(set(stand.crop_set) - {stand.crop, NO_CROP}))
        area_mu[crops] = area_mu.get(crops, Decimal(0)) + floor_mu(stand.area_m2.low)
    per_mu = settings.caps_per_mu | settings.counties.get(context.county or "", {})
    missing = sorted({crop for crops in area_mu for crop in crops} - set(per_mu))
    if "unknown" in missing:
        return make_step(NAME, "crop_unknown", limit, None, measured_words("crop_unknown"), outcome="refer")
    if missing:
        names = [context.name_crop(crop) for crop in missing]
        facts = {"crops_without_cap": Shown(", ".join(n.en for n in names), "、".join(n.zh for n in names))}
        return make_step(NAME, "no_cap_for_crop", limit, None, MISSING, facts, outcome="refer")
    caps = {crops: min(per_mu[crop] for crop in crops) for crops in area_mu}
    cap = sum((area_mu[crops] * caps[crops] for crops in area_mu), Decimal(0))
    facts = {
        "planted": show_mu(sum(area_mu.values(), Decimal(0))),
        "cap": show_money(cap, context.currency),
        "crops": _show_crops(area_mu, caps, context),
    }
    if context.county in settings.counties:
        facts["county"] = show(context.county)
    return make_step(NAME, "crop_cap_per_mu", limit, lowest(limit, cap), CAP, facts)


def _show_crops(area_mu: dict[Crops, Decimal], caps: dict[Crops, Decimal], context: RuleContext) -> Shown:
    en, zh = [], []
    for crops in sorted(area_mu):
        names = [context.name_crop(crop) for crop in crops]
        area, cap = show_mu(area_mu[crops]), show_money(caps[crops], context.currency)
        en.append(f"{' or '.join(name.en for name in names)} {area.en} x {cap.en}/mu")
        zh.append(f"{'或'.join(name.zh for name in names)} {area.zh} × {cap.zh}/亩")
    return Shown("; ".join(en), "；".join(zh))


RULE = Rule(
    name=NAME,
    title=("Amount per mu", "每亩额度"),
    settings=CropCapSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
)
