# SPDX-License-Identifier: Apache-2.0
"""Every reason in words a farmer can use, in English and Chinese: what is so, and what would help."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from acreline.credit.contract import Words
from acreline.credit.facts import show_money
from acreline.errors import ConfigError
from acreline.records import Decision, Step

LANGUAGES = ("en", "zh")

MEASURED: dict[str, Words] = {
    # the farm as a whole
    "implausible_facts": (
        "A figure in this case cannot be true; a person corrects it.",
        "本案中有一项数据不可能为真，需人工更正。",
    ),
    "status_failed": ("Your land could not be measured; it will be tried again.", "您的地块未能完成测量，将再次尝试。"),
    "status_rejected": ("A plot of yours could not be read from the file.", "文件中您的一个地块无法读取。"),
    "status_insufficient": (
        "Too little was seen of your land to decide by machine.",
        "您地块的观测不足，无法自动判定。",
    ),
    "status_degraded": ("A measurement of your land is in doubt.", "您地块的测量结果存在疑问。"),
    "block_failed": (
        "Part of the satellite data over your land could not be read; it will be tried again.",
        "您地块上的部分卫星数据未能读取，将再次尝试。",
    ),
    "not_measured": (
        "Your land was not measured, so nothing on it can be counted or valued.",
        "您的地块未完成测量，无法计算面积和估值。",
    ),
    "incomplete": (
        "Not all of your plots could be measured; the farm is not judged by a part of it.",
        "您的地块未能全部测量，不会只凭一部分来判定。",
    ),
    # who claims which land
    "overlapping_claim": (
        "Another farm claims the same ground; the boundary has to be settled.",
        "另有农户申报了同一块地，需先核实边界。",
    ),
    "overlaps_own_parcel": (
        "Two of your own plots overlap; please redraw them.",
        "您自己的两个地块相互重叠，请重新绘制。",
    ),
    "duplicate_id": ("Two plots carry the same number; please correct it.", "两个地块使用了同一编号，请更正。"),
    # who asks
    "applicant_unknown": (
        "Nothing is on file about you and the debt you may have; a person completes it with you.",
        "缺少您的申请资料和已有债务信息，工作人员将与您补充。",
    ),
    "debt_unknown": (
        "Nobody wrote down whether you have debt already; a person asks you.",
        "申请中没有写明您是否已有债务，工作人员将向您核实。",
    ),
    # the drawing and the file
    "no_geometry": ("A plot has no boundary drawn.", "有地块没有绘制边界。"),
    "invalid_geometry": (
        "A plot's boundary crosses itself or is broken; please redraw it.",
        "地块边界有误，请重新绘制。",
    ),
    "not_a_polygon": (
        "A plot is drawn as a point or a line; please draw its outline.",
        "地块画成了点或线，请画出轮廓。",
    ),
    "too_detailed": ("A plot's boundary has far too many points.", "地块边界的点数过多，请简化。"),
    "no_area": ("A plot's boundary encloses no land.", "地块边界没有围出土地。"),
    "absurd_area": ("A plot is larger than any farm's can be.", "地块面积大得不合理。"),
    "no_parcel_id": ("A plot has no number.", "有地块没有编号。"),
    "no_farm_id": ("A plot names no farm.", "有地块没有写明所属农户。"),
    "no_tile": ("A plot lies outside the satellite images that were read.", "地块不在已读取的卫星影像范围内。"),
    "scenes_lost": (
        "Some satellite pictures of your land could not be read; the others are told from.",
        "您地块的部分卫星影像无法读取，结论来自其余影像。",
    ),
    "geometry_repaired": ("A plot's boundary had a small fault that was mended.", "地块边界有小错误，已自动修正。"),
    # what was seen
    "few_clear_looks": (
        "Clouds left too few clear views of your land this season.",
        "本季云多，您地块的清晰观测太少。",
    ),
    "stale_look": ("The last clear view of your land is too old.", "您地块最近一次清晰观测时间太久。"),
    "insufficient_imagery": (
        "The satellite has not seen your land well enough for a machine to decide; a visit or a photo can.",
        "卫星对您地块的观测不足以自动判定，可通过实地查看或照片补充。",
    ),
    "small_parcel": (
        "A plot is too small or too narrow for the satellite to judge; a visit or a photo can.",
        "地块太小或太窄，卫星无法判断，可通过实地查看或照片补充。",
    ),
    "ground_unseen": (
        "Part of a plot was never seen clearly, so its planted area is not sure; a person looks.",
        "地块有一部分始终未能清晰观测，种植面积不确定，由人工核查。",
    ),
    # the crop
    "declared_crop_differs": (
        "Another crop was seen than the one you declared; a photo or a visit clears it up.",
        "观测到的作物与您申报的不同，可用照片或实地查看说明。",
    ),
    "declared_crop_unknown": (
        "The crop you wrote is not a word we know; please choose from the list.",
        "您填写的作物名称无法识别，请从列表中选择。",
    ),
    "crop_unknown": ("The crop on a plot could not be recognised.", "有地块的作物无法识别。"),
    "crop_doubtful": (
        "Two crops look alike on one of your plots; a photo or a visit tells them apart.",
        "有地块的两种作物难以区分，可用照片或实地查看确认。",
    ),
    "maybe_no_crop": (
        "It is not sure whether anything was grown on one of your plots; a photo or a visit tells.",
        "有地块本季是否种植了作物尚不能确定，可用照片或实地查看说明。",
    ),
    "no_crop": ("Nothing was grown on one of your plots this season.", "有地块本季空闲，未种植作物。"),
    "not_farmland": (
        "A plot of yours looks like land that is not farmed (buildings, trees, water); a person looks.",
        "您的一个地块看起来不是耕地（建筑、林木或水面），由人工核查。",
    ),
    "unlike_training": (
        "A plot of yours looks unlike anything our model has learned; a person looks.",
        "您的一个地块与模型学过的情况都不相像，由人工核查。",
    ),
    "few_pixels": (
        "A plot of yours is so small that few points of the satellite's picture lie in it; a photo or a visit tells.",
        "您的一个地块面积较小，落在其中的卫星像元很少，可用照片或实地查看说明。",
    ),
    "mixed_parcel": (
        "A plot of yours seems to bear two different crops; please say which grows where, or a person looks.",
        "您的一个地块上似乎有两种不同的作物，请说明各自的位置，或由人工核查。",
    ),
    "crop_not_in_region": ("A crop on your land is not in this region's list.", "您地块上的作物不在本地区作物目录中。"),
    "no_yield": ("No normal yield is known for one of your crops.", "您种植的某种作物没有正常产量数据。"),
    "no_price": ("No price is known for one of your crops.", "您种植的某种作物没有价格数据。"),
    "crop_set_not_priced": (
        "Of the crops that may stand on a plot only one could be valued.",
        "地块上可能的几种作物中，只有一种能够估值。",
    ),
    "not_modelled": (
        "The yield of this crop is a regional figure with a wide range.",
        "该作物产量为地区数据，范围较宽。",
    ),
    "few_looks": ("Too few clear views to follow how this crop grew.", "清晰观测太少，无法跟踪该作物的长势。"),
    "few_neighbours": (
        "Too few fields of this crop lie nearby to compare yours with.",
        "附近同种作物的地块太少，无法比较。",
    ),
    "in_season": (
        "The crop has not reached its peak yet, so its yield is told with a wider range.",
        "作物尚未达到生长高峰，产量范围较宽。",
    ),
    "no_index": ("Your field's growth could not be compared with others.", "您地块的长势无法与其他地块比较。"),
    "mixed_currency": ("Your crops are priced in different currencies.", "您的作物以不同币种计价。"),
    # the area
    "declared_area_differs": (
        "The area you declared and the area drawn are not the same; please check both.",
        "您申报的面积与所画地块面积不符，请核对。",
    ),
    "declared_area_unreadable": (
        "The area you declared could not be read as a number; please give it again.",
        "您申报的面积无法识别，请重新填写。",
    ),
    "declared_area_unit": (
        "The area you declared fits only if it was meant in another unit (mu, hectares).",
        "您申报的面积单位可能有误（亩或公顷），请核对。",
    ),
    # what happened
    "event_flood": (
        "Water stood on your land this season; a person looks at the damage.",
        "本季您的地块曾积水，由人工核查损失。",
    ),
    "event_drought": (
        "Your crops suffered from drought this season; a person looks.",
        "本季您的作物受旱，由人工核查。",
    ),
    "event_frost": ("Frost struck your crops this season; a person looks.", "本季您的作物受冻，由人工核查。"),
    "event_lodging_hail": (
        "Wind or hail laid your crops low; a person looks.",
        "本季您的作物倒伏或遭冰雹，由人工核查。",
    ),
    "event_pest_disease": (
        "Pests or disease struck your crops; a person looks.",
        "本季您的作物发生病虫害，由人工核查。",
    ),
    "event_late_failed": (
        "Your crop came up late or failed; a person looks.",
        "本季您的作物出苗晚或绝收，由人工核查。",
    ),
    "event_early_harvest": (
        "Your crop was cut long before its neighbours; a person looks.",
        "本季您的作物收割明显早于周边，由人工核查。",
    ),
    "event_vigour_drop": (
        "Your crops lost their green suddenly; a person looks.",
        "您的作物长势突然下降，由人工核查。",
    ),
    "event_other": ("Something unusual was seen on your land; a person looks.", "您的地块出现异常，由人工核查。"),
    # the end of every limit
    "rounded_down": ("The limit is rounded down.", "额度向下取整。"),
    "nothing_left": (
        "Nothing is left under the caps and your debt; a person looks.",
        "按上限和已有债务计算后没有剩余额度，由人工核查。",
    ),
}
"""Codes that the engine or another room of the house gives; the order is that of their weight for a farmer."""

_RANK = {code: place for place, code in enumerate(MEASURED)}


def measured_words(code: str) -> Words:
    """The sentence of a measured code; for one that nobody has put in words, the code itself, so it is never hidden."""
    return MEASURED.get(code) or (f"This was noted and a person looks: {code}.", f"有一项记录需人工核查：{code}。")


def rank_codes(codes: Iterable[str], *, first: str | None = None) -> list[str]:
    """Codes strongest first: `first`, then the order of the table, then unknown ones by name."""
    return sorted(set(codes), key=lambda code: (code != first, _RANK.get(code, len(_RANK)), code))


def known_codes() -> list[str]:
    """Every code that has words of its own, sorted."""
    from acreline.credit.rules import load_rules

    return sorted({*MEASURED, *(code for rule in load_rules().values() for code in rule.reasons)})


def reason_words(code: str, lang: str = "en") -> str:
    """A reason code as one sentence for the farmer.

    Raises:
        ConfigError: the language is neither `en` nor `zh`.
    """
    from acreline.credit.rules import load_rules

    place = _language(lang)
    for rule in load_rules().values():
        if code in rule.reasons:
            return rule.reasons[code][place]
    return measured_words(code)[place]


def explain_decision(decision: Decision, lang: str = "en") -> list[str]:
    """A decision in words: what was decided, why, each step on the way, and the right to a person.

    Raises:
        ConfigError: the language is neither `en` nor `zh`.
    """
    zh = _language(lang)
    if decision.limit is None:
        head = ("Referred: a person decides.", "转人工：由工作人员决定。")[zh]
    else:
        amount = show_money(decision.limit, decision.currency)[zh]
        words = {
            "approve": (f"Approved: limit {amount}.", f"批准：额度{amount}。"),
            "decline": (f"Declined: limit {amount}.", f"未批准：额度{amount}。"),
        }
        head = words[decision.outcome][zh]
    lines = [
        (f"{decision.farm_id}, {decision.as_of}. {head}", f"{decision.farm_id}，{decision.as_of}。{head}")[zh],
        *(f"{('Reason', '原因')[zh]}: {reason_words(code, lang)}" for code in decision.reasons),
    ]
    for number, step in enumerate(decision.trail, start=1):
        lines.append(f"{number}. {step.rule}: {(step.text_en, step.text_zh)[zh]}{_movement(step, decision, zh)}")
    lines.append((f"Policy {decision.policy_id}.", f"政策 {decision.policy_id}。")[zh])
    lines.append(
        ("You may ask at any time that a person looks at this again.", "您可以随时要求人工复核。")[zh],
    )
    return lines


def _movement(step: Step, decision: Decision, zh: int) -> str:
    if step.after is not None and step.before != step.after:
        amount = show_money(step.after, decision.currency)[zh]
        return (f" -> {amount}", f" → {amount}")[zh]
    indicative = step.evidence.get("indicative_limit")
    if indicative is None:
        return ""
    would_be = Decimal(indicative.removesuffix(decision.currency).strip().replace(",", ""))
    told = show_money(would_be, decision.currency)[zh]
    return (f" (would be {told})", f"（参考额度{told}）")[zh]


def _language(lang: str) -> int:
    if lang not in LANGUAGES:
        raise ConfigError(f"language {lang!r} is not spoken", hint=f"one of {', '.join(LANGUAGES)}")
    return LANGUAGES.index(lang)
