# SPDX-License-Identifier: Apache-2.0
"""Every file that a region names beside its scenes, read in one place: all that is wrong with them is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from acreline.claims import Earlier, read_earlier
from acreline.config import Crop, Region, packaged_crops, read_crops
from acreline.errors import AcrelineError, Troubles
from acreline.events import list_detectors
from acreline.farms import read_applicants
from acreline.layers import Parcels, Weather
from acreline.money import applicant_at
from acreline.parcels import read_parcels
from acreline.plan import Plan, decision_day, named_file, plan_run
from acreline.prices import with_prices
from acreline.records import Applicant
from acreline.regional import read_known_events, read_normals, read_statistics
from acreline.weather import read_weather

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Inputs:
    """What a region's files say, as far as it was known on the day of the decision."""

    parcels: Parcels
    applicants: Mapping[str, Applicant]
    weather: Weather | None
    crops: Mapping[str, Crop]
    """At the prices and costs of the day."""
    statistics: Mapping[str, tuple[float, float]] | None
    normals: pd.DataFrame | None
    known_events: pd.DataFrame | None
    earlier: Earlier | None
    not_yet_published: tuple[str, ...]
    """Tables of which nothing was published by the day; the run is as if they were not named."""


def read_inputs(region: Region, crops: Mapping[str, Crop], *, as_of: date) -> Inputs:
    """Read what a region names: parcels, applicants, weather, prices, costs, statistics, normals, events, earlier run.

    Args:
        region: the region file's settings.
        crops: the region's, by slug.
        as_of: what was not known on this day takes no part.

    Raises:
        AcrelineError: a file cannot be used; several of them come as one `SeveralErrors`.
    """
    troubles = Troubles()

    def read(key: str, reader: Any, *more: Any, **named: Any) -> Any:
        return troubles.of(lambda: reader(named_file(region, key), *more, **named))

    parcels = troubles.of(read_parcels, region.parcels)
    applicants = read("applicants", lambda path: _in_policy_money(read_applicants(path), region.applicants_rate))
    weather = read("weather", read_weather, as_of=as_of)
    priced, unpriced = read("prices", lambda path: with_prices(crops, path, None, as_of=as_of)) or (crops, ())
    priced, uncosted = read("costs", lambda path: with_prices(priced, None, path, as_of=as_of)) or (crops, ())
    statistics = read("statistics", read_statistics, packaged_crops() | dict(crops), as_of=as_of, county=region.county)
    normals = read("normals", read_normals, harvest_year=region.season.end.year)
    known = None
    if parcels is not None:  # reports are crossed with them
        known = read("known_events", read_known_events, parcels, list_detectors(), as_of=as_of)
    earlier = troubles.of(read_earlier, region.previous_run, region.season)
    if parcels is None or troubles.errors:
        raise troubles.as_one()
    unpublished = ("statistics",) if statistics == {} else ()
    return Inputs(
        parcels, applicants, weather, priced, statistics, normals, known, earlier, (*unpriced, *uncosted, *unpublished)
    )


def check_region(region: Region) -> tuple[Plan, Inputs]:
    """Compile a region and read every file it names, as a run would, without running.

    Raises:
        AcrelineError: something does not fit; all that does not comes as one `SeveralErrors`.
    """
    troubles = Troubles()
    plan = troubles.of(plan_run, region)
    crops = plan.crops if plan is not None else _crops(region)
    inputs = troubles.of(read_inputs, region, crops, as_of=decision_day(region))
    if plan is None or inputs is None:
        raise troubles.as_one()
    return plan, inputs


def _in_policy_money(applicants: Mapping[str, Applicant], rate: Decimal | None) -> Mapping[str, Applicant]:
    if rate is None:
        return applicants
    return {farm_id: applicant_at(applicant, rate) for farm_id, applicant in applicants.items()}


def _crops(region: Region) -> Mapping[str, Crop]:
    """The region's crops; where one cannot be read, which the plan tells, the packaged ones: tables are looked at."""
    try:
        return read_crops(region)
    except AcrelineError:
        return packaged_crops()
