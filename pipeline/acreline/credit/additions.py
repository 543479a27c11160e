# SPDX-License-Identifier: Apache-2.0
"""What rules that add a share of the crop amount have in common."""

from __future__ import annotations

from decimal import Decimal

from acreline.credit.contract import RuleContext, Words, make_step
from acreline.credit.facts import CENT, floor_to, show_money, show_share
from acreline.records import Step


def add_share(
    rule: str, limit: Decimal | None, context: RuleContext, share: Decimal, added: Words, idle: Words
) -> Step:
    """Add a share of the crop amount to the limit; where no amount stands, leave everything.

    Args:
        rule: name of the rule, and its reason code.
        limit: limit so far.
        context: has the crop amount as `base`.
        share: of the base.
        added: words with {rate}, {base} and {added}.
        idle: words for where there is nothing to add to.
    """
    if limit is None or context.base is None:
        return make_step(rule, rule, limit, limit, idle)
    more = floor_to(context.base * share, CENT)
    facts = {
        "rate": show_share(share),
        "base": show_money(context.base, context.currency),
        "added": show_money(more, context.currency),
    }
    return make_step(rule, rule, limit, limit + more, added, facts)
