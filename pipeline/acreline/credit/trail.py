# SPDX-License-Identifier: Apache-2.0
"""A decision as plain JSON values and back: decimals and dates as text, so the same decision is the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as _quote
from typing import Any

from acreline.errors import StoreError
from acreline.records import Decision, Step


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """A decision with its whole trail as JSON values; `decision_from_json` makes the same record of it."""
    return {
        "farm_id": decision.farm_id,
        "outcome": decision.outcome,
        "limit": _text(decision.limit),
        "currency": decision.currency,
        "binding_rule": decision.binding_rule,
        "reasons": list(decision.reasons),
        "policy_id": decision.policy_id,
        "as_of": decision.as_of.isoformat(),
        "trail": [
            {
                "rule": step.rule,
                "before": _text(step.before),
                "after": _text(step.after),
                "code": step.code,
                "changed": step.changed,
                "outcome": step.outcome,
                "evidence": dict(step.evidence),
                "evidence_zh": dict(step.evidence_zh),
                "text_en": step.text_en,
                "text_zh": step.text_zh,
            }
            for step in decision.trail
        ],
    }


def decision_line(decision: Decision) -> str:
    """A decision as one line of JSON with sorted keys; no line end.

    It is `canonical_json(decision_to_json(decision))` letter for letter, written out: a county is a million of them.
    """
    reasons = ",".join([_quote(code) for code in decision.reasons])
    steps = ",".join([_step_line(step) for step in decision.trail])
    return (
        f'{{"as_of":"{decision.as_of}","binding_rule":{_word(decision.binding_rule)}'
        f',"currency":{_quote(decision.currency)},"farm_id":{_quote(decision.farm_id)},"limit":{_number(decision.limit)}'
        f',"outcome":{_quote(decision.outcome)},"policy_id":{_quote(decision.policy_id)},"reasons":[{reasons}]'
        f',"trail":[{steps}]}}'
    )


def _step_line(step: Step) -> str:
    changed = "true" if step.changed else "false"
    return (
        f'{{"after":{_number(step.after)},"before":{_number(step.before)},"changed":{changed}'
        f',"code":{_quote(step.code)},"evidence":{_facts(step.evidence)},"evidence_zh":{_facts(step.evidence_zh)}'
        f',"outcome":{_word(step.outcome)},"rule":{_quote(step.rule)},"text_en":{_quote(step.text_en)}'
        f',"text_zh":{_quote(step.text_zh)}}}'
    )


def _facts(evidence: Mapping[str, str]) -> str:
    heads = _sort_names(tuple(evidence))
    return "{" + ",".join([f"{head}:{_quote(evidence[name])}" for name, head in heads]) + "}"


@lru_cache(256)
def _sort_names(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names of facts in order, each bare and in quotes; rules use few sets of them, again and again."""
    return tuple([(name, _quote(name)) for name in sorted(names)])


def _word(text: str | None) -> str:
    return "null" if text is None else _quote(text)


def _number(amount: Decimal | None) -> str:
    return "null" if amount is None else f'"{amount:f}"'


def decision_from_json(raw: Mapping[str, Any]) -> Decision:
    """The decision behind `decision_to_json`'s values; other keys of the line are left alone.

    Raises:
        StoreError: a key is missing or a value is none that a decision can have.
    """
    try:
        steps = tuple(
            Step(**{**step, "before": _amount(step["before"]), "after": _amount(step["after"])})
            for step in raw["trail"]
        )
        return Decision(
            farm_id=raw["farm_id"],
            outcome=raw["outcome"],
            limit=_amount(raw["limit"]),
            currency=raw["currency"],
            binding_rule=raw["binding_rule"],
            reasons=tuple(raw["reasons"]),
            policy_id=raw["policy_id"],
            as_of=date.fromisoformat(raw["as_of"]),
            trail=steps,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(
            f"trail: a line is no decision: {type(error).__name__}: {error}",
            hint="the file was edited or cut short: run `acreline verify` on it",
        ) from error


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
