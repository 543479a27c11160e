# SPDX-License-Identifier: Apache-2.0
"""A decision as plain JSON values and back: decimals and dates as text, so the same decision is the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from acreline.errors import StoreError
from acreline.hashing import canonical_json
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
    """A decision as one line of JSON with sorted keys; no line end."""
    return canonical_json(decision_to_json(decision))


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
