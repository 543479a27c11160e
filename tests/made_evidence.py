# SPDX-License-Identifier: Apache-2.0
"""A publication with a hundred decided farms and no picture: what its evidence is worth can be tried on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

from acreline.chain import Chain
from acreline.credit import assess_credit, find_totals, refer_retired
from acreline.plan import Plan
from acreline.publish import Facts, publish_run
from acreline.records import Applicant, Farm, Interval
from acreline.store import Store
from tests.made_looks import MAIZE, made_looks, made_parcels
from tests.test_credit import make_farm
from tests.test_publish import NOTHING, made_facts

DAY = date(2018, 12, 15)
FARMS = 100


def farm_name(number: int) -> str:
    return f"F-{number:03d}"


def evidence_farm(number: int) -> Farm:
    """Farms of all outcomes: some seen too rarely, some without a debt, two persons with several farms."""
    name = farm_name(number)
    farm = make_farm(farm_id=name)
    area = 4000.0 + 317.0 * number
    stands = tuple(
        replace(
            stand,
            farm_id=name,
            parcel_id=f"P-{number:03d}-{k}",
            area_m2=Interval(area * 0.97, area, area * 1.03),
            value=Interval(area * 1.1, area * 1.6, area * 2.2),
        )
        for k, stand in enumerate(farm.stands)
    )
    total = area * len(stands)
    return replace(
        farm,
        parcel_ids=tuple(stand.parcel_id for stand in stands),
        stands=stands,
        planted_m2=Interval(total * 0.97, total, total * 1.03),
        sown_m2=total,
        area_m2=total * 1.03,
        value=Interval(total * 1.1, total * 1.6, total * 2.2),
        clear_looks=2 if number % 7 == 0 else 12,
        last_clear=date(2018, 12, 1),
        applicant=Applicant(
            name,
            f"P-{number // 2 if number < 10 else number:05d}-CN",
            requested=Decimal(3000 * number),
            existing_debt=None if number % 11 == 5 else Decimal(100 * (number % 5)),
        ),
    )


def evidence_facts(plan: Plan, farms: tuple[Farm, ...] | None = None) -> Facts:
    """The farms decided under the plan's policy, on parcels of their own."""
    farms = farms or tuple(evidence_farm(number) for number in range(FARMS))
    owners = {parcel: farm.farm_id for farm in farms for parcel in farm.parcel_ids}
    stopped = plan.model_retired
    decided = (
        assess_credit(farms, plan.compiled, as_of=DAY)
        if stopped is None
        else refer_retired(farms, plan.compiled, stopped.facts(), as_of=DAY)
    )
    return made_facts(
        parcels=made_parcels(owners),
        looks=made_looks({next(iter(owners)): MAIZE}, [date(2018, 7, 1)]),
        farms=farms,
        decisions=tuple(decided),
        totals=find_totals(farms, plan.compiled, as_of=DAY),
    )


@contextmanager
def no_pages() -> Iterator[None]:
    """Pages and catalogue are another room's: they are left out."""
    names = ("write_farm_pages", "write_catalog", "write_map_page")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch(f"acreline.report.{name}", return_value=None))
        yield


def publish_evidence(plan: Plan, out: Path, farms: tuple[Farm, ...] | None = None) -> Path:
    """A run folder with the publication in it; returns the publication."""
    with no_pages():
        return publish_run(plan, evidence_facts(plan, farms), NOTHING, Store(out))[0]


def edit_line(
    publication: Path, number: int, change: Callable[[dict[str, Any]], None], *, reseal: bool = False
) -> None:
    """Change one line of the trail, counted from 1; `reseal` forges every chain value from there on."""
    path = publication / "trail.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    raw = json.loads(lines[number - 1])
    change(raw)
    if not reseal:
        seal = raw.pop("chain")
        body = Chain().seal(raw)
        lines[number - 1] = f'{body[:-66]}{seal}"}}'
    else:
        chain = Chain(json.loads(lines[number - 2])["chain"] if number > 1 else Chain().head)
        lines[number - 1] = chain.seal(raw)
        for k in range(number, len(lines)):
            lines[k] = chain.seal(json.loads(lines[k]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
