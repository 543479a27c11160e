# SPDX-License-Identifier: Apache-2.0
"""One farm decided with what is known of the others already: a past decision is made again without their facts."""

from __future__ import annotations

import decimal
from datetime import date

from acreline.credit.assess import _decide
from acreline.credit.contract import CompiledPolicy, RuleContext, Totals
from acreline.credit.facts import MONEY
from acreline.records import Decision, Farm


def decide_alone(
    farm: Farm, policy: CompiledPolicy, *, as_of: date, totals: Totals | None, farms_of_person: int
) -> Decision:
    """The decision that `assess_credit` gave the farm in its batch.

    Args:
        farm: facts as they were.
        policy: from `compile_policy`.
        as_of: day of the decision; that the policy held on it was checked then.
        totals: sums over the batch.
        farms_of_person: farms of this person in the batch; 1 where the person is not named.
    """
    rules = policy.policy
    context = RuleContext(as_of, rules.currency, rules.round_to, farms_of_person, policy.crop_names, totals)
    with decimal.localcontext(MONEY):
        return _decide(farm, policy, context)
