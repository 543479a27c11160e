# SPDX-License-Identifier: Apache-2.0
"""What a farmer can do about each reason, and which day that hangs on: from the rules, else from the codes."""

from __future__ import annotations

from typing import Literal, NamedTuple

from acreline.codes import LANGUAGES, all_codes
from acreline.credit.contract import Words

When = Literal["papers", "wait", "none"]

ASKED: dict[str, tuple[When, Words]] = {
    "rerun": ("none", ("Wait: it is measured again, nothing is asked of you.", "等待系统重新测量，无需办理。")),
    "wait": ("wait", ("Wait for more clear pictures.", "等待更多清晰影像。")),
    "photo": ("papers", ("Send a photo of the field with date and place.", "提供带日期和位置的田间照片。")),
    "boundary": ("papers", ("Send a corrected outline of the parcel.", "提供更正的地块边界。")),
    "documents": ("papers", ("Bring the figure or paper that is missing.", "补充缺少的数字或证明材料。")),
    "visit": ("papers", ("Ask for a visit to the field.", "预约实地查看。")),
    "none": ("none", ("", "")),
}
"""Action of `configs/codes.yaml` -> what its day is, and the same asked of the farmer."""
UNDATED = frozenset({"requested", "person_cap", "several_farms_one_person"})
"""Reasons of rules about which no paper is asked for, so no day is told."""
NOTHING_LEFT: Words = (
    "A smaller debt or a larger request leaves room for a loan: bring the receipt of what you have paid back.",
    "携带还款凭证：减少债务或提高申请金额后可有额度。",
)


class Advice(NamedTuple):
    """What can be done about a reason."""

    text: str
    """Empty where nothing is asked of the farmer."""
    when: When
    """papers: until the answer period of the decision ends; wait: until more was seen; none: no day."""


def advise(code: str, lang: str = "en", settled_by: str | None = None) -> Advice:
    """What can be done about a reason.

    Args:
        code: reason code.
        lang: `en` or `zh`.
        settled_by: the action that settles it on this land, where that was found out: a photo where no more pictures
            come in this season. None: the one that settles it as a rule.
    """
    from acreline.credit.rules import load_rules

    place = LANGUAGES.index(lang)
    own = next((rule.actions[code] for rule in load_rules().values() if code in rule.actions), None)
    own = NOTHING_LEFT if code == "nothing_left" else own
    if own is not None:
        return Advice(own[place], "none" if code in UNDATED else "papers")
    known = all_codes().get(code)
    action = settled_by or (known.action if known is not None else "none")
    when, words = ASKED[action]
    if known is not None and known.asks is not None and action == known.action:
        words = known.asks
    return Advice(words[place], when)


def reason_action(code: str, lang: str = "en") -> str:
    """What can be done about a reason; empty where nothing is asked of the farmer."""
    return advise(code, lang).text
