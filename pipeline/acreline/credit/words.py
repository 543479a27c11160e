# SPDX-License-Identifier: Apache-2.0
"""Every reason in words a farmer can use, in English and Chinese: what is so, and what would help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache

from acreline.codes import LANGUAGES, all_codes, said_words
from acreline.credit.contract import Words
from acreline.credit.facts import show_money, why_unmeasured
from acreline.errors import ConfigError
from acreline.records import NOT_FARMLAND, Decision, Farm, Step

ENGINE_WORDS: dict[str, Words] = {"policy": ("The policy as a whole", "整体政策")}
"""Steps that no rule makes: the check of the facts before all, the rounding after all."""


@cache
def _rank() -> dict[str, int]:
    return {code: place for place, code in enumerate(all_codes())}


def measured_words(code: str) -> Words:
    """The sentence of a code of `configs/codes.yaml`; for one that nobody has put in words, the code itself."""
    return said_words(code)


def rank_codes(codes: Iterable[str], *, first: str | None = None) -> list[str]:
    """Codes strongest first: `first`, then the order of `configs/codes.yaml`, then unknown ones by name."""
    rank = _rank()
    return sorted(set(codes), key=lambda code: (code != first, rank.get(code, len(rank)), code))


def why_no_value(farm: Farm) -> str:
    """The strongest reason among the stands, so that the farmer hears which fact is missing, not that one is."""
    unmeasured = why_unmeasured(farm)
    if unmeasured is not None:
        return unmeasured
    if not farm.stands:
        return "no_stand"
    if any(stand.crop == NOT_FARMLAND for stand in farm.stands):
        return "not_farmland"
    if "mixed_currency" in farm.flags:
        return "mixed_currency"
    codes = rank_codes(stand.code for stand in farm.stands if stand.value is None and stand.code is not None)
    return codes[0] if codes else "no_value"


def known_codes() -> list[str]:
    """Every code that has words of its own, sorted."""
    from acreline.credit.rules import load_rules

    return sorted({*all_codes(), *(code for rule in load_rules().values() for code in rule.reasons)})


def rule_words(name: str) -> Words:
    """What a reader sees instead of a rule's name; the name for one that is not known any more."""
    from acreline.credit.rules import load_rules

    known = load_rules().get(name)
    return ENGINE_WORDS.get(name, (name, name)) if known is None else known.title


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


def explain_decision(
    decision: Decision,
    lang: str = "en",
    *,
    seen: Sequence[str] = (),
    advice: Mapping[str, str] | None = None,
    drawn: Sequence[str] = (),
) -> list[str]:
    """A decision in words: what was decided, what was seen, why, each step on the way, and the right to a person.

    Args:
        decision: from `assess_credit`.
        lang: `en` or `zh`.
        seen: lines below the head: what the decision rests on.
        advice: reason code -> what can be done about it and by when; left out: what can be done as a rule.
        drawn: lines below the steps: the amounts below each other.

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
        *seen,
        *(_reason_line(decision, code, lang, advice) for code in decision.reasons),
    ]
    for number, step in enumerate(decision.trail, start=1):
        said = f"{rule_words(step.rule)[zh]}{(': ', '：')[zh]}{(step.text_en, step.text_zh)[zh]}"
        lines.append(f"{number}. {said}{_movement(step, decision, zh)}")
    lines += drawn
    lines.append((f"Policy {decision.policy_id}.", f"政策 {decision.policy_id}。")[zh])
    lines.append(
        ("You may ask at any time that a person looks at this again.", "您可以随时要求人工复核。")[zh],
    )
    return lines


def _reason_line(decision: Decision, code: str, lang: str, told: Mapping[str, str] | None) -> str:
    """A reason, of a referral with the figures of its step, and what can be done about it."""
    from acreline.credit.actions import reason_action

    zh = _language(lang)
    step = next((step for step in decision.trail if step.code == code and step.outcome == "refer"), None)
    said = reason_words(code, lang) if step is None else (step.text_en, step.text_zh)[zh]
    advice = "" if told is None else told.get(code, "")
    if told is None:
        action = reason_action(code, lang)
        advice = action and ("What you can do: ", "您可以：")[zh] + action
    gap = " " if advice and not zh else ""
    return f"{('Reason: ', '原因：')[zh]}{said}{gap}{advice}"


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
