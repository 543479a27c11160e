# SPDX-License-Identifier: Apache-2.0
"""What is promised of a limit, measured: reasons, monotone limits, doubt, small plots, replay.

    python benchmarks/credit.py [--pairs 100000] [--farms 1000] [--policies demo china kcc] [--county] [--dry]

Made farms and the packaged policies; no picture is read, but with --county: then counties are drawn and run, and their
farms are held beside each other at equal true value (`benchmarks/credit_segments.py`). Writes
benchmarks/results/credit.json. How fast it is stands in `benchmarks/credit_speed.py`.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from credit_farms import AS_OF, farms_of, in_currency, load_policy, make_chunk
from credit_pairs import count_counter_examples, crops_of
from credit_segments import PARCELS, WORK, ZONES, county_rows
from rows import make_row, write_rows

from acreline.codes import all_codes
from acreline.credit import CompiledPolicy, assess_credit, reason_words
from acreline.farms.gather import EDGE_PX_SD, PIXEL_M2, Z_95
from acreline.records import Applicant, Decision, Farm, Interval, Stand

ROOT = Path(__file__).parents[1]
COMMAND = "python benchmarks/credit.py"
GENERIC = ("policy", "score", "other")
SIZES_HA = (0.1, 0.3, 0.5, 1.0, 5.0)
MOST_REASONS = 4
LOOKS = 40
"""Clear looks of a season in which every twentieth part of it is two."""
CROP = "maize"

Rows = list[dict[str, Any]]


def without(policy: CompiledPolicy, code: str, decision: Decision) -> CompiledPolicy | None:
    """The policy with the rule that gave a code taken away; None where no other rule makes a limit."""
    name = next(step.rule for step in decision.trail if step.code == code)
    rules = tuple(entry for entry in policy.rules if entry.rule.name != name)
    return replace(policy, rules=rules) if any(entry.rule.sets_limit for entry in rules) else None


def with_more_land(farm: Farm) -> Farm:
    """The farm with twice the land of each stand and twice its harvest: neutral for what is an amount per area."""
    double = lambda one: Interval(2 * one.low, 2 * one.mid, 2 * one.high)  # noqa: E731 - a word for three lines
    stands = tuple(
        replace(
            stand,
            area_m2=double(stand.area_m2),
            value=None if stand.value is None else double(stand.value),
            cash_cost=None if stand.cash_cost is None else double(stand.cash_cost),
        )
        for stand in farm.stands
    )
    return replace(
        farm, stands=stands, planted_m2=double(farm.planted_m2), area_m2=2 * (farm.area_m2 or 0),
        value=None if farm.value is None else double(farm.value),
    )  # fmt: skip


def rise(farm: Farm, policy: CompiledPolicy, decision: Decision, code: str) -> Decimal:
    """By how much a limit rises where one of its reasons is neutral."""
    other = without(policy, code, decision)
    again = (
        assess_credit([with_more_land(farm)], policy, as_of=AS_OF)[0]
        if other is None
        else assess_credit([farm], other, as_of=AS_OF)[0]
    )
    base = decision.limit or Decimal(0)
    return (again.limit if again.limit is not None else base) - base


def rise_of_all(farm: Farm, policy: CompiledPolicy, decision: Decision) -> Decimal:
    """By how much a limit rises where all its reasons are neutral together."""
    other: CompiledPolicy | None = policy
    for code in decision.reasons:
        other = None if other is None else without(other, code, decision)
    again = None if other is None else assess_credit([farm], other, as_of=AS_OF)[0].limit
    return Decimal(0) if again is None else again - (decision.limit or Decimal(0))


def reasons_rows(name: str, policy: CompiledPolicy, count: int) -> Rows:
    """G01 and G02: one to four specific reasons each, and each one truly moved the limit."""
    farms = in_currency(list(farms_of(make_chunk(0, tuple(crops_of(policy)), count))), policy.policy.currency)
    decisions = [assess_credit([farm], policy, as_of=AS_OF)[0] for farm in farms]
    told = [
        1 <= len(one.reasons) <= MOST_REASONS
        and not set(one.reasons) & set(GENERIC)
        and all(reason_words(code, lang) != code for code in one.reasons for lang in ("en", "zh"))
        for one in decisions
    ]
    limited = [(farm, one) for farm, one in zip(farms, decisions, strict=True) if one.outcome == "approve"]
    rises = [[rise(farm, policy, one, code) for code in one.reasons] for farm, one in limited]
    moved = [by > 0 for some in rises for by in some if any(some)]
    level = [
        rise_of_all(farm, policy, one) > 0 for (farm, one), some in zip(limited, rises, strict=True) if not any(some)
    ]
    moved += level  # caps that stand level raise it together alone
    first = [some[0] == max(some) for some in rises]
    outcomes = {kind: sum(one.outcome == kind for one in decisions) for kind in ("approve", "refer", "decline")}
    setting = f"policy {name}, made farms; {outcomes}"
    return [
        make_row("outcomes with one to four specific reasons in words", setting, sum(told) / len(told), "share",
                 n=len(told), target=">= 1", command=COMMAND, baseline="a bare score: 0"),
        make_row("reasons of a limit that raise it when neutral", f"policy {name}, approved farms",
                 sum(moved) / max(1, len(moved)), "share", n=len(moved), target=">= 1", command=COMMAND,
                 baseline="all rules that moved the limit, in the policy's order"),
        make_row("limits whose first reason raises most", f"policy {name}, approved farms",
                 sum(first) / max(1, len(first)), "share", n=len(first), target=">= 1", command=COMMAND,
                 baseline="all rules that moved the limit, in the policy's order"),
    ]  # fmt: skip


def monotone_rows(name: str, policy: CompiledPolicy, pairs: int) -> Rows:
    """G13 and G15: the better farm never gets less, no limit passes a cap."""
    found = count_counter_examples(policy, pairs, seed=2018, as_of=AS_OF)
    if found["first"]:
        print(f"{name}: {found['first']}")
    setting = f"policy {name}: land, harvest, health, record, debt; one better, two at once, at step edges"
    both = f"{found['decided']:,} of them decided on both sides"
    return [
        make_row("pairs in which the evidence bar alone refers the better farm", setting, found["more_doubt"], "",
                 n=found["pairs"], command=COMMAND, baseline="more land in doubt: a person decides"),
        make_row("pairs in which the better farm gets less", setting, found["counter_examples"], "", n=found["pairs"],
                 target="<= 0", command=COMMAND, baseline=both),
        make_row("limits above a cap that their trail tells", setting, found["passed_cap"], "", n=2 * found["pairs"],
                 target="<= 0", command=COMMAND, baseline=both),
    ]  # fmt: skip


def fewer_looks(farm: Farm) -> Iterator[Farm]:
    """The farm seen in 100 to 0 % of the season's looks, in steps of 5 %."""
    for part in range(20, -1, -1):
        looks = LOOKS * part // 20
        yield replace(farm, clear_looks=looks, last_clear=farm.last_clear if looks else None)


def gets_worse(whole: Decision, other: Decision) -> bool:
    """A lower automatic limit, or a decline that was none."""
    if other.outcome == "decline":
        return whole.outcome != "decline"
    return other.limit is not None and whole.limit is not None and other.limit < whole.limit


def data_rows(name: str, policy: CompiledPolicy, count: int) -> Rows:
    """G09 and P14: what was not seen, or is in doubt, goes to a person and costs nobody money."""
    chunk = farms_of(make_chunk(1, tuple(crops_of(policy)), count))
    day = AS_OF - timedelta(days=5)
    good = [
        replace(farm, clear_looks=LOOKS, last_clear=day, flags=())
        for farm in in_currency(list(chunk), policy.policy.currency)
    ]
    whole = [assess_credit([farm], policy, as_of=AS_OF)[0] for farm in good]
    rare = [
        gets_worse(one, assess_credit([seen], policy, as_of=AS_OF)[0])
        for farm, one in zip(good, whole, strict=True)
        for seen in fewer_looks(farm)
    ]
    codes = [slug for slug, code in all_codes().items() if code.kind != "note" and set(code.layers) != {"credit"}]
    flagged = [
        gets_worse(one, assess_credit([replace(farm, flags=(code,))], policy, as_of=AS_OF)[0])
        for farm, one in zip(good[:100], whole[:100], strict=True)
        for code in codes
    ]
    return [
        make_row("limits lowered or declined for fewer clear looks", f"policy {name}: 100 to 0 % of {LOOKS} looks",
                 sum(rare), "", n=len(rare), target="<= 0", command=COMMAND,
                 baseline=f"all looks: {sum(one.outcome == 'approve' for one in whole)} of {len(whole)} approved"),
        make_row("limits lowered or declined for doubtful data", f"policy {name}, each of {len(codes)} codes",
                 sum(flagged), "", n=len(flagged), target="<= 0", command=COMMAND, baseline="the same farm without it"),
    ]  # fmt: skip


def square_farm(hectares: float, currency: str) -> Farm:
    """One square field, its planted land and worth as doubtful as a field of that size is."""
    area = 10_000 * hectares
    edge = Z_95 * EDGE_PX_SD * math.sqrt(4 * math.sqrt(area) / 10) * PIXEL_M2
    land = Interval(max(area - edge, 0.0), area, area)
    worth = Interval(1.2 * land.low, 1.8 * area, 2.7 * area)
    stand = Stand("F", "P", "B", CROP, 0.95, (CROP,), land, CROP, value=worth, currency=currency,
                  cash_cost=Interval(0.5 * land.low, 0.55 * area, 0.6 * area))  # fmt: skip
    return Farm(
        "F", "ok", None, ("P",), area, land, area, (stand,), CROP, "normal", 0.0, 20, AS_OF - timedelta(days=5),
        value=worth, currency=currency, applicant=Applicant("F", "P-1", None, Decimal(0), 3),
    )  # fmt: skip


def size_rows(name: str, policy: CompiledPolicy) -> Rows:
    """G23: the same limit a hectare for fields of all sizes that are decided."""
    made = {
        size: assess_credit([square_farm(size, policy.policy.currency)], policy, as_of=AS_OF)[0] for size in SIZES_HA
    }
    per_ha = {
        size: float(one.limit) / size for size, one in made.items() if one.limit and one.binding_rule != "person_cap"
    }
    referred = [f"{size:g} ha ({', '.join(one.reasons)})" for size, one in made.items() if size not in per_ha]
    spread = 1 - min(per_ha.values()) / max(per_ha.values()) if per_ha else math.nan
    told = ", ".join(f"{size:g} ha {limit:,.0f}" for size, limit in per_ha.items())
    return [
        make_row("spread of the limit a hectare over sizes of field", f"policy {name}, square fields of {CROP}; {told}",
                 round(spread, 4), "share", n=len(per_ha), target="<= 0.05", command=COMMAND,
                 baseline=f"referred or capped: {'; '.join(referred) or 'none'}"),
    ]  # fmt: skip


def replay_rows() -> Rows:
    """G07: decisions made again from what their publication kept."""
    sys.path.insert(0, str(ROOT))
    from tests.made_evidence import publish_evidence

    from acreline.config import read_region
    from acreline.plan import plan_run
    from acreline.replay import replay_run

    with tempfile.TemporaryDirectory() as folder:
        plan = plan_run(read_region(ROOT / "configs" / "regions" / "flanders-2018.yaml"), as_of=AS_OF)
        done = replay_run(publish_evidence(plan, Path(folder)), whole=True)
    same = sum(one.same for one in done.decisions)
    return [
        make_row("decisions made again from lineage alone, byte for byte", "100 made farms, policy demo",
                 same / len(done.decisions), "share", n=len(done.decisions), target=">= 1", command=COMMAND,
                 baseline="no scene, region file, policy file or network is read"),
    ]  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000, help="of farms, a policy")
    parser.add_argument("--farms", type=int, default=1_000, help="of which reasons are read, a policy")
    parser.add_argument("--policies", nargs="+", default=["demo", "china", "kcc"])
    parser.add_argument("--county", action="store_true", help="segments of farms of simulated counties too; long")
    parser.add_argument("--county-parcels", type=int, default=PARCELS, help="of each county")
    parser.add_argument("--county-zones", nargs="+", default=list(ZONES), help="names of configs/simulate/")
    parser.add_argument("--work", type=Path, default=WORK, help="counties and their runs are kept here")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    asked = parser.parse_args()
    rows: Rows = []
    for name in asked.policies:
        policy = load_policy(name)
        rows += reasons_rows(name, policy, asked.farms)
        rows += data_rows(name, policy, asked.farms)
        rows += size_rows(name, policy)
        rows += monotone_rows(name, policy, asked.pairs)
        print(f"{name}: measured", flush=True)
    rows += replay_rows()
    if asked.county:
        rows += county_rows(asked.policies, asked.county_zones, parcels=asked.county_parcels, work=asked.work)
    for row in rows:
        met = {True: "met   ", False: "missed", None: "      "}[row["met"]]
        print(f"{met} {row['quantity']}: {row['value']:g} (target {row['target']}, n {row['n']:,}), {row['setting']}")
    if not asked.dry:
        write_rows("credit", rows)


if __name__ == "__main__":
    main()
