# SPDX-License-Identifier: Apache-2.0
"""What stands above a publication in two languages: what a reader must not take for more than it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from acreline.config import Region
from acreline.credit.facts import plain
from acreline.freshness import Freshness, stale_words
from acreline.plan import Plan

HEALTH_NOTICE = {"en": "health: not validated", "zh": "长势与灾害等级：未经实地验证"}
DEMONSTRATION_NOTICE = {
    "en": "demonstration policy: invented numbers, not a bank's",
    "zh": "演示政策：数字为虚构，并非任何银行的政策",
}
SIMULATED_NOTICE = {
    "en": "simulated land: drawn by a program, no satellite saw these fields and nobody farms them",
    "zh": "模拟地块：由程序生成，并非卫星观测，亦无人耕种",
}
TABLE_WORDS = {
    "prices": ("prices", "价格"),
    "costs": ("costs", "成本"),
    "statistics": ("harvest statistics", "产量统计"),
}


def notices_of(
    plan: Plan,
    left_out: Sequence[str],
    unpublished: Sequence[str],
    *,
    simulated: bool,
    freshness: Freshness | None = None,
) -> list[dict[str, str]]:
    """The notices of a run, gravest first.

    Args:
        plan: the compiled region.
        left_out: kinds of event that were not looked for.
        unpublished: tables of which nothing was published by the day.
        simulated: the land was drawn by a program.
        freshness: how old what was seen is; told where its alarm goes.
    """
    from acreline.report.event_words import not_looked_for

    notices = [SIMULATED_NOTICE] if simulated else []
    if freshness is not None and freshness.alarm is not None:
        notices.append(dict(zip(("en", "zh"), stale_words(freshness), strict=True)))
    notices += [HEALTH_NOTICE] if plan.model.card.health == "not validated" else []
    notices += [DEMONSTRATION_NOTICE] if "demonstration" in plan.policy.title.lower() else []
    notices += [converted(plan.region, plan.policy.currency)] if plan.region.applicants_rate is not None else []
    notices += [dict(zip(("en", "zh"), not_looked_for(left_out), strict=True))] if left_out else []
    return notices + ([not_yet_published(unpublished, plan.as_of)] if unpublished else [])


def converted(region: Region, currency: str) -> dict[str, str]:
    """A notice that requests and debts were told in another currency."""
    of, rate = region.applicants_currency, plain(region.applicants_rate or Decimal(1))
    return {
        "en": f"requests and debts in {of} were reckoned at {rate} {currency} for one {of}",
        "zh": f"申请金额与债务按1 {of} = {rate} {currency}折算",
    }


def not_yet_published(tables: Sequence[str], day: date) -> dict[str, str]:
    """A notice of tables that are named and took no part: their figures came later than the day."""
    names = [TABLE_WORDS[table] for table in tables]
    return {
        "en": f"not yet published on {day}, so not used: {', '.join(en for en, _ in names)}",
        "zh": f"截至 {day} 尚未发布，未采用：{'、'.join(zh for _, zh in names)}",
    }
