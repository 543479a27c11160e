# SPDX-License-Identifier: Apache-2.0
"""Where the crops stand clearly worse than their neighbours, a part of the amount is held back."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from pydantic import Field, field_validator

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import CENT, Shown, floor_to, show, show_money, show_share
from acreline.records import Farm, Step

NAME = "health"
CLASSES: dict[str, Words] = {
    "normal": ("normal", "正常"),
    "drought": ("drought", "干旱"),
    "flood": ("flood or waterlogging", "水淹或渍害"),
    "lodging_hail": ("lodging or hail", "倒伏或雹灾"),
    "pest_disease": ("pigment loss, cause to be confirmed", "病虫害（色素流失，原因待核实）"),
    "frost": ("frost or cold", "冻害或冷害"),
    "late_failed": ("late or failed stand", "晚播或缺苗"),
    "harvested": ("harvested", "已收获"),
    "other": ("other", "其他"),
}
"""Health classes as `layers.HEALTH_CLASSES` names them, without its arrays."""
REASONS: dict[str, Words] = {
    "health_normal": ("Your crops stand as well as others nearby.", "您的作物长势与周边同类作物相当。"),
    "weak_crops": (
        "Your crops stand weaker than the same crops nearby, so part of the amount is held back.",
        "您的作物长势弱于周边同类作物，因此保留部分额度。",
    ),
}
ACTIONS: dict[str, Words] = {
    "weak_crops": (
        "If the crops recover, the next clear pictures show it and the limit is reckoned again; a photo of the field"
        " with date and place lets a person look sooner.",
        "作物恢复后，后续清晰影像会反映出来并重新核算额度；也可提供带日期和位置的田间照片，由工作人员提前查看。",
    ),
}
HELD: Words = (
    "Your crops stand weaker than the same crops nearby (vigour {vigour}, class {health}): {factor} of the amount"
    " counts.",
    "您的作物长势弱于周边同类作物（长势分{vigour}，类别{health}），按额度的{factor}计算。",
)


class VigourStep(Settings):
    """From which vigour down how much of the amount counts."""

    below: float = Field(ge=-20, le=20, description="vigour, robust z against the same crop nearby")
    factor: Decimal = Field(ge=0, le=1, description="share of the amount that counts below it")


class HealthSettings(Settings):
    """How much of the amount counts, by vigour and by health class."""

    vigour: tuple[VigourStep, ...] = Field((), description="steps, the lowest vigour first; factors never fall")
    classes: dict[str, Decimal] = Field(
        default_factory=dict, description="health class -> share of the amount that counts; others: all of it"
    )

    @field_validator("vigour")
    @classmethod
    def _rises(cls, steps: tuple[VigourStep, ...]) -> tuple[VigourStep, ...]:
        for lower, higher in pairwise(steps):
            if not lower.below < higher.below:
                raise ValueError(f"vigour steps must rise: {lower.below} stands before {higher.below}")
            if lower.factor > higher.factor:
                raise ValueError(f"better health must not get less: {lower.factor} below {lower.below} is more than "
                                 f"{higher.factor} below {higher.below}")  # fmt: skip
        return steps

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: dict[str, Decimal]) -> dict[str, Decimal]:
        unknown = sorted(set(classes) - set(CLASSES))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no health class; known: {', '.join(CLASSES)}")
        if any(not 0 <= factor <= 1 for factor in classes.values()):
            raise ValueError("a factor is a share, 0 to 1")
        if classes.get("normal", Decimal(1)) != 1:
            raise ValueError("a normal crop counts whole: normal is 1 or left out")
        return classes


def apply(farm: Farm, limit: Decimal | None, settings: HealthSettings, context: RuleContext) -> Step:
    """Multiply the limit with the lower of the two factors; a vigour or class that is not known takes nothing off.

    What is not known is for the evidence bar to refer: a lack of data never lowers a limit by machine.
    """
    factor = settings.classes.get(farm.health, Decimal(1))
    if farm.vigour is not None:
        factor = min([factor, *(step.factor for step in settings.vigour if farm.vigour < step.below)])
    facts = {
        "vigour": Shown("not known", "未知") if farm.vigour is None else show(f"{farm.vigour:.1f}"),
        "health": Shown(*CLASSES.get(farm.health, ("unknown", "未知"))),
        "factor": show_share(factor),
    }
    if factor == 1:
        return make_step(NAME, "health_normal", limit, limit, REASONS["health_normal"], facts)
    after = None if limit is None else floor_to(limit * factor, CENT)
    facts |= {} if after is None else {"cap": show_money(after, context.currency)}
    return make_step(NAME, "weak_crops", limit, after, HELD, facts)


RULE = Rule(
    name=NAME,
    title=("Health of the crops", "作物长势"),
    settings=HealthSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    needs_limit=True,
)
