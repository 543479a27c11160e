# SPDX-License-Identifier: Apache-2.0
"""Where one crop or one person carries too much of the region's harvest, a person looks; no limit is lowered."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Totals, Words, make_step
from acreline.credit.facts import Shown, show_doubt, show_share
from acreline.credit.totals import worth_of
from acreline.credit.words import measured_words
from acreline.records import Farm, Step

NAME = "concentration"
Share = Annotated[Decimal, Field(gt=0, le=1)]
REASONS: dict[str, Words] = {
    "concentration_met": ("No crop and no person carries too much of the region.", "没有作物或个人在本地区占比过高。"),
    "too_few_to_judge": ("Too few farms are in this batch to judge how they spread.", "本批次农场过少，不判断集中度。"),
    "crop_concentration": measured_words("crop_concentration"),
    "person_concentration": measured_words("person_concentration"),
}


class ConcentrationSettings(Settings):
    """Up to which share of the region's cautious harvest value a machine may decide."""

    max_share_of_crop: Share = Field(description="share of one crop in the worth of all harvests of the region")
    crops: dict[str, Share] = Field(default_factory=dict, description="crop slug -> its own share, where it differs")
    max_share_of_person: Share = Field(description="share of one person's farms in the worth of all harvests")
    min_farms: int = Field(ge=2, description="with fewer farms in the region nothing is judged")


def apply(farm: Farm, limit: Decimal | None, settings: ConcentrationSettings, context: RuleContext) -> tuple[Step, ...]:
    """Refer where a share over the whole region is too large; the limit stays as it is, whatever the farms' order."""
    totals = context.totals
    if totals is None or totals.farms < settings.min_farms or totals.value_low <= 0:
        return (make_step(NAME, "too_few_to_judge", limit, limit, REASONS["too_few_to_judge"]),)
    own = context.person.value_low if context.person is not None else worth_of(farm, context.currency)
    facts = {"person_share": _share(own, totals), "max_person_share": show_share(settings.max_share_of_person)}
    codes: set[str] = set()
    crops = sorted({stand.crop for stand in farm.stands})
    large = [crop for crop in crops if _exceeds(totals.value_low_by_crop.get(crop, Decimal(0)), totals,
                                                settings.crops.get(crop, settings.max_share_of_crop))]  # fmt: skip
    if large:
        names = [context.name_crop(crop) for crop in large]
        shares = [_share(totals.value_low_by_crop[crop], totals) for crop in large]
        facts["crop_share"] = Shown(
            ", ".join(f"{n.en} {s.en}" for n, s in zip(names, shares, strict=True)),
            "、".join(f"{n.zh}{s.zh}" for n, s in zip(names, shares, strict=True)),
        )
        codes.add("crop_concentration")
    if _exceeds(own, totals, settings.max_share_of_person):
        codes.add("person_concentration")
    if not codes:
        return (make_step(NAME, "concentration_met", limit, limit, REASONS["concentration_met"], facts),)
    return tuple(make_step(NAME, code, limit, limit, REASONS[code], facts, outcome="refer") for code in sorted(codes))


def _exceeds(part: Decimal, totals: Totals, most: Decimal) -> bool:
    return part > most * totals.value_low


def _share(part: Decimal, totals: Totals) -> Shown:
    return show_doubt(float(part) / float(totals.value_low))


RULE = Rule(
    name=NAME,
    title=("Spread over the region", "地区集中度"),
    settings=ConcentrationSettings,
    apply=apply,
    reasons=REASONS,
    judges=True,
)
