# SPDX-License-Identifier: Apache-2.0
"""What becomes of open cases when their model was retired: each goes to a person, no rule is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from acreline.credit.assess import ENGINE
from acreline.credit.contract import CompiledPolicy, make_step
from acreline.credit.facts import show
from acreline.records import Decision, Farm

WORDS = (
    "The measuring model {model} was stopped on {since} by {by} ({reason}); a person decides.",
    "测算模型{model}已于{since}由{by}停用（{reason}），由工作人员决定。",
)


def refer_retired(
    farms: Sequence[Farm], policy: CompiledPolicy, retired: Mapping[str, str], *, as_of: date
) -> list[Decision]:
    """Refer every farm that a retired model measured, with who stopped it; no amount is told, not even "would be".

    Args:
        farms: facts, in any order.
        policy: the policy that would have decided.
        retired: name, from, by and reason of the model's retirement.
        as_of: day of the decision.

    Returns:
        one referral per farm, in the same order.
    """
    facts = {
        "model": show(retired["name"]),
        "since": show(retired["from"]),
        "by": show(retired["by"]),
        "reason": show(retired["reason"]),
    }
    step = make_step(ENGINE, "model_retired", None, None, WORDS, facts, outcome="refer")
    return [
        Decision(
            farm_id=farm.farm_id,
            outcome="refer",
            limit=None,
            currency=policy.policy.currency,
            binding_rule=None,
            reasons=(step.code,),
            policy_id=policy.name,
            as_of=as_of,
            trail=(step,),
        )
        for farm in farms
    ]
