# SPDX-License-Identifier: Apache-2.0
"""The parts of an explanation in plain text that hang on more than the decision: what was seen, amounts, advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from acreline.records import Decision, Farm
from acreline.report.advice import Advise, advice_line, advise_reasons
from acreline.report.read import Row, legends
from acreline.report.waterfall import waterfall_bars, waterfall_lines
from acreline.report.words import word
from acreline.units import m2_to_ha, m2_to_mu


def seen_lines(farm: Farm, manifest: Mapping[str, Any], lang: str) -> list[str]:
    """Land, planted land, crop, health and looks of a farm, in one line.

    Args:
        farm: as it was measured.
        manifest: of the publication: its legends name crops and classes.
        lang: `en` or `zh`.
    """
    zh = lang == "zh"
    names = {
        layer: {row["slug"]: row["zh" if zh else "en"] for row in rows} for layer, rows in legends(manifest).items()
    }
    crop = farm.main_crop or "unknown"
    crop = names["crop"].get(crop, word("crop", crop)[zh])
    health = names["health"].get(farm.health, word("health", farm.health)[zh])
    low, mid, high = (m2_to_mu(area) for area in (farm.planted_m2.low, farm.planted_m2.mid, farm.planted_m2.high))
    if zh:
        land = (
            []
            if farm.area_m2 is None
            else [f"土地{m2_to_mu(farm.area_m2):,.1f}亩（{m2_to_ha(farm.area_m2):,.2f}公顷）"]
        )
        last = "" if farm.last_clear is None else f"，最近一次{farm.last_clear}"
        told = [*land, f"种植{mid:,.1f}亩（{low:,.1f}至{high:,.1f}亩）", f"主要作物：{crop}", f"长势：{health}"]
        return [f"观测到：{'；'.join([*told, f'清晰观测{farm.clear_looks}次{last}'])}。"]
    land = (
        [] if farm.area_m2 is None else [f"{m2_to_mu(farm.area_m2):,.1f} mu of land ({m2_to_ha(farm.area_m2):,.2f} ha)"]
    )
    last = "" if farm.last_clear is None else f", the last on {farm.last_clear}"
    told = [*land, f"{mid:,.1f} mu planted ({low:,.1f} to {high:,.1f})", f"main crop: {crop}", f"health: {health}"]
    return [f"Seen: {'; '.join([*told, f'{farm.clear_looks} clear looks{last}'])}."]


def amount_lines(decision: Decision, lang: str) -> list[str]:
    """The amounts after each rule that set or moved them, below each other; none where no amount was told."""
    zh = lang == "zh"
    trail = [
        {
            "rule": step.rule,
            "code": step.code,
            "before": None if step.before is None else str(step.before),
            "after": None if step.after is None else str(step.after),
            "evidence": [[name, value] for name, value in step.evidence.items()],
        }
        for step in decision.trail
    ]
    bars = waterfall_bars({"outcome": decision.outcome, "trail": trail})
    if not bars:
        return []
    if decision.limit is None:
        head = ("What the amount would be; no limit stands yet:", "参考金额，尚未核定额度：")[zh]
    else:
        head = ("From the first amount to the limit:", "从初始金额到额度：")[zh]
    return [head, *(f"  {line}" for line in waterfall_lines(bars, decision.currency, zh))]


def advice_lines(
    decision: Decision, settled: Sequence[Row], season_end: date | None, lang: str, advise: Advise
) -> dict[str, str]:
    """Reason code -> what can be done about it and by when, as a sentence.

    Args:
        decision: with its reasons.
        settled: from `doubts.settle`.
        season_end: last day of the season.
        lang: `en` or `zh`.
        advise: what can be done about a reason.
    """
    told = advise_reasons(decision.reasons, settled, decision.as_of, season_end, lang, advise)
    return {code: advice_line(text, by, lang) for code, (text, by) in told.items()}
