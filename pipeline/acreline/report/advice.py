# SPDX-License-Identifier: Apache-2.0
"""What a farmer can do about each reason and by when: the action that settles it on this land, and its day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta

from acreline.report.read import Row

ANSWER_DAYS = 30
"""Papers, photos and corrected outlines that come within so many days are looked at for this decision."""

Advise = Callable[[str, str, str | None], tuple[str, str]]
"""Reason code, language and the action that settles it here -> what to do, and papers, wait or none for its day."""


def answer_by(as_of: date) -> date:
    """Last day on which papers are looked at for the decision of a day."""
    return as_of + timedelta(days=ANSWER_DAYS)


def advise_reasons(
    codes: Iterable[str], settled: Sequence[Row], as_of: date, season_end: date | None, lang: str, advise: Advise
) -> dict[str, tuple[str, str]]:
    """What to do about each reason of a decision, and by when in words; both empty where nothing is asked.

    Args:
        codes: the reasons.
        settled: what settles the farm's doubts, from `doubts.settle`.
        as_of: day of the decision; papers count until `ANSWER_DAYS` after it.
        season_end: what is waited for without a day that could be told comes by then, if at all.
        lang: `en` or `zh`.
        advise: from the rules and codes.
    """
    zh = lang == "zh"
    found = {code: (one["action"], one["until"]) for one in settled for code, _ in one["codes"]}
    told = {}
    for code in codes:
        action, until = found.get(code, (None, None))
        text, when = advise(code, lang, action)
        by = ""
        if when == "papers":
            day = answer_by(as_of)
            by = f"{day}前" if zh else f"by {day}"
        elif when == "wait" and until is not None:
            by = f"约至{until}" if zh else f"until about {until}"
        elif when == "wait" and season_end is not None and season_end > as_of:
            by = f"至本季结束，{season_end}" if zh else f"until the season ends, {season_end}"
        told[code] = (text, by if text else "")
    return told


def advice_line(text: str, by: str, lang: str) -> str:
    """What can be done, with its day: one sentence, empty without one."""
    if not text:
        return ""
    if lang == "zh":
        return f"您可以{f'（{by}）' if by else ''}：{text}"
    return f"What you can do{f' ({by})' if by else ''}: {text}"
